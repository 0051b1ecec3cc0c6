// A rollout at a server in this process, as its operator sees it: asked for over HTTP, promoted by what the server counted, followed
// by commands.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { rolloutJobs } from '../../src/app/open-rollout-controller.ts';
import type { RolloutStatus } from '../../src/rollouts/index.ts';
import { migrateLeases, takeLease } from '../../src/storage/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { headrace, headraceJson, REPOSITORY } from '../support/serving-project.ts';

let open: OpenServing;
/** A look of the controller, which runs here and not by the server's timer. */
let look: () => Promise<void>;

beforeAll(async () => {
  open = await openServing({ repository: REPOSITORY, features: 4, serve: { compacts: false } });
  await registerModelFile(open.app, {
    model: 'returns',
    onnx: readFileSync(open.project.write('half.onnx', constantModel(4, 0.5))),
  });
  const database = await migrateLeases(await open.app.database());
  const lease = await takeLease(database, { name: 'job rollouts', holder: 'test', ttlMs: 3_600_000 });
  if (lease === undefined) throw new Error('another has the lease');
  const [job] = await rolloutJobs(open.app);
  look = async () => job?.run(new AbortController().signal, lease);
});
afterAll(() => open.close());

let units = 0;
async function predict(): Promise<readonly number[]> {
  const inputs = Array.from({ length: 20 }, () => ({ customer: `c${++units}`, amount: 1 }));
  const { statusCode, body, json } = await open.post('/v1/endpoints/checkout/predict', { inputs });
  expect(statusCode, body).toBe(200);
  return (json().predictions as unknown as { version: number }[]).map(({ version }) => version);
}

const statusOf = async (id: string): Promise<RolloutStatus> =>
  (await open.serving.server.inject({ url: `/v1/rollouts/${id}` })).json();

const start = async (more: object = {}): Promise<RolloutStatus> => {
  const plan = { steps: [50, 100], hold: '0s', warmup: '0s', bake: '0s', min_units: 5, guards: ['error_rate<+20%'] };
  const answer = await open.post('/v1/rollouts', { endpoint: 'checkout', candidate: 2, ...plan, ...more });
  expect(answer.statusCode, answer.body).toBe(201);
  return answer.json() as unknown as RolloutStatus;
};

async function until(id: string, isThere: (status: RolloutStatus) => boolean): Promise<RolloutStatus> {
  for (let looks = 0; ; looks++) {
    await look();
    await predict();
    const status = await statusOf(id);
    if (isThere(status)) return status;
    if (looks > 500) throw new Error(JSON.stringify(status));
    await sleep(20);
  }
}

it('is paused, resumed and aborted by people, of whom only one who saw it may', async () => {
  const { id } = await start({ hold: '1h' });
  const watching = await until(id, ({ state }) => state === 'watching');
  expect(watching.weights).toEqual({ stable: 50, candidate: 50 });
  expect(new Set(await predict())).toEqual(new Set([1, 2]));
  const etag = String((await open.serving.server.inject({ url: `/v1/rollouts/${id}` })).headers.etag);
  const operate = async (verb: string, body: object, headers: Record<string, string> = {}) => {
    const answer = await open.post(`/v1/rollouts/${id}/${verb}`, body, headers);
    return { status: answer.statusCode, json: answer.json() };
  };
  const paused = { status: 200, json: { state: 'paused', reason: 'lunch' } };
  expect(await operate('pause', { reason: 'lunch' }, { 'if-match': etag })).toMatchObject(paused);
  const refused = { status: 409, json: { code: 'HR_CONFLICT' } };
  expect(await operate('abort', {}, { 'if-match': etag })).toMatchObject(refused);
  const payload = { variants: [{ name: 'stable', version: 2, weight: 100 }] };
  const traffic = await open.serving.server.inject({ method: 'PUT', url: '/v1/endpoints/checkout', payload });
  expect([traffic.statusCode, traffic.json().code]).toEqual([409, 'HR_ROLLOUT_UNDERWAY']);
  expect(headraceJson(open.project, ['rollout', 'status', 'checkout'])).toMatchObject({ id, state: 'paused' });
  expect(await operate('resume', {})).toMatchObject({ status: 200, json: { state: 'watching' } });
  const abort = ['rollout', 'abort', 'checkout', '--reason', 'enough'];
  expect(headraceJson(open.project, abort)).toMatchObject({ id, state: 'aborted', weights: { stable: 100 } });
  await expect.poll(predict).not.toContain(2);
  const listed = headraceJson(open.project, ['rollout', 'list', '--endpoint', 'checkout']);
  expect(listed).toMatchObject({ rollouts: [{ id, state: 'aborted' }] });
  expect((await open.serving.server.inject({ url: '/v1/rollouts/none' })).statusCode).toBe(404);
  expect((await open.post('/v1/rollouts', { endpoint: 'checkout', candidate: 1, hold: 'long' })).json()).toMatchObject({
    errors: [{ path: 'hold', message: 'expected a time such as 10m, got "long"' }],
  });
});

it('is promoted step by step by what its servers count', async () => {
  const { id } = await start();
  const { history } = await until(id, ({ state }) => state === 'promoted');
  const states = 'pending preparing settling watching preparing settling baking promoted';
  expect(history.map(({ to }) => to).join(' ')).toBe(states);
  expect(new Set(await predict())).toEqual(new Set([2]));
  const { code, stdout, stderr } = headrace(open.project, ['rollout', 'watch', id]);
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('promoted') });
  expect(stdout).toContain('of version 2 at endpoint checkout, against version 1');
});
