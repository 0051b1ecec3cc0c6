// Two servers that are restarted in turn under load, behind a balancer or under a client that balances by itself, on the same online
// store or on another that was filled before: no request fails, no push is lost or counts twice, and each value is right.
// twin: test/unit/app-stop-serving.test.ts > is not ready at once, and goes on answering for the drain delay
// twin: test/integration/serving-stop.test.ts > a prediction that began before the stop
// twin: test/unit/serving-store-check.test.ts > asks once a second for what is expected and not there, and while the store is away
// twin: test/unit/online-runs-marks.test.ts > a store lacks what a run filled

import { credentials } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { grpcClient } from '../support/grpc-client.ts';
import { DRAIN_DELAY_MS, hasHaproxy, startHaproxy } from '../support/haproxy.ts';
import { postJson } from '../support/post-json.ts';
import { hasRedis, startRedis } from '../support/redis-server.ts';
import { createServingProject, type ServerProcess } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { startLoad } from '../support/steady-load.ts';
import { metricsOf, ownProject, purchase, type TestProject } from '../support/test-project.ts';

if (!hasHaproxy()) skipBecause('servers behind a balancer: there is no haproxy on this machine (Debian: haproxy)');
if (!hasRedis()) skipBecause('a switch of the online store: there is no redis-server on this machine');

const LIMIT = { timeout: 300_000 };
const SETTINGS = {
  HEADRACE_SERVER_DRAIN_DELAY_MS: String(DRAIN_DELAY_MS),
  HEADRACE_SERVER_REQUEST_TIMEOUT_MS: '20000',
  HEADRACE_PUSH_LOG_TIMEOUT_MS: '20000',
};
const ROW = { customer: 'ada', amount: 20 };
const ADA = { history__purchases_1d: 2, history__mean_7d: 15, basket__ratio: 20 / 15 };

const post = (url: string, path: string, body: unknown) =>
  // The API's answers.
  postJson(url, path, body) as Promise<{
    rows: { features: Record<string, number> }[];
    predictions: { outputs: { probability: number } }[];
  }>;
const read = async (url: string, customer = 'ada') =>
  (await post(url, '/v1/features/read', { service: 'numbers', rows: [{ customer, amount: 20 }] })).rows[0]?.features;
const stopped = (load: ReturnType<typeof startLoad>): typeof load => {
  onTestFinished(() => load.stop());
  return load;
};

/** Two servers behind HAProxy, and clients who predict, read and push. */
async function startBalanced(shop: TestProject, args: readonly string[], env = {}) {
  const ports = [await freePort(), await freePort()] as const;
  const start = (at: number, own = env): Promise<ServerProcess> =>
    shop.serve(['--port', String(ports[at]), ...args], { ...SETTINGS, ...own });
  const servers = await Promise.all([start(0), start(1)]);
  const haproxy = await startHaproxy(ports);
  onTestFinished(() => haproxy.stop());
  await expect.poll(async () => (await fetch(`${haproxy.url}/health/ready`)).status, { timeout: 20_000 }).toBe(200);
  /** `filled`: so many of what was pushed are known to be there whoever answers. */
  const told = { pushed: 0, filled: 0 };
  const load = stopped(
    startLoad(
      async (turn) => {
        if (turn % 10 === 0) {
          await post(haproxy.url, '/v1/sources/purchases/push', { rows: [purchase('eve')] });
          told.pushed += 1;
        } else if (turn % 10 === 5) {
          const least = told.filled;
          expect((await read(haproxy.url, 'eve'))?.['history__purchases_1d']).toBeGreaterThanOrEqual(least);
        } else if (turn % 2 === 0) expect(await read(haproxy.url)).toMatchObject(ADA);
        else {
          const { predictions } = await post(haproxy.url, '/v1/endpoints/checkout/predict', { inputs: [ROW] });
          expect(predictions[0]?.outputs.probability).toBe(0.25);
        }
      },
      { clients: 6, restMs: 5 },
    ),
  );
  await load.more(100);
  return {
    servers,
    load,
    told,
    url: haproxy.url,
    /** Stops each in turn and starts it again. */
    async restart(env: object = {}) {
      for (const at of [0, 1]) {
        await load.more(50);
        const before = load.answered();
        expect(await servers[at]?.stop()).toBe(0);
        // The other one went on.
        expect(load.answered() - before).toBeGreaterThan(20);
        const isUp = () => haproxy.log().split(`Server servers/${at === 0 ? 'one' : 'two'} is UP`).length;
        const ups = isUp();
        servers[at] = await start(at, env);
        await expect.poll(isUp, { timeout: 30_000 }).toBeGreaterThan(ups);
      }
      await load.more(50);
    },
    async end(least: number) {
      await load.stop();
      expect(load.failed).toEqual([]);
      expect(load.answered()).toBeGreaterThan(least);
    },
  };
}

describe.skipIf(!hasHaproxy())('behind a balancer', LIMIT, () => {
  it.each([1, 2])('a rolling restart of servers of %s workers fails no request', async (workers) => {
    const shop = ownProject();
    const { servers, load, told, url, restart, end } = await startBalanced(shop, ['--workers', String(workers)]);
    await restart();
    await load.more(200);
    await end(500);
    expect(told.pushed).toBeGreaterThan(50);
    expect(shop.features('numbers', [{ customer: 'eve' }])).toMatchObject([{ history__purchases_1d: told.pushed }]);
    // The load would have told: with both away it fails.
    await Promise.all(servers.map((server) => server.stop()));
    await expect(read(url)).rejects.toThrow('was answered 503');
  });

  it.skipIf(!hasRedis())(
    'a switch from a blue online store to a green one gives the right values meanwhile',
    async () => {
      const [blue, green] = [await startRedis(), await startRedis()];
      for (const redis of [blue, green]) onTestFinished(() => redis.stop());
      const [inBlue, inGreen] = [{ HEADRACE_ONLINE_URL: blue.url }, { HEADRACE_ONLINE_URL: green.url }];
      const shop = ownProject(createServingProject(inBlue));
      shop.json('materialize --incremental', inBlue);
      const { servers, load, told, restart, end } = await startBalanced(shop, [], inBlue);
      // Before it is filled, a server of it would not be ready.
      expect(shop.run('doctor', inGreen)).toMatchObject({ code: 1, stdout: expect.stringContaining('FAIL') });
      const known = told.pushed;
      shop.json('materialize --incremental', inGreen);
      told.filled = known;
      expect(shop.run('doctor', inGreen)).toMatchObject({ stdout: expect.not.stringMatching(/FAIL {2}online/) });
      expect(shop.features('numbers', [ROW], inGreen)).toMatchObject([ADA]);
      await restart(inGreen);
      // What servers of the blue store took since the green one was filled.
      shop.json('materialize --incremental', inGreen);
      await load.more(50);
      await end(300);
      expect(told.pushed).toBeGreaterThan(told.filled);
      for (const { url } of servers)
        expect(await read(url, 'eve')).toMatchObject({ history__purchases_1d: told.pushed, history__mean_7d: 1 });
      // The blue store is not asked any more.
      await blue.kill();
      for (const { url } of servers) expect(await read(url)).toMatchObject(ADA);
    },
  );
});

it(
  'under a client of gRPC that balances by itself fails no call, and each has its share before and after',
  LIMIT,
  async () => {
    const shop = ownProject();
    const ports = [await freePort(), await freePort()] as const;
    const start = (port: number): Promise<ServerProcess> =>
      shop.serve(['--grpc-port', String(port)], { HEADRACE_SERVER_DRAIN_DELAY_MS: '500' });
    const servers = await Promise.all(ports.map(start));
    const answeredBy = () =>
      Promise.all(
        servers.map(async (server) =>
          Number(/^headrace_requests_total\{endpoint="checkout"\} (\d+)$/m.exec(await metricsOf(server))?.[1] ?? 0),
        ),
      );
    const client = grpcClient(
      `ipv4:${ports.map((port) => `127.0.0.1:${port}`).join(',')}`,
      credentials.createInsecure(),
      {
        'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
        'grpc.max_reconnect_backoff_ms': 500,
      },
    );
    onTestFinished(() => client.close());
    const row = { columns: { customer: { string_value: 'ada' }, amount: { double_value: 20 } } };
    const load = stopped(
      startLoad(
        async () => {
          const asked = { endpoint: 'checkout', inputs: [row] };
          const { answer } = await client.call('/headrace.v1.ServingService/Predict', asked, { timeoutMs: 30_000 });
          expect(answer).toMatchObject({ predictions: [{ outputs: { probability: { double_value: 0.25 } } }] });
        },
        { clients: 6, restMs: 5 },
      ),
    );
    await load.more(100);
    for (const at of [0, 1] as const) {
      const before = load.answered();
      expect(await servers[at]?.stop()).toBe(0);
      expect(load.answered() - before).toBeGreaterThan(5);
      servers[at] = await start(ports[at]);
      await expect.poll(async () => (await answeredBy())[at], { timeout: 30_000 }).toBeGreaterThan(10);
    }
    await load.stop();
    expect(load.failed).toEqual([]);
    for (const count of await answeredBy()) expect(count).toBeGreaterThan(10);
  },
);
