// What is shown of a run as it goes on.

import { describe, expect, it } from 'vitest';
import { createRunView, runLines } from '../../src/cli/run-view.ts';
import type { StepProgress } from '../../src/orchestrator/index.ts';

const NONE = { running: 0, retry: 0, succeeded: 0, failed: 0, cancelled: 0 };
const step = (name: string, more: Partial<StepProgress> = {}): StepProgress => ({
  name,
  isGroup: false,
  depth: 0,
  state: 'waiting',
  children: null,
  counts: NONE,
  longestMicros: null,
  waitsFor: [],
  ...more,
});
const plain = (_format: unknown, text: string): string => text;
const steps = [
  step('export', { state: 'succeeded', children: 1, counts: { ...NONE, succeeded: 1 } }),
  step('fit', {
    state: 'open',
    children: 8,
    counts: { ...NONE, succeeded: 2, running: 2, retry: 1 },
    longestMicros: 75_000_000,
  }),
  step('register', { waitsFor: ['fit'] }),
];

describe('a run on a terminal', () => {
  it('has a line a step: how far, what runs, what is slow and what is waited for', () => {
    expect(runLines(steps, plain, 120, 20)).toEqual([
      '  ✓ export    1/1',
      '  ▸ fit       █████░░░░░░░░░░░░░░░  2/8  2 running  1 to be tried again  the longest for 75 s',
      '  · register  waits for fit',
    ]);
  });

  it('says which runs have the slots that it waits for', () => {
    const holders = [
      { run: 'a', slots: 2, isDriven: true },
      { run: 'b', slots: 1, isDriven: false },
    ];
    const open = { state: 'open' as const, children: 8, counts: { ...NONE, running: 1 } };
    const [line] = runLines(
      [step('fit', { ...open, waitsForPool: { pool: 'warehouse', slots: 1, holders } })],
      plain,
      200,
      20,
    );
    expect(line).toBe(
      '  ▸ fit  ░░░░░░░░░░░░░░░░░░░░  0/8  1 running  waits for pool warehouse (held by run a: 2; run b: 1, whose driver is gone: `headrace runs resume b` or `cancel` frees them)',
    );
    const told: string[] = [];
    const view = createRunView((text) => told.push(text), plain, { isTerminal: false, columns: 80, rows: 24 });
    const wait = { pool: 'warehouse', holders: holders.slice(0, 1) };
    // While some of it runs it is no news.
    view.onProgress([step('fit', { ...open, waitsForPool: { ...wait, slots: 1 } })]);
    for (let looks = 0; looks < 3; looks++)
      view.onProgress([step('fit', { ...open, waitsForPool: { ...wait, slots: 0 } })]);
    expect(told).toEqual(['  fit waits for pool warehouse (held by run a: 2)']);
  });

  it('fits the screen: what is over makes room, and lines are cut', () => {
    const many = Array.from({ length: 30 }, (_, at) => step(`s${at}`, at < 25 ? { state: 'succeeded' } : {}));
    const lines = runLines(many, plain, 80, 5);
    expect(lines).toHaveLength(5);
    expect(lines.at(-1)).toBe('  and 26 more');
    for (const line of runLines(steps, plain, 60, 20)) expect(line.length).toBeLessThanOrEqual(60);
  });

  it('is drawn over itself, with what does not do well above it', () => {
    const told: string[] = [];
    const view = createRunView((text) => told.push(text), plain, { isTerminal: true, columns: 80, rows: 24 });
    view.onProgress(steps);
    const report = { runId: 'r', step: 'fit', scope: '17', index: 3, isChild: true, attempt: 1, reason: 'exit code 1' };
    view.onTask({ ...report, event: 'will retry', seconds: 2 });
    view.close();
    expect(told[1]).toBe('\u001b[3A\u001b[0J  fit[17/3] will retry in 2.0 s: exit code 1');
    expect(told.at(-1)?.startsWith('\u001b[3A\u001b[0J  ✓ export')).toBe(true);
  });
});

it('elsewhere it tells of each step once, and of tasks that do not do well', () => {
  const told: string[] = [];
  const view = createRunView((text) => told.push(text), plain, { isTerminal: false, columns: 80, rows: 24 });
  view.onProgress(steps);
  view.onProgress(steps);
  view.onTask({ runId: 'r', step: 'fit', scope: '', index: 0, isChild: true, attempt: 1, event: 'succeeded' });
  view.onTask({
    runId: 'r',
    step: 'fit',
    scope: '',
    index: 1,
    isChild: true,
    attempt: 1,
    event: 'failed',
    reason: 'no',
  });
  view.close();
  expect(told).toEqual(['  export succeeded 1/1', '  fit[1] failed: no']);
});

it('elsewhere it tells that a Python environment is built, and goes on being so', () => {
  const told: string[] = [];
  const view = createRunView((text) => told.push(text), plain, { isTerminal: false, columns: 80, rows: 24 });
  const of = 'requirements.txt';
  view.onEnvironment({ of, state: 'builds', seconds: 0.01 });
  view.onEnvironment({ of, state: 'builds', seconds: 30.02 });
  view.onEnvironment({ of, state: 'done', seconds: 95.4 });
  view.onEnvironment({ of, state: 'waits', seconds: 60 });
  view.onEnvironment({ of, state: 'failed', seconds: 3.2 });
  expect(told).toEqual([
    '  Python environment of requirements.txt is being built',
    '  Python environment of requirements.txt is being built, for 30.0 s by now',
    '  Python environment of requirements.txt is there after 1m35s',
    '  Python environment of requirements.txt is being built by another process, for 1m by now',
    '  Python environment of requirements.txt could not be built after 3.2 s',
  ]);
});
