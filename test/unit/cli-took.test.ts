// How long runs and steps took, as lists and pictures tell it.

import { expect, it } from 'vitest';
import { describeRun, presentRun } from '../../src/cli/run.ts';
import { describeTook } from '../../src/cli/took.ts';
import type { RunResult, RunStep } from '../../src/orchestrator/index.ts';

const SECOND = 1_000_000;

it('is told to a tenth of a second, of what lasts to the second, and of what lasts longer to the minute', () => {
  expect([0, 1, 0.26 * SECOND, 59.99 * SECOND].map(describeTook)).toEqual(['0.0 s', '0.0 s', '0.2 s', '59.9 s']);
  expect([60, 90.7, 3599.9].map((seconds) => describeTook(seconds * SECOND))).toEqual(['1m', '1m30s', '59m59s']);
  expect([3600, 5432, 90_000].map((seconds) => describeTook(seconds * SECOND))).toEqual(['1h', '1h30m', '1d1h']);
  expect(describeTook(null)).toBe('');
});

const step = (name: string, other: Partial<RunStep>): RunStep => ({
  name,
  state: 'succeeded',
  children: 1,
  counts: { running: 0, retry: 0, succeeded: 1, failed: 0, cancelled: 0 },
  error: null,
  openedAtMicros: 20 * SECOND,
  endedAtMicros: 32.5 * SECOND,
  ...other,
});
const NEVER = step('never', {
  state: 'skipped',
  children: null,
  openedAtMicros: null,
  endedAtMicros: null,
});
const run: RunResult = {
  id: 'r',
  pipeline: 'p',
  state: 'succeeded',
  tickMicros: null,
  createdAtMicros: 0,
  startedAtMicros: 10 * SECOND,
  finishedAtMicros: 100 * SECOND,
  error: null,
  params: {},
  steps: [step('fit', { result: { auc: 1 } }), NEVER],
};

it('stands in the picture of a run, beside what it and its steps came to', () => {
  expect(describeRun(run).split('\n')).toEqual([
    'run r of p: succeeded in 1m30s',
    '  fit              succeeded  1/1     12.5 s  {"auc":1}',
    '  never            skipped',
  ]);
});

it('is there in JSON in seconds, null where something has not ended or was never begun', () => {
  const took = { started_at: '1970-01-01T00:00:10Z', finished_at: '1970-01-01T00:01:40Z', seconds: 90 };
  expect(presentRun(run)).toMatchObject({
    ...took,
    steps: [
      { name: 'fit', started_at: '1970-01-01T00:00:20Z', seconds: 12.5 },
      { name: 'never', started_at: null, finished_at: null, seconds: null },
    ],
  });
  const going = { ...run, finishedAtMicros: null, steps: [step('fit', { state: 'open', endedAtMicros: null })] };
  expect(presentRun(going)).toMatchObject({
    seconds: null,
    steps: [{ started_at: '1970-01-01T00:00:20Z', finished_at: null, seconds: null }],
  });
  expect(describeRun(going)).toMatch(/^run r of p: succeeded\n/);
});
