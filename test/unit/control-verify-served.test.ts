// The report on what was served: the order of its differences, how many examples each has, and how many predictions are
// computed again at once. What explains a difference is `test/e2e/verify.test.ts`'s.

import { expect, it } from 'vitest';
import { verifyServed, type VerifyDeps } from '../../src/control/verify-served.ts';
import type { Value } from '../../src/core/index.ts';
import type { Definitions } from '../../src/definitions/index.ts';
import type { ModelVersion } from '../../src/registry/index.ts';

const FEATURES = ['b', 'a', 'c', 'agreed'];
const AT = '2026-01-31T12:00:00Z';
// As much of them as is looked at.
const definitions = (hash: string): Definitions =>
  ({ hash, manifest: { services: { s: {} } } }) as unknown as Definitions;

/** By service `s`, whose features are all 1 as served. By today's definitions "agreed" is 2; the others were never 1 by the facts. */
function served(predictions: number) {
  const batches: number[] = [];
  const rows = Array.from({ length: predictions }, (_, i) => {
    const features = Object.fromEntries(FEATURES.map((name) => [name, 1]));
    return [`p${i}`, 'checkout', 'm', 1, AT, {}, features, {}];
  });
  const then = definitions('then');
  const deps: VerifyDeps = {
    query: (sql) =>
      Promise.resolve({
        columns: [],
        isCut: false,
        damaged: 0,
        rows: sql.includes('count(*)') ? [[rows.length]] : rows,
      }),
    modelVersion: () => Promise.resolve({ manifestHash: 'then', service: 's' } as ModelVersion),
    definitionsOf: () => Promise.resolve(then),
    applied: definitions('today'),
    check: ({ hash }) => ({
      requestColumns: [],
      features: FEATURES.map((name) => ({ name, type: { kind: 'float64' } })),
      known(points) {
        if (hash === 'then') batches.push(points.length);
        const values: Value[] = hash === 'then' ? [2, 2, 2, 1] : [1, 1, 1, 2];
        return Promise.resolve(points.map(() => values));
      },
      arrived: (points) =>
        Promise.resolve(
          points.map(() => ({
            // Only "c" was 1 before late data arrived.
            candidates: (feature) => (FEATURES[feature] === 'c' ? [{ value: 1, isInFlight: false }] : []),
            gone: () => null,
          })),
        ),
      agrees: (_feature, got, wanted) => got === wanted,
    }),
    unshipped: null,
  };
  return { batches, verify: () => verifyServed(deps, { sample: predictions }) };
}

it('lists bugs first, then late data, then other versions, each by feature', async () => {
  const report = await served(1).verify();
  expect(report.differences.map(({ cause, feature }) => `${cause}: ${feature}`)).toEqual([
    'bug: a',
    'bug: b',
    'late data: c',
    'other version: agreed',
  ]);
  expect(report).toMatchObject({ logged: 1, checked: 1, values: 4, agreed: 0 });
  expect(report.differences[0]?.examples).toEqual([{ predictionId: 'p0', at: AT, served: 1, expected: 2 }]);
});

it('gives three examples of a difference at most, and counts them all', async () => {
  const sizes = async (predictions: number) => {
    const bug = (await served(predictions).verify()).differences[0];
    return [bug?.count, bug?.examples.length];
  };
  expect([await sizes(2), await sizes(3), await sizes(4)]).toEqual([
    [2, 2],
    [3, 3],
    [4, 3],
  ]);
});

it.each([
  [500, [500]],
  [501, [500, 1]],
])('computes %d predictions again, 500 at once', async (predictions, sizes) => {
  const { batches, verify } = served(predictions);
  expect((await verify()).checked).toBe(predictions);
  expect(batches).toEqual(sizes);
});
