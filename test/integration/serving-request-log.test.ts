// What the log says of requests: each failure of the server once, to be found by request, trace and endpoint.

import { describe, expect, it } from 'vitest';
import { openForTest, recordLog } from '../support/open-for.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const UNLUCKY = REPOSITORY.replace(
  'ratio: request.amount != null',
  'ratio: request.amount === 13 ? (null as unknown as { n: number }).n : request.amount != null',
);
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const BY = { actor: 'ann' };

async function serve(logged?: string, more = '') {
  const { logger, lines } = recordLog();
  const settings: Record<string, string> = logged === undefined ? {} : { HEADRACE_LOG_REQUESTS: logged };
  const open = await openForTest({ repository: `${UNLUCKY}${more}`, features: 4, settings, logger });
  const post = (inputs: readonly object[], headers = {}, options = {}) =>
    open.post('/v1/endpoints/checkout/predict', { inputs, options }, headers);
  const predict = (amount: unknown, headers = {}) => post([{ customer: 'ada', amount }], headers);
  const told = () => lines.filter(({ msg }) => msg.includes('request'));
  const shown = () => told().map(({ level, status }) => `${level} ${String(status)}`);
  return { open, lines, post, predict, told, shown };
}

describe('the log of requests', () => {
  it('has each failure of the server once, and not what clients did wrong', async () => {
    const { predict, told } = await serve();
    await predict(1);
    await predict('much');
    await predict(13, { 'x-request-id': 'seen', traceparent: `00-${TRACE}-00f067aa0ba902b7-00` });
    expect(told()).toEqual([
      {
        level: 'error',
        msg: 'request failed',
        requestId: 'seen',
        traceId: TRACE,
        endpoint: 'checkout',
        actor: 'open 127.0.0.1',
        method: 'POST',
        route: '/v1/endpoints/{endpoint}/predict',
        status: 422,
        code: 'HR_TRANSFORM_FAILED',
        reason: expect.stringContaining('basket'),
        err: expect.objectContaining({ stack: expect.stringContaining('TypeError') }),
      },
    ]);
  });

  it('tells once of rows that failed where others are answered, with what the request was answered', async () => {
    const { post, told } = await serve();
    const rows = (...amounts: unknown[]) => amounts.map((amount) => ({ customer: 'ada', amount }));
    expect((await post(rows(1, 13, 'much', 13), {}, { partial: true })).statusCode).toBe(200);
    const reason = expect.stringContaining('inputs[1]');
    const failed = { level: 'error', msg: 'rows of a request failed', code: 'HR_TRANSFORM_FAILED', reason };
    expect(told()).toMatchObject([{ ...failed, status: 200, failedRows: 2 }]);
    // What clients did wrong is not told.
    expect((await post(rows(1, 'much'), {}, { partial: true })).statusCode).toBe(200);
    expect(told()).toHaveLength(1);
  });

  it.each([
    ['errors', [], []],
    ['all', ['info 200', 'info 422'], ['info 400']],
  ])(
    'has as the client’s mistake a reused Idempotency-Key, and a PUT with one version twice among the shadows: %s',
    async (logged, pushes, puts) => {
      const { open, shown } = await serve(logged);
      for (const amount of [1, 2]) {
        const rows = [{ customer: 'bea', amount, bought_at: '2026-01-01T00:00:00Z' }];
        await open.post('/v1/sources/purchases/push', { rows }, { 'idempotency-key': 'reused' });
      }
      await expect.poll(shown).toEqual(pushes);
      const variants = [{ name: 'stable', version: 1, weight: 100 }];
      const payload = { variants, shadows: [1, '1'].map((version) => ({ version, percent: 5 })) };
      const answer = await open.serving.server.inject({ method: 'PUT', url: '/v1/endpoints/checkout', payload });
      expect(answer.json()).toMatchObject({ status: 400, code: 'HR_INVALID' });
      await expect.poll(shown).toEqual([...pushes, ...puts]);
      // An attempt all the same.
      const { auditLog } = await open.app.registry();
      const after = async () => (await auditLog.list({ object: 'endpoint/checkout' }))[0]?.after;
      await expect.poll(after).toMatchObject({ refused: 'HR_INVALID' });
    },
  );

  it('has no more than a hundred a second, and then how many there were', async () => {
    const { predict, told } = await serve();
    for (let i = 0; i < 250; i++) await predict(13);
    const seconds = () => told().filter(({ msg }) => msg === 'more requests failed');
    const single = () => told().filter(({ msg }) => msg === 'request failed').length;
    const more = () => seconds().reduce((sum, { requests }) => sum + Number(requests), 0);
    await expect.poll(() => single() + more(), { timeout: 5000 }).toBe(250);
    expect(more()).toBeGreaterThan(0);
    expect(single()).toBeLessThanOrEqual(100 * (seconds().length + 1));
  });

  it('has every request once where that is asked for', async () => {
    const { open, predict, told } = await serve('all');
    await predict(1, { 'x-request-id': 'good' });
    await predict('much', { 'x-request-id': 'bad' });
    await predict(13, { 'x-request-id': 'failed' });
    await open.serving.server.inject('/nowhere');
    await expect.poll(() => told().length).toBe(4);
    expect(told()).toMatchObject([
      { level: 'info', requestId: 'good', status: 200, endpoint: 'checkout', latencyMs: expect.any(Number) },
      { level: 'info', requestId: 'bad', status: 400, code: 'HR_INVALID', actor: 'open 127.0.0.1' },
      { level: 'error', requestId: 'failed', status: 422, actor: 'open 127.0.0.1' },
      { level: 'info', route: 'unknown', status: 404, code: 'HR_UNKNOWN_ROUTE' },
    ]);
  });

  it('names the key that asks, never its secret, and what refuses one', async () => {
    const { open, lines, post, told } = await serve('all');
    const { keys } = await open.app.registry();
    const { key, token } = await keys.create({ name: 'reader', roles: ['read'] }, BY);
    await open.serving.security.refresh();
    const list = async (sent: string): Promise<number> =>
      (await open.serving.server.inject({ url: '/v1/endpoints', headers: { 'x-api-key': sent } })).statusCode;
    expect([await list(token), await list('hr_nobody')]).toEqual([200, 401]);
    expect((await post([], { 'x-api-key': token })).statusCode).toBe(403);
    const [, ...requests] = told();
    expect(requests).toMatchObject([
      { status: 200, actor: `key hr_${key.id}` },
      { status: 401, code: 'HR_UNAUTHENTICATED', actor: 'anonymous 127.0.0.1' },
      { status: 403, code: 'HR_FORBIDDEN', actor: `key hr_${key.id}` },
    ]);
    expect(JSON.stringify(lines)).not.toContain(token.split('_')[2]);
  });

  it('has only what should not happen where none is asked for', async () => {
    const { predict, told } = await serve('none');
    await predict(13);
    expect(told()).toEqual([]);
  });
});

it('an API key that was pasted into a URL is told neither in the log nor in an answer, nor in the audit log', async () => {
  const other = `\nexport const other = endpoint('other', { model: returns, unit: ['customer'] });\n`;
  const { open, lines } = await serve('all', other);
  const registry = await open.app.registry();
  const asked = { name: 'narrow', roles: ['read', 'predict', 'admin'] as const, endpoints: ['other'] };
  const narrow = await registry.keys.create(asked, BY);
  const wide = await registry.keys.create({ name: 'wide', roles: ['read', 'predict'] }, BY);
  await open.serving.security.refresh();
  const secret = wide.token.split('_')[2] as string;
  const part = secret.slice(0, 20);
  for (const name of [wide.token, `${'a'.repeat(50)}${wide.token}`])
    for (const { token } of [narrow, wide])
      for (const [method, path] of [
        ['POST', `/v1/endpoints/${name}/predict`],
        ['GET', `/v1/endpoints/${name}`],
        ['PUT', `/v1/endpoints/${name}`],
        ['GET', `/v1/services/${name}`],
        ['GET', `/${'a'.repeat(140)}${name}`],
        ['DELETE', `/v1/endpoints/${name}`],
        ['GET', `/v1/endpoints/${'a'.repeat(60)}${name}`],
        ['GET', `/%zz${name}`],
      ] as const) {
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
        const sent = method === 'GET' ? {} : { body: '{"inputs":[{"customer":"ada","amount":1}]}' };
        const answer = await fetch(`${open.serving.url}${path}`, { method, headers, ...sent });
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(await answer.text(), `${method} ${path}`).not.toContain(part);
      }
  await expect.poll(() => lines.filter(({ msg }) => msg === 'request').length).toBe(32);
  expect(JSON.stringify(lines)).not.toContain(part);
  expect(JSON.stringify(lines)).toContain(`"endpoint":"${wide.token.slice(0, 13)}"`);
  await open.serving.stop();
  expect(JSON.stringify(await registry.auditLog.list({ limit: 100 }))).not.toContain(part);
});
