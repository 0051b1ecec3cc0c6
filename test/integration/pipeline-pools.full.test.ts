// A pool of a driver that stands still where nobody sees its tasks; pools whose drivers are killed are in pipeline-kills.
// twin: test/contract/run-pools.test.ts > are never more than there are, of many that ask at once
// twin: test/property/pipeline-engine.test.ts > never has more at work in a pool than its slots, which the pool has, and fills it

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { stepOf } from '../support/drive-world.ts';
import { processesWith, until } from '../support/executor-world.ts';
import { ownWorld } from '../support/opened.ts';
import { passLeases, rowsOf } from '../support/run-rows.ts';
import { skipBecause } from '../support/skips.ts';

const CHILD = join(import.meta.dirname, '../support/drive-child.ts');
const SLOTS = 3;
/** A space of processes and no control group, as another machine has: nobody here sees what runs there for what it is. */
const MACHINE = ['--pid', '--fork', '--kill-child', '--mount-proc'];
const HIDE = ['sh', '-c', 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', 'sh'];
const canMakeMachines = spawnSync('unshare', [...MACHINE, ...HIDE, 'true']).status === 0;
if (!canMakeMachines) skipBecause('a pool of a driver that stands still elsewhere: `unshare --pid` is not allowed');
// Whoever stands still in a transaction of SQLite holds up everybody.
const [postgres] = testDatabases('a pool of a driver that stands still').filter(({ name }) => name === 'Postgres');

it.runIf(canMakeMachines && postgres !== undefined)(
  'has as many too many until that driver is back, and by rows none',
  { timeout: 120_000 },
  async () => {
    await postgres?.start();
    onTestFinished(() => postgres?.stop());
    const world = ownWorld();
    const url = (await postgres?.newUrl()) ?? '';
    const database = await openDatabase(url);
    onTestFinished(() => database.close());
    const children: ChildProcess[] = [];
    onTestFinished(async () => {
      for (const child of children) child.kill('SIGKILL');
      await until(() => processesWith(`${world.directory}/`).length === 0, 'the end of what drivers had started');
    });
    const store = await openRunStore(database, systemClock);
    const locks = Array.from({ length: 2 * SLOTS }, (_, at) => join(world.directory, `still${at}`));
    const [go, tooMany] = [join(world.directory, 'go'), join(world.directory, 'too-many')];
    const command = `for lock in ${locks.join(' ')}; do exec 9>$lock; if flock -n 9; then while test ! -e ${go}; do sleep 0.05; done; exit 0; fi; done; echo . >> ${tooMany}`;
    const more = { action: { kind: 'shell', command }, resources: { cpu: 0.25 }, pool: 'warehouse' } as const;
    const pipeline = { name: 'still', params: [], steps: [stepOf('wide', 16, more)] };
    const given = { id: 'still', pipeline, params: {}, manifestHash: 'x', keepGoing: false } as const;
    await store.create({ ...given, state: 'running', steps: [{ step: 'wide', scope: '' }] });
    // By the files that tasks have open. To take a lock for a look would leave one too few for a task that begins just then.
    const atWork = () => new Set(processesWith(locks[0] ?? '').flatMap((pid) => openedAs(pid, 9) ?? [])).size;
    const slots = async () => (await rowsOf(database)).pipeline_pools.reduce((sum, { slots: of }) => sum + of, 0);
    const driveElsewhere = (): ChildProcess => {
      const driver = [CHILD, world.directory, url, 'still', JSON.stringify({ warehouse: SLOTS })];
      const node = [process.execPath, '--conditions=headrace-source', ...driver];
      const child = spawn('unshare', [...MACHINE, ...HIDE, ...node], { stdio: 'ignore' });
      children.push(child);
      return child;
    };
    const { pid } = driveElsewhere();
    await until(() => atWork() === SLOTS, 'its tasks');
    const inside = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
    process.kill(inside, 'SIGSTOP');
    await passLeases(database, 15_001);
    // From here the first one's tasks could be seen, and would be ended.
    const next = driveElsewhere();
    await until(() => atWork() > SLOTS, 'the tasks of the next');
    await delay(1000);
    // The database alone knows of both: by it there are as many as the pool has.
    expect(await slots()).toBeLessThanOrEqual(SLOTS);
    process.kill(inside, 'SIGCONT');
    await until(() => atWork() <= SLOTS, 'the end of what ran elsewhere');
    writeFileSync(go, '');
    await once(next, 'exit');
    expect((await store.get('still')).run.state).toBe('succeeded');
    // Never more than twice its slots: the ones that it could not see, and its own.
    expect(existsSync(tooMany)).toBe(false);
    expect((await rowsOf(database)).pipeline_pools).toEqual([]);
  },
);

/** The file that a process has open under this number; undefined where there is none. */
function openedAs(pid: number, descriptor: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/${descriptor}`);
  } catch {
    return undefined;
  }
}
