// Servers that go from one online store to another, one after the other, under load: the new store is filled and looked at first,
// no request fails, and each value is what it was, or what it has become.
// twin: test/unit/serving-store-check.test.ts > asks once a second for what is expected and not there
// twin: test/unit/online-runs-marks.test.ts > a store lacks what a run filled

import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { DRAIN_DELAY_MS, hasHaproxy, startHaproxy } from '../support/haproxy.ts';
import { postJson } from '../support/post-json.ts';
import { hasRedis, startRedis } from '../support/redis-server.ts';
import {
  createServingProject,
  headrace,
  headraceJson,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { startLoad } from '../support/steady-load.ts';

const can = hasRedis() && hasHaproxy();
if (!can)
  skipBecause('a switch of the online store: it takes redis-server and haproxy (Debian: redis-server, haproxy)');

const open: { stop(): Promise<unknown> }[] = [];
let project: Project | undefined;
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.stop();
  project?.remove();
});

interface Answer {
  readonly rows: readonly { readonly features: Readonly<Record<string, number>> }[];
  readonly predictions: readonly { readonly outputs: { readonly probability: number } }[];
}

describe.skipIf(!can)('a switch from a blue online store to a green one', { timeout: 300_000 }, () => {
  it('fails no request, and gives the right values before, meanwhile and after', async () => {
    const [blue, green] = [await startRedis(), await startRedis()];
    open.push(blue, green);
    const envOf = ({ url }: { readonly url: string }) => ({
      HEADRACE_ONLINE_URL: url,
      HEADRACE_SERVER_DRAIN_DELAY_MS: String(DRAIN_DELAY_MS),
      HEADRACE_SERVER_REQUEST_TIMEOUT_MS: '20000',
      HEADRACE_PUSH_LOG_TIMEOUT_MS: '20000',
    });
    const shop = (project = createServingProject({ HEADRACE_ONLINE_URL: blue.url }));
    headraceJson(shop, ['materialize', '--incremental'], envOf(blue));

    const ports = [await freePort(), await freePort()] as const;
    const start = async (port: number, store: { readonly url: string }): Promise<ServerProcess> => {
      const server = await startServe(shop, ['--port', String(port)], envOf(store));
      open.push(server);
      return server;
    };
    const servers = await Promise.all(ports.map((port) => start(port, blue)));
    const haproxy = await startHaproxy(ports);
    open.push(haproxy);
    await expect.poll(async () => (await fetch(`${haproxy.url}/health/ready`)).status, { timeout: 20_000 }).toBe(200);

    const post = (url: string, path: string, body: unknown) => postJson(url, path, body) as Promise<Answer>; // The API's answers.
    const read = async (url: string, customer: string) => {
      const { rows } = await post(url, '/v1/features/read', { service: 'numbers', rows: [{ customer, amount: 20 }] });
      return rows[0]?.features ?? {};
    };
    const ADA = { history__purchases_1d: 2, history__mean_7d: 15, basket__ratio: 20 / 15 };
    let pushed = 0;
    /** Acknowledged when the green store was filled: it has so many at least from then on. */
    let filled = 0;
    const load = startLoad(
      async (turn) => {
        if (turn % 10 === 0) {
          const row = { customer: 'eve', amount: 1, points: 1, bought_at: new Date(Date.now() - 60_000).toISOString() };
          await post(haproxy.url, '/v1/sources/purchases/push', { rows: [row] });
          pushed += 1;
        } else if (turn % 10 === 5) {
          const least = filled;
          const { history__purchases_1d: count } = await read(haproxy.url, 'eve');
          expect(count).toBeGreaterThanOrEqual(least);
        } else if (turn % 2 === 0) {
          expect(await read(haproxy.url, 'ada')).toMatchObject(ADA);
        } else {
          const inputs = [{ customer: 'ada', amount: 20 }];
          const { predictions } = await post(haproxy.url, '/v1/endpoints/checkout/predict', { inputs });
          expect(predictions[0]?.outputs.probability).toBe(0.25);
        }
      },
      { clients: 6, restMs: 5 },
    );
    open.push(load);
    await load.more(100);

    // Before it is filled, a server of it would not be ready.
    expect(headrace(shop, ['doctor'], envOf(green))).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('FAIL'),
    });
    const known = pushed;
    headraceJson(shop, ['materialize', '--incremental'], envOf(green));
    filled = known;
    expect(headrace(shop, ['doctor'], envOf(green))).toMatchObject({
      stdout: expect.not.stringMatching(/FAIL {2}online/),
    });
    const ask = ['features', 'get', '--service', 'numbers', '--rows'];
    const looked = headraceJson(shop, [...ask, '[{"customer":"ada","amount":20}]'], envOf(green));
    expect(looked).toMatchObject({ rows: [{ features: ADA }] });

    for (const at of [0, 1]) {
      await load.more(50);
      expect(await servers[at]?.stop()).toBe(0);
      servers[at] = await start(ports[at] as number, green); // One of the two.
      await expect
        .poll(() => haproxy.log(), { timeout: 30_000 })
        .toContain(`Server servers/${at === 0 ? 'one' : 'two'} is UP`);
    }
    await load.more(50);
    // What servers of the blue store took since the green one was filled.
    headraceJson(shop, ['materialize', '--incremental'], envOf(green));
    await load.more(50);
    await load.stop();
    expect(load.failed).toEqual([]);
    expect(load.answered()).toBeGreaterThan(300);
    expect(pushed).toBeGreaterThan(filled);
    for (const server of servers)
      expect(await read(server.url, 'eve')).toMatchObject({ history__purchases_1d: pushed, history__mean_7d: 1 });
    // The blue store is not asked any more.
    await blue.kill();
    for (const server of servers) expect(await read(server.url, 'ada')).toMatchObject(ADA);
  });
});
