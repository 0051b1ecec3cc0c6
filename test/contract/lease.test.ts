// A lease on each database: who holds it, until when, and what a holder may still do whose time is over.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
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
  const open = async (url: string): Promise<Database> => {
    const database = await openDatabase(url);
    opened.push(database);
    await migrateLeases(database);
    return database;
  };
  const openNew = async (): Promise<Database> => open(await databases.newUrl());
  const take = (database: Database, holder: string, ttlMs = LONG_MS) =>
    takeLease(database, { name: 'ramp', holder, ttlMs });
  /** As if so much time had gone by; negative: as if the clock had been set back. */
  const pass = async (database: Database, ms: number): Promise<void> => {
    await database
      .tables<Rows>()
      .updateTable('headrace_leases')
      .set((row) => ({ until: row('until', '-', ms * 1000) }))
      .execute();
  };
  const mayWrite = (database: Database, token: LeaseToken): Promise<boolean> =>
    database.transaction((trx) => holdsLease(trx, database.kind, token));

  beforeAll(() => databases.start());
  afterEach(async () => {
    for (const database of opened.splice(0)) await database.close();
  });
  afterAll(() => databases.stop());

  it('is one holder at a time, and each that follows has a greater epoch', async () => {
    const database = await openNew();
    const first = await take(database, 'a');
    expect(first?.epoch).toBe(1);
    expect(await take(database, 'b')).toBeUndefined();
    await first?.release();
    const second = await take(database, 'b');
    expect(second?.epoch).toBe(2);
    expect(await take(database, 'a')).toBeUndefined();
  });

  it('is one for each name', async () => {
    const database = await openNew();
    await take(database, 'a');
    const other = await takeLease(database, { name: 'bake', holder: 'b', ttlMs: LONG_MS });
    expect(other?.epoch).toBe(1);
  });

  it('is given to a single one of many that ask at once', async () => {
    const url = await databases.newUrl();
    const asking = await Promise.all(Array.from({ length: 5 }, () => open(url)));
    const taken = await Promise.all(asking.map((database, index) => take(database, `holder ${index}`)));
    expect(taken.filter((lease) => lease !== undefined)).toHaveLength(1);
  });

  it('is kept by renewing, past its first time', async () => {
    const database = await openNew();
    const lease = await take(database, 'a');
    await pass(database, LONG_MS - 10_000);
    expect(await lease?.renew()).toBe(true);
    await pass(database, LONG_MS - 10_000);
    expect(await take(database, 'b')).toBeUndefined();
  });

  it('leaves a holder whose time is over nothing to write, renew or give back once another has it', async () => {
    const database = await openNew();
    const stale = await take(database, 'a');
    if (stale === undefined) throw new Error('not taken');
    await pass(database, LONG_MS + 1);
    // Nobody else has had it: what it writes nobody contradicts.
    expect(await mayWrite(database, stale)).toBe(true);
    const next = await take(database, 'b');
    expect(await mayWrite(database, stale)).toBe(false);
    expect(await stale.renew()).toBe(false);
    await stale.release();
    expect(await take(database, 'c')).toBeUndefined();
    expect(await next?.renew()).toBe(true);
  });

  it('is not taken from a transaction that has asked for it', async () => {
    const url = await databases.newUrl();
    const [own, other] = [await open(url), await open(url)];
    const lease = await take(own, 'a');
    if (lease === undefined) throw new Error('not taken');
    await pass(own, LONG_MS + 1);
    const order: string[] = [];
    let taking: Promise<void> | undefined;
    await own.transaction(async (trx) => {
      expect(await holdsLease(trx, own.kind, lease)).toBe(true);
      taking = take(other, 'b').then(() => void order.push('taken'));
      // Long enough for a taker that does not wait.
      await new Promise((resolve) => setTimeout(resolve, 100));
      order.push('written');
    });
    await taking;
    expect(order).toEqual(['written', 'taken']);
  });

  it('comes free when the clock was set back, though by it its end is far off', async () => {
    const database = await openNew();
    await take(database, 'a');
    await pass(database, -3_600_000);
    expect((await take(database, 'b'))?.epoch).toBe(2);
  });

  it('is free in a restored database, where epochs go on', async () => {
    const database = await openNew();
    await take(database, 'a');
    await database.transaction(async (trx) => leaseRows.settle?.(trx));
    expect((await take(database, 'b'))?.epoch).toBe(2);
  });

  it('lasts by the clock of the database', async () => {
    const database = await openNew();
    const [before, row] = [await databaseNow(database), await take(database, 'a')];
    expect(row).toBeDefined();
    const { until } = await database
      .tables<Rows>()
      .selectFrom('headrace_leases')
      .select('until')
      .executeTakeFirstOrThrow();
    expect(until).toBeGreaterThanOrEqual(before + LONG_MS * 1000);
    expect(until).toBeLessThanOrEqual((await databaseNow(database)) + LONG_MS * 1000);
    // This machine's too.
    expect(Math.abs(before - Date.now() * 1000)).toBeLessThan(60e6);
  });

  // twin: test/contract/lease.test.ts > leaves a holder whose time is over nothing to write, renew or give back once another has it
  fullIt('takes from a process that was stopped past its end all that it could write', async () => {
    const url = await databases.newUrl();
    const database = await open(url);
    const script = new URL('../support/pause-under-lease.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, ['--conditions=headrace-source', script, url, '300'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    try {
      while (!said.includes('taken')) await once(child.stdout, 'data');
      let next = await take(database, 'next', 300);
      while (next === undefined) next = await take(database, 'next', 300);
      expect(next.epoch).toBe(2);
      const ended = once(child, 'exit');
      // It may not have come to its stop yet.
      const waking = setInterval(() => child.kill('SIGCONT'), 20);
      await ended;
      clearInterval(waking);
      expect(JSON.parse(said.split('\n')[1] ?? '')).toEqual({ epoch: 1, mayWrite: false, isRenewed: false });
    } finally {
      child.kill('SIGKILL');
    }
  });
});
