// How often a run's progress is told to who watches it.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { RunInHand } from '../../src/orchestrator/engine/run-in-hand.ts';
import { tellProgress } from '../../src/orchestrator/tell-progress.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const run = (end: RunInHand['end']): RunInHand => ({ end, graph: { nodes: new Map() }, rows: new Map() }) as never;

function watched() {
  const atMs: number[] = [];
  const teller = tellProgress(
    () => 0 as never,
    () => atMs.push(performance.now() - startMs),
  );
  const startMs = performance.now();
  return { atMs, teller };
}

it('is told at the first change, then at most every 100 ms, and at the end', () => {
  const { atMs, teller } = watched();
  for (let ms = 0; ms < 250; ms += 10) {
    teller.changed(run(null));
    vi.advanceTimersByTime(10);
  }
  teller.changed(run('succeeded'));
  expect(atMs).toEqual([0, 100, 200, 250]);
  teller.close();
  expect(atMs).toHaveLength(4);
});

it('tells while nothing changes what came too soon before, and what was not told as it closes', () => {
  const { atMs, teller } = watched();
  teller.changed(run(null));
  vi.advanceTimersByTime(10);
  teller.changed(run(null));
  vi.advanceTimersByTime(990);
  expect(atMs).toEqual([0, 500, 1000]);
  teller.changed(run(null));
  teller.close();
  expect(atMs).toEqual([0, 500, 1000, 1000]);
  vi.advanceTimersByTime(2000);
  expect(atMs).toHaveLength(4);
});
