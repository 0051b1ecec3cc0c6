// A server on loopback without keys: open to this machine's programs, and to no page of another site (DNS rebinding, foreign
// origins).

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { rawHttp, request } from '../support/raw-http.ts';
import { REPOSITORY } from '../support/serving-project.ts';

let open: OpenServing;
let url: string;
beforeAll(async () => {
  open = await openServing({ repository: REPOSITORY, features: 4 });
  url = open.serving.url;
}, 60_000);
afterAll(() => open.close());

const traffic = '{"variants":[{"name":"stable","version":1,"weight":100}]}';
const predict = '{"inputs":[{"customer":"ada","amount":1}]}';
const port = (): string => new URL(url).port;
const get = (...headers: string[]) => rawHttp(url, [request('GET', '/v1/endpoints', headers)]);

describe('the Host of a request to an open server', () => {
  it('may be a name of this machine', async () => {
    for (const host of ['localhost', 'LOCALHOST:PORT', '127.0.0.1:PORT', '[::1]:9'])
      expect((await get(`Host: ${host.replace('PORT', port())}`)).status).toBe(200);
  });

  it('may not be a name that was pointed here after its page was loaded, on any route', async () => {
    for (const [method, path, body] of [
      ['GET', '/v1/endpoints'],
      ['GET', '/health/ready'],
      ['GET', '/nothing'],
      ['POST', '/v1/endpoints/checkout/predict', predict],
      ['PUT', '/v1/endpoints/checkout', traffic],
    ] as const) {
      const { status, text } = await rawHttp(url, [request(method, path, [`Host: evil.example:${port()}`], body)]);
      expect({ method, path, status }).toEqual({ method, path, status: 421 });
      expect(text).toContain('content-type: application/problem+json');
      expect(text).toContain('"code":"HR_MISDIRECTED"');
    }
  });

  it('may be no other one in the request line or in X-Forwarded-Host', async () => {
    expect((await rawHttp(url, [request('GET', 'http://localhost/v1/endpoints', ['Host: evil.example'])])).status).toBe(
      421,
    );
    expect((await get('Host: evil.example', 'X-Forwarded-Host: localhost')).status).toBe(421);
    expect((await rawHttp(url, ['GET /v1/endpoints HTTP/1.0\r\n\r\n'])).status).toBe(421);
  });
});

describe('a page of another site', () => {
  it.each([
    ['another port of this machine', 'Origin: http://localhost:3000'],
    ['what the browser says', 'Sec-Fetch-Site: cross-site'],
  ])('is refused by %s, whatever it asks, and gets no CORS headers', async (_what, header) => {
    for (const [method, path, body] of [
      ['GET', '/v1/endpoints'],
      ['POST', '/v1/endpoints/checkout/predict', predict],
      ['PUT', '/v1/endpoints/checkout', traffic],
      ['OPTIONS', '/v1/endpoints/checkout'],
      ['GET', '/nothing'],
    ] as const) {
      const { status, text } = await rawHttp(url, [request(method, path, [`Host: localhost:${port()}`, header], body)]);
      expect({ method, path, status }).toEqual({ method, path, status: 403 });
      expect(text).toContain('"code":"HR_FORBIDDEN"');
      expect(text.toLowerCase()).not.toContain('access-control-');
    }
  });

  it('is none that the server gave itself', async () => {
    const host = `localhost:${port()}`;
    const own = [`Host: ${host}`, `Origin: http://${host}`, 'Sec-Fetch-Site: same-origin'];
    expect((await rawHttp(url, [request('PUT', '/v1/endpoints/checkout', own, traffic)])).status).toBe(200);
    expect((await get('Host: localhost', 'Origin: http://localhost')).status).toBe(200);
    expect((await get('Host: localhost:80', 'Origin: http://localhost')).status).toBe(200);
    expect((await get(`Host: ${host}`, 'Sec-Fetch-Site: none')).status).toBe(200);
  });
});

it('is told in the audit log, with who came', async () => {
  const registry = await open.app.registry();
  await rawHttp(url, [
    request(
      'PUT',
      '/v1/endpoints/checkout',
      ['Host: localhost', 'X-Reason: Störung', `Origin: http://localhost`],
      traffic,
    ),
  ]);
  const [done] = await registry.auditLog.list({ object: 'endpoint/checkout', limit: 1 });
  expect(done).toMatchObject({
    actor: 'open 127.0.0.1',
    action: 'endpoint.traffic',
    reason: 'Störung',
    after: { variants: [{ name: 'stable', version: 1, weight: 100 }] },
  });
  await rawHttp(url, [request('PUT', '/v1/endpoints/checkout', ['Host: evil.example'], traffic)]);
  await expect
    .poll(async () => (await registry.auditLog.list({ object: 'endpoint/checkout', limit: 1 }))[0])
    .toMatchObject({ actor: 'anonymous 127.0.0.1', after: { refused: 'HR_MISDIRECTED' }, before: null });
});
