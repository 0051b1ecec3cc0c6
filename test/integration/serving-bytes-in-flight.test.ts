// Bytes of request bodies that are read or worked at are bounded, and come back whatever becomes of a request.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { openRaw, type RawSocket, rawHttp, request } from '../support/raw-http.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { runs } from '../support/tier.ts';

const MOST_BYTES = 100_000;

let open: OpenServing;
let url: string;
beforeAll(async () => {
  open = await openServing({
    repository: REPOSITORY,
    features: 4,
    settings: {
      HEADRACE_SERVER_BODY_LIMIT: '64KB',
      HEADRACE_SERVER_MAX_IN_FLIGHT_BYTES: String(MOST_BYTES),
      // What is late is another test's.
      HEADRACE_SERVER_BODY_TIMEOUT_MS: '60000',
    },
  });
  url = open.serving.url;
}, 60_000);
afterAll(() => open.close());

const PREDICT = '/v1/endpoints/checkout/predict';
const READ = '/v1/features/read';
const HOST = 'Host: localhost';
const JSON_TYPE = 'Content-Type: application/json';
const GOOD = '{"inputs":[{"customer":"ada","amount":1}]}';

/** As /metrics tells it. */
async function bytesInFlight(): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^headrace_requests_in_flight_size_bytes (\d+)$/m.exec(text)?.[1] ?? NaN);
}

const head = (path: string, ...lines: readonly string[]): string =>
  [`POST ${path} HTTP/1.1`, HOST, JSON_TYPE, ...lines, '', ''].join('\r\n');
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

/** A request of which so many bytes came, and one is still to come, or as many as it said. */
async function hold(path: string, bytes: number, announced = bytes + 1): Promise<RawSocket> {
  const raw = await openRaw(url);
  raw.socket.write(`${head(path, `Content-Length: ${announced}`)}${'['.repeat(bytes)}`);
  return raw;
}

describe('bytes in flight', () => {
  it('past server.maxInFlightBytes are 429 before a body is read, on every route, and the room comes back', async () => {
    const first = await hold(PREDICT, 40_000);
    const second = await hold(READ, 50_000);
    await expect.poll(bytesInFlight).toBe(90_000);
    for (const path of [PREDICT, READ]) {
      const refused = await rawHttp(url, [head(path, 'Content-Length: 10001')], { quietMs: 300, limitMs: 3000 });
      expect(refused.status).toBe(429);
      expect(refused.text.toLowerCase()).toContain('retry-after: 1\r\n');
      expect(refused.text).toContain('"code":"HR_OVERLOADED"');
      expect(refused.text).toContain('server.maxInFlightBytes');
    }
    expect((await rawHttp(url, [request('POST', PREDICT, [HOST], GOOD)])).status).toBe(200);
    expect(await bytesInFlight()).toBe(90_000);
    first.socket.destroy();
    await expect.poll(bytesInFlight).toBe(50_000);
    expect((await rawHttp(url, [request('POST', PREDICT, [HOST], GOOD.padEnd(40_000))])).status).toBe(200);
    second.socket.destroy();
    await expect.poll(bytesInFlight).toBe(0);
  });

  it('are those that came: bodies that are announced and not sent refuse nobody', async () => {
    const idle = await Promise.all(
      Array.from({ length: 20 }, (_, at) => hold(at % 2 === 0 ? PREDICT : READ, 1, 60_000)),
    );
    await expect.poll(bytesInFlight).toBe(20);
    for (const path of [PREDICT, `${PREDICT}?route`])
      expect((await rawHttp(url, [request('POST', path, [HOST], GOOD.padEnd(50_000))])).status).toBe(200);
    for (const { socket } of idle) socket.destroy();
    await expect.poll(bytesInFlight).toBe(0);
  });

  it.each([PREDICT, `${PREDICT}?route`, READ])('have no room for a body that others came before: %s', async (path) => {
    const late = await hold(path, 1, 60_000);
    const held = await hold(READ, 60_000);
    await expect.poll(bytesInFlight).toBe(60_001);
    late.socket.write('['.repeat(50_000));
    await expect.poll(late.text).toContain('"code":"HR_OVERLOADED"');
    expect(late.text().match(/HTTP\/1\.1 \d+|connection: close/gi)).toEqual(['HTTP/1.1 429', 'connection: close']);
    await expect.poll(bytesInFlight).toBe(60_000);
    // What is left of it is read and dropped, so that its client gets to read the answer.
    late.socket.write('['.repeat(9_999));
    await late.closed;
    expect(await bytesInFlight()).toBe(60_000);
    held.socket.destroy();
    await expect.poll(bytesInFlight).toBe(0);
    late.socket.destroy();
  });

  it('are counted while a body comes in chunks', async () => {
    const held = await hold(PREDICT, 60_000);
    await expect.poll(bytesInFlight).toBe(60_000);
    const chunked = await openRaw(url);
    chunked.socket.write(`${head(PREDICT, 'Transfer-Encoding: chunked')}${chunk('['.repeat(30_000))}`);
    await expect.poll(bytesInFlight).toBe(90_000);
    chunked.socket.write(chunk('['.repeat(20_000)));
    await expect.poll(() => chunked.text()).toContain('HTTP/1.1 429');
    expect(chunked.text()).toContain('server.maxInFlightBytes');
    await expect.poll(bytesInFlight).toBe(60_000);
    chunked.socket.destroy();
    held.socket.destroy();
    await expect.poll(bytesInFlight).toBe(0);
  });

  it('of a body over the limit are not counted: that is 413', async () => {
    const held = await hold(PREDICT, 60_000);
    const { status } = await rawHttp(url, [head(PREDICT, 'Content-Length: 70000'), 'x'.repeat(70_000)], {
      quietMs: 300,
    });
    expect(status).toBe(413);
    const chunked = await openRaw(url);
    chunked.socket.write(head(PREDICT, 'Transfer-Encoding: chunked'));
    chunked.socket.write(`11170\r\n${'x'.repeat(0x11170)}\r\n`);
    await expect.poll(chunked.text).toMatch(/limit of 64000 bytes \(server\.bodyLimit\): \d{5} have come so far\./);
    chunked.socket.destroy();
    held.socket.destroy();
    await expect.poll(bytesInFlight).toBe(0);
  });

  it('of requests that wait behind others on a connection that breaks come back', async () => {
    const raw = await openRaw(url);
    const whole = `${head(PREDICT, `Content-Length: ${GOOD.length}`)}${GOOD}`;
    raw.socket.write(whole.repeat(50));
    raw.socket.write(`${head(READ, 'Content-Length: 5000')}{`);
    raw.socket.resetAndDestroy();
    await expect.poll(bytesInFlight).toBe(0);
  });

  it('come back to nothing, whatever is sent and wherever it breaks off', async () => {
    const read = '{"service":"returns_features","rows":[{"customer":"ada","amount":1}]}';
    const body = fc.constantFrom(GOOD, read, '{', '[]', '{"inputs":[{}]}', ' '.repeat(70_000), '"'.padEnd(50_000));
    const path = fc.constantFrom(PREDICT, READ, '/v1/endpoints/none/predict', '/v1/nothing', '/health/live');
    const type = fc.constantFrom(
      JSON_TYPE,
      JSON_TYPE,
      'Content-Type: text/plain',
      `${JSON_TYPE}\r\nContent-Encoding: gzip`,
    );
    const one = fc.record({ path, type, body, isChunked: fc.boolean() }).map((asked) => {
      const length = asked.isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${asked.body.length}`;
      const sent = asked.isChunked ? `${chunk(asked.body)}0\r\n\r\n` : asked.body;
      return [`POST ${asked.path} HTTP/1.1`, HOST, asked.type, length, '', sent].join('\r\n');
    });
    const connection = fc.record({
      requests: fc.array(one, { minLength: 1, maxLength: 4 }),
      // Of what is written: less than all breaks off.
      share: fc.double({ min: 0.01, max: 1.5, noNaN: true }),
      end: fc.constantFrom('reset', 'destroy', 'half', 'read'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(connection, { minLength: 1, maxLength: 6 }), async (connections) => {
        await Promise.all(
          connections.map(async ({ requests, share, end }) => {
            const { socket, closed } = await openRaw(url);
            const text = requests.join('');
            socket.write(text.slice(0, Math.ceil(text.length * share)));
            if (end === 'read') await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 50))]);
            if (end === 'half') {
              socket.end();
              await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 50))]);
            }
            if (end === 'reset') socket.resetAndDestroy();
            else socket.destroy();
          }),
        );
        await expect.poll(bytesInFlight, { interval: 5, timeout: 3000 }).toBe(0);
      }),
      { numRuns: runs(40) },
    );
    expect((await open.post(PREDICT, JSON.parse(GOOD))).statusCode).toBe(200);
    expect(await bytesInFlight()).toBe(0);
  }, 60_000);
});
