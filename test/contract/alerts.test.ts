// Alerts on each database: when they open and close, what a silence keeps back, and that a webhook which fails and recovers
// gets each event, by an id that tells a repeat.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MICROS_PER_HOUR, MICROS_PER_SECOND, silentLogger } from '../../src/core/index.ts';
import {
  type Alerts,
  createAlertDelivery,
  type Observation,
  openAlerts,
  openHeartbeats,
  webhookSender,
} from '../../src/monitoring/index.ts';
import { MOST_WAITING } from '../../src/monitoring/alerts/outbox.ts';
import type { AlertDeliveryDeps } from '../../src/monitoring/alerts/deliver-alerts.ts';
import type { AlertTables } from '../../src/monitoring/alerts/tables.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { databasesByTier } from '../support/databases.ts';

const START = Date.parse('2026-11-26T10:00:00Z') * 1000;
const HOUR = MICROS_PER_HOUR;

let now = START;
const clock = { nowMicros: () => now };
const OF = { rule: 'drift', endpoint: 'delay', feature: 'distance' };
const seen = (state: Observation['state'], at: number, more: Partial<Observation> = {}): Observation => ({
  ...OF,
  state,
  evidence: { psi: 0.4, at },
  at: START + at * HOUR,
  opensAfter: 2,
  closesAfter: 3,
  ...more,
});

interface HookBody {
  readonly id: string;
  readonly event: string;
  readonly alert: Readonly<Record<'rule' | 'state' | 'endpoint' | 'id', string>>;
}

/** A webhook that answers what it is told to. */
async function startHook() {
  const got: { readonly id: string; readonly authorization: string | undefined; readonly body: HookBody }[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(parts).toString()) as HookBody;
      got.push({ id: String(request.headers['idempotency-key']), authorization: request.headers.authorization, body });
      if (hook.answer === 'cut') request.socket.destroy();
      else response.writeHead(hook.answer).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=hidden`;
  const hook = { url, answer: 200 as number | 'cut', got, server };
  return hook;
}

describe.each(databasesByTier('alerts'))('alerts on $name', (databases) => {
  let database: Database;
  let alerts: Alerts;
  let hook: Awaited<ReturnType<typeof startHook>>;
  const logged: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (fields: object, message: string) => void logged.push(message + JSON.stringify(fields)),
  };
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => {
    now = START + 100 * HOUR;
    logged.length = 0;
    hook = await startHook();
    database = await openDatabase(await databases.newUrl());
    alerts = await openAlerts(database, { clock, logger: silentLogger, hasReceiver: true });
  });
  afterEach(async () => {
    await database.close();
    await new Promise((resolve) => hook.server.close(resolve));
  });
  const delivery = () =>
    createAlertDelivery({ database, send: webhookSender({ url: hook.url, secret: 's3cret' }), clock, logger });
  const deliver = async () => (await delivery()).run(new AbortController().signal);
  const states = async () => (await alerts.list()).map(({ state }) => state);

  it('open after so many windows running and close after so many quiet ones, whatever is without data between', async () => {
    for (const at of [1, 2, 3]) await alerts.observe(seen(at === 2 ? 'ok' : 'firing', at));
    expect(await states()).toEqual([]);
    await alerts.observe(seen('no_data', 4));
    await alerts.observe(seen('firing', 5));
    const opened = { ...OF, state: 'open', evidence: { at: 5 }, closedMicros: null };
    expect(await alerts.list()).toMatchObject([opened]);
    for (const at of [6, 7, 8, 9, 10]) await alerts.observe(seen(at === 8 ? 'firing' : 'ok', at));
    expect(await states()).toEqual(['open']);
    await alerts.observe(seen('ok', 11));
    expect(await alerts.list({ state: 'closed' })).toMatchObject([{ state: 'closed', evidence: { at: 8 } }]);
    // The next is another one.
    await alerts.observe(seen('firing', 12));
    await alerts.observe(seen('firing', 13));
    expect((await states()).toSorted()).toEqual(['closed', 'open']);
  });

  it('reach the receiver however many others it refuses for ever', async () => {
    const open = (feature: string, at: number) =>
      alerts.observe(seen('firing', at, { feature, opensAfter: 1, closesAfter: 1 }));
    for (let i = 0; i < 230; i++) await open(`refused ${i}`, 1);
    const sent: string[] = [];
    const picky = await createAlertDelivery({
      database,
      clock,
      logger,
      send({ body }) {
        if (body.includes('refused')) return Promise.reject(new Error('the webhook answered 400'));
        sent.push((JSON.parse(body) as { event: string }).event);
        return Promise.resolve();
      },
    });
    const run = async (runs: number) => {
      for (let i = 0; i < runs; i++) {
        await picky.run(new AbortController().signal);
        now += 2 * MICROS_PER_SECOND;
      }
    };
    await run(100);
    now += MICROS_PER_SECOND;
    await open('heard', 2);
    await alerts.observe(seen('ok', 3, { feature: 'heard', opensAfter: 1, closesAfter: 1 }));
    await run(20);
    expect(sent).toEqual(['opened', 'closed']);
  });

  it('count a window once, whoever says it again', async () => {
    await Promise.all(Array.from({ length: 6 }, () => alerts.observe(seen('firing', 1))));
    expect(await states()).toEqual([]);
    await Promise.all(Array.from({ length: 6 }, () => alerts.observe(seen('firing', 2))));
    expect(await states()).toEqual(['open']);
    for (let i = 0; i < 5; i++) await alerts.observe(seen('ok', 3));
    await alerts.observe(seen('ok', 1));
    expect(await states()).toEqual(['open']);
  });

  it('are kept apart by rule, endpoint and feature', async () => {
    for (const at of [1, 2])
      for (const more of [{}, { rule: 'quality' }, { endpoint: 'eta' }, { feature: null }])
        await alerts.observe(seen('firing', at, more));
    expect(await alerts.list({ state: 'open' })).toHaveLength(4);
    expect(await alerts.list({ endpoint: 'eta' })).toMatchObject([{ endpoint: 'eta', rule: 'drift' }]);
    expect(await alerts.list({ rule: 'quality' })).toHaveLength(1);
  });

  it('go on counting after a clock that was ahead is put right', async () => {
    await alerts.observe(seen('ok', 0));
    now = START + 1000 * HOUR;
    await alerts.observe(seen('firing', 999, { opensAfter: 3 }));
    now = START + 100 * HOUR;
    await alerts.observe(seen('firing', 98, { opensAfter: 3 }));
    await alerts.observe(seen('firing', 99, { opensAfter: 3 }));
    expect(await states()).toEqual(['open']);
  });

  it('reach a webhook that fails and recovers, in their order, under one id each', async () => {
    for (const at of [1, 2]) await alerts.observe(seen('firing', at));
    hook.answer = 503;
    expect(await deliver()).toEqual({ sent: 0, failed: 1 });
    // Not before its time.
    expect(await deliver()).toEqual({ sent: 0, failed: 0 });
    now += 2 * MICROS_PER_SECOND;
    hook.answer = 'cut';
    expect(await deliver()).toEqual({ sent: 0, failed: 1 });
    for (const at of [3, 4, 5]) await alerts.observe(seen('ok', at));
    // Its end waits for its beginning.
    expect(await deliver()).toEqual({ sent: 0, failed: 0 });
    now += 10 * MICROS_PER_SECOND;
    hook.answer = 204;
    expect(await deliver()).toEqual({ sent: 2, failed: 0 });
    expect(await deliver()).toEqual({ sent: 0, failed: 0 });
    expect(hook.got.map(({ body }) => body.event)).toEqual(['opened', 'opened', 'opened', 'closed']);
    expect(new Set(hook.got.slice(0, 3).map(({ id }) => id)).size).toBe(1);
    expect(hook.got.at(-1)?.id).not.toBe(hook.got[0]?.id);
    expect(hook.got.every(({ id, body, authorization }) => id === body.id && authorization === 'Bearer s3cret')).toBe(
      true,
    );
    expect(hook.got.at(-1)?.body.alert).toMatchObject({ ...OF, state: 'closed' });
    expect(logged).toHaveLength(2);
    expect(logged.join()).toContain('the webhook answered 503');
    expect(logged.join()).not.toMatch(/s3cret|hidden/);
  });

  it('are sent by one of several processes', async () => {
    for (const at of [1, 2])
      for (const feature of ['a', 'b', 'c']) await alerts.observe(seen('firing', at, { feature }));
    const several = await Promise.all([delivery(), delivery(), delivery()]);
    const reports = await Promise.all(several.map((one) => one.run(new AbortController().signal)));
    expect(reports.reduce((sum, { sent }) => sum + sent, 0)).toBe(3);
    expect(hook.got).toHaveLength(3);
  });

  it('are given up after days, and trouble with one receiver is not tried for each event', async () => {
    for (const at of [1, 2]) for (let i = 0; i < 6; i++) await alerts.observe(seen('firing', at, { feature: `f${i}` }));
    hook.answer = 500;
    expect(await deliver()).toEqual({ sent: 0, failed: 3 });
    now += 80 * HOUR;
    expect((await deliver()).failed).toBe(3);
    now += HOUR;
    expect((await deliver()).failed).toBe(3);
    now += HOUR;
    hook.answer = 200;
    expect(await deliver()).toEqual({ sent: 0, failed: 0 });
    expect(await alerts.list({ state: 'open' })).toHaveLength(6);
  });

  it('that are silenced open and close untold; one that is open at the silence’s end is told then', async () => {
    const why = { untilMicros: now + HOUR, actor: 'me', reason: 'a storm' };
    await alerts.silence({ ...OF, feature: null, ...why });
    for (const at of [1, 2]) for (const feature of ['a', 'b']) await alerts.observe(seen('firing', at, { feature }));
    for (const at of [1, 2]) await alerts.observe(seen('firing', at, { endpoint: 'eta' }));
    for (const at of [3, 4, 5]) await alerts.observe(seen('ok', at, { feature: 'a' }));
    expect(await deliver()).toEqual({ sent: 1, failed: 0 });
    expect(hook.got[0]?.body.alert.endpoint).toBe('eta');
    expect(await alerts.silences()).toMatchObject([{ actor: 'me', reason: 'a storm' }]);
    expect((await alerts.list({ endpoint: 'delay', state: 'open' })).map((one) => one.silencedUntilMicros)).toEqual([
      now + HOUR,
    ]);
    now += HOUR;
    expect(await alerts.silences()).toEqual([]);
    expect(await deliver()).toEqual({ sent: 1, failed: 0 });
    expect(hook.got[1]?.body).toMatchObject({ event: 'opened', alert: { feature: 'b' } });
  });

  it('are told again at once when their silence is ended, by the place it was made for', async () => {
    await alerts.silence({ ...OF, endpoint: null, untilMicros: now + HOUR, actor: 'me', reason: null });
    for (const at of [1, 2]) await alerts.observe(seen('firing', at));
    expect(await deliver()).toEqual({ sent: 0, failed: 0 });
    expect(await alerts.unsilence(OF)).toBe(0);
    expect(await alerts.unsilence({ ...OF, endpoint: null })).toBe(1);
    expect(await deliver()).toEqual({ sent: 1, failed: 0 });
  });

  it('tell of a monitor that stopped, and that it goes on', async () => {
    const heartbeats = await openHeartbeats(database, clock);
    const watch = async (passed: number) => {
      now += passed;
      await heartbeats.watch(alerts);
      return states();
    };
    await heartbeats.expect('drift', HOUR);
    expect(await watch(3 * HOUR)).toEqual([]);
    // Every server looks.
    await Promise.all([watch(1), watch(0)]);
    expect(await alerts.list()).toMatchObject([
      { rule: 'monitor_stopped', endpoint: '', feature: 'drift', state: 'open', evidence: { every_seconds: 3600 } },
    ]);
    // A server that starts says that it is to run, not that it ran.
    await heartbeats.expect('drift', HOUR);
    expect(await watch(1)).toEqual(['open']);
    await heartbeats.beat('drift', HOUR);
    expect(await watch(1)).toEqual(['closed']);
    // A monitor is due once its time is over, or where it ran later than it is now: a clock went back.
    const isDueAt = (passed: number) => {
      now += passed;
      return heartbeats.isDue('drift', HOUR);
    };
    expect(await heartbeats.isDue('other', HOUR)).toBe(true);
    await heartbeats.beat('drift', HOUR);
    expect([await isDueAt(0), await isDueAt(HOUR - 1), await isDueAt(1)]).toEqual([false, false, true]);
    await heartbeats.beat('drift', HOUR);
    expect([await isDueAt(-1), await isDueAt(1)]).toEqual([true, false]);
    await heartbeats.retire('drift');
    expect(await watch(100 * HOUR)).toEqual(['closed']);
  });

  it('too many for the list and for the outbox are listed in part, and the oldest is not sent, which is logged', async () => {
    const many = Array.from({ length: MOST_WAITING }, (_, at) => at);
    const tables = database.tables<AlertTables>();
    for (let from = 0; from < MOST_WAITING; from += 1000) {
      const some = many.slice(from, from + 1000);
      const state = {
        state: 'open',
        streak: 2,
        closed_micros: null,
        evidence: '{}',
        seen_micros: 1,
        is_told: 1,
      } as const;
      const opened = some.map((at) => ({ ...OF, ...state, id: `a${at}`, feature: `f${at}`, opened_micros: at }));
      await tables.insertInto('monitoring_alerts').values(opened).execute();
      const waits = { event: 'opened', body: '{}', attempts: 0, next_micros: 0 } as const;
      const events = some.map((at) => ({ ...waits, id: `e${at}`, alert: `a${at}`, created_micros: at }));
      await tables.insertInto('monitoring_outbox').values(events).execute();
    }
    const errors: object[] = [];
    const telling = { ...silentLogger, error: (fields: object) => void errors.push(fields) };
    const some = await openAlerts(database, { clock, logger: telling, hasReceiver: true });
    await some.observe(seen('firing', 1, { feature: 'last', opensAfter: 1 }));
    const listed = await some.list();
    expect(listed).toHaveLength(1000);
    expect([listed[0]?.feature, listed.at(-1)?.feature]).toEqual(['last', 'f9001']);
    expect(errors).toEqual([{ dropped: 1 }]);
    const waiting = await tables.selectFrom('monitoring_outbox').select('id').orderBy('created_micros').execute();
    expect(waiting).toHaveLength(MOST_WAITING);
    expect(waiting[0]).toEqual({ id: 'e1' });
  });
  describe('of which many wait', () => {
    const MANY = 450;
    type Send = AlertDeliveryDeps['send'];
    const run = async (send: Send, more: { readonly mostRunMs?: number; readonly signal?: AbortSignal } = {}) => {
      const { signal = new AbortController().signal, ...limits } = more;
      return (await createAlertDelivery({ database, send, clock, logger, ...limits })).run(signal);
    };
    const waiting = async (): Promise<number> =>
      (await database.tables<AlertTables>().selectFrom('monitoring_outbox').select('id').execute()).length;
    const storm = async (): Promise<void> => {
      for (let at = 0; at < MANY; at++) await alerts.observe(seen('firing', 1, { feature: `f${at}`, opensAfter: 1 }));
    };

    it('wait for a receiver that says nothing, and a server that stops waits for neither', async () => {
      await storm();
      const stopping = new AbortController();
      const { signal } = stopping;
      const send: Send = (_event, given) => {
        stopping.abort();
        return new Promise((_resolve, reject) => {
          if (given.aborted) reject(new Error('aborted'));
          else given.addEventListener('abort', () => reject(new Error('aborted')));
        });
      };
      expect(await run(send, { signal })).toEqual({ sent: 0, failed: 1 });
      expect(await waiting()).toBe(MANY);
    });

    it('begin nothing more once the time of a run is over, and the others go on waiting', async () => {
      await storm();
      expect(await run(async () => {}, { mostRunMs: 0 })).toEqual({ sent: 0, failed: 0 });
      expect(await waiting()).toBe(MANY);
    });

    it('are told some at a time once their silence ends, each once', async () => {
      const untilMicros = now + HOUR;
      const all = { rule: 'drift', endpoint: null, feature: null };
      await alerts.silence({ ...all, untilMicros, actor: 'me', reason: null });
      await storm();
      const sent: string[] = [];
      const send: Send = async ({ id }) => void sent.push(id);
      expect(await run(send)).toEqual({ sent: 0, failed: 0 });
      now += HOUR;
      for (const wanted of [200, 200, 50, 0]) expect(await run(send)).toEqual({ sent: wanted, failed: 0 });
      expect(new Set(sent).size).toBe(MANY);
    });
  });
});
