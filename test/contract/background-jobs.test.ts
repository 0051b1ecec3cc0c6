import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BackgroundJob } from '../../src/app/background/background-job.ts';
import { startJobs } from '../../src/app/background/run-jobs.ts';
import { silentLogger } from '../../src/core/index.ts';
import { type Database, holdsLease, type LeaseToken, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';

const LIMITS = { ttlMs: 400, renewEveryMs: 50, retryMs: 5 };
const until = (claim: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(claim()).toBe(true), { timeout: 20_000, interval: 5 });

describe.each(testDatabases('background jobs'))('background jobs on $name', (databases) => {
  const opened: Database[] = [];
  const stops: (() => Promise<void>)[] = [];
  const open = async (url: string): Promise<Database> => {
    const database = await openDatabase(url);
    opened.push(database);
    return database;
  };
  const start = (database: Database, holder: string, jobs: readonly BackgroundJob[]): (() => Promise<void>) => {
    const stop = startJobs({ jobs, database, holder, logger: silentLogger, limits: LIMITS });
    stops.push(stop);
    return stop;
  };

  beforeAll(() => databases.start());
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
    for (const database of opened.splice(0)) await database.close();
  });
  afterAll(() => databases.stop());

  it('run at one server of several, and at another when that stops', async () => {
    const url = await databases.newUrl();
    const ran: string[] = [];
    const job = (holder: string): BackgroundJob => ({
      name: 'sweep',
      everyMs: 10,
      run: async () => void ran.push(holder),
    });
    const stop = start(await open(url), 'a', [job('a')]);
    await until(() => ran.length > 3);
    start(await open(url), 'b', [job('b')]);
    const before = ran.length;
    await until(() => ran.length > before + 10);
    expect(new Set(ran)).toEqual(new Set(['a']));
    await stop();
    const after = ran.length;
    await until(() => ran.length > after + 3);
    expect(new Set(ran.slice(after))).toEqual(new Set(['b']));
  });

  it('are tried again where they fail, and told of', async () => {
    const database = await open(await databases.newUrl());
    const told: string[] = [];
    let runs = 0;
    const stop = startJobs({
      jobs: [
        {
          name: 'sweep',
          everyMs: 60_000,
          async run() {
            runs++;
            if (runs < 3) throw new Error('the disk is full');
          },
        },
      ],
      database,
      holder: 'a',
      logger: { ...silentLogger, error: (_object: unknown, text?: string) => void told.push(text ?? '') },
      limits: LIMITS,
    });
    stops.push(stop);
    await until(() => runs === 3);
    expect(told).toEqual(Array(2).fill('a job failed; it is tried again'));
  });

  it('do not wait for each other', async () => {
    const database = await open(await databases.newUrl());
    let runs = 0;
    const never = (signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    start(database, 'a', [
      { name: 'slow', everyMs: 10, run: never },
      { name: 'quick', everyMs: 10, run: async () => void runs++ },
    ]);
    await until(() => runs > 3);
  });

  it('have ended when they are stopped', async () => {
    const database = await open(await databases.newUrl());
    let state = 'not begun';
    const stop = start(database, 'a', [
      {
        name: 'sweep',
        everyMs: 10,
        async run(signal) {
          state = 'running';
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          await new Promise((resolve) => setTimeout(resolve, 20));
          state = 'ended';
        },
      },
    ]);
    await until(() => state === 'running');
    await stop();
    expect(state).toBe('ended');
  });

  it('end where another has taken their lease, and may write nothing meanwhile', async () => {
    const database = await open(await databases.newUrl());
    let held: LeaseToken | undefined;
    let isEnded = false;
    start(database, 'a', [
      {
        name: 'sweep',
        everyMs: 60_000,
        async run(signal, token) {
          held ??= token;
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          isEnded = true;
        },
      },
    ]);
    await until(() => held !== undefined);
    // As another does once it finds the lease at its end.
    await database
      .tables<{ headrace_leases: { epoch: number; holder: string } }>()
      .updateTable('headrace_leases')
      .set((row) => ({ epoch: row('epoch', '+', 1), holder: 'b' }))
      .execute();
    const token = held as LeaseToken;
    expect(await database.transaction((trx) => holdsLease(trx, database.kind, token))).toBe(false);
    await until(() => isEnded);
  });

  it('wait for a database that is away', async () => {
    const database = await open(await databases.newUrl());
    let isAway = true;
    let runs = 0;
    const away: Database = {
      ...database,
      migrate: (owner, migrations) =>
        isAway ? Promise.reject(new Error('away')) : database.migrate(owner, migrations),
    };
    start(away, 'a', [{ name: 'sweep', everyMs: 10, run: async () => void runs++ }]);
    await new Promise((resolve) => setTimeout(resolve, 3 * LIMITS.renewEveryMs));
    expect(runs).toBe(0);
    isAway = false;
    await until(() => runs > 0);
  });
});
