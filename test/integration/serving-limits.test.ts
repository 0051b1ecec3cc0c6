// What a server does with clients that send too much, too slowly, or half of it.

import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openForAll } from '../support/open-for.ts';
import { openRaw, rawHttp, request } from '../support/raw-http.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { runs } from '../support/tier.ts';

const open = openForAll({
  repository: REPOSITORY,
  features: 4,
  settings: { HEADRACE_SERVER_BODY_TIMEOUT_MS: '200', HEADRACE_SERVER_BODY_LIMIT: '64KB' },
});

/** A net: a connection that is closed by its limit is closed long before. */
const LATE_MS = 10_000;
const PREDICT = '/v1/endpoints/checkout/predict';
const HOST = 'Host: localhost';
const JSON_TYPE = 'Content-Type: application/json';
const ROW = '{"inputs":[{"customer":"ada","amount":1}]}';
const raw = () => openRaw(open.serving.url);
const ask = (parts: readonly (string | Uint8Array)[], options?: Parameters<typeof rawHttp>[2]) =>
  rawHttp(open.serving.url, parts, { limitMs: LATE_MS, ...options });
/** The head of a prediction, or another request, that announces so many bytes. */
const announce = (bytes: number, path = PREDICT) =>
  request('POST', path, [HOST, JSON_TYPE, `Content-Length: ${bytes}`]);
const connections = (): Promise<number> =>
  new Promise((resolve) => open.serving.server.server.getConnections((_error, count) => resolve(count)));
const allClosed = () => expect.poll(connections, { timeout: LATE_MS }).toBe(0);
const stillServes = async (): Promise<void> => {
  expect((await open.post(PREDICT, JSON.parse(ROW))).statusCode).toBe(200);
};

describe('a slow client', () => {
  it('that never finishes its body is closed after server.bodyTimeoutMs, with an answer', async () => {
    const { status, text, isClosed } = await ask([announce(1000), '{"inputs":[']);
    expect({ status, isClosed }).toEqual({ status: 400, isClosed: true });
    expect(text).toContain('server.bodyTimeoutMs');
    expect(text).toContain('content-type: application/problem+json');
  });

  it('that sends its body byte by byte gains no time', async () => {
    const { socket, closed, text } = await raw();
    socket.write(announce(1000));
    const drip = setInterval(() => socket.write('['), 20);
    await closed;
    clearInterval(drip);
    socket.destroy();
    expect(text()).toContain('HTTP/1.1 400');
  });

  it('that sends its headers byte by byte gains no time (slow-loris), however many there are', async () => {
    const many = await Promise.all(Array.from({ length: 50 }, raw));
    const drip = setInterval(() => {
      for (const { socket } of many) socket.write('X-A: b\r\n');
    }, 20);
    for (const { socket } of many) socket.write(`GET /health/live HTTP/1.1\r\n${HOST}\r\n`);
    await stillServes();
    await Promise.all(many.map(({ closed }) => closed));
    clearInterval(drip);
    for (const { socket } of many) socket.destroy();
    await allClosed();
  });

  it('that says nothing at all is closed', async () => {
    expect((await ask([])).isClosed).toBe(true);
  });

  it('that does not close its side after the answer keeps no socket', async () => {
    const { socket, closed } = await raw();
    socket.write('HELLO\r\n\r\n');
    await closed;
    await allClosed();
    socket.destroy();
  });
});

describe('a half-closed client', () => {
  it('in the middle of its headers or its body is answered and gone', async () => {
    for (const part of ['GET /health/live HT', `${announce(1000)}{"inputs":`]) {
      const { isClosed, status, text } = await ask([part], { halfClose: true });
      expect({ isClosed, status }).toEqual({ isClosed: true, status: 400 });
      // Not by the limit of time.
      expect(text).not.toContain('server.bodyTimeoutMs');
    }
    await allClosed();
    await stillServes();
  });

  it('after its request keeps no socket', async () => {
    const stream = request('GET', '/v1/monitoring/stream', [HOST]);
    expect((await ask([stream], { halfClose: true })).isClosed).toBe(true);
    await allClosed();
  });

  it('that resets in the middle of its body is no error of the server', async () => {
    const { socket } = await raw();
    const came = once(open.serving.server.server, 'request');
    socket.write(`${announce(1000)}{"inputs":`);
    await came;
    socket.resetAndDestroy();
    await allClosed();
    await stillServes();
  });
});

describe('headers', () => {
  const HEAD = `GET /health/live HTTP/1.1\r\n${HOST}\r\n`;
  const lines = (count: number, line: (at: number) => string) => Array.from({ length: count }, (_, at) => line(at));
  it.each([
    ['over 16 KB', [request('GET', '/health/live', [HOST, `X-Long: ${'x'.repeat(20_000)}`])], 413, '"HR_TOO_LARGE"'],
    ['without an end', [HEAD, ...lines(3000, (at) => `X-${at}: yyyyyyyyyyyyyyyyyyyyyyyyy\r\n`)], 413, ''],
    [
      'of 101',
      [request('GET', '/health/live', [HOST, ...lines(101, (at) => `A${at}: b`)])],
      400,
      'more than 100 headers',
    ],
  ])('%s are refused', async (_what, parts, expected, says) => {
    const { status, text, isClosed } = await ask(parts);
    expect({ status, isClosed }).toEqual({ status: expected, isClosed: true });
    expect(text).toContain(says);
  });

  it.each([
    [PREDICT, ROW],
    [`${PREDICT}?route`, ROW],
    ['/v1/features/read', '{"service":"numbers","rows":[{"customer":"ada","amount":1}]}'],
  ])('with two deadlines are 400: %s', async (path, body) => {
    const deadline = 'X-Request-Timeout-Ms: 5000';
    expect((await ask([request('POST', path, [HOST, deadline], body)])).status).toBe(200);
    const { status, text } = await ask([request('POST', path, [HOST, deadline, deadline], body)]);
    expect(status).toBe(400);
    expect(text).toContain('expected whole milliseconds from 1 to 3600000, got \\"5000, 5000\\"');
  });

  it.each([
    ['two lengths', ['Content-Length: 2', 'Content-Length: 3']],
    ['a length and chunks', ['Content-Length: 2', 'Transfer-Encoding: chunked']],
    ['a length that is none', ['Content-Length: -1']],
    ['a name with a space', ['Bad Name: x']],
    ['a bare line feed in a value', ['X-A: b\n\nc']],
    ['NUL', ['X-A: b\0c']],
  ])('with %s are 400', async (_what, more) => {
    const head = ['POST /v1/features/read HTTP/1.1', HOST, ...more, '', '{}'].join('\r\n');
    const { status, text, isClosed } = await ask([head]);
    expect({ status, isClosed }).toEqual({ status: 400, isClosed: true });
    expect(text).toContain('application/problem+json');
  });
});

describe('bodies', () => {
  const send = (body: Uint8Array | string, headers: readonly string[] = []) => {
    const bytes = Buffer.from(body);
    return ask([request('POST', PREDICT, [HOST, JSON_TYPE, `Content-Length: ${bytes.length}`, ...headers]), bytes]);
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
    expect((await send(ROW, ['Content-Encoding: identity'])).status).toBe(200);
  });

  it.each([PREDICT, '/v1/features/read'])(
    'over the limit that never come are answered at once, and the connection is closed: %s',
    async (path) => {
      const { socket, text, closed } = await raw();
      socket.write(`${announce(70_000, path).replace('Connection: close\r\n', '')}{`);
      await expect.poll(text, { interval: 5, timeout: LATE_MS }).toContain('"code":"HR_TOO_LARGE"');
      expect(text()).toContain('HTTP/1.1 413');
      expect(text().toLowerCase()).toContain('connection: close');
      await closed;
      socket.destroy();
      await allClosed();
    },
  );

  it('over the limit that come whole are answered to a client that writes first and reads then', async () => {
    const { socket, text, closed } = await raw();
    socket.pause();
    socket.write(announce(8_000_000));
    for (let sent = 0; sent < 8_000_000; sent += 100_000) {
      await new Promise((resolve) => socket.write(Buffer.alloc(100_000, '['), resolve));
      if (sent % 1_000_000 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    socket.resume();
    await expect.poll(text).toContain('"code":"HR_TOO_LARGE"');
    await closed;
    socket.destroy();
  });

  it('in chunks are bounded, too', async () => {
    const chunk = `4000\r\n${'['.repeat(0x4000)}\r\n`;
    const head = ['POST /v1/features/read HTTP/1.1', HOST, JSON_TYPE, 'Transfer-Encoding: chunked', '', ''].join(
      '\r\n',
    );
    const { status, text } = await ask([head, ...new Array<string>(8).fill(chunk), '0\r\n\r\n'], { quietMs: 200 });
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
    for (const body of ['{"inputs":[{"customer":"?","amount":1}]}', '{"inputs":[{"customer":"a","amount":1,"?":1}]}']) {
      const [before = '', after = ''] = body.split('?');
      const { status, text } = await send(Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]));
      expect(status).toBe(400);
      expect(text).toContain('not UTF-8');
    }
  });

  it('of any bytes are never a fault of the server', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        expect([400, 200]).toContain((await send(bytes)).status);
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
    ['__proto__ twice', '{"inputs":[{"customer":"ada","amount":1,"__proto__":1,"__proto__":{"polluted":1}}]}'],
  ])('with %s are harmless', async (_what, body) => {
    expect((await send(body)).status).toBe(200);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    await stillServes();
  });

  it('do not take a column that is absent from a prototype', async () => {
    // As a row that has nothing.
    for (const body of ['{"inputs":[{"__proto__":{"customer":"ada","amount":1}}]}', '{"inputs":[{}]}']) {
      const { status, text } = await send(body);
      expect(status).toBe(400);
      expect(text).toContain('"path":"inputs[0].customer","message":"expected string, got nothing');
    }
    const traffic = '{"__proto__":{"variants":[{"name":"stable","version":1,"weight":100}]}}';
    expect((await ask([request('PUT', '/v1/endpoints/checkout', [HOST], traffic)])).status).toBe(400);
  });
});
