// gRPC on real processes: with one worker and with several, through a stop, a worker's death, and a port that is taken.
// twin: test/integration/grpc-native.test.ts > who watches its health is told that it stops, and is let go
// twin: test/unit/app-stop-serving.test.ts > cuts off who is still answered after the drain timeout

import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grpcClient, type GrpcClient } from '../support/grpc-client.ts';
import {
  createServingProject,
  headrace,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';

const PREDICT = '/headrace.v1.ServingService/Predict';
const MESSAGE = {
  endpoint: 'checkout',
  inputs: [{ columns: { customer: { string_value: 'ada' }, amount: { double_value: 1 } } }],
};

let project: Project;
beforeAll(() => {
  project = createServingProject();
}, 60_000);
afterAll(() => project.remove());

const addressOf = ({ announced }: ServerProcess): string => (announced as { grpc: string }).grpc;
const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> =>
  startServe(project, ['--grpc-port', '0', ...args], env);

describe.each([1, 2])('%d worker(s)', { timeout: 60_000 }, (workers) => {
  it('answer every call through a stop, and are gone afterwards', async () => {
    const server = await start(['--workers', String(workers)], { HEADRACE_SERVER_DRAIN_DELAY_MS: '1500' });
    // Connections of their own: each may be another worker's.
    const clients = Array.from({ length: 6 }, () => grpcClient(addressOf(server)));
    try {
      let isStopped = false;
      let answered = 0;
      const failures: unknown[] = [];
      const processes = new Set<string>();
      const ask = async ({ call }: GrpcClient): Promise<void> => {
        while (!isStopped) {
          await call(PREDICT, MESSAGE).then(
            ({ metadata }) => {
              answered++;
              processes.add(String(metadata.get('x-request-id')[0]).replace(/-.*/, ''));
            },
            (error: unknown) => failures.push(error),
          );
        }
      };
      const asking = clients.map(ask);
      await new Promise((resolve) => setTimeout(resolve, 700));
      const stopped = server.stop();
      await expect
        .poll(async () => (await clients[0]?.call('/grpc.health.v1.Health/Check', { service: '' }))?.answer, {
          timeout: 1400,
        })
        .toEqual({ status: 'NOT_SERVING' });
      isStopped = true;
      await Promise.all(asking);
      expect(failures).toEqual([]);
      expect(answered).toBeGreaterThan(50);
      expect(processes.size).toBe(workers);
      expect(await stopped).toBe(0);
      await expect(clients[0]?.call(PREDICT, MESSAGE, { timeoutMs: 2000 })).rejects.toMatchObject({ code: 14 });
    } finally {
      for (const client of clients) client.close();
      server.process.kill('SIGKILL');
    }
  });
});

it('a taken port is told of, with what to do', async () => {
  const server = createServer();
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  );
  try {
    const { code, stderr } = headrace(project, ['serve', '--port', '0', '--grpc-port', String(port)]);
    expect(code).not.toBe(0);
    expect(stderr).toContain(`cannot listen on 127.0.0.1 port ${port} (EADDRINUSE). Choose another with --grpc-port.`);
  } finally {
    server.close();
  }
}, 60_000);

it('without a port it is not served', async () => {
  const server = await startServe(project);
  try {
    expect(server.announced).not.toHaveProperty('grpc');
  } finally {
    expect(await server.stop()).toBe(0);
  }
}, 60_000);
