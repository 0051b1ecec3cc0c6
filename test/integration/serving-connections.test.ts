// What becomes of a connection whose client sends what is no request: answers come in the order of their requests, each once,
// and it is closed then.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { openRaw, rawHttp, request } from '../support/raw-http.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const BODY_TIMEOUT_MS = 1000;
/** A check comes every half second, and this machine may be busy. */
const LATE_MS = 5000;

let open: OpenServing;
let url: string;
beforeAll(async () => {
  open = await openServing({
    repository: REPOSITORY,
    features: 4,
    settings: { HEADRACE_SERVER_BODY_TIMEOUT_MS: String(BODY_TIMEOUT_MS), HEADRACE_SERVER_BODY_LIMIT: '64KB' },
  });
  url = open.serving.url;
}, 60_000);
afterAll(() => open.close());

const QUICK = '/v1/endpoints/checkout/predict';
const ROUTE = `${QUICK}?route`;
const HOST = 'Host: localhost';
const JSON_TYPE = 'Content-Type: application/json';
const BODY = '{"inputs":[{"customer":"ada","amount":1}]}';
const GARBAGE = 'GARBAGE\r\n\r\n';

const keptAlive = (method: string, path: string, headers: readonly string[], body?: string): string =>
  request(method, path, [HOST, ...headers], body).replace('Connection: close\r\n', '');
const statuses = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
const connections = (): Promise<number> =>
  new Promise((resolve) => open.serving.server.server.getConnections((_error, count) => resolve(count)));

describe('garbage behind requests that are not answered yet', () => {
  it.each([
    ['predictions', QUICK],
    ['predictions of the route', ROUTE],
  ])('leaves them their answers, and gets its own after them: %s', async (_what, path) => {
    const one = (id: string): string => keptAlive('POST', path, [`X-Request-Id: ${id}`], BODY);
    const { text, isClosed } = await rawHttp(url, [`${one('a')}${one('b')}${one('c')}${GARBAGE}`], {
      limitMs: LATE_MS,
    });
    expect({ statuses: statuses(text), isClosed }).toEqual({ statuses: [200, 200, 200, 400], isClosed: true });
    expect([...text.matchAll(/x-request-id: (\w)\r/g)].map(([, id]) => id)).toEqual(['a', 'b', 'c']);
    expect(text.slice(text.indexOf('HTTP/1.1 400'))).toContain('application/problem+json');
  });

  it('that goes on is answered once', async () => {
    const parts = [keptAlive('POST', ROUTE, [], BODY), ...Array.from({ length: 20 }, () => GARBAGE)];
    const { text, isClosed } = await rawHttp(url, parts, { limitMs: LATE_MS });
    expect({ statuses: statuses(text), isClosed }).toEqual({ statuses: [200, 400], isClosed: true });
  });

  it('in a body is the answer to that body, after those before it', async () => {
    const chunks = keptAlive('POST', '/v1/features/read', [JSON_TYPE, 'Transfer-Encoding: chunked']);
    const { text, isClosed } = await rawHttp(url, [`${keptAlive('POST', ROUTE, [], BODY)}${chunks}zz\r\n`], {
      limitMs: LATE_MS,
    });
    expect({ statuses: statuses(text), isClosed }).toEqual({ statuses: [200, 400], isClosed: true });
  });

  it('has no answer where the one before closes the connection', async () => {
    const last = request('POST', ROUTE, [HOST], BODY);
    const { text, isClosed } = await rawHttp(url, [`${last}${GARBAGE}`], { limitMs: LATE_MS });
    expect({ statuses: statuses(text), isClosed }).toEqual({ statuses: [200], isClosed: true });
  });

  it('waits for no answer that has no end: the connection is closed', async () => {
    const raw = await openRaw(url);
    raw.socket.write(keptAlive('GET', '/v1/monitoring/stream', []));
    await expect.poll(raw.text, { timeout: LATE_MS }).toContain('text/event-stream');
    raw.socket.write(GARBAGE);
    const startMs = performance.now();
    await raw.closed;
    expect(performance.now() - startMs).toBeLessThan(LATE_MS);
    expect(statuses(raw.text())).toEqual([200]);
    raw.socket.destroy();
    await expect.poll(connections, { timeout: LATE_MS }).toBe(0);
  });
});

describe('a request that is answered before its body has come', () => {
  it.each<[string, string, number, readonly string[]]>([
    ['too large', QUICK, 413, ['Content-Length: 70000']],
    ['of another type', QUICK, 415, ['Content-Type: text/plain', 'Content-Length: 100']],
    ['from another page', QUICK, 403, ['Origin: https://evil.example', 'Content-Length: 100']],
    ['in chunks, from another page', QUICK, 403, ['Origin: https://evil.example', 'Transfer-Encoding: chunked']],
  ])('has no second answer when the rest is late or no body: %s', async (_what, path, status, headers) => {
    const type = headers.some((line) => line.startsWith('Content-Type')) ? [] : [JSON_TYPE];
    const head = keptAlive('POST', path, [...type, ...headers]);
    const late = rawHttp(url, [head], { limitMs: LATE_MS });
    const raw = await openRaw(url);
    raw.socket.write(head);
    await expect.poll(raw.text, { interval: 5, timeout: LATE_MS }).toContain(`HTTP/1.1 ${status}`);
    raw.socket.write('zz\r\nzz\r\n');
    await raw.closed;
    raw.socket.destroy();
    expect(statuses(raw.text())).toEqual([status]);
    const { text, isClosed } = await late;
    expect({ statuses: statuses(text), isClosed }).toEqual({ statuses: [status], isClosed: true });
    await expect.poll(connections, { timeout: LATE_MS }).toBe(0);
  });
});
