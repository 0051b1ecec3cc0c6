// When the definitions of kept view versions are loaded again, and when their list stays the same object.

import { expect, it } from 'vitest';
import type { Definitions } from '../../src/definitions/index.ts';
import type { Registry } from '../../src/registry/index.ts';
import { createKeptVersions } from '../../src/serving/kept-versions.ts';
import { flightsManifest } from '../support/manifests.ts';
import { definitionsOf } from '../support/offline-world.ts';

it('loads definitions that lack functions at each load until none is missing, and then no more', async () => {
  const rows = [
    { version: 'airport_delays@0', epoch: 1, view: 'airport_delays', manifestHash: 'h', completedMicros: 0 },
  ];
  const applied = definitionsOf(flightsManifest, '/');
  const lacking: Definitions = { ...applied };
  const whole: Definitions = { ...applied, functions: new Map([['onDemand/departure', () => 0]]) };
  const answers = [lacking, lacking, whole];
  const kept = createKeptVersions(
    { versions: { list: async () => rows } } as unknown as Pick<Registry, 'versions'>,
    async () => answers.shift() ?? expect.fail('it was loaded again'),
  );
  const load = async () => {
    const { versions } = await kept.load(applied);
    return { versions, isPartial: kept.isPartial(), left: answers.length };
  };
  const first = await load();
  expect(first).toMatchObject({ isPartial: true, left: 2 });
  const second = await load();
  expect(second).toMatchObject({ isPartial: true, left: 1 });
  // A writer opens a cut for another list.
  expect(second.versions).toBe(first.versions);
  const third = await load();
  expect(third).toMatchObject({ isPartial: false, left: 0 });
  expect(third.versions[0]?.definitions).toBe(whole);
  expect((await load()).versions).toBe(third.versions);
});
