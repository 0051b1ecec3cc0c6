// What a server does with clients that send too much, too slowly, or half of it.

import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { openRaw, rawHttp, request } from '../support/raw-http.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { runs } from '../support/tier.ts';

const BODY_TIMEOUT_MS = 200;
/** A net: a connection that is closed by its limit is closed long before. */
const LATE_MS = 10_000;

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

const PREDICT = '/v1/endpoints/checkout/predict';
const HOST = 'Host: localhost';
const connections = (): Promise<number> =>
  new Promise((resolve) => open.serving.server.server.getConnections((_error, count) => resolve(count)));
const stillServes = async (): Promise<void> => {
  expect((await open.post(PREDICT, { inputs: [{ customer: 'ada', amount: 1 }] })).statusCode).toBe(200);
};

describe('a slow client', () => {
  it('that never finishes its body is closed after server.bodyTimeoutMs, with an answer', async () => {
    const head = request('POST', PREDICT, [HOST, 'Content-Type: application/json', 'Content-Length: 1000']);
    const { status, text, isClosed } = await rawHttp(url, [head, '{"inputs":['], { limitMs: LATE_MS });
    expect({ status, isClosed }).toEqual({ status: 400, isClosed: true });
    expect(text).toContain('server.bodyTimeoutMs');
    expect(text).toContain('content-type: application/problem+json');
  });

  it('that sends its body byte by byte gains no time', async () => {
    const { socket, closed, text } = await openRaw(url);
    socket.write(request('POST', PREDICT, [HOST, 'Content-Type: application/json', 'Content-Length: 1000']));
    const drip = setInterval(() => socket.write('['), 20);
    await closed;
    clearInterval(drip);
    socket.destroy();
    expect(text()).toContain('HTTP/1.1 400');
  });

  it('that sends its headers byte by byte gains no time (slow-loris), however many there are', async () => {
    const many = await Promise.all(Array.from({ length: 50 }, () => openRaw(url)));
    const drip = setInterval(() => {
      for (const { socket } of many) socket.write('X-A: b\r\n');
    }, 20);
    for (const { socket } of many) socket.write(`GET /health/live HTTP/1.1\r\n${HOST}\r\n`);
    await stillServes();
    await Promise.all(many.map(({ closed }) => closed));
    clearInterval(drip);
    for (const { socket } of many) socket.destroy();
    await expect.poll(connections, { timeout: LATE_MS }).toBe(0);
  });

  it('that says nothing at all is closed', async () => {
    const { isClosed } = await rawHttp(url, [], { limitMs: LATE_MS });
    expect(isClosed).toBe(true);
  });

  it('that does not close its side after the answer keeps no socket', async () => {
    const { socket, closed } = await openRaw(url);
    socket.write('HELLO\r\n\r\n');
    await closed;
    await expect.poll(connections, { timeout: LATE_MS }).toBe(0);
    socket.destroy();
  });
});

describe('a half-closed client', () => {
  it('in the middle of its headers or its body is answered and gone', async () => {
    const body = request('POST', PREDICT, [HOST, 'Content-Type: application/json', 'Content-Length: 1000']);
    for (const part of ['GET /health/live HT', `${body}{"inputs":`]) {
      const { isClosed, status, text } = await rawHttp(url, [part], { halfClose: true, limitMs: LATE_MS });
      expect({ isClosed, status }).toEqual({ isClosed: true, status: 400 });
      // Not by the limit of time.
      expect(text).not.toContain('server.bodyTimeoutMs');
    }
    await expect.poll(connections, { timeout: LATE_MS }).toBe(0);
    await stillServes();
  });

  it('after its request keeps no socket', async () => {
    const whole = request('GET', '/v1/monitoring/stream', [HOST]);
    const { isClosed } = await rawHttp(url, [whole], { halfClose: true, limitMs: LATE_MS });
    expect(isClosed).toBe(true);
    await expect.poll(connections, { timeout: LATE_MS }).toBe(0);
  });

  it('that resets in the middle of its body is no error of the server', async () => {
    const { socket } = await openRaw(url);
    socket.write(
      `${request('POST', PREDICT, [HOST, 'Content-Type: application/json', 'Content-Length: 1000'])}{"inputs":`,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.resetAndDestroy();
    await expect.poll(connections, { timeout: LATE_MS }).toBe(0);
    await stillServes();
  });
});

describe('headers', () => {
  it('over 16 KB are 413', async () => {
    const { status, text, isClosed } = await rawHttp(url, [
      request('GET', '/health/live', [HOST, `X-Long: ${'x'.repeat(20_000)}`]),
    ]);
    expect({ status, isClosed }).toEqual({ status: 413, isClosed: true });
    expect(text).toContain('"code":"HR_TOO_LARGE"');
  });

  it('without an end are 413', async () => {
    const { status } = await rawHttp(url, [
      `GET /health/live HTTP/1.1\r\n${HOST}\r\n`,
      ...Array.from({ length: 3000 }, (_, at) => `X-${at}: yyyyyyyyyyyyyyyyyyyyyyyyy\r\n`),
    ]);
    expect(status).toBe(413);
  });

  it('more than 100 are 400', async () => {
    const lines = Array.from({ length: 101 }, (_, at) => `A${at}: b`);
    const { status, text } = await rawHttp(url, [request('GET', '/health/live', [HOST, ...lines])]);
    expect(status).toBe(400);
    expect(text).toContain('more than 100 headers');
  });

  it.each(['/v1/endpoints/checkout/predict', '/v1/endpoints/checkout/predict?route', '/v1/features/read'])(
    'with two deadlines are 400: %s',
    async (path) => {
      const body =
        path === '/v1/features/read'
          ? '{"service":"numbers","rows":[{"customer":"ada","amount":1}]}'
          : '{"inputs":[{"customer":"ada","amount":1}]}';
      const ask = (...lines: string[]) => rawHttp(url, [request('POST', path, [HOST, ...lines], body)]);
      expect((await ask('X-Request-Timeout-Ms: 5000')).status).toBe(200);
      const { status, text } = await ask('X-Request-Timeout-Ms: 5000', 'X-Request-Timeout-Ms: 5000');
      expect(status).toBe(400);
      expect(text).toContain('expected whole milliseconds from 1 to 3600000, got \\"5000, 5000\\"');
    },
  );

  it.each([
    ['two lengths', ['Content-Length: 2', 'Content-Length: 3']],
    ['a length and chunks', ['Content-Length: 2', 'Transfer-Encoding: chunked']],
    ['a length that is none', ['Content-Length: -1']],
    ['a name with a space', ['Bad Name: x']],
    ['a bare line feed in a value', ['X-A: b\n\nc']],
    ['NUL', ['X-A: b\0c']],
  ])('with %s are 400', async (_what, lines) => {
    const head = ['POST /v1/features/read HTTP/1.1', HOST, ...lines, '', '{}'].join('\r\n');
    const { status, text, isClosed } = await rawHttp(url, [head], { limitMs: LATE_MS });
    expect({ status, isClosed }).toEqual({ status: 400, isClosed: true });
    expect(text).toContain('application/problem+json');
  });
});

describe('bodies', () => {
  const outputs = (text: string): string => /"predictions":.*/.exec(text)?.[0] ?? '';
  const send = (body: Uint8Array | string, headers: readonly string[] = []) => {
    const bytes = Buffer.from(body);
    const own = [HOST, 'Content-Type: application/json', `Content-Length: ${bytes.length}`, ...headers];
    return rawHttp(url, [request('POST', PREDICT, own), bytes]);
  };

  it('in an encoding are refused and never expanded: a bomb stays small', async () => {
    const bomb = gzipSync(Buffer.alloc(40_000_000, '['));
    expect(bomb.length).toBeLessThan(64_000);
    const before = process.memoryUsage().rss;
    for (const encoding of ['gzip', 'x-gzip', 'deflate', 'br', 'gzip, gzip', 'zstd']) {
      const { status, text } = await send(bomb, [`Content-Encoding: ${encoding}`]);
      expect(status, encoding).toBe(415);
      expect(text).toContain('"code":"HR_UNSUPPORTED_MEDIA"');
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(30_000_000);
  });

  it('in no encoding by name are taken', async () => {
    expect((await send('{"inputs":[{"customer":"ada","amount":1}]}', ['Content-Encoding: identity'])).status).toBe(200);
  });

  it.each([
    ['a prediction', PREDICT],
    ['another request', '/v1/features/read'],
  ])('over the limit that never come are answered at once, and the connection is closed: %s', async (_what, path) => {
    const head = request('POST', path, [HOST, 'Content-Type: application/json', 'Content-Length: 70000']).replace(
      'Connection: close\r\n',
      '',
    );
    const raw = await openRaw(url);
    raw.socket.write(`${head}{`);
    await expect.poll(raw.text, { interval: 5, timeout: LATE_MS }).toContain('"code":"HR_TOO_LARGE"');
    expect(raw.text()).toContain('HTTP/1.1 413');
    expect(raw.text().toLowerCase()).toContain('connection: close');
    await raw.closed;
    raw.socket.destroy();
    await expect.poll(connections, { timeout: LATE_MS }).toBe(0);
  });

  it('over the limit that come whole are answered to a client that writes first and reads then', async () => {
    const raw = await openRaw(url);
    raw.socket.pause();
    raw.socket.write(request('POST', PREDICT, [HOST, 'Content-Type: application/json', 'Content-Length: 8000000']));
    for (let sent = 0; sent < 8_000_000; sent += 100_000) {
      await new Promise((resolve) => raw.socket.write(Buffer.alloc(100_000, '['), resolve));
      if (sent % 1_000_000 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    raw.socket.resume();
    await expect.poll(raw.text).toContain('"code":"HR_TOO_LARGE"');
    await raw.closed;
    raw.socket.destroy();
  });

  it('in chunks are bounded, too', async () => {
    const chunk = `4000\r\n${'['.repeat(0x4000)}\r\n`;
    const head = [
      'POST /v1/features/read HTTP/1.1',
      HOST,
      'Content-Type: application/json',
      'Transfer-Encoding: chunked',
    ];
    const parts = [`${head.join('\r\n')}\r\n\r\n`, ...Array.from({ length: 8 }, () => chunk), '0\r\n\r\n'];
    const { status, text } = await rawHttp(url, parts, { quietMs: 200 });
    expect(status).toBe(413);
    expect(text).toContain('server.bodyLimit');
  });

  it.each([
    ['a lone continuation byte', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['half a character', [0xe2, 0x82]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a byte that never is', [0xff]],
  ])('with %s are 400, as text and as a key', async (_what, bytes) => {
    for (const [before, after] of [
      ['{"inputs":[{"customer":"', '","amount":1}]}'],
      ['{"inputs":[{"customer":"a","amount":1,"', '":1}]}'],
    ] as const) {
      const { status, text } = await send(Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]));
      expect(status).toBe(400);
      expect(text).toContain('not UTF-8');
    }
  });

  it('of any bytes are never a fault of the server', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const { status } = await send(bytes);
        expect([400, 200]).toContain(status);
      }),
      { numRuns: runs(60) },
    );
    await stillServes();
  });

  it.each([
    ['__proto__', '{"inputs":[{"customer":"ada","amount":1}],"__proto__":{"polluted":true}}'],
    ['__proto__ in a row', '{"inputs":[{"customer":"ada","amount":1,"__proto__":{"polluted":true,"amount":7}}]}'],
    ['constructor', '{"inputs":[{"customer":"ada","amount":1,"constructor":{"prototype":{"polluted":true}}}]}'],
    ['toString', '{"inputs":[{"customer":"ada","amount":1,"toString":1,"valueOf":1,"hasOwnProperty":1}]}'],
    ['keys that come twice', '{"inputs":[{"customer":"eve","customer":"ada","amount":"x","amount":1}]}'],
    [
      '__proto__ that comes twice',
      '{"inputs":[{"customer":"ada","amount":1,"__proto__":1,"__proto__":{"polluted":1}}]}',
    ],
  ])('with %s are harmless', async (_what, body) => {
    const { status } = await send(body);
    expect(status).toBe(200);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    await stillServes();
  });

  it('do not take a column that is absent from a prototype', async () => {
    const { status, text } = await send('{"inputs":[{"__proto__":{"customer":"ada","amount":1}}]}');
    const without = await send('{"inputs":[{}]}');
    const ids = /"prediction_id":"[^"]+"/g;
    // Exactly as a row that has nothing.
    expect({ status, outputs: outputs(text).replaceAll(ids, '') }).toEqual({
      status: without.status,
      outputs: outputs(without.text).replaceAll(ids, ''),
    });
    const traffic = '{"__proto__":{"variants":[{"name":"stable","version":1,"weight":100}]}}';
    expect((await rawHttp(url, [request('PUT', '/v1/endpoints/checkout', [HOST], traffic)])).status).toBe(400);
  });
});
