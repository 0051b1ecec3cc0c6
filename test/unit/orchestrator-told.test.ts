// What runs tell of themselves: their tasks as they end, and their code part by part.

import { expect, it } from 'vitest';
import type { TaskState } from '../../src/orchestrator/engine/batch.ts';
import type { TaskReport } from '../../src/orchestrator/orchestrator-deps.ts';
import { actionParts } from '../../src/orchestrator/action-parts.ts';
import { reportTasks } from '../../src/orchestrator/task-reports.ts';

it('tells of a task that failed or was lost that it will retry, and of one that was stopped with its driver nothing', () => {
  const told: TaskReport[] = [];
  const at = { step: 'fit', scope: '', attempt: 1, startedAt: null, endedAt: null };
  const task = (index: number, state: TaskState, error: string | null) => ({ ...at, index, state, error });
  reportTasks(
    { id: 'r', graph: { nodes: new Map() } } as never, // all that it reads of a run
    { tasks: [task(0, 'retry', 'exit code 1'), task(1, 'retry', null), task(2, 'cancelled', null)] } as never,
    (report) => told.push(report),
  );
  expect(told.map(({ index, event }) => `${index} ${event}`)).toEqual(['0 will retry', '2 stopped']);
});

it('has each file that travels with a step as a part of its code', () => {
  const files = [
    { path: 'fit.py', hash: 'aa' },
    { path: 'lib/rows.py', hash: 'bb' },
  ];
  expect(actionParts({ kind: 'python', script: 'fit.py', args: {}, files })).toEqual([
    ['kind', 'python'],
    ['script', 'fit.py'],
    ['args', {}],
    ['files.fit.py', 'aa'],
    ['files.lib/rows.py', 'bb'],
  ]);
  expect(actionParts({ kind: 'container', image: 'score:1', command: ['score'] })).toEqual([
    ['kind', 'container'],
    ['image', 'score:1'],
    ['command', ['score']],
  ]);
});
