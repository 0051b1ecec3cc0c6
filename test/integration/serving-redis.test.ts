// Serving from a real Redis: end to end, while it hangs, while it is gone, and once it is back.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';

if (!hasRedis()) skipBecause('serving from Redis: there is no redis-server on this machine');

const TWO_POLICIES = REPOSITORY.replace("mean('amount').over('7d')", "mean('amount').over('7d').default(7)").concat(
  "export const careless = endpoint('careless', { model: returns, unit: ['customer'], whenStoreDown: 'defaults' });\n",
);
const SECRET = 's3cret-of-the-store';
const logged: string[] = [];
const listen = (fields: object, message: string) => void logged.push(JSON.stringify(fields), message);
const listening = { ...silentLogger, info: listen, warn: listen, error: listen };
const inputs = [{ customer: 'ada', amount: 14 }];
const whole = { inputs, options: { return_features: true } };

describe.skipIf(!hasRedis())('an endpoint over Redis', () => {
  let redis: RedisServer;
  let open: OpenServing;
  beforeAll(async () => {
    redis = await startRedis({ isDurable: true });
    open = await openServing({
      repository: TWO_POLICIES,
      features: 4,
      settings: {
        // A user without a password is let in with any.
        HEADRACE_ONLINE_URL: redis.url.replace('redis://', `redis://default:${SECRET}@`),
        HEADRACE_SERVER_MAX_IN_FLIGHT: '3',
      },
      logger: listening,
    });
    const bought = new Date(Date.now() - 60_000).toISOString();
    const rows = [{ customer: 'ada', amount: 20, points: 3, bought_at: bought }];
    expect((await open.post('/v1/sources/purchases/push', { rows })).statusCode).toBe(200);
  });
  afterAll(async () => {
    await open.close();
    await redis.stop();
  });
  const predict = (endpoint: string, headers: Record<string, string> = {}) =>
    open.post(`/v1/endpoints/${endpoint}/predict`, whole, headers);
  const isBack = () => expect.poll(async () => (await predict('checkout')).statusCode, { interval: 50 }).toBe(200);

  it('predicts from what was pushed', async () => {
    expect((await predict('checkout')).json()).toMatchObject({
      predictions: [
        {
          outputs: { probability: 0.25 },
          features: { history__purchases_1d: 1, history__mean_7d: 20, history__big_7d: 1, basket__ratio: 0.7 },
          statuses: { history__purchases_1d: 'PRESENT' },
        },
      ],
    });
  });

  it('answers 504 when the deadline passes while features are read', async () => {
    await redis.command('CLIENT PAUSE 400 ALL');
    const response = await predict('checkout', { 'x-request-timeout-ms': '60', 'x-request-id': 'late' });
    expect(response.json()).toMatchObject({ status: 504, code: 'HR_DEADLINE', request_id: 'late' });
    expect(response.headers).toMatchObject({ 'content-type': 'application/problem+json', 'x-request-id': 'late' });
    await isBack();
  });

  it('answers 429 with Retry-After at once when as many run as may, and goes on when they have ended', async () => {
    await redis.command('CLIENT PAUSE 400 ALL');
    const running = Array.from({ length: 3 }, () => predict('checkout'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    const refused = await predict('checkout');
    expect(refused.json()).toMatchObject({ status: 429, code: 'HR_OVERLOADED' });
    expect(refused.headers).toMatchObject({ 'retry-after': '1', 'content-type': 'application/problem+json' });
    expect((await Promise.all(running)).map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
    expect((await predict('checkout')).statusCode).toBe(200);
  });

  it('fails or answers from defaults by the endpoint’s policy while Redis is gone, and is whole once it is back', async () => {
    await redis.kill();
    const failed = await predict('checkout');
    expect(failed.json()).toMatchObject({ status: 503, code: 'HR_ONLINE_UNAVAILABLE' });
    expect(failed.headers).toMatchObject({ 'retry-after': '1' });
    for (const text of [failed.body, ...logged]) expect(text).not.toContain(SECRET);
    const careless = await predict('careless');
    expect(careless.json()).toMatchObject({
      predictions: [
        {
          outputs: { probability: 0.25 },
          features: { history__purchases_1d: null, history__mean_7d: 7, basket__ratio: 2 },
          statuses: { history__purchases_1d: 'INVALID', history__mean_7d: 'INVALID', basket__ratio: 'INVALID' },
        },
      ],
    });
    expect((await open.serving.server.inject('/health/live')).statusCode).toBe(200);
    const metrics = (await open.serving.server.inject('/metrics')).body;
    expect(metrics).toMatch(
      /^headrace_missing_features_total\{(?=[^}]*endpoint="careless")(?=[^}]*feature="history__mean_7d")[^}]*\} 1$/m,
    );
    await redis.start();
    await isBack();
    expect((await predict('careless')).json()).toMatchObject({
      predictions: [{ features: { history__mean_7d: 20 }, statuses: { history__mean_7d: 'PRESENT' } }],
    });
  });
});
