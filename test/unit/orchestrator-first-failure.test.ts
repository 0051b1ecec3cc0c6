// Which of a run's failures its error tells: by time, then by the place of the step, then by scope, then by index.

import { expect, it } from 'vitest';
import { type Failures, firstFailure } from '../../src/orchestrator/elsewhere/first-failure.ts';
import { batchOf } from '../support/run-rows.ts';

type Given = readonly [at: number, place: number, scope: string, index: number];

const note = (failures: Failures, [at, place, scope, index]: Given, reason: string): void =>
  failures.noteTask(
    { node: { kind: 'step', name: 'fit', place, spec: {} }, scope, children: 9 } as never, // all that it reads of a row
    { index, failures: 1, losses: 0 } as never, // and of a task
    { kind: 'failed', reason, isFinal: true },
    at,
  );

it.each<[string, Given, Given]>([
  ['time, though its place is later', [1, 2, '9', 9], [2, 1, '0', 0]],
  ['place, though its scope is later', [1, 1, '9', 9], [1, 2, '0', 0]],
  ['scope, though its index is later', [1, 1, '0', 9], [1, 1, '1', 0]],
  ['index', [1, 1, '0', 0], [1, 1, '0', 1]],
])('the first by %s, in whatever order they come', async (_, first, second) => {
  for (const order of [
    ['first', 'second'],
    ['second', 'first'],
  ]) {
    const failures = await firstFailure(
      { tasks: () => expect.fail('no row has failed tasks') },
      { run: {}, steps: [] } as never, // a run without rows
      { nodes: new Map() } as never,
    );
    for (const one of order) note(failures, one === 'first' ? first : second, one);
    const { run } = failures.told(batchOf({ run: { state: 'failed', error: null, endedAt: 3 } }));
    expect(run?.error).toMatch(/: first$/);
  }
});
