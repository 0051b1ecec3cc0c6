// Serving from a real Redis: end to end, while it hangs, while it is gone, and once it is back.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordLog } from '../support/open-for.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';

if (!hasRedis()) skipBecause('serving from Redis: there is no redis-server on this machine');

const TWO_POLICIES = REPOSITORY.replace("mean('amount').over('7d')", "mean('amount').over('7d').default(7)").concat(
  "export const careless = endpoint('careless', { model: returns, unit: ['customer'], whenStoreDown: 'defaults' });\n",
);
const SECRET = 's3cret-of-the-store';
const { logger, lines } = recordLog();

describe.skipIf(!hasRedis())('an endpoint over Redis', () => {
  let redis: RedisServer;
  let open: OpenServing;
  beforeAll(async () => {
    redis = await startRedis({ isDurable: true });
    // A user without a password is let in with any.
    const url = redis.url.replace('redis://', `redis://default:${SECRET}@`);
    const settings = { HEADRACE_ONLINE_URL: url, HEADRACE_SERVER_MAX_IN_FLIGHT: '3' };
    open = await openServing({ repository: TWO_POLICIES, features: 4, settings, logger });
    const bought = new Date(Date.now() - 60_000).toISOString();
    const rows = [{ customer: 'ada', amount: 20, points: 3, bought_at: bought }];
    expect((await open.post('/v1/sources/purchases/push', { rows })).statusCode).toBe(200);
  });
  afterAll(async () => {
    await open.close();
    await redis.stop();
  });
  const asked = { inputs: [{ customer: 'ada', amount: 14 }], options: { return_features: true } };
  const predict = (endpoint = 'checkout', headers: Record<string, string> = {}) =>
    open.post(`/v1/endpoints/${endpoint}/predict`, asked, headers);
  const isBack = () => expect.poll(async () => (await predict()).statusCode, { interval: 50 }).toBe(200);
  const PROBLEM = 'application/problem+json';

  it('predicts from what was pushed', async () => {
    const features = { history__purchases_1d: 1, history__mean_7d: 20, history__big_7d: 1, basket__ratio: 0.7 };
    const told = { outputs: { probability: 0.25 }, features, statuses: { history__purchases_1d: 'PRESENT' } };
    expect((await predict()).json()).toMatchObject({ predictions: [told] });
  });

  it('answers 504 when the deadline passes while features are read', async () => {
    await redis.command('CLIENT PAUSE 400 ALL');
    const late = await predict('checkout', { 'x-request-timeout-ms': '60', 'x-request-id': 'late' });
    expect(late.json()).toMatchObject({ status: 504, code: 'HR_DEADLINE', request_id: 'late' });
    expect(late.headers).toMatchObject({ 'content-type': PROBLEM, 'x-request-id': 'late' });
    await isBack();
  });

  it('answers 429 with Retry-After at once when as many run as may, and goes on when they have ended', async () => {
    await redis.command('CLIENT PAUSE 400 ALL');
    const answers: Awaited<ReturnType<typeof predict>>[] = [];
    await Promise.all(Array.from({ length: 4 }, async () => answers.push(await predict())));
    // In the order in which they came.
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([429, 200, 200, 200]);
    expect(answers[0]?.json()).toMatchObject({ status: 429, code: 'HR_OVERLOADED' });
    expect(answers[0]?.headers).toMatchObject({ 'retry-after': '1', 'content-type': PROBLEM });
    expect((await predict()).statusCode).toBe(200);
  });

  it('fails or answers from defaults by the endpoint’s policy while Redis is gone, and is whole once it is back', async () => {
    await redis.kill();
    const failed = await predict();
    expect(failed.json()).toMatchObject({ status: 503, code: 'HR_ONLINE_UNAVAILABLE' });
    expect(failed.headers).toMatchObject({ 'retry-after': '1' });
    expect(`${failed.body} ${JSON.stringify(lines)}`).not.toContain(SECRET);
    const features = { history__purchases_1d: null, history__mean_7d: 7, basket__ratio: 2 };
    const statuses = { history__purchases_1d: 'INVALID', history__mean_7d: 'INVALID', basket__ratio: 'INVALID' };
    expect((await predict('careless')).json()).toMatchObject({
      predictions: [{ outputs: { probability: 0.25 }, features, statuses }],
    });
    expect((await open.serving.server.inject('/health/live')).statusCode).toBe(200);
    expect((await open.serving.server.inject('/metrics')).body).toMatch(
      /^headrace_missing_features_total\{(?=[^}]*endpoint="careless")(?=[^}]*feature="history__mean_7d")[^}]*\} 1$/m,
    );
    await redis.start();
    await isBack();
    expect((await predict('careless')).json()).toMatchObject({
      predictions: [{ features: { history__mean_7d: 20 }, statuses: { history__mean_7d: 'PRESENT' } }],
    });
  });
});
