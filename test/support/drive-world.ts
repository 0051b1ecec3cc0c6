// Run `r` in a store on SQLite, its objects beside that, and drivers of it on executors that the test gives.

import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import type { PipelineSpec, StepSpec } from '../../src/definitions/index.ts';
import { driveRun } from '../../src/orchestrator/driver/drive-run.ts';
import type { KnownExecutors } from '../../src/orchestrator/driver/handed-slices.ts';
import { firstRows, graphOf } from '../../src/orchestrator/engine/graph.ts';
import type { Executor } from '../../src/orchestrator/executors/executor.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import type { RunStore } from '../../src/orchestrator/rows/run-store.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { folderOfTest } from './new-folder.ts';
import { plainStep } from './plain-step.ts';

export type DriveWorld = Awaited<ReturnType<typeof openDriveWorld>>;

export const range = (end: number) => ({ kind: 'range', start: 0, end }) as const;
/** `count`: of its foreach, where that is not 1. */
export const stepOf = (name: string, count = 1, more: Partial<StepSpec> = {}): StepSpec =>
  plainStep(name, { ...(count === 1 ? {} : { foreach: range(count) }), ...more });

/** One for each step, by its name. */
export function executorsOf(of: Readonly<Record<string, Executor>>): KnownExecutors {
  const named = new Map(Object.entries(of).map(([step, executor]) => [step, { name: `here:${step}`, executor }]));
  const { executorNamed } = { executorNamed: (name: string) => named.get(name.slice('here:'.length)) };
  return { executorOf: ({ name }) => named.get(name) as NonNullable<ReturnType<typeof executorNamed>>, executorNamed }; // of all steps
}

/** The same one for all steps. */
export function onlyExecutor(executor: Executor): KnownExecutors {
  const named = { name: 'local:driver', executor };
  return { executorOf: () => named, executorNamed: () => named };
}

/** To be called in a `beforeEach` or a test, with whose end it closes. */
export async function openDriveWorld() {
  const folder = folderOfTest();
  const url = `sqlite:${join(folder, 'runs.db')}`;
  const objects = openObjectStore(`file:${join(folder, 'artifacts')}`);
  const database = await openDatabase(url);
  onTestFinished(() => database.close());
  const store = await openRunStore(database, systemClock);
  return {
    folder,
    url,
    objects,
    database,
    store,
    async begin(pipeline: PipelineSpec, keepGoing = false): Promise<void> {
      const steps = firstRows(graphOf(pipeline));
      await store.create({ id: 'r', pipeline, params: {}, manifestHash: 'm', keepGoing, state: 'running', steps });
    },
    /** `seen`: the store as the driver sees it. */
    async drive(known: KnownExecutors, { signal, seen = store }: { signal?: AbortSignal; seen?: RunStore } = {}) {
      const hold = await store.take('r', 'driver');
      const deps = { ...known, store: seen, objects, clock: systemClock, logger: silentLogger };
      return driveRun({ ...deps, ...(signal && { signal }) }, await store.load('r'), hold);
    },
    rowOf: async (step: string) => (await store.get('r')).steps.find((row) => row.step === step),
  };
}
