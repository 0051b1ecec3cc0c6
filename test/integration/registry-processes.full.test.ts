// A process that is killed while it applies definitions.
// twin: test/contract/database.test.ts > keeps a transaction whole when it commits and leaves nothing when it throws

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import type { Manifest } from '../../src/definitions/index.ts';
import { openRegistry, type Registry } from '../../src/registry/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { flightsManifest } from '../support/manifests.ts';
import { smallManifest } from '../support/small-manifest.ts';

interface Applier {
  readonly process: ChildProcessByStdio<null, Readable, null>;
  /** The next line that it prints; undefined at its end. */
  nextLine(): Promise<string | undefined>;
}

function startApplier(url: string): Applier {
  const script = new URL('../support/apply-manifests.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, url], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { process: child, nextLine: async () => (await lines.next()).value };
}

describe.each(testDatabases('registry across processes'))('processes that share a registry on $name', (databases) => {
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());

  const withRegistry = async (url: string, work: (registry: Registry) => Promise<void>): Promise<void> => {
    const database = await openDatabase(url);
    try {
      await work(await openRegistry(database, systemClock));
    } finally {
      await database.close();
    }
  };

  it('leave the old or the new manifest when one is killed while it applies, never half of one', async () => {
    const url = await databases.newUrl();
    for (let round = 0; round < 4; round++) {
      const applier = startApplier(url);
      expect(await applier.nextLine()).toBe('applied');
      // Any moment will do: the next apply is under way.
      await sleep(Math.random() * 25);
      applier.process.kill('SIGKILL');
      await once(applier.process, 'exit');
      await withRegistry(url, expectWhole);
    }
  });
});

async function expectWhole({ definitions, endpoints, auditLog }: Registry): Promise<void> {
  const current = await definitions.current();
  const history = await definitions.history();
  const manifest = current?.manifest ?? smallManifest;
  expect([flightsManifest, smallManifest]).toContainEqual(manifest);
  expect(history[0]?.revision).toBe(current?.revision);
  expect(history.map((apply) => apply.revision)).toEqual(history.map((_, at) => history.length - at));
  expect(await specOf(definitions, 'view', 'airport_delays')).toEqual(manifest.views['airport_delays']);
  expect(await specOf(definitions, 'service', 'delay_features')).toEqual(manifest.services['delay_features'] ?? null);
  expect((await endpoints.list()).map((endpoint) => endpoint.name)).toEqual(Object.keys(manifest.endpoints));
  const [last] = await auditLog.list({ object: 'definitions', limit: 1 });
  expect(last?.after).toMatchObject({ revision: current?.revision, hash: current?.hash });
}

async function specOf(definitions: Registry['definitions'], kind: 'view' | 'service', name: keyof Manifest['views']) {
  return (await definitions.objectVersions(kind, name)).at(-1)?.spec;
}
