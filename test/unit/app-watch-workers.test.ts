import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type WorkersWatch, watchWorkers } from '../../src/app/watch-workers.ts';

let silent: [string, number][];
let watch: WorkersWatch<string>;
beforeEach(() => {
  vi.useFakeTimers();
  silent = [];
  watch = watchWorkers({ limitMs: 30_000, onSilent: (worker, silentMs) => void silent.push([worker, silentMs]) });
});
afterEach(() => {
  watch.close();
  vi.useRealTimers();
});

it('tells once of a worker that has told nothing for the limit, and of no other', () => {
  watch.heard('hangs');
  for (let second = 0; second < 120; second++) {
    watch.heard('works');
    vi.advanceTimersByTime(1000);
    if (second < 29) expect(silent).toEqual([]);
  }
  expect(silent).toEqual([['hangs', 33_000]]);
});

it('does not know a worker before its first word, nor after its end', () => {
  watch.heard('ended');
  watch.left('ended');
  vi.advanceTimersByTime(120_000);
  expect(silent).toEqual([]);
});

it('takes none for silent that was not heard while the watching process stood still', () => {
  watch.heard('works');
  for (let time = 0; time < 20; time++) {
    // Time passes, in which nothing runs here; then one look comes before what was told meanwhile is read.
    vi.setSystemTime(Date.now() + 3_600_000);
    vi.advanceTimersToNextTimer();
    watch.heard('works');
  }
  expect(silent).toEqual([]);
});
