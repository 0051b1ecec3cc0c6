// Several machines, the sales that are pushed to them, and what the tests do to both: processes that meet a fault one
// after another, runs that are ended or stopped in the middle, and in the end peace, after which every count is exact.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Fault } from './fault-points.ts';
import { type MachineProcess, type MachinesOptions, openMachines, type StartOptions } from './machines.ts';
import { createSalesProject, openSalesProject } from './sales-project.ts';
import { startTraffic, type Traffic, type TrafficOptions } from './sales-traffic.ts';

export type SalesWorld = Awaited<ReturnType<typeof openSalesWorld>>;

export interface SweepOptions {
  /** Called before each fault. */
  readonly each?: (at: number) => Promise<void> | void;
  /** As each life starts. */
  readonly start?: (at: number) => StartOptions;
}

export interface SalesWorldOptions extends Partial<Pick<MachinesOptions, 'askTimeoutMs'>> {
  readonly online: string;
  /** Defaults: SQLite and a folder, in the project. */
  readonly registry?: string;
  readonly artifacts?: string;
  readonly variables?: Readonly<Record<string, string>>;
}

/** From when it serves. */
const LIFE_LIMIT_MS = 10_000;
/** A fault that no process meets is no test of it. Whether one has something to settle is up to the life before. */
const TRIES = 4;
const STOPPED_MS = 700;
/** Longer than a run takes beside all the others. */
const HELD_LIMIT_MS = 20_000;
const PEACE_LIMIT_MS = 30_000;
const WATCH_EVERY_MS = 150;

export async function openSalesWorld(options: SalesWorldOptions) {
  const project = createSalesProject();
  const variables = {
    HEADRACE_REGISTRY_URL: options.registry ?? `sqlite:${project.file('registry.db')}`,
    HEADRACE_ONLINE_URL: options.online,
    HEADRACE_ARTIFACTS_URL: options.artifacts ?? `file:${project.file('artifacts')}`,
    HEADRACE_PUSH_LOG_TIMEOUT_MS: '1500',
    ...options.variables,
  };
  const sales = await openSalesProject(project, {
    ...variables,
    HEADRACE_PUSH_LOG_PATH: project.file('own-push-log'),
    HEADRACE_OFFLINE_PATH: project.file('own-offline'),
  });
  const { askTimeoutMs = 600 } = options;
  const machines = openMachines({ directory: project.directory, variables, askTimeoutMs });
  const places = new Map<string, MachineProcess>();
  const mayHoldLock = options.online.startsWith('lmdb:');

  /** Those that are up; where the traffic goes. */
  const servers = (): readonly string[] => [...places.values()].flatMap(({ url }) => url ?? []);
  /** A server on the machine, once it serves; in the place of one that is gone. */
  const serve = async (machine: string, start: StartOptions = {}): Promise<MachineProcess> => {
    const server = machines.serve(machine, start);
    places.set(machine, server);
    await server.saidLine('serving ');
    return server;
  };

  /** Resolves with whether it met its fault: a server in time, a run before its end. */
  const meets = async (own: MachineProcess, isServer: boolean): Promise<boolean> => {
    if (isServer) await own.saidLine('serving ');
    const limit = new AbortController();
    const late = sleep(LIFE_LIMIT_MS, undefined, { signal: limit.signal }).catch(() => undefined);
    await Promise.race([own.saidLine('fault '), ...(isServer ? [late] : [])]);
    limit.abort();
    return own.met.length > 0;
  };

  /** A run without a fault; how it ended. */
  const run = async (machine: string, start: Omit<StartOptions, 'faults'> = {}): Promise<string> => {
    const said = await machines.run(machine, start);
    return said.findLast((line) => /^(done|failed) /.test(line)) ?? said.join('\n');
  };

  return {
    sales,
    machines,
    servers,
    startTraffic: (traffic: Partial<TrafficOptions> = {}): Traffic => startTraffic(sales, { servers, ...traffic }),
    serve,
    async killServer(name: string): Promise<void> {
      await places.get(name)?.end();
    },
    signalServer: (name: string, signal: NodeJS.Signals): void => places.get(name)?.signal(signal),
    /**
     * One life of a server on the machine after another, each until it has met its fault; gives those that were never met.
     * What is stopped is woken after a while, and ended.
     */
    sweepServer: (machine: string, faults: readonly Fault[], options?: SweepOptions): Promise<string[]> =>
      sweep(faults, options, async (fault, start) => {
        const server = machines.serve(machine, { ...start, faults: [fault] });
        places.set(machine, server);
        const isMet = await meets(server, true);
        if (fault.signal === 'SIGSTOP') {
          await sleep(STOPPED_MS);
          server.signal('SIGCONT');
          await sleep(STOPPED_MS);
        }
        await server.end();
        return isMet ? undefined : server.said;
      }),
    /** The same for runs. What is stopped is woken once another run has ended, or waits for a lock that it holds. */
    sweepRuns: (machine: string, faults: readonly Fault[], options?: SweepOptions): Promise<string[]> =>
      sweep(faults, options, async (fault, start) => {
        const own = machines.materialize(machine, {}, { ...start, faults: [fault] });
        const isMet = await meets(own, false);
        if (fault.signal === 'SIGSTOP' && !own.isGone) {
          const another = run(machine);
          // One that was stopped within a commit of LMDB's holds a lock which the others wait for.
          await (mayHoldLock ? Promise.race([another, sleep(HELD_LIMIT_MS)]) : another);
          own.signal('SIGCONT');
          await another;
        }
        await own.ended;
        return isMet ? undefined : own.said;
      }),
    run,
    /** Ends all servers as they should be, starts those again, and waits until every log is settled. */
    async makePeace(names: readonly string[], start: StartOptions = {}): Promise<void> {
      const open = () => [...places.values()];
      const codes = await Promise.all(open().map(async (server) => (server.isGone ? '0' : server.end('SIGTERM'))));
      expect(new Set(codes), `servers ended by ${codes.join(', ')}`).toEqual(new Set(codes.length === 0 ? [] : ['0']));
      places.clear();
      for (const name of names) await serve(name, start);
      const log = await sales.app.log();
      const unsettled = async () => (await log.writers()).filter(({ state }) => state === 'open');
      const warnings = () => open().flatMap(({ said }) => said.filter((line) => line.startsWith('warning')));
      const limit = performance.now() + PEACE_LIMIT_MS;
      while ((await unsettled()).length > 0) {
        if (performance.now() > limit) {
          throw new Error(`not settled: ${JSON.stringify(await unsettled())} ${warnings().join('\n')}`);
        }
        await sleep(50);
      }
    },
    /** Throws what `check` throws, for as long as `work` goes on. */
    async during<T>(check: () => Promise<void>, work: Promise<T>): Promise<T> {
      let isOver = false;
      const watching = (async () => {
        while (!isOver) {
          await check();
          await sleep(WATCH_EVERY_MS);
        }
      })();
      const over = work.finally(() => (isOver = true));
      // Whichever fails first fails the test at once.
      await Promise.race([over, watching]);
      const [done] = await Promise.all([over, watching]);
      return done;
    },
    async close(): Promise<void> {
      await machines.close();
      await sales.close();
      project.remove();
    },
  };
}

/** `live` gives what a process said that has not met its fault. */
async function sweep(
  faults: readonly Fault[],
  { each, start = () => ({}) }: SweepOptions = {},
  live: (fault: Fault, start: StartOptions) => Promise<readonly string[] | undefined>,
): Promise<string[]> {
  const missed: string[] = [];
  for (const [at, fault] of faults.entries()) {
    await each?.(at);
    let said: readonly string[] | undefined = [];
    for (let tries = 0; tries < TRIES && said !== undefined; tries++) said = await live(fault, start(at));
    if (said !== undefined) missed.push(`${fault.when} ${fault.point} ${fault.n}: ${said.slice(-30).join('\n  ')}`);
  }
  return missed;
}
