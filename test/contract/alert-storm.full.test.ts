// Ten thousand alerts at once, on each database: the list has its bound, what waits to be told has its own, and a webhook that is
// slow or dead holds nothing else up.
// twin: test/contract/alerts.test.ts > too many for the list and for the outbox

import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MICROS_PER_HOUR, silentLogger } from '../../src/core/index.ts';
import { type Alerts, createAlertDelivery, openAlerts, webhookSender } from '../../src/monitoring/index.ts';
import type { AlertTables } from '../../src/monitoring/alerts/tables.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';

const START = Date.parse('2026-11-26T10:00:00Z') * 1000;
const STORM = 10_000;
const EVIDENCE = JSON.stringify({ psi: 0.4, text: 'x'.repeat(500) });

interface Deliver {
  readonly signal?: AbortSignal;
  readonly mostRunMs?: number;
}

describe.each(testDatabases('a storm of alerts'))('ten thousand alerts on $name', { timeout: 60_000 }, (databases) => {
  let now = START;
  const clock = { nowMicros: () => now };
  let database: Database;
  let alerts: Alerts;
  let server: Server;
  let asked: ServerResponse[] = [];
  /** After so long the webhook answers. */
  let answersMs = 0;
  const told: object[] = [];
  beforeAll(async () => {
    await databases.start();
    server = createServer((request, response) => {
      request.resume();
      asked.push(response);
      if (answersMs !== Infinity) setTimeout(() => response.writeHead(200).end(), answersMs);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await databases.stop();
  });
  beforeEach(async () => {
    now = START;
    told.length = 0;
    asked = [];
    database = await openDatabase(await databases.newUrl());
    const logger = { ...silentLogger, error: (fields: object) => void told.push(fields) };
    alerts = await openAlerts(database, { clock, logger, hasReceiver: true });
  });
  afterEach(() => database.close());

  const tables = () => database.tables<AlertTables>();
  /** As so many monitors' observations leave them. */
  const storm = async (isTold: boolean): Promise<void> => {
    const every = Array.from({ length: STORM }, (_, at) => String(at).padStart(5, '0'));
    for (let from = 0; from < STORM; from += 500) {
      const some = every.slice(from, from + 500);
      const of = { rule: 'drift', endpoint: 'delay', state: 'open', streak: 2, closed_micros: null } as const;
      const rows = some.map((at) => ({
        ...of,
        id: `a${at}`,
        feature: `f${at}`,
        seen_micros: START,
        opened_micros: START + Number(at),
        evidence: EVIDENCE,
        is_told: isTold ? 1 : 0,
      }));
      await tables().insertInto('monitoring_alerts').values(rows).execute();
      const waits = { event: 'opened', body: EVIDENCE, attempts: 0, next_micros: START } as const;
      const events = some.map((at) => ({
        ...waits,
        id: `e${at}`,
        alert: `a${at}`,
        created_micros: START + Number(at),
      }));
      if (isTold) await tables().insertInto('monitoring_outbox').values(events).execute();
    }
    now = START + STORM;
  };
  const waiting = async (): Promise<number> => {
    const counted = tables()
      .selectFrom('monitoring_outbox')
      .select(({ fn }) => fn.countAll().as('rows'));
    return Number((await counted.executeTakeFirst())?.rows);
  };
  const deliver = async ({ signal = new AbortController().signal, ...limits }: Deliver = {}) => {
    const { port } = server.address() as AddressInfo;
    const send = webhookSender({ url: `http://127.0.0.1:${port}/hook`, secret: undefined });
    return (await createAlertDelivery({ database, send, clock, logger: silentLogger, ...limits })).run(signal);
  };

  it('are listed in part, and one more is told instead of the oldest, which is said', async () => {
    await storm(true);
    const one = { rule: 'drift', endpoint: 'delay', feature: 'last', evidence: {}, opensAfter: 1, closesAfter: 1 };
    await alerts.observe({ ...one, state: 'firing', at: now });
    const listed = await alerts.list();
    expect(listed).toHaveLength(1000);
    expect(listed[0]).toMatchObject({ feature: 'last' });
    expect(listed.at(-1)).toMatchObject({ feature: 'f09001' });
    expect(await waiting()).toBe(STORM);
    expect(told).toEqual([{ dropped: 1 }]);
    const oldest = tables().selectFrom('monitoring_outbox').select('id').orderBy('created_micros').limit(1);
    expect(await oldest.executeTakeFirst()).toEqual({ id: 'e00001' });
  });

  it('wait for a webhook that says nothing, and a server that stops waits for neither', async () => {
    await storm(true);
    answersMs = Infinity;
    const stopping = new AbortController();
    const delivering = deliver({ signal: stopping.signal });
    await expect.poll(() => asked.length, { timeout: 10_000 }).toBe(1);
    stopping.abort();
    expect(await delivering).toEqual({ sent: 0, failed: 1 });
    expect(await waiting()).toBe(STORM);
  });

  it('are told for a while where the webhook is slow, and the others go on waiting', async () => {
    await storm(true);
    answersMs = 600;
    const { sent, failed } = await deliver({ mostRunMs: 2000 });
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(5);
    expect(failed).toBe(0);
    expect(await waiting()).toBe(STORM - sent);
  });

  it('whose silence ends are told some at a time, each once', async () => {
    await storm(false);
    answersMs = 0;
    await alerts.silence({
      rule: 'drift',
      endpoint: null,
      feature: null,
      untilMicros: now + MICROS_PER_HOUR,
      actor: 'me',
      reason: null,
    });
    expect(await deliver()).toEqual({ sent: 0, failed: 0 });
    now += MICROS_PER_HOUR;
    const first = await deliver({ mostRunMs: 1000 });
    expect(first.sent).toBeGreaterThan(0);
    expect((await waiting()) + first.sent).toBeLessThan(1000);
    const second = await deliver({ mostRunMs: 1000 });
    expect(second.sent).toBeGreaterThan(0);
    const ids = new Set(asked.map(({ req }) => req.headers['idempotency-key']));
    expect(ids.size).toBe(first.sent + second.sent);
  });
});
