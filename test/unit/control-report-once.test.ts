// The queue of reports: one at a time, bounded in how many wait and in how long they do.

import { expect, it } from 'vitest';
import { reportOnce } from '../../src/control/index.ts';
import type { ExperimentReport } from '../../src/rollouts/index.ts';

/** Reports that end when the test says so. */
function held() {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const make = (name: string) => {
    begun.push(name);
    // Nobody looks into it here.
    return new Promise<ExperimentReport>((resolve) => ends.push(() => resolve({ name } as ExperimentReport)));
  };
  return { begun, make, endNext: () => ends.shift()?.() };
}

it('gives who asks for one that is being made that one, and makes others one after the other', async () => {
  const { begun, make, endNext } = held();
  const report = reportOnce(make, { waitMs: 60_000 });
  const [a, same, b] = [report('a', undefined), report('a', undefined), report('b', undefined)];
  expect(same).toBe(a);
  await expect.poll(() => begun).toEqual(['a']);
  endNext();
  expect(await a).toEqual({ name: 'a' });
  await expect.poll(() => begun).toEqual(['a', 'b']);
  endNext();
  expect(await b).toEqual({ name: 'b' });
});

it('refuses one more than may wait', async () => {
  const { begun, make, endNext } = held();
  const report = reportOnce(make, { waitMs: 60_000 });
  const asked = Array.from({ length: 8 }, (_, phase) => report('a', phase + 1));
  await expect(report('a', 9)).rejects.toMatchObject({ code: 'HR_OVERLOADED' });
  for (const [at, one] of asked.entries()) {
    await expect.poll(() => begun).toHaveLength(at + 1);
    endNext();
    await one;
  }
});

it('refuses one whose turn does not come in time, which then is never begun, and makes what follows', async () => {
  const { begun, make, endNext } = held();
  const report = reportOnce(make, { waitMs: 20 });
  const a = report('a', undefined);
  await expect(report('b', undefined)).rejects.toMatchObject({
    code: 'HR_OVERLOADED',
    message: expect.stringMatching(/the turn of experiment "b" did not come within 0\.02 s; ask again/),
  });
  endNext();
  await a;
  const c = report('c', undefined);
  await expect.poll(() => begun).toEqual(['a', 'c']);
  endNext();
  expect(await c).toEqual({ name: 'c' });
});
