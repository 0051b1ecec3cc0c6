// An executor over a temporary folder and a real artifact store; orders are written to it as a driver writes them.

import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StepAction } from '../../src/definitions/index.ts';
import type { Executor, Slice, TaskEvent } from '../../src/orchestrator/executors/executor.ts';
import type { LocalExecutorOptions } from '../../src/orchestrator/executors/local/local-executor.ts';
import { taskDirectory } from '../../src/orchestrator/run-logs.ts';
import type { StepOrder } from '../../src/orchestrator/step/order.ts';
import { getBlob, type ObjectStore, openObjectStore, putBlob } from '../../src/storage/index.ts';
import { orderOf } from './step-order.ts';
import { openTestExecutor } from './test-executor.ts';

export type ExecutorWorld = ReturnType<typeof createWorld>;
export type WorldOptions = Partial<LocalExecutorOptions> & { readonly directory?: string };

let worlds = 0;
let slices = 0;

export function openExecutorWorld(options: WorldOptions = {}): ExecutorWorld {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'headrace-executor-'));
  worlds += 1;
  const driver = options.driver ?? `test/${process.pid}/${worlds}`;
  const objects = options.objects ?? openObjectStore(`file:${join(directory, 'artifacts')}`);
  const executor = openTestExecutor(directory, { ...options, driver, objects });
  return createWorld({ directory, driver, objects, executor });
}

export interface WorldParts {
  readonly directory: string;
  readonly driver: string;
  readonly objects: ObjectStore;
  readonly executor: Executor & { readonly launcherPid?: number | undefined };
  /** Ends what the executor needed, once it is closed. */
  readonly end?: () => Promise<void>;
  /**
   * Tasks are committed by their place in a run, and logs lie in the artifact store alone: each order is of a run of its own, 'run-1'
   * the first, and `log` is of the latest.
   */
  readonly isCommittedByPlace?: boolean;
}

export function createWorld({ end, isCommittedByPlace = false, ...parts }: WorldParts) {
  const { directory, objects, executor } = parts;
  const events: TaskEvent[] = [];
  let runs = 1;
  let orders = 0;
  const waiting = new Set<() => void>();
  executor.watch((those) => {
    events.push(...those);
    for (const look of waiting) look();
  });
  const endsOf = (slice: Slice): TaskEvent[] =>
    events.filter((event) => event.slice === slice.id && event.kind !== 'started').sort((a, b) => a.index - b.index);
  const world = {
    ...parts,
    /** All that was told so far. */
    events: events as readonly TaskEvent[],
    /** Of runs too long to remember: what was told so far is left out of `events`. */
    forget: () => void events.splice(0),
    /** The code as a step's action. */
    async task(code: string): Promise<StepAction> {
      const bundle = await putBlob(objects, Buffer.from(`'use strict';\n${code}`));
      return { kind: 'task', function: { id: 'pipeline/p/s', hash: bundle, bundle } };
    },
    /** Files of the repository that travel. */
    files: async (texts: Readonly<Record<string, string>>) =>
      await Promise.all(
        Object.entries(texts).map(async ([path, text]) => ({ path, hash: await putBlob(objects, Buffer.from(text)) })),
      ),
    async order(action: StepAction, given: Partial<StepOrder> = {}): Promise<string> {
      orders += 1;
      if (isCommittedByPlace) runs = orders;
      const order = orderOf(action, { run: `run-${runs}`, ...given });
      return `blob:${await putBlob(objects, Buffer.from(JSON.stringify(order)))}`;
    },
    slice(spec: string, count = 1, attempt = 1): Slice {
      slices += 1;
      return { id: `slice-${slices}`, spec, tasks: Array.from({ length: count }, (_, index) => ({ index, attempt })) };
    },
    /** Submits and waits until every task has ended; gives the ends in order of the tasks. */
    async run(action: StepAction, given: Partial<StepOrder> = {}, count = 1): Promise<TaskEvent[]> {
      const slice = world.slice(await world.order(action, given), count);
      await executor.submit([slice]);
      return await world.ends(slice);
    },
    async ends(slice: Slice): Promise<TaskEvent[]> {
      await new Promise<void>((resolve) => {
        const look = (): void => {
          if (endsOf(slice).length < slice.tasks.length) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
      return endsOf(slice);
    },
    /** The value of an output, from wherever it lies. */
    async value(event: TaskEvent | undefined): Promise<unknown> {
      if (event?.kind !== 'succeeded') throw new Error(`it did not succeed: ${JSON.stringify(event)}`);
      const { output } = event;
      const text = 'json' in output ? output.json : Buffer.from(await getBlob(objects, output.blob)).toString();
      return JSON.parse(text);
    },
    log(index = 0, attempt = 1): string {
      const place = { runId: `run-${runs}`, step: 's', index, attempt };
      const file = isCommittedByPlace
        ? join(directory, 'artifacts', `runs/${place.runId}/logs/s/${index}/${attempt}.txt`)
        : join(taskDirectory(join(directory, 'work'), place), 'log.txt');
      return existsSync(file) ? readFileSync(file, 'utf8') : '';
    },
    async close(): Promise<void> {
      await executor.close();
      await end?.();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return world;
}

/** Processes in whose environment, arguments or working folder this text stands. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      const said = ['environ', 'cmdline'].map((of) => readFileSync(`/proc/${name}/${of}`, 'utf8'));
      return [...said, `${readlinkSync(`/proc/${name}/cwd`)}/`].join('\0').includes(text) ? [Number(name)] : [];
    } catch {
      return []; // gone
    }
  });
}

export async function until(what: () => boolean, told = 'it'): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!what()) {
    if (Date.now() > deadline) throw new Error(`${told} did not come to be within 20 s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
