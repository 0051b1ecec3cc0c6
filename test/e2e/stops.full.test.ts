// A server that is told to stop: its readiness says so at once, it goes on answering until whoever balances has had the time to look, and
// a model that hangs does not keep it; and its gRPC port.
// twin: test/unit/app-stop-serving.test.ts > told to hurry %s it began, waits for no balancer
// twin: test/unit/app-stop-serving.test.ts > waits a second for a model that hangs, and no longer
// twin: test/unit/app-stop-serving.test.ts > cuts off who is still answered after the drain timeout
// twin: test/integration/grpc-native.test.ts > who watches its health is told that it stops, and is let go

import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { grpcClient } from '../support/grpc-client.ts';
import { constantModel, patientModel } from '../support/onnx-model.ts';
import { predict, send, testProject } from '../support/test-project.ts';

const GRPC = ['--grpc-port', '0'];
const project = testProject();

describe.each([1, 2])('a stop of %d worker(s)', { timeout: 300_000 }, (workers) => {
  const args = ['--workers', String(workers)];

  it('ends at once when it is told again, and does not before', async () => {
    const server = await project.serve(args, { HEADRACE_SERVER_DRAIN_DELAY_MS: '600000' });
    const stopped = server.stop();
    const readiness = () =>
      send(`${server.url}/health/ready`).then(
        ({ status }) => status,
        () => 0,
      );
    await expect.poll(readiness, { timeout: 60_000 }).toBe(503);
    expect((await predict(server)).status).toBe(200);
    server.process.kill('SIGINT');
    expect(await stopped).toBe(0);
  });

  it('answers every call of gRPC, and is gone afterwards', async () => {
    const server = await project.serve([...args, ...GRPC], { HEADRACE_SERVER_DRAIN_DELAY_MS: '1500' });
    const { grpc } = server.announced as { grpc: string };
    const row = { columns: { customer: { string_value: 'ada' }, amount: { double_value: 1 } } };
    const call = ({ call }: ReturnType<typeof grpcClient>, options?: { timeoutMs: number }) =>
      call('/headrace.v1.ServingService/Predict', { endpoint: 'checkout', inputs: [row] }, options);
    // Connections of their own: each may be another worker's.
    const clients = Array.from({ length: 6 }, () => grpcClient(grpc));
    onTestFinished(() => clients.forEach((client) => client.close()));
    let [isStopped, answered] = [false, 0];
    const failures: unknown[] = [];
    const processes = new Set<string>();
    const asking = clients.map(async (client) => {
      while (!isStopped)
        await call(client).then(
          ({ metadata }) => {
            answered++;
            processes.add(String(metadata.get('x-request-id')[0]).replace(/-.*/, ''));
          },
          (error: unknown) => failures.push(error),
        );
    });
    await pause(700);
    const stopped = server.stop();
    const health = async () => (await clients[0]?.call('/grpc.health.v1.Health/Check', { service: '' }))?.answer;
    await expect.poll(health, { timeout: 1400 }).toEqual({ status: 'NOT_SERVING' });
    isStopped = true;
    await Promise.all(asking);
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(50);
    expect(processes.size).toBe(workers);
    expect(await stopped).toBe(0);
    await expect(call(clients[0] as (typeof clients)[0], { timeoutMs: 2000 })).rejects.toMatchObject({ code: 14 });
  });
});

it('a taken port of gRPC is told of, with what to do; without a port it is not served', async () => {
  const taken = createServer();
  onTestFinished(() => void taken.close());
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as { port: number };
  const { code, stderr } = project.run(`serve --port 0 --grpc-port ${port}`);
  expect(code).not.toBe(0);
  expect(stderr).toContain(`cannot listen on 127.0.0.1 port ${port} (EADDRINUSE). Choose another with --grpc-port.`);
  expect((await project.serve()).announced).not.toHaveProperty('grpc');
});

describe('a stop while a model’s run does not come back', { timeout: 120_000 }, () => {
  const REPOSITORY = `import { endpoint, featureService, model, onDemandView, t } from 'headrace';
const asked = onDemandView('asked', {
  inputs: { request: { rounds: t.float64() } },
  features: { all: t.float64() },
  transform: ({ request }) => ({ all: request.rounds }),
});
const service = featureService('asked_features', [asked]);
const outputs = { probability: t.float32() };
export const slow = endpoint('slow', { model: model('patient', { features: service, outputs }) });
export const quick = endpoint('quick', { model: model('constant', { features: service, outputs }) });
`;
  const hanging = testProject(
    // The patient one is slow enough for a thread of its own.
    {
      'feature_repo/asked.ts': REPOSITORY,
      'patient.onnx': patientModel(20_000),
      'constant.onnx': constantModel(1, 0.5),
    },
    'apply',
    'models register patient patient.onnx --alias champion',
    'models register constant constant.onnx --alias champion',
  );
  type Ids = { predictions: { prediction_id: string }[] };
  /** The ids of what was answered; none when it was not, or the server stopped meanwhile. */
  const ask = async (url: string, endpoint: string, rounds: number): Promise<string[]> => {
    const headers = { 'x-request-timeout-ms': '30000' };
    const asked = send<Ids>(`${url}/v1/endpoints/${endpoint}/predict`, { inputs: [{ rounds }] }, { headers });
    const answer = await asked.catch(() => undefined);
    return answer?.status === 200 ? answer.body.predictions.map(({ prediction_id: id }) => id) : [];
  };

  it.each([1, 2])('by %d worker(s) ends in time, with 0, and nothing is missing from the log', async (workers) => {
    const server = await hanging.serve(['--workers', String(workers)], { HEADRACE_SERVER_DRAIN_TIMEOUT_MS: '1500' });
    expect(await ask(server.url, 'slow', 1)).toHaveLength(1);
    // More than a minute, on any machine.
    const hung = Array.from({ length: 4 * workers }, () => ask(server.url, 'slow', 1e9));
    const answered: string[] = [];
    let isOver = false;
    onTestFinished(() => void (isOver = true));
    const loops = Array.from({ length: 4 }, async () => {
      while (!isOver) answered.push(...(await ask(server.url, 'quick', 1)));
    });
    await expect.poll(() => answered.length, { timeout: 30_000 }).toBeGreaterThan(10);
    const code = await server.stop();
    isOver = true;
    await Promise.all([...hung, ...loops]);
    expect({ code, log: server.log().includes('is killed') }).toEqual({ code: 0, log: false });
    const { rows } = hanging.json<{ rows: { prediction_id: string }[] }>('logs query quick --limit 100000');
    const kept = new Set(rows.map(({ prediction_id: id }) => id));
    expect(answered.filter((id) => !kept.has(id))).toEqual([]);
  });
});
