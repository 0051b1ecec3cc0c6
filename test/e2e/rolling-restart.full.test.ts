// Two servers behind a balancer, each restarted in turn under load: no request fails, and no push is lost or counts twice.
// twin: test/unit/app-stop-serving.test.ts > is not ready at once, and goes on answering for the drain delay
// twin: test/integration/serving-stop.test.ts > a prediction that began before the stop

import { afterEach, describe, expect, it } from 'vitest';
import { credentials } from '@grpc/grpc-js';
import { freePort } from '../support/free-port.ts';
import { grpcClient } from '../support/grpc-client.ts';
import { DRAIN_DELAY_MS, type Haproxy, hasHaproxy, startHaproxy } from '../support/haproxy.ts';
import { postJson } from '../support/post-json.ts';
import {
  createServingProject,
  headraceJson,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { type SteadyLoad, startLoad } from '../support/steady-load.ts';

if (!hasHaproxy())
  skipBecause('a rolling restart behind a balancer: there is no haproxy on this machine (Debian: haproxy)');

const open: { stop(): Promise<unknown> }[] = [];
let project: Project | undefined;
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.stop();
  project?.remove();
});

interface Answer {
  readonly predictions: readonly { readonly outputs: { readonly probability: number } }[];
  readonly rows: readonly { readonly features: Readonly<Record<string, number>> }[];
}

describe.skipIf(!hasHaproxy())('a rolling restart', { timeout: 240_000 }, () => {
  it.each([1, 2])('of servers of %s workers fails no request of those who predict, read and push', async (workers) => {
    const shop = (project = createServingProject());
    const ports = [await freePort(), await freePort()] as const;
    const start = async (port: number): Promise<ServerProcess> => {
      const server = await startServe(shop, ['--port', String(port), '--workers', String(workers)], {
        HEADRACE_SERVER_DRAIN_DELAY_MS: String(DRAIN_DELAY_MS),
        HEADRACE_SERVER_REQUEST_TIMEOUT_MS: '20000',
        HEADRACE_PUSH_LOG_TIMEOUT_MS: '20000',
      });
      open.push(server);
      return server;
    };
    const servers = await Promise.all(ports.map(start));
    const haproxy: Haproxy = await startHaproxy(ports);
    open.push(haproxy);
    await expect.poll(async () => (await fetch(`${haproxy.url}/health/ready`)).status, { timeout: 20_000 }).toBe(200);

    const post = (path: string, body: unknown) => postJson(haproxy.url, path, body) as Promise<Answer>; // The API's answers.
    let pushed = 0;
    const row = { customer: 'ada', amount: 20 };
    const load: SteadyLoad = startLoad(
      async (turn) => {
        if (turn % 10 === 0) {
          const bought_at = new Date(Date.now() - 60_000).toISOString();
          await post('/v1/sources/purchases/push', { rows: [{ customer: 'eve', amount: 1, points: 1, bought_at }] });
          pushed += 1;
        } else if (turn % 2 === 0) {
          const { rows } = await post('/v1/features/read', { service: 'numbers', rows: [row] });
          expect(rows[0]?.features).toMatchObject({ history__purchases_1d: 2, history__mean_7d: 15 });
        } else {
          const { predictions } = await post('/v1/endpoints/checkout/predict', { inputs: [row] });
          expect(predictions[0]?.outputs.probability).toBe(0.25);
        }
      },
      { clients: 6, restMs: 5 },
    );
    open.push(load);

    await load.more(100);
    for (const at of [0, 1]) {
      const before = load.answered();
      expect(await servers[at]?.stop()).toBe(0);
      // The other one went on.
      expect(load.answered() - before).toBeGreaterThan(20);
      servers[at] = await start(ports[at] as number); // One of the two.
      await expect
        .poll(() => haproxy.log().split(`Server servers/${at === 0 ? 'one' : 'two'} is UP`).length, { timeout: 30_000 })
        .toBeGreaterThan(1);
      await load.more(100);
    }
    await load.stop();
    expect(load.failed).toEqual([]);
    expect(load.answered()).toBeGreaterThan(500);
    const read = ['features', 'get', '--service', 'numbers', '--rows', '[{"customer":"eve","amount":1}]'];
    expect(pushed).toBeGreaterThan(50);
    expect(headraceJson(shop, read)).toMatchObject({ rows: [{ features: { history__purchases_1d: pushed } }] });

    // The load would have told: with both away it fails.
    await Promise.all(servers.map((server) => server.stop()));
    await expect(post('/v1/features/read', { service: 'numbers', rows: [row] })).rejects.toThrow('was answered 503');
  });
});

describe('a rolling restart under a client of gRPC that balances by itself', { timeout: 240_000 }, () => {
  it('fails no call, and each server has its share before and after', async () => {
    const shop = (project = createServingProject());
    const ports = [await freePort(), await freePort()] as const;
    const start = async (port: number): Promise<ServerProcess> => {
      const server = await startServe(shop, ['--grpc-port', String(port)], {
        HEADRACE_SERVER_DRAIN_DELAY_MS: '500',
      });
      open.push(server);
      return server;
    };
    const servers = await Promise.all(ports.map(start));
    const answeredBy = async (): Promise<readonly number[]> =>
      Promise.all(
        servers.map(async ({ url }) => {
          const text = await (await fetch(`${url}/metrics`)).text();
          return Number(/^headrace_requests_total\{endpoint="checkout"\} (\d+)$/m.exec(text)?.[1] ?? 0);
        }),
      );
    const client = grpcClient(
      `ipv4:${ports.map((port) => `127.0.0.1:${port}`).join(',')}`,
      credentials.createInsecure(),
      {
        'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
        'grpc.max_reconnect_backoff_ms': 500,
      },
    );
    const row = { columns: { customer: { string_value: 'ada' }, amount: { double_value: 20 } } };
    const load = startLoad(
      async () => {
        const asked = { endpoint: 'checkout', inputs: [row] };
        const { answer } = await client.call('/headrace.v1.ServingService/Predict', asked, { timeoutMs: 30_000 });
        expect(answer).toMatchObject({ predictions: [{ outputs: { probability: { double_value: 0.25 } } }] });
      },
      { clients: 6, restMs: 5 },
    );
    open.push({ stop: () => load.stop().then(() => client.close()) });
    await load.more(100);
    for (const at of [0, 1]) {
      const before = load.answered();
      expect(await servers[at]?.stop()).toBe(0);
      expect(load.answered() - before).toBeGreaterThan(5);
      servers[at] = await start(ports[at] as number); // One of the two.
      await expect.poll(async () => (await answeredBy())[at], { timeout: 30_000 }).toBeGreaterThan(10);
    }
    await load.stop();
    expect(load.failed).toEqual([]);
    for (const count of await answeredBy()) expect(count).toBeGreaterThan(10);
  });
});
