// Which executors a run has, and that they are found again by the names that are kept with slices.

import { describe, expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import type { ClusterSpec } from '../../src/definitions/index.ts';
import { openExecutors } from '../../src/orchestrator/driver/open-executors.ts';
import type { Executor } from '../../src/orchestrator/executors/executor.ts';
import type { LoadedRun } from '../../src/orchestrator/rows/run-store.ts';
import { createFarExecutor } from '../support/far-executor.ts';
import { plainStep } from '../support/plain-step.ts';
import { newRun } from '../support/run-rows.ts';

const CLUSTERS: readonly ClusterSpec[] = [
  { kind: 'kubernetes', namespace: 'a', image: 'one', pack: 1 },
  { kind: 'kubernetes', namespace: 'b', image: 'one', pack: 1 },
];

const steps = [
  plainStep('here', { executor: 'local' }),
  ...CLUSTERS.map((executor, at) => plainStep(`far${at}`, { executor })),
];
const run: Pick<LoadedRun['run'], 'id' | 'spec'> = { id: 'r', spec: { ...newRun('r').pipeline, steps } };

function open(openCluster: (spec: ClusterSpec) => Promise<void>) {
  const closed: string[] = [];
  const named = (name: string): Executor => ({
    ...createFarExecutor().executor,
    close: async () => void closed.push(name),
  });
  const executors = openExecutors(
    {
      executor: 'local',
      openExecutor: () => named('local'),
      openFleet: async () => named('fleet'),
      clusters: {
        check: () => {},
        open: async (spec) => {
          await openCluster(spec);
          return named(spec.kind === 'kubernetes' ? spec.namespace : spec.queue);
        },
      },
    },
    'driver',
    // Nothing else of it is looked at.
    { run: run as LoadedRun['run'], slices: [] },
  );
  return { executors, closed };
}

describe('executors of a run', () => {
  it('are found by their names, each of two clusters of one kind too', async () => {
    const { executors, closed } = open(async () => {});
    const { executorOf, executorNamed, close } = await executors;
    const names = steps.map((spec) => executorOf(spec).name);
    expect(new Set(names).size).toBe(3);
    for (const spec of steps) expect(executorNamed(executorOf(spec).name)).toBe(executorOf(spec));
    await close();
    expect(closed.toSorted()).toEqual(['a', 'b', 'local']);
  });

  it('are closed again where one of them cannot be opened', async () => {
    const { executors, closed } = open(async (spec) => {
      if (spec.kind === 'kubernetes' && spec.namespace === 'b') throw new HeadraceError('HR_CONFIG', 'no such cluster');
    });
    await expect(executors).rejects.toMatchObject({ code: 'HR_CONFIG' });
    expect(closed).toEqual(['a']);
  });
});
