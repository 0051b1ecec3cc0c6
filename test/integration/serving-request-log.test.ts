// What the log says of requests: each failure of the server once, to be found by request, trace and endpoint.

import { afterEach, describe, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const UNLUCKY = REPOSITORY.replace(
  'ratio: request.amount != null',
  'ratio: request.amount === 13 ? (null as unknown as { n: number }).n : request.amount != null',
);
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

type Line = Readonly<Record<string, unknown>>;

describe('the log of requests', () => {
  let open: OpenServing;
  let lines: Line[] = [];
  const serve = async (logged?: string): Promise<void> => {
    lines = [];
    const write =
      (level: string) =>
      (fields: object, msg: string): void =>
        void lines.push({ level, msg, ...fields });
    open = await openServing({
      repository: UNLUCKY,
      features: 4,
      settings: logged === undefined ? {} : { HEADRACE_LOG_REQUESTS: logged },
      logger: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    });
  };
  const predict = (amount: unknown, headers: Record<string, string> = {}) =>
    open.post('/v1/endpoints/checkout/predict', { inputs: [{ customer: 'ada', amount }] }, headers);
  const ofRequests = (): Line[] => lines.filter(({ msg }) => /request/.test(String(msg)));
  afterEach(() => open.close());

  it('has each failure of the server once, and not what clients did wrong', async () => {
    await serve();
    await predict(1);
    await predict('much');
    await predict(13, { 'x-request-id': 'seen', traceparent: `00-${TRACE}-00f067aa0ba902b7-00` });
    expect(ofRequests()).toEqual([
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
    await serve();
    const inputs = [1, 13, 'much', 13].map((amount) => ({ customer: 'ada', amount }));
    const body = { inputs, options: { partial: true } };
    expect((await open.post('/v1/endpoints/checkout/predict', body)).statusCode).toBe(200);
    expect(ofRequests()).toMatchObject([
      {
        level: 'error',
        msg: 'rows of a request failed',
        status: 200,
        failedRows: 2,
        code: 'HR_TRANSFORM_FAILED',
        reason: expect.stringContaining('inputs[1]'),
      },
    ]);
    // What clients did wrong is not told.
    const wrong = { inputs: [inputs[0], inputs[2]], options: { partial: true } };
    expect((await open.post('/v1/endpoints/checkout/predict', wrong)).statusCode).toBe(200);
    expect(ofRequests()).toHaveLength(1);
  });

  it.each([
    ['errors', []],
    ['all', ['info 200', 'info 422']],
  ])('has a reused Idempotency-Key as the client’s mistake: %s', async (logged, told) => {
    await serve(logged);
    for (const amount of [1, 2]) {
      const rows = [{ customer: 'bea', amount, bought_at: '2026-01-01T00:00:00Z' }];
      await open.post('/v1/sources/purchases/push', { rows }, { 'idempotency-key': 'reused' });
    }
    await expect
      .poll(() => ofRequests().map(({ level, status }) => `${String(level)} ${String(status)}`))
      .toEqual(told);
  });

  it.each([
    ['errors', []],
    ['all', ['info 400']],
  ])('has a PUT with one version twice among the shadows as the client’s mistake: %s', async (logged, told) => {
    await serve(logged);
    const variants = [{ name: 'stable', version: 1, weight: 100 }];
    const answer = await open.serving.server.inject({
      method: 'PUT',
      url: '/v1/endpoints/checkout',
      payload: { variants, shadows: [1, '1'].map((version) => ({ version, percent: 5 })) },
    });
    expect(answer.json()).toMatchObject({ status: 400, code: 'HR_INVALID' });
    await expect
      .poll(() => ofRequests().map(({ level, status }) => `${String(level)} ${String(status)}`))
      .toEqual(told);
    // An attempt all the same.
    const registry = await open.app.registry();
    await expect
      .poll(async () => (await registry.auditLog.list({ object: 'endpoint/checkout' }))[0]?.after)
      .toMatchObject({ refused: 'HR_INVALID' });
  });

  it('has no more than a hundred a second, and then how many there were', async () => {
    await serve();
    for (let i = 0; i < 250; i++) await predict(13);
    await expect
      .poll(() => ofRequests().some(({ msg }) => msg === 'more requests failed'), { timeout: 5000 })
      .toBe(true);
    const seconds = ofRequests().filter(({ msg }) => msg === 'more requests failed');
    const single = ofRequests().filter(({ msg }) => msg === 'request failed').length;
    const more = seconds.reduce((sum, { requests }) => sum + Number(requests), 0);
    expect(single).toBeLessThanOrEqual(100 * (seconds.length + 1));
    expect(single + more).toBe(250);
  });

  it('has every request once where that is asked for', async () => {
    await serve('all');
    await predict(1, { 'x-request-id': 'good' });
    await predict('much', { 'x-request-id': 'bad' });
    await predict(13, { 'x-request-id': 'failed' });
    await open.serving.server.inject('/nowhere');
    await expect.poll(() => ofRequests().length).toBe(4);
    expect(ofRequests()).toMatchObject([
      { level: 'info', requestId: 'good', status: 200, endpoint: 'checkout', latencyMs: expect.any(Number) },
      { level: 'info', requestId: 'bad', status: 400, code: 'HR_INVALID', actor: 'open 127.0.0.1' },
      { level: 'error', requestId: 'failed', status: 422, actor: 'open 127.0.0.1' },
      { level: 'info', route: 'unknown', status: 404, code: 'HR_UNKNOWN_ROUTE' },
    ]);
  });

  it('names the key that asks, never its secret, and what refuses one', async () => {
    await serve('all');
    const { keys } = await open.app.registry();
    const { key, token } = await keys.create({ name: 'reader', roles: ['read'] }, { actor: 'ann' });
    const list = async (sent: string): Promise<number> =>
      (await open.serving.server.inject({ url: '/v1/endpoints', headers: { 'x-api-key': sent } })).statusCode;
    await expect.poll(() => list('hr_nobody')).toBe(401);
    lines = [];
    expect(await list(token)).toBe(200);
    expect(await list('hr_nobody')).toBe(401);
    expect((await open.post('/v1/endpoints/checkout/predict', { inputs: [] }, { 'x-api-key': token })).statusCode).toBe(
      403,
    );
    expect(ofRequests()).toMatchObject([
      { status: 200, actor: `key hr_${key.id}` },
      { status: 401, code: 'HR_UNAUTHENTICATED', actor: 'anonymous 127.0.0.1' },
      { status: 403, code: 'HR_FORBIDDEN', actor: `key hr_${key.id}` },
    ]);
    expect(JSON.stringify(lines)).not.toContain(token.split('_')[2]);
  });

  it('has only what should not happen where none is asked for', async () => {
    await serve('none');
    await predict(13);
    expect(ofRequests()).toEqual([]);
  });
});

describe('an API key that was pasted into a URL', () => {
  const lines: Line[] = [];
  const write = (fields: object, msg: string): void => void lines.push({ msg, ...fields });
  let open: OpenServing;
  afterEach(() => open.close());

  it('is told neither in the log nor in an answer, nor in the audit log', async () => {
    open = await openServing({
      repository: `${REPOSITORY}\nexport const other = endpoint('other', { model: returns, unit: ['customer'] });\n`,
      features: 4,
      settings: { HEADRACE_LOG_REQUESTS: 'all' },
      logger: { debug: write, info: write, warn: write, error: write },
    });
    const registry = await open.app.registry();
    const asked = { name: 'narrow', roles: ['read', 'predict', 'admin'] as const, endpoints: ['other'] };
    const narrow = await registry.keys.create(asked, { actor: 'ann' });
    const wide = await registry.keys.create({ name: 'wide', roles: ['read', 'predict'] }, { actor: 'ann' });
    await open.serving.security.refresh();
    const secret = wide.token.split('_')[2] as string;
    const part = secret.slice(0, 20);
    const pasted = [wide.token, `${'a'.repeat(50)}${wide.token}`];
    for (const name of pasted) {
      for (const { token } of [narrow, wide]) {
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
          const answer = await fetch(`${open.serving.url}${path}`, {
            method,
            headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
            ...(method === 'GET' ? {} : { body: '{"inputs":[{"customer":"ada","amount":1}]}' }),
          });
          const text = await answer.text();
          expect(answer.status).toBeGreaterThanOrEqual(400);
          expect(text, `${method} ${path}`).not.toContain(part);
        }
      }
    }
    await expect.poll(() => lines.filter(({ msg }) => msg === 'request').length).toBe(32);
    expect(JSON.stringify(lines)).not.toContain(part);
    expect(JSON.stringify(lines)).toContain(`"endpoint":"${wide.token.slice(0, 13)}"`);
    await open.serving.stop();
    expect(JSON.stringify(await registry.auditLog.list({ limit: 100 }))).not.toContain(part);
  });
});
