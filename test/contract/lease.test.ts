// A lease on each database: who holds it, until when, and what a holder may still do whose time is over.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  type Database,
  databaseNow,
  holdsLease,
  leaseRows,
  type LeaseToken,
  migrateLeases,
  openDatabase,
  takeLease,
} from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { fullIt } from '../support/tier.ts';

interface Rows {
  headrace_leases: { name: string; holder: string; epoch: number; until: number };
}
const LONG_MS = 60_000;

describe.each(testDatabases('leases'))('a lease on $name', (databases) => {
  const opened: Database[] = [];
  const open = async (url: string) => {
    const database = await openDatabase(url);
    opened.push(database);
    await migrateLeases(database);
    const take = (holder: string, ttlMs = LONG_MS, name = 'ramp') => takeLease(database, { name, holder, ttlMs });
    return {
      database,
      take,
      taken: async (holder: string) => (await take(holder)) ?? expect.fail('not taken'),
      epochFor: async (holder: string, name = 'ramp') => (await take(holder, LONG_MS, name))?.epoch,
      /** As if so much time had gone by; negative: as if the clock had been set back. */
      pass: (ms: number) =>
        database
          .tables<Rows>()
          .updateTable('headrace_leases')
          .set((row) => ({ until: row('until', '-', ms * 1000) }))
          .execute(),
      mayWrite: (token: LeaseToken) => database.transaction((trx) => holdsLease(trx, database.kind, token)),
    };
  };
  const openNew = async () => open(await databases.newUrl());

  beforeAll(() => databases.start());
  afterEach(async () => {
    for (const database of opened.splice(0)) await database.close();
  });
  afterAll(() => databases.stop());

  it('is one holder at a time, for each name, and each that follows has a greater epoch', async () => {
    const { taken, epochFor } = await openNew();
    const first = await taken('a');
    expect([first.epoch, await epochFor('b'), await epochFor('b', 'bake')]).toEqual([1, undefined, 1]);
    await first.release();
    expect([await epochFor('b'), await epochFor('a')]).toEqual([2, undefined]);
  });

  it('is given to a single one of many that ask at once', async () => {
    const url = await databases.newUrl();
    const asking = await Promise.all(Array.from({ length: 5 }, () => open(url)));
    const taken = await Promise.all(asking.map(({ take }, index) => take(`holder ${index}`)));
    expect(taken.filter((lease) => lease !== undefined)).toHaveLength(1);
  });

  it('is kept by renewing, past its first time', async () => {
    const { taken, take, pass } = await openNew();
    const lease = await taken('a');
    await pass(LONG_MS - 10_000);
    expect(await lease.renew()).toBe(true);
    await pass(LONG_MS - 10_000);
    expect(await take('b')).toBeUndefined();
  });

  it('leaves a holder whose time is over nothing to write, renew or give back once another has it', async () => {
    const { taken, take, pass, mayWrite } = await openNew();
    const stale = await taken('a');
    await pass(LONG_MS + 1);
    // Nobody else has had it: what it writes nobody contradicts.
    expect(await mayWrite(stale)).toBe(true);
    const next = await taken('b');
    expect([await mayWrite(stale), await stale.renew()]).toEqual([false, false]);
    await stale.release();
    expect(await take('c')).toBeUndefined();
    expect(await next.renew()).toBe(true);
  });

  it('is not taken from a transaction that has asked for it', async () => {
    const url = await databases.newUrl();
    const [own, other] = [await open(url), await open(url)];
    const lease = await own.taken('a');
    await own.pass(LONG_MS + 1);
    const order: string[] = [];
    let taking: Promise<void> | undefined;
    await own.database.transaction(async (trx) => {
      expect(await holdsLease(trx, own.database.kind, lease)).toBe(true);
      taking = other.take('b').then(() => void order.push('taken'));
      // Long enough for a taker that does not wait.
      await new Promise((resolve) => setTimeout(resolve, 100));
      order.push('written');
    });
    await taking;
    expect(order).toEqual(['written', 'taken']);
  });

  it('comes free when the clock was set back, though by it its end is far off', async () => {
    const { taken, epochFor, pass } = await openNew();
    await taken('a');
    await pass(-3_600_000);
    expect(await epochFor('b')).toBe(2);
  });

  it('is free in a restored database, where epochs go on', async () => {
    const { database, taken, epochFor } = await openNew();
    await taken('a');
    await database.transaction(async (trx) => leaseRows.settle?.(trx));
    expect(await epochFor('b')).toBe(2);
  });

  it('lasts by the clock of the database', async () => {
    const { database, taken } = await openNew();
    const before = await databaseNow(database);
    await taken('a');
    const rows = database.tables<Rows>().selectFrom('headrace_leases');
    const { until } = await rows.select('until').executeTakeFirstOrThrow();
    expect(until).toBeGreaterThanOrEqual(before + LONG_MS * 1000);
    expect(until).toBeLessThanOrEqual((await databaseNow(database)) + LONG_MS * 1000);
    // This machine's too.
    expect(Math.abs(before - Date.now() * 1000)).toBeLessThan(60e6);
  });

  // twin: test/contract/lease.test.ts > leaves a holder whose time is over nothing to write, renew or give back once another has it
  fullIt('takes from a process that was stopped past its end all that it could write', async () => {
    const url = await databases.newUrl();
    const { take } = await open(url);
    const script = new URL('../support/pause-under-lease.ts', import.meta.url).pathname;
    const args = ['--conditions=headrace-source', script, url, '300'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    while (!said.includes('taken')) await once(child.stdout, 'data');
    let next = await take('next', 300);
    while (next === undefined) next = await take('next', 300);
    expect(next.epoch).toBe(2);
    const ended = once(child, 'exit');
    // It may not have come to its stop yet.
    const waking = setInterval(() => child.kill('SIGCONT'), 20);
    await ended;
    clearInterval(waking);
    expect(JSON.parse(said.split('\n')[1] ?? '')).toEqual({ epoch: 1, mayWrite: false, isRenewed: false });
  });
});
