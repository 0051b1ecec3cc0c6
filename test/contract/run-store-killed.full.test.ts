// Drivers that are killed in the midst of their batches, one after another: what they leave is whole, and each task is finished once.
// And one that is stopped past its lease, which writes nothing once it goes on.
// twin: test/property/run-store-batches.test.ts > rows are what a naive reading of the batches gives
// twin: test/contract/run-store.test.ts > of a driver that lost the run writes nothing

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { batchOf, miscounts, newRun, passLeases, rowsOf, stepOf } from '../support/run-rows.ts';

const DRIVER = new URL('../support/drive-rows-forever.ts', import.meta.url).pathname;
const TASKS = 4000;
const KILLS = 8;

describe.each(testDatabases('runs whose drivers are killed'))('on $name', { timeout: 120_000 }, (databases) => {
  let url = '';
  let db: Database;

  beforeAll(async () => {
    await databases.start();
    url = await databases.newUrl();
    db = await openDatabase(url);
  });
  afterAll(async () => {
    await db.close();
    await databases.stop();
  });

  const drive = (id: string): ChildProcess =>
    spawn(process.execPath, ['--conditions=headrace-source', DRIVER, url, id], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = async (child: ChildProcess): Promise<unknown> => {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return child.exitCode ?? child.signalCode;
  };
  const open = async (id: string) => {
    const store = await openRunStore(db, systemClock);
    await store.create(newRun(id));
    const { epoch } = await store.take(id, 'first');
    await store.flush(id, epoch, 1, batchOf({ steps: [stepOf({ children: TASKS })] }));
    await store.release(id, epoch);
    return store;
  };
  const finished = async (id: string): Promise<number> =>
    (await rowsOf(db)).pipeline_tasks.filter(({ run_id: run, state }) => run === id && state === 'succeeded').length;

  it('leave rows that agree, of which each task is finished once', async () => {
    const store = await open('r');
    const progress: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const child = drive('r');
      try {
        await once(child.stdout as NonNullable<typeof child.stdout>, 'data');
        // Any moment is as good as another.
        await sleep(5 + kill * 7);
      } finally {
        child.kill('SIGKILL');
      }
      expect(['SIGKILL', 0]).toContain(await ended(child));
      expect(await miscounts(db)).toEqual([]);
      progress.push(await finished('r'));
    }
    // Some were killed with work done and work left.
    expect(new Set(progress.filter((count) => count > 0 && count < TASKS)).size).toBeGreaterThan(1);
    if ((await store.get('r')).run.state === 'running') expect(await ended(drive('r'))).toBe(0);
    const { run, steps } = await store.get('r');
    expect(run.state).toBe('succeeded');
    expect(steps[0]?.counts).toMatchObject({ succeeded: TASKS, running: 0, retry: 0 });
    const { pipeline_events: events, pipeline_tasks: tasks } = await rowsOf(db);
    const done = events.filter(({ kind }) => kind === 'succeeded').map(({ item_index: index }) => index ?? -1);
    expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: TASKS }, (_, index) => index));
    expect(tasks.map(({ item_index: index, output }) => [index, output])).toEqual(
      Array.from({ length: TASKS }, (_, index) => [index, String(index)]),
    );
    expect(events.map(({ number }) => number)).toEqual(events.map((_, at) => at + 1));
  });

  it('write nothing once they go on after a stop past their lease', async () => {
    const store = await open('stopped');
    const child = drive('stopped');
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    try {
      await once(child.stdout as NonNullable<typeof child.stdout>, 'data');
      await expect.poll(() => finished('stopped')).toBeGreaterThan(0);
      child.kill('SIGSTOP');
      // It may have stopped in a transaction that nobody gets past until it goes on, on SQLite; then it is stopped anew.
      const takeIt = async (): Promise<number | undefined> => {
        await passLeases(db, 15_001);
        return (await store.take('stopped', 'elsewhere/1/next').catch(() => undefined))?.epoch;
      };
      let epoch = await Promise.race([takeIt(), sleep(2000)]);
      for (let tries = 0; epoch === undefined && tries < 20; tries++) {
        child.kill('SIGCONT');
        await sleep(3);
        child.kill('SIGSTOP');
        epoch = await Promise.race([takeIt(), sleep(2000)]);
      }
      expect(epoch).toBeGreaterThan(0);
      const before = await finished('stopped');
      expect(before).toBeLessThan(TASKS);
      child.kill('SIGCONT');
      expect(await ended(child)).toBe(1);
      expect(said).toContain('HR_CONFLICT');
      expect(await finished('stopped')).toBe(before);
      expect(await miscounts(db)).toEqual([]);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
