// Which models an endpoint's plan loads: each version once, however many arms answer by it.

import { expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import type { ServedModel } from '../../src/serving/served-models.ts';
import { type CompileEndpoint, loadVariants } from '../../src/serving/served-variants.ts';

const ARMS = [
  { name: 'stable', version: 1, weight: 90 },
  { name: 'candidate', version: 2, weight: 10 },
  { name: 'exp/control', version: 1, weight: 0 },
  { name: 'exp/treatment', version: 3, weight: 0 },
];

function models(...broken: readonly number[]) {
  const log: string[] = [];
  const acquire = async (_model: unknown, version: number): Promise<ServedModel> => {
    log.push(`load ${version}`);
    if (broken.includes(version)) throw new HeadraceError('HR_ARTIFACT_UNREADABLE', `${version} is gone`);
    return { release: () => void log.push(`release ${version}`) } as unknown as ServedModel;
  };
  const given = { models: { acquire } } as unknown as CompileEndpoint;
  return { log, load: (mayLack: boolean) => loadVariants(given, ARMS, mayLack) };
}

it('loads each version once, and gives each arm its own', async () => {
  const { log, load } = models();
  const { served, models: all, lacking } = await load(false);
  expect(log).toEqual(['load 1', 'load 2', 'load 3']);
  expect(lacking).toBeUndefined();
  expect(all).toHaveLength(3);
  expect(served.map(({ place, variant }) => [place, variant.name])).toEqual(ARMS.map(({ name }, at) => [at, name]));
  expect(served[2]?.model).toBe(served[0]?.model);
});

it('leaves out the arms of what can’t be loaded, where it may; else gives back all', async () => {
  const { served, lacking } = await models(1).load(true);
  expect(served.map(({ place }) => place)).toEqual([1, 3]);
  expect(lacking).toMatchObject({ code: 'HR_ARTIFACT_UNREADABLE' });
  const none = models(2);
  await expect(none.load(false)).rejects.toThrow('2 is gone');
  expect(none.log).toEqual(['load 1', 'load 2', 'release 1']);
  await expect(models(1, 2, 3).load(true)).rejects.toThrow('1 is gone');
});
