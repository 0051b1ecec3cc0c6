import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BackgroundJob } from '../../src/app/background/background-job.ts';
import { startJobs } from '../../src/app/background/run-jobs.ts';
import { silentLogger } from '../../src/core/index.ts';
import { type Database, holdsLease, type LeaseToken, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { recordLog } from '../support/open-for.ts';

const LIMITS = { ttlMs: 400, renewEveryMs: 50, retryMs: 5 };
const until = (claim: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(claim()).toBe(true), { timeout: 20_000, interval: 5 });
const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
const job = (run: BackgroundJob['run'], everyMs = 10, name = 'sweep'): BackgroundJob => ({ name, everyMs, run });

describe.each(testDatabases('background jobs'))('background jobs on $name', (databases) => {
  const opened: Database[] = [];
  const stops: (() => Promise<void>)[] = [];
  const open = async (url?: string): Promise<Database> => {
    const database = await openDatabase(url ?? (await databases.newUrl()));
    opened.push(database);
    return database;
  };
  const start = (database: Database, holder: string, jobs: readonly BackgroundJob[], logger = silentLogger) => {
    const stop = startJobs({ jobs, database, holder, logger, limits: LIMITS });
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
    const of = (holder: string) => job(async () => void ran.push(holder));
    const stop = start(await open(url), 'a', [of('a')]);
    await until(() => ran.length > 3);
    start(await open(url), 'b', [of('b')]);
    const before = ran.length;
    await until(() => ran.length > before + 10);
    expect(new Set(ran)).toEqual(new Set(['a']));
    await stop();
    const after = ran.length;
    await until(() => ran.length > after + 3);
    expect(new Set(ran.slice(after))).toEqual(new Set(['b']));
  });

  it('are tried again where they fail, and told of', async () => {
    const { logger, lines } = recordLog();
    let runs = 0;
    const failing = job(async () => {
      if (++runs < 3) throw new Error('the disk is full');
    }, 60_000);
    start(await open(), 'a', [failing], logger);
    await until(() => runs === 3);
    const told = lines.filter(({ level }) => level === 'error').map(({ msg }) => msg);
    expect(told).toEqual(Array(2).fill('a job failed; it is tried again'));
  });

  it('do not wait for each other', async () => {
    let runs = 0;
    start(await open(), 'a', [job(aborted, 10, 'slow'), job(async () => void runs++, 10, 'quick')]);
    await until(() => runs > 3);
  });

  it('have ended when they are stopped', async () => {
    let state = 'not begun';
    const slow = job(async (signal) => {
      state = 'running';
      await aborted(signal);
      await new Promise((resolve) => setTimeout(resolve, 20));
      state = 'ended';
    });
    const stop = start(await open(), 'a', [slow]);
    await until(() => state === 'running');
    await stop();
    expect(state).toBe('ended');
  });

  it('end where another has taken their lease, and may write nothing meanwhile', async () => {
    const database = await open();
    let held: LeaseToken | undefined;
    let isEnded = false;
    const long = job(async (signal, token) => {
      held ??= token;
      await aborted(signal);
      isEnded = true;
    }, 60_000);
    start(database, 'a', [long]);
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
    const database = await open();
    let [isAway, tries, runs] = [true, 0, 0];
    const migrate: Database['migrate'] = (...given) => {
      tries++;
      return isAway ? Promise.reject(new Error('away')) : database.migrate(...given);
    };
    start({ ...database, migrate }, 'a', [job(async () => void runs++)]);
    await until(() => tries >= 3);
    expect(runs).toBe(0);
    isAway = false;
    await until(() => runs > 0);
  });
});
