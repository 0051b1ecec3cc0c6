// What becomes of a connection whose client sends what is no request: answers come in the order of their requests, each once,
// and it is closed then.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { openRaw, rawHttp, request } from '../support/raw-http.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { runs } from '../support/tier.ts';

const BODY_TIMEOUT_MS = 400;
/** A net: a connection that is closed by a limit of the server is closed long before. */
const LATE_MS = 15_000;

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

  it('whatever it is, in whichever pieces it comes, and whatever is before it', async () => {
    const good: readonly (readonly [string, number])[] = [
      [keptAlive('POST', QUICK, [], BODY), 200],
      [keptAlive('POST', ROUTE, [], BODY), 200],
      [keptAlive('POST', QUICK, [], '{'), 400],
      [keptAlive('GET', '/health/live', []), 200],
      [keptAlive('GET', '/v1/nothing', []), 404],
    ];
    const garbage = fc.constantFrom(
      GARBAGE,
      '\0',
      'GET\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      'GET / HTTP/1.1\r\nNo Name: x\r\n\r\n',
    );
    const before = fc.array(fc.constantFrom(...good), { maxLength: 6 });
    const cuts = fc.array(fc.nat(2000), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(before, garbage, cuts, fc.boolean(), async (requests, last, at, halfClose) => {
        const whole = requests.map(([text]) => text).join('') + last;
        const bounds = [0, ...at.filter((cut) => cut < whole.length).sort((one, other) => one - other), whole.length];
        const pieces = bounds.slice(1).map((end, piece) => whole.slice(bounds[piece], end));
        const { text, isClosed } = await rawHttp(url, pieces, { limitMs: LATE_MS, halfClose });
        const expected = [...requests.map(([, status]) => status), 400];
        expect({ statuses: statuses(text), isClosed }).toEqual({ statuses: expected, isClosed: true });
      }),
      { numRuns: runs(60) },
    );
  });

  it('waits for no answer that has no end: the connection is closed', async () => {
    const raw = await openRaw(url);
    raw.socket.write(keptAlive('GET', '/v1/monitoring/stream', []));
    await expect.poll(raw.text, { timeout: LATE_MS }).toContain('text/event-stream');
    raw.socket.write(GARBAGE);
    await raw.closed;
    expect(statuses(raw.text())).toEqual([200]);
    raw.socket.destroy();
    await expect.poll(connections, { timeout: LATE_MS }).toBe(0);
  });
});

describe('a request that is answered before its body has come', () => {
  it('has no second answer when the rest is late or no body', async () => {
    const rows: readonly (readonly [number, readonly string[]])[] = [
      [413, [JSON_TYPE, 'Content-Length: 70000']],
      [415, ['Content-Type: text/plain', 'Content-Length: 100']],
      [403, [JSON_TYPE, 'Origin: https://evil.example', 'Content-Length: 100']],
      [403, [JSON_TYPE, 'Origin: https://evil.example', 'Transfer-Encoding: chunked']],
    ];
    // All at once: each waits a second for the rest.
    await Promise.all(
      rows.map(async ([status, headers]) => {
        const head = keptAlive('POST', QUICK, headers);
        const late = rawHttp(url, [head], { limitMs: LATE_MS });
        const raw = await openRaw(url);
        raw.socket.write(head);
        await expect.poll(raw.text, { interval: 5, timeout: LATE_MS }).toContain(`HTTP/1.1 ${status}`);
        raw.socket.write('zz\r\nzz\r\n');
        await raw.closed;
        raw.socket.destroy();
        expect(statuses(raw.text()), headers.join()).toEqual([status]);
        const { text, isClosed } = await late;
        expect({ statuses: statuses(text), isClosed }, headers.join()).toEqual({ statuses: [status], isClosed: true });
      }),
    );
    await expect.poll(connections, { timeout: LATE_MS }).toBe(0);
  });
});

describe('a body that was read whole', () => {
  it.each([
    ['a prediction', QUICK],
    ['a prediction of the route', ROUTE],
    ['another request', '/v1/features/read'],
  ])('keeps its connection whatever is wrong with it: %s', async (_what, path) => {
    for (const body of ['{', '"\\ud800"', '[]', '{"inputs":1}']) {
      const parts = [keptAlive('POST', path, [], body), request('POST', QUICK, [HOST], BODY)];
      const { text } = await rawHttp(url, parts, { limitMs: LATE_MS });
      expect(statuses(text)).toEqual([400, 200]);
      expect(text.slice(0, text.lastIndexOf('HTTP/1.1 200')).toLowerCase()).not.toContain('connection: close');
    }
  });
});

/** The whole of the first answer's document. */
const problemOf = (text: string): Record<string, unknown> => {
  const body = /^\{"type":.*?"errors":\[.*?\]\}/m.exec(text)?.[0];
  if (body === undefined) throw new Error(`no problem document in ${text}`);
  return JSON.parse(body) as Record<string, unknown>;
};

describe('HEAD', () => {
  it.each(['/health/live', '/health/ready'])('of health is answered as GET is, without a body: %s', async (path) => {
    const [got, head] = await Promise.all(
      ['GET', 'HEAD'].map((method) =>
        rawHttp(url, [keptAlive(method, path, ['X-Request-Id: mine']), request(method, path, [HOST])]),
      ),
    );
    const heads = (text = ''): string[] =>
      [...text.matchAll(/HTTP\/1\.1 [\s\S]*?\r\n\r\n/g)].map(([lines]) =>
        lines.replace(/date:.*|x-request-id:.*/gi, ''),
      );
    expect(heads(head?.text)).toEqual(heads(got?.text));
    expect(statuses(head?.text ?? '')).toEqual([200, 200]);
    expect(head?.text).toMatch(/content-length: [1-9]/);
    expect(head?.text).not.toContain('"status"');
  });

  it('of anything else is told what there is', async () => {
    const { status, text } = await rawHttp(url, [request('HEAD', '/v1/endpoints', [HOST])]);
    expect(status).toBe(405);
    expect(text.toLowerCase()).toContain('allow: get\r\n');
    expect((await rawHttp(url, [request('DELETE', '/health/live', [HOST])])).text).toContain('allow: GET, HEAD\r\n');
  });
});

describe('Expect', () => {
  const expecting = (path: string, expectation: string): string =>
    keptAlive('POST', path, [
      JSON_TYPE,
      `Content-Length: ${BODY.length}`,
      `Expect: ${expectation}`,
      'X-Request-Id: mine',
    ]);

  it('of anything but 100-continue is a problem that says so', async () => {
    const ask = (path: string) => rawHttp(url, [expecting(path, 'a-miracle')], { limitMs: LATE_MS });
    for (const { text, status, isClosed } of await Promise.all([QUICK, ROUTE, '/health/live'].map(ask))) {
      expect({ status, isClosed }).toEqual({ status: 400, isClosed: true });
      expect(text).toContain('content-type: application/problem+json');
      expect(problemOf(text)).toMatchObject({
        code: 'HR_INVALID',
        request_id: 'mine',
        errors: [{ path: 'Expect', message: 'expected 100-continue, got "a-miracle"' }],
      });
    }
  });

  it('of 100-continue is told to go on, and answered', async () => {
    for (const path of [QUICK, ROUTE]) {
      const raw = await openRaw(url);
      raw.socket.write(expecting(path, '100-Continue'));
      await expect.poll(raw.text, { timeout: LATE_MS }).toBe('HTTP/1.1 100 Continue\r\n\r\n');
      raw.socket.write(BODY);
      await expect.poll(() => statuses(raw.text()), { timeout: LATE_MS }).toEqual([100, 200]);
      raw.socket.destroy();
    }
  });

  it('of 100-continue is never told to go on where it is refused', async () => {
    const length = `Content-Length: ${BODY.length}`;
    const tooLong = 'Content-Length: 70000';
    const rows: readonly (readonly [number, string, readonly string[]])[] = [
      [413, QUICK, [HOST, JSON_TYPE, tooLong]],
      [413, ROUTE, [HOST, JSON_TYPE, tooLong]],
      [413, '/v1/features/read', [HOST, JSON_TYPE, tooLong]],
      [421, QUICK, ['Host: evil.example', JSON_TYPE, length]],
      [400, QUICK, [HOST, HOST, JSON_TYPE, length]],
      [403, ROUTE, [HOST, JSON_TYPE, 'Origin: https://evil.example', length]],
      [415, '/v1/features/read', [HOST, 'Content-Type: text/plain', length]],
      [405, '/health/live', [HOST, JSON_TYPE, length]],
      [404, '/nothing', [HOST, JSON_TYPE, length]],
    ];
    await Promise.all(
      rows.map(async ([status, path, headers]) => {
        const raw = await openRaw(url);
        raw.socket.write([`POST ${path} HTTP/1.1`, ...headers, 'Expect: 100-continue', '', ''].join('\r\n'));
        await raw.closed;
        raw.socket.destroy();
        const text = raw.text();
        expect(statuses(text), `${status} ${path}`).toEqual([status]);
        if (status === 413) expect(text.toLowerCase()).toContain('connection: close');
      }),
    );
  });

  it('of a client of HTTP/1.0 is nothing', async () => {
    const head = `GET /health/live HTTP/1.0\r\n${HOST}\r\nExpect: a-miracle\r\n\r\n`;
    expect((await rawHttp(url, [head], { limitMs: LATE_MS })).status).toBe(200);
  });
});

describe('Host', () => {
  const length = `Content-Length: ${BODY.length}`;
  const ask = (method: string, path: string, hosts: readonly string[]): string =>
    [`${method} ${path} HTTP/1.1`, ...hosts, JSON_TYPE, length, 'X-Request-Id: mine', '', BODY].join('\r\n');
  const places = [
    ['GET', '/health/live'],
    ['POST', QUICK],
    ['POST', ROUTE],
    ['GET', '/nothing'],
  ] as const;

  it.each(places)('that is missing is a problem that says so: %s %s', async (method, path) => {
    const { text, status, isClosed } = await rawHttp(url, [ask(method, path, [])], { limitMs: LATE_MS });
    expect({ status, isClosed }).toEqual({ status: 400, isClosed: true });
    expect(text).toContain('content-type: application/problem+json');
    expect(problemOf(text)).toMatchObject({
      code: 'HR_INVALID',
      request_id: 'mine',
      errors: [{ path: 'Host', message: 'expected one, as HTTP/1.1 asks, got none' }],
    });
  });

  it.each(places)('that came twice is a problem that says so: %s %s', async (method, path) => {
    const hosts = [HOST, 'HOST: evil.example'];
    for (const both of [hosts, hosts.toReversed(), [HOST, HOST]]) {
      const { text, status, isClosed } = await rawHttp(url, [ask(method, path, both)], { limitMs: LATE_MS });
      expect({ status, isClosed }).toEqual({ status: 400, isClosed: true });
      expect(text).toContain('content-type: application/problem+json');
      const names = both.map((line) => line.slice(6)).join(', ');
      expect(problemOf(text)).toMatchObject({
        code: 'HR_INVALID',
        request_id: 'mine',
        errors: [{ path: 'Host', message: `expected one, got 2: "${names}"` }],
      });
    }
  });
});

it('a prediction whose body breaks off is refused as cancelled, whichever way it is read', async () => {
  const cancelled = async (): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const lines = text
      .split('\n')
      .filter((line) => line.includes('endpoint="checkout"') && line.includes('HR_CANCELLED'));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };
  let before = await cancelled();
  for (const path of [QUICK, ROUTE]) {
    const raw = await openRaw(url);
    raw.socket.write(`${keptAlive('POST', path, [JSON_TYPE, 'Content-Length: 100'])}{`);
    await expect
      .poll(async () => {
        const text = await (await fetch(`${url}/metrics`)).text();
        return /^headrace_requests_in_flight_size_bytes (\d+)$/m.exec(text)?.[1];
      })
      .toBe('1');
    raw.socket.destroy();
    await expect.poll(cancelled, { timeout: LATE_MS }).toBe(++before);
  }
});

describe.each([
  ['is none', '/%zz'],
  ['has too long a name in it', `/v1/endpoints/${'a'.repeat(300)}`],
])('a URL that %s', (_what, path) => {
  const TRACE = '0af7651916cd43dd8448eb211c80319c';
  const ask = (method: string, headers: readonly string[]) =>
    rawHttp(url, [request(method, path, headers, method === 'GET' ? undefined : BODY)], { limitMs: LATE_MS });

  it('is 400, with the request’s id and trace', async () => {
    const traceparent = `traceparent: 00-${TRACE}-b7ad6b7169203331-01`;
    for (const method of ['GET', 'POST']) {
      const { text, status } = await ask(method, [HOST, 'X-Request-Id: mine', traceparent]);
      expect(status).toBe(400);
      expect(text).toContain('x-request-id: mine\r\n');
      expect(text).toMatch(new RegExp(`traceparent: 00-${TRACE}-(?!b7ad6b7169203331)\\w{16}-01\r\n`));
      expect(problemOf(text)).toMatchObject({ code: 'HR_INVALID', request_id: 'mine' });
    }
  });

  it.each([
    ['another name in Host', 421, ['Host: evil.example']],
    ['a page of another site', 403, [HOST, 'Origin: https://evil.example']],
    ['two Hosts', 400, [HOST, HOST]],
    ['none', 400, []],
  ])('is refused as any other: %s', async (_of, expected, headers) => {
    for (const method of ['GET', 'POST']) {
      const { text, status, isClosed } = await ask(method, headers);
      expect({ status, isClosed }).toEqual({ status: expected, isClosed: true });
      expect(text).toMatch(/^x-request-id: /m);
      if (expected === 400) expect(problemOf(text)).toMatchObject({ errors: [{ path: 'Host' }] });
    }
  });
});
