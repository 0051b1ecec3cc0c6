// By which arm a batch is predicted, and what is said where that can't be told.

import { describe, expect, it } from 'vitest';
import { type ArmChoice, type ArmDeps, chooseArm } from '../../src/batch-prediction/choose-arm.ts';
import type { Definitions } from '../../src/definitions/index.ts';
import type { ModelVersion } from '../../src/registry/index.ts';
import { definitionsOf } from '../support/offline-world.ts';
import { flightsManifest } from '../support/manifests.ts';

const MODEL = Object.values(flightsManifest.models)[0]?.name as string;
const SERVICE = Object.keys(flightsManifest.services)[0] as string;

interface Given {
  readonly variants: readonly (readonly [name: string, version: number, weight: number])[];
  /** Arms of an experiment, by version. */
  readonly arms?: Readonly<Record<string, number>>;
  readonly retired?: number;
  /** The model that the endpoint serves by now. */
  readonly serves?: string;
}

function choose({ variants, arms = {}, retired, serves = MODEL }: Given, choice: ArmChoice = {}) {
  const definitions: Definitions = definitionsOf(flightsManifest, '/');
  const own = {
    model: MODEL,
    artifact: 'a'.repeat(64),
    service: SERVICE,
    manifestHash: definitions.hash,
    spec: null,
    trainingSet: 'set',
    rowsVerdict: null,
  };
  const versionOf = (version: number) =>
    ({ ...own, version, isRetired: version === retired }) as unknown as ModelVersion;
  const registry = {
    endpoints: {
      get: async () => ({
        model: serves,
        variants: variants.map(([name, version, weight]) => ({ name, version, weight, ranges: [] })),
        experiments: [
          { name: 'trial', arms: Object.entries(arms).map(([name, version]) => ({ name, version })) },
        ].filter(({ arms: those }) => those.length > 0),
      }),
    },
    models: {
      get: async (_: string, version: number) => versionOf(version),
      resolve: async (model: string, named: string) => ({ ...versionOf(Number(named)), model }),
    },
  };
  // As much of each as is asked.
  const deps = { registry, applied: definitions, definitionsOf: async () => definitions } as unknown as ArmDeps;
  return chooseArm(deps, 'delay', choice);
}

const stable = ['stable', 1, 100] as const;

describe('a batch is predicted by', () => {
  it('the only variant that has traffic, whatever else is there', async () => {
    const off = ['off', 2, 0] as const;
    expect(await choose({ variants: [stable, off], arms: { b: 3 } })).toMatchObject({
      variant: 'stable',
      version: 1,
      trainingSets: ['set'],
    });
  });

  it('the variant that is named, without traffic too, or the arm of an experiment', async () => {
    const given = { variants: [stable, ['off', 2, 0] as const], arms: { b: 3 } };
    expect(await choose(given, { variant: 'off' })).toMatchObject({ variant: 'off', version: 2 });
    expect(await choose(given, { variant: 'trial/b' })).toMatchObject({ variant: 'trial/b', version: 3 });
  });

  it('the version that is named, which is of no variant, whatever the variant', async () => {
    const given = { variants: [stable] };
    expect(await choose(given, { version: '4', variant: 'stable' })).toMatchObject({ variant: null, version: 4 });
  });
});

it('a version is one of the model that the endpoint has in the definitions of the run, whatever it serves by now', async () => {
  expect(await choose({ variants: [stable], serves: 'other' }, { version: '3' })).toMatchObject({
    model: MODEL,
    version: 3,
  });
});

describe('it is refused', () => {
  const one = { variants: [stable] };
  const split: Given = { variants: [['a', 1, 99] as const, ['b', 2, 1] as const] };
  it.each<[string, Given, ArmChoice, string, RegExp]>([
    ['where traffic is split', split, {}, 'HR_USAGE', /split over a, b/],
    ['where there is no variant', { variants: [] }, {}, 'HR_MODEL_NOT_READY', /no version to predict by/],
    ['for a variant that is not there', one, { variant: 'stabel' }, 'HR_USAGE', /"stable"\? It has stable/],
    ['for any variant of an endpoint without', { variants: [] }, { variant: 'a' }, 'HR_USAGE', /It has none/],
    [
      'where its traffic is of another model since',
      { ...one, serves: 'other' },
      {},
      'HR_CONFLICT',
      /serves model "other" by now/,
    ],
    ['by a variant of that', { ...one, serves: 'other' }, { variant: 'stable' }, 'HR_CONFLICT', /earlier revision/],
    ['by a retired version', { variants: [stable], retired: 1 }, {}, 'HR_CONFLICT', /version 1 .* is retired/],
  ])('%s', async (_, given, choice, code, message) => {
    await expect(choose(given, choice)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
