// A server on loopback without keys: open to this machine's programs, and to no page of another site (DNS rebinding, foreign
// origins).

import { describe, expect, it } from 'vitest';
import { openForAll } from '../support/open-for.ts';
import { rawHttp, request } from '../support/raw-http.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const open = openForAll({ repository: REPOSITORY, features: 4 });
const traffic = '{"variants":[{"name":"stable","version":1,"weight":100}]}';
const predict = '{"inputs":[{"customer":"ada","amount":1}]}';
const port = (): string => new URL(open.serving.url).port;
const ask = (method: string, path: string, headers: string[], body?: string) =>
  rawHttp(open.serving.url, [request(method, path, headers, body)]);
const get = async (...headers: string[]) => (await ask('GET', '/v1/endpoints', headers)).status;
const put = (...headers: string[]) => ask('PUT', '/v1/endpoints/checkout', headers, traffic);
const ROUTES = [
  ['GET', '/v1/endpoints'],
  ['GET', '/health/ready'],
  ['GET', '/nothing'],
  ['POST', '/v1/endpoints/checkout/predict', predict],
  ['PUT', '/v1/endpoints/checkout', traffic],
  ['OPTIONS', '/v1/endpoints/checkout'],
] as const;

describe('the Host of a request to an open server', () => {
  it('may be a name of this machine', async () => {
    for (const host of ['localhost', `LOCALHOST:${port()}`, `127.0.0.1:${port()}`, '[::1]:9'])
      expect(await get(`Host: ${host}`)).toBe(200);
  });

  it('may not be a name that was pointed here after its page was loaded, on any route', async () => {
    for (const [method, path, body] of ROUTES) {
      const { status, text } = await ask(method, path, [`Host: evil.example:${port()}`], body);
      expect({ method, path, status }).toEqual({ method, path, status: 421 });
      expect(text).toContain('content-type: application/problem+json');
      expect(text).toContain('"code":"HR_MISDIRECTED"');
    }
  });

  it('may be no other one in the request line or in X-Forwarded-Host', async () => {
    expect((await ask('GET', 'http://localhost/v1/endpoints', ['Host: evil.example'])).status).toBe(421);
    expect(await get('Host: evil.example', 'X-Forwarded-Host: localhost')).toBe(421);
    expect((await rawHttp(open.serving.url, ['GET /v1/endpoints HTTP/1.0\r\n\r\n'])).status).toBe(421);
  });
});

describe('a page of another site', () => {
  it.each([
    ['another port of this machine', 'Origin: http://localhost:3000'],
    ['what the browser says', 'Sec-Fetch-Site: cross-site'],
  ])('is refused by %s, whatever it asks, and gets no CORS headers', async (_what, header) => {
    for (const [method, path, body] of ROUTES.filter(([, path]) => path !== '/health/ready')) {
      const { status, text } = await ask(method, path, [`Host: localhost:${port()}`, header], body);
      expect({ method, path, status }).toEqual({ method, path, status: 403 });
      expect(text).toContain('"code":"HR_FORBIDDEN"');
      expect(text.toLowerCase()).not.toContain('access-control-');
    }
  });

  it('is none that the server gave itself', async () => {
    const host = `localhost:${port()}`;
    expect((await put(`Host: ${host}`, `Origin: http://${host}`, 'Sec-Fetch-Site: same-origin')).status).toBe(200);
    expect(await get('Host: localhost', 'Origin: http://localhost')).toBe(200);
    expect(await get('Host: localhost:80', 'Origin: http://localhost')).toBe(200);
    expect(await get(`Host: ${host}`, 'Sec-Fetch-Site: none')).toBe(200);
  });
});

it('is told in the audit log, with who came', async () => {
  const { auditLog } = await open.app.registry();
  const last = async () => (await auditLog.list({ object: 'endpoint/checkout', limit: 1 }))[0];
  await put('Host: localhost', 'X-Reason: Störung', `Origin: http://localhost`);
  const after = { variants: [{ name: 'stable', version: 1, weight: 100 }] };
  const done = { actor: 'open 127.0.0.1', action: 'endpoint.traffic', reason: 'Störung', after };
  expect(await last()).toMatchObject(done);
  await put('Host: evil.example');
  const refused = { actor: 'anonymous 127.0.0.1', after: { refused: 'HR_MISDIRECTED' }, before: null };
  await expect.poll(last).toMatchObject(refused);
});
