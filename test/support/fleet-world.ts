// The fleet over a real database, with two workers as processes of their own.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Logger, silentLogger } from '../../src/core/index.ts';
import { openFleetExecutor } from '../../src/orchestrator/index.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { createWorld, type WorldOptions } from './executor-world.ts';

const WORKER = fileURLToPath(new URL('./fleet-worker.ts', import.meta.url));

export interface FleetWorkerOptions {
  readonly directory: string;
  readonly registryUrl: string;
  readonly slots: number;
  readonly graceMs: number;
  readonly leaseMs: number;
  /** It has the project, and does batches by giving back their items. */
  readonly hasProject: boolean;
  readonly variables?: Readonly<Record<string, string | undefined>>;
}

/** Its process, and the names under which it has served. */
interface FleetWorker {
  readonly child: ChildProcess;
  readonly names: readonly string[];
}

export type FleetWorld = Awaited<ReturnType<typeof openFleetWorld>>;

/** By which what its steps wait for is kept. */
export const RUN = 'fleet-run';

let worlds = 0;

export async function openFleetWorld(
  registryUrl: string,
  options: WorldOptions & {
    readonly workers?: number;
    readonly leaseMs?: number;
    readonly logger?: Logger;
    readonly hasProject?: boolean;
  } = {},
) {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'headrace-fleet-'));
  worlds += 1;
  const { cpus: slots = 2, graceMs = 500, leaseMs = 15_000, hasProject = true } = options;
  const { variables, logger = silentLogger } = options;
  const objects = openObjectStore(`file:${join(directory, 'artifacts')}`);
  const database = await openDatabase(registryUrl);
  const driver = options.driver ?? `fleet-test/${process.pid}/${worlds}`;
  const executor = await openFleetExecutor({ driver, run: RUN, database, objects, logger });
  const workers: FleetWorker[] = [];
  /** As the others, unless it says otherwise. */
  const addWorker = async (own = { hasProject }): Promise<FleetWorker> => {
    const about = { directory, registryUrl, slots, graceMs, leaseMs, ...own };
    const given: FleetWorkerOptions = { ...about, ...(variables && { variables }) };
    const child = fork(WORKER, [JSON.stringify(given)], { execArgv: ['--conditions=headrace-source'] });
    const names: string[] = [];
    child.on('message', (name) => names.push(String(name)));
    const worker = { child, names };
    workers.push(worker);
    await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`the worker ended with exit code ${code}`))),
    ]);
    return worker;
  };
  await Promise.all(Array.from({ length: options.workers ?? 2 }, () => addWorker()));
  const world = createWorld({
    directory,
    driver,
    objects,
    executor,
    async end() {
      for (const { child } of workers) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill('SIGCONT');
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      await database.close();
    },
  });
  return { world, registryUrl, workers, addWorker };
}
