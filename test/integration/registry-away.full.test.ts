// The registry goes away under a server: what it serves goes on, what needs the registry says so, and once it is back the
// server takes up what was applied.
// twin: test/integration/serving-registry-away.test.ts > tells what it knows, and what it could not have

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { headraceBeside, startPushes, type Traffic } from '../support/evolving-project.ts';
import { type EvolvingShop, meaning, openEvolvingShop, predict, push, readService } from '../support/evolving-shop.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';
import { findPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { skipBecause } from '../support/skips.ts';
import { type Gate, openGate } from '../support/tcp-gate.ts';

const hasPostgres = findPostgres() !== undefined;
if (!hasPostgres) skipBecause('a registry that is away: no Postgres on this machine');

const AWAY_MS = 5000;

describe.runIf(hasPostgres)('a registry that is away', () => {
  let postgres: PostgresServer;
  let gate: Gate;
  let shop: EvolvingShop;
  let traffic: Traffic | undefined;
  beforeAll(async () => {
    postgres = await startPostgres();
  }, 60_000);
  afterAll(() => postgres?.stop());
  beforeEach(async () => {
    // It listens on a socket in a folder: postgres://headrace@/NAME?host=FOLDER
    const [, name, folder] = /\/([^/?]+)\?host=(.+)$/.exec(await postgres.newDatabase()) as unknown as string[];
    gate = await openGate(() => `${decodeURIComponent(folder ?? '')}/.s.PGSQL.5432`);
    const registry = `postgres://headrace@127.0.0.1:${gate.port}/${name}?query_timeout=2000`;
    const [lmdb] = onlineStoreKinds();
    if (lmdb === undefined) throw new Error('LMDB is everywhere');
    shop = await openEvolvingShop(lmdb, { HEADRACE_REGISTRY_URL: registry });
  }, 60_000);
  afterEach(async () => {
    await traffic?.stop().catch(() => {});
    traffic = undefined;
    gate.admit();
    gate.cut();
    await shop.close();
    gate.end();
  });

  it.each([
    ['refuses whoever comes', (): void => gate.refuse()],
    ['says nothing', (): void => gate.holdBack()],
  ])(
    '%s: a server goes on with what it serves, and takes up what is applied once it is back',
    async (_how, leave) => {
      const { server } = shop;
      const first = meaning('as it was', {}, 2);
      // A push that begins a cut needs the registry (see ingestion-away): here are none while it is away.
      let isAway = false;
      let pushing = 0;
      traffic = startPushes(async () => {
        while (isAway) await sleep(10);
        pushing++;
        try {
          await push(server.url);
        } finally {
          pushing--;
        }
      });
      const service = traffic.read(() => readService(server.url), first);
      const model = traffic.read(() => predict(server.url), first);
      await service.seen(first);

      isAway = true;
      do await sleep(200);
      while (pushing > 0);
      leave();
      const begun = performance.now();
      shop.write({}, 3);
      const refused = await headraceBeside(shop.project, ['apply', '--yes'], shop.env);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toMatch(/registry|Postgres|database/i);
      while (performance.now() - begun < AWAY_MS) await service.seen(first);
      await model.seen(first);
      const ready = await fetch(`${server.url}/health/ready`);
      expect(ready.status).toBe(200);
      expect(server.log()).toMatch(/could not look for changes/);

      gate.admit();
      gate.cut();
      isAway = false;
      const after = meaning('a helper is changed', {}, 3);
      service.allow(first, after);
      await shop.headrace('apply', '--yes');
      await service.seen(after);
      await model.seen(first);
      await traffic.stop();
    },
    120_000,
  );

  it('and says nothing holds up no scrape and no status: each tells what the server knows by itself', async () => {
    const { server } = shop;
    await predict(server.url);
    gate.holdBack();
    // Three at once: none waits behind another.
    const ask = async (path: string) => {
      const answer = await fetch(`${server.url}${path}`);
      return { status: answer.status, text: await answer.text() };
    };
    for (const { status, text } of await Promise.all([ask('/metrics'), ask('/metrics'), ask('/metrics')])) {
      expect(status).toBe(200);
      expect(text).toContain('headrace_requests_total{endpoint="checkout"} 1');
      expect(text).not.toContain('headrace_view_');
    }
    const { status, text } = await ask('/v1/status');
    expect({ status, body: JSON.parse(text) as unknown }).toMatchObject({
      status: 200,
      body: {
        views: null,
        missing: [{ part: 'views', reason: expect.stringContaining('the views') }],
        definitions: { endpoints: [{ endpoint: 'checkout', state: 'serving' }] },
      },
    });
  }, 60_000);

  it('is said by a server that starts meanwhile', async () => {
    gate.refuse();
    const { code, stderr } = await headraceBeside(shop.project, ['serve', '--port', '0'], shop.env);
    expect(code).toBe(1);
    expect(stderr).toMatch(/registry|Postgres|database/i);
  }, 60_000);
});
