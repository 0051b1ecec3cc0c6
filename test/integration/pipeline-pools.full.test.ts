// A pool among runs that are driven by processes which race, are killed, and are stopped past their lease: never one task too many.
// Each task holds a lock that the kernel frees with it, of as many locks as the pool has slots: one too many finds none.
// twin: test/contract/run-pools.test.ts > are never more than there are
// twin: test/property/pipeline-engine.test.ts > never has more at work in a pool than its slots

import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, describe } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import type { PipelineSpec, StepSpec } from '../../src/definitions/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import type { RunStore } from '../../src/orchestrator/rows/run-store.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { type ExecutorWorld, openExecutorWorld, processesWith, until } from '../support/executor-world.ts';
import { passLeases, rowsOf } from '../support/run-rows.ts';
import { skipBecause } from '../support/skips.ts';

const CHILD = join(import.meta.dirname, '../support/drive-child.ts');
const SLOTS = 3;
/** A space of processes and no control group, as another machine has: nobody here sees what runs there for what it is. */
const MACHINE = ['--pid', '--fork', '--kill-child', '--mount-proc'];
const HIDE = ['sh', '-c', 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', 'sh'];
const canMakeMachines = spawnSync('unshare', [...MACHINE, ...HIDE, 'true']).status === 0;
if (!canMakeMachines)
  skipBecause(
    'a pool of a driver that stands still elsewhere: `unshare --pid`, or a mount in it, is not there, or not allowed',
  );

describe.each(testDatabases('a pool of racing drivers'))('a pool on $name', (databases) => {
  let world: ExecutorWorld;
  let database: Database;
  let store: RunStore;
  let url = '';
  const children: ChildProcess[] = [];
  beforeAll(async () => {
    await databases.start();
    url = await databases.newUrl();
    world = openExecutorWorld();
    database = await openDatabase(url);
    store = await openRunStore(database, systemClock);
  }, 60_000);
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await until(() => processesWith(`${world.directory}/`).length === 0, 'the end of what drivers had started');
    await world.close();
    await database.close();
    await databases.stop();
  });

  /** Of two steps and a nested one, all of one pool. */
  const pipeline = (): PipelineSpec => {
    const locks = Array.from({ length: SLOTS }, (_, at) => join(world.directory, `lock${at}`)).join(' ');
    const tooMany = join(world.directory, 'too-many');
    const busy = join(world.directory, 'busy');
    const command = `for lock in ${locks}; do exec 9>$lock; if flock -n 9; then echo . >> ${busy}; sleep 0.05; exit 0; fi; done; echo . >> ${tooMany}`;
    const step = (name: string, count: number, more: Partial<StepSpec> = {}): StepSpec => ({
      name,
      action: { kind: 'shell', command },
      needs: {},
      foreach: { kind: 'range', start: 0, end: count },
      retry: 1,
      timeoutMicros: null,
      resources: { cpu: 0.25 },
      pool: 'warehouse',
      ...more,
    });
    return {
      name: 'p',
      params: [],
      groups: [{ name: 'country', foreach: { kind: 'range', start: 0, end: 4 }, last: 'inner' }],
      steps: [step('wide', 16), step('narrow', 6, { parallel: 1 }), step('inner', 2, { in: 'country' })],
    };
  };
  const create = async (id: string): Promise<void> => {
    const steps = ['wide', 'narrow', 'country'].map((step) => ({ step, scope: '' }));
    const given = { id, pipeline: pipeline(), params: {}, manifestHash: 'x', keepGoing: false } as const;
    await store.create({ ...given, state: 'running', steps });
  };
  const drive = (run: string): ChildProcess => {
    const pools = JSON.stringify({ warehouse: SLOTS });
    const child = fork(CHILD, [world.directory, url, run, pools], {
      execArgv: ['--conditions=headrace-source'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    children.push(child);
    return child;
  };
  const isOver = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;
  const stateOf = async (run: string): Promise<string> => (await store.get(run)).run.state;
  /** Slots of all runs together, where they are more than there are. */
  const faults = async (): Promise<readonly number[]> => {
    const total = (await rowsOf(database)).pipeline_pools.reduce((sum, { slots }) => sum + slots, 0);
    return total > SLOTS ? [total] : [];
  };

  it('never has one task too many, whoever is killed or stopped, and each run comes to its end', {
    timeout: 180_000,
  }, async () => {
    const runs = ['a', 'b', 'c'];
    for (const run of runs) await create(run);
    const drivers = new Map(runs.map((run) => [run, drive(run)]));
    let kills = 0;
    let stops = 0;
    const seen: number[] = [];
    for (let turn = 0; ; turn++) {
      const states = await Promise.all(runs.map(stateOf));
      if (states.every((state) => state !== 'running')) break;
      seen.push(...(await faults()));
      for (const [at, run] of runs.entries()) {
        const child = drivers.get(run);
        if (child !== undefined && isOver(child) && states[at] === 'running') drivers.set(run, drive(run));
      }
      await delay(100);
      const running = runs.filter((_, at) => states[at] === 'running');
      const victim = drivers.get(running[turn % running.length] ?? '');
      if (victim === undefined || isOver(victim) || turn % 8 !== 7) continue;
      if (turn % 16 === 7 && kills < 3) {
        kills += 1;
        victim.kill('SIGKILL');
      } else if (stops < 1 && databases.name === 'Postgres') {
        // Another takes the run once its lease is over, and the one before goes on after that.
        stops += 1;
        const run = running[turn % running.length] ?? '';
        victim.kill('SIGSTOP');
        await passLeases(database, 15_001);
        const next = drive(run);
        drivers.set(run, next);
        await once(next, 'message');
        await delay(500);
        victim.kill('SIGCONT');
      }
    }
    for (const child of drivers.values()) if (!isOver(child)) await once(child, 'exit');
    expect(await Promise.all(runs.map(stateOf))).toEqual(runs.map(() => 'succeeded'));
    expect(existsSync(join(world.directory, 'too-many'))).toBe(false);
    expect(readFileSync(join(world.directory, 'busy'), 'utf8').length).toBeGreaterThanOrEqual(2 * 30 * runs.length);
    expect(seen).toEqual([]);
    expect(kills).toBeGreaterThan(0);
    expect((await rowsOf(database)).pipeline_pools).toEqual([]);
  });

  it.runIf(canMakeMachines && databases.name === 'Postgres')(
    'of a driver that stands still where nobody sees its tasks has as many too many until that is back, and by rows none',
    { timeout: 120_000 },
    async () => {
      const locks = Array.from({ length: 2 * SLOTS }, (_, at) => join(world.directory, `still${at}`));
      const [go, tooMany] = [join(world.directory, 'go'), join(world.directory, 'still-too-many')];
      const command = `for lock in ${locks.join(' ')}; do exec 9>$lock; if flock -n 9; then while test ! -e ${go}; do sleep 0.05; done; exit 0; fi; done; echo . >> ${tooMany}`;
      const [step] = pipeline().steps;
      await store.create({
        id: 'still',
        pipeline: {
          name: 'still',
          params: [],
          steps: [{ ...(step as StepSpec), name: 'wide', action: { kind: 'shell', command } }],
        },
        params: {},
        manifestHash: 'x',
        keepGoing: false,
        state: 'running',
        steps: [{ step: 'wide', scope: '' }],
      });
      // By the files that tasks have open. To take a lock for a look would leave one too few for a task that begins just then.
      const atWork = (): number => new Set(processesWith(locks[0] ?? '').flatMap((pid) => openedAs(pid, 9) ?? [])).size;
      const drivesElsewhere = (): ChildProcess => {
        const driver = [CHILD, world.directory, url, 'still', JSON.stringify({ warehouse: SLOTS })];
        const node = [process.execPath, '--conditions=headrace-source', ...driver];
        const child = spawn('unshare', [...MACHINE, ...HIDE, ...node], { stdio: 'ignore' });
        children.push(child);
        return child;
      };
      const elsewhere = drivesElsewhere();
      await until(() => atWork() === SLOTS, 'its tasks');
      const inside = Number(
        readFileSync(`/proc/${elsewhere.pid}/task/${elsewhere.pid}/children`, 'utf8').trim().split(' ')[0],
      );
      process.kill(inside, 'SIGSTOP');
      await passLeases(database, 15_001);
      // From here the first one's tasks could be seen, and would be ended.
      const next = drivesElsewhere();
      await until(() => atWork() > SLOTS, 'the tasks of the next');
      await delay(1000);
      // The database alone knows of both: by it there are as many as the pool has.
      expect(await faults()).toEqual([]);
      process.kill(inside, 'SIGCONT');
      await until(() => atWork() <= SLOTS, 'the end of what ran elsewhere');
      writeFileSync(go, '');
      await once(next, 'exit');
      expect(await stateOf('still')).toBe('succeeded');
      // Never more than twice its slots: the ones that it could not see, and its own.
      expect(existsSync(tooMany)).toBe(false);
      expect((await rowsOf(database)).pipeline_pools).toEqual([]);
    },
  );
});

/** The file that a process has open under this number; undefined where there is none. */
function openedAs(pid: number, descriptor: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/${descriptor}`);
  } catch {
    return undefined;
  }
}
