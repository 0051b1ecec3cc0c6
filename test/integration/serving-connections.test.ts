// Connections whose clients send what is no request, break off, or hold more bytes than the server lets all of them have.

import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { openForAll } from '../support/open-for.ts';
import { openRaw, type RawAnswer, rawHttp, type RawSocket, request } from '../support/raw-http.ts';
import { runs } from '../support/tier.ts';

/** A net: a connection that is closed by a limit of the server is closed long before. */
const LATE_MS = 15_000;

const open = openForAll({
  settings: { HEADRACE_SERVER_BODY_TIMEOUT_MS: '400', HEADRACE_SERVER_BODY_LIMIT: '64KB' },
});

const QUICK = '/v1/endpoints/checkout/predict';
const ROUTE = `${QUICK}?route`;
const READ = '/v1/features/read';
const HOST = 'Host: localhost';
const EVIL = 'Origin: https://evil.example';
const JSON_TYPE = 'Content-Type: application/json';
const BODY = '{"inputs":[{"customer":"ada","amount":1}]}';
const GARBAGE = 'GARBAGE\r\n\r\n';

const keptAlive = (method: string, path: string, headers: readonly string[] = [], body?: string): string =>
  request(method, path, [HOST, ...headers], body).replace('Connection: close\r\n', '');
const statusesOf = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
/** What came to these parts: all of it, and the statuses; until the server closes. */
const ask = async (parts: string | readonly string[], halfClose = false) => {
  const answer = await rawHttp(open.serving.url, [parts].flat(), { limitMs: LATE_MS, halfClose });
  return { ...answer, statuses: statusesOf(answer.text) };
};
const poll = (of: () => unknown) => expect.poll(of, { interval: 5, timeout: LATE_MS });
const raws: RawSocket[] = [];
const opened = async (text: string, { serving } = open): Promise<RawSocket> => {
  const raw = await openRaw(serving.url);
  raws.push(raw);
  raw.socket.write(text);
  return raw;
};
const dropAll = (): void => raws.splice(0).forEach(({ socket }) => socket.destroy());
afterEach(dropAll);
const connections = (): Promise<number> =>
  new Promise((resolve) => open.serving.server.server.getConnections((_error, count) => resolve(count)));

/** The first answer's document; its connection is closed. */
const problemOf = ({ text, isClosed }: Pick<RawAnswer, 'text' | 'isClosed'>): unknown => {
  expect(isClosed).toBe(true);
  expect(text).toContain('content-type: application/problem+json');
  return JSON.parse(/^\{"type":.*?"errors":\[.*?\]\}/m.exec(text)?.[0] ?? 'null');
};

describe('garbage behind requests that are not answered yet', () => {
  it.each([QUICK, ROUTE])('leaves them their answers, and gets its own after them: %s', async (path) => {
    const all = ['a', 'b', 'c'].map((id) => keptAlive('POST', path, [`X-Request-Id: ${id}`], BODY));
    const { text, ...answer } = await ask(`${all.join('')}${GARBAGE}`);
    expect(answer).toMatchObject({ statuses: [200, 200, 200, 400], isClosed: true });
    expect([...text.matchAll(/x-request-id: (\w)\r/g)].map(([, id]) => id)).toEqual(['a', 'b', 'c']);
    expect(text.slice(text.indexOf('HTTP/1.1 400'))).toContain('application/problem+json');
  });

  const one = keptAlive('POST', ROUTE, [], BODY);
  const chunks = keptAlive('POST', READ, [JSON_TYPE, 'Transfer-Encoding: chunked']);
  it.each([
    ['that goes on is answered once', [one, ...Array<string>(20).fill(GARBAGE)], [200, 400]],
    ['in a body is the answer to that body, after those before it', [`${one}${chunks}zz\r\n`], [200, 400]],
    ['has no answer where the one before closes', [`${request('POST', ROUTE, [HOST], BODY)}${GARBAGE}`], [200]],
  ])('%s', async (_, parts, statuses) => {
    expect(await ask(parts)).toMatchObject({ statuses, isClosed: true });
  });

  it('whatever it is, in whichever pieces it comes, and whatever is before it', async () => {
    const good: readonly (readonly [string, number])[] = [
      [keptAlive('POST', QUICK, [], BODY), 200],
      [keptAlive('POST', ROUTE, [], BODY), 200],
      [keptAlive('POST', QUICK, [], '{'), 400],
      [keptAlive('GET', '/health/live'), 200],
      [keptAlive('GET', '/v1/nothing'), 404],
    ];
    const heads = ['GET / HTTP/9.9\r\n\r\n', 'GET / HTTP/1.1\r\nNo Name: x\r\n\r\n'];
    const garbage = fc.constantFrom(GARBAGE, '\0', 'GET\r\n', ...heads);
    const before = fc.array(fc.constantFrom(...good), { maxLength: 6 });
    const cuts = fc.array(fc.nat(2000), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(before, garbage, cuts, fc.boolean(), async (requests, last, at, halfClose) => {
        const whole = requests.map(([text]) => text).join('') + last;
        const bounds = [0, ...at.filter((cut) => cut < whole.length).sort((one, other) => one - other), whole.length];
        const pieces = bounds.slice(1).map((end, piece) => whole.slice(bounds[piece], end));
        const statuses = [...requests.map(([, status]) => status), 400];
        expect(await ask(pieces, halfClose)).toMatchObject({ statuses, isClosed: true });
      }),
      { numRuns: runs(60) },
    );
  });

  it('waits for no answer that has no end: the connection is closed', async () => {
    const raw = await opened(keptAlive('GET', '/v1/monitoring/stream'));
    await poll(raw.text).toContain('text/event-stream');
    raw.socket.write(GARBAGE);
    await raw.closed;
    expect(statusesOf(raw.text())).toEqual([200]);
    raw.socket.destroy();
    await poll(connections).toBe(0);
  });
});

it('a request that is answered before its body has come has no second answer when the rest is late or no body', async () => {
  const rows: readonly (readonly [number, ...string[]])[] = [
    [413, JSON_TYPE, 'Content-Length: 70000'],
    [415, 'Content-Type: text/plain', 'Content-Length: 100'],
    [403, JSON_TYPE, EVIL, 'Content-Length: 100'],
    [403, JSON_TYPE, EVIL, 'Transfer-Encoding: chunked'],
  ];
  // All at once: each waits a second for the rest.
  await Promise.all(
    rows.map(async ([status, ...headers]) => {
      const head = keptAlive('POST', QUICK, headers);
      const late = ask(head);
      const raw = await opened(head);
      await poll(raw.text).toContain(`HTTP/1.1 ${status}`);
      raw.socket.write('zz\r\nzz\r\n');
      await raw.closed;
      raw.socket.destroy();
      expect(statusesOf(raw.text()), headers.join()).toEqual([status]);
      expect(await late, headers.join()).toMatchObject({ statuses: [status], isClosed: true });
    }),
  );
  await poll(connections).toBe(0);
});

it.each([QUICK, ROUTE, READ])(
  'a body that was read whole keeps its connection whatever is wrong with it: %s',
  async (path) => {
    for (const body of ['{', '"\\ud800"', '[]', '{"inputs":1}']) {
      const { text, statuses } = await ask([keptAlive('POST', path, [], body), request('POST', QUICK, [HOST], BODY)]);
      expect(statuses).toEqual([400, 200]);
      expect(text.slice(0, text.lastIndexOf('HTTP/1.1 200')).toLowerCase()).not.toContain('connection: close');
    }
  },
);

describe('HEAD', () => {
  it.each(['/health/live', '/health/ready'])('of health is answered as GET is, without a body: %s', async (path) => {
    const twice = (method: string) =>
      ask([keptAlive(method, path, ['X-Request-Id: mine']), request(method, path, [HOST])]);
    const [got, head] = [await twice('GET'), await twice('HEAD')];
    const heads = ({ text }: RawAnswer): string[] =>
      (text.match(/HTTP\/1\.1 [\s\S]*?\r\n\r\n/g) ?? []).map((one) => one.replace(/date:.*|x-request-id:.*/gi, ''));
    expect(heads(head)).toEqual(heads(got));
    expect(head.statuses).toEqual([200, 200]);
    expect(head.text).toMatch(/content-length: [1-9]/);
    expect(head.text).not.toContain('"status"');
  });

  it('of anything else is told what there is', async () => {
    const { status, text } = await ask(request('HEAD', '/v1/endpoints', [HOST]));
    expect(status).toBe(405);
    expect(text.toLowerCase()).toContain('allow: get\r\n');
    expect((await ask(request('DELETE', '/health/live', [HOST]))).text).toContain('allow: GET, HEAD\r\n');
  });
});

describe('Expect', () => {
  const length = `Content-Length: ${BODY.length}`;
  const expecting = (path: string, expectation: string): string =>
    keptAlive('POST', path, [JSON_TYPE, length, `Expect: ${expectation}`, 'X-Request-Id: mine']);

  it.each([QUICK, ROUTE, '/health/live'])(
    'of anything but 100-continue is a problem that says so: %s',
    async (path) => {
      const answer = await ask(expecting(path, 'a-miracle'));
      const errors = [{ path: 'Expect', message: 'expected 100-continue, got "a-miracle"' }];
      expect(problemOf(answer)).toMatchObject({ status: 400, code: 'HR_INVALID', request_id: 'mine', errors });
    },
  );

  it.each([QUICK, ROUTE])('of 100-continue is told to go on, and answered: %s', async (path) => {
    const raw = await opened(expecting(path, '100-Continue'));
    await poll(raw.text).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    raw.socket.write(BODY);
    await poll(() => statusesOf(raw.text())).toEqual([100, 200]);
  });

  it('of 100-continue is never told to go on where it is refused', async () => {
    const tooLong = 'Content-Length: 70000';
    const rows: readonly (readonly [number, string, ...string[]])[] = [
      [413, QUICK, HOST, JSON_TYPE, tooLong],
      [413, ROUTE, HOST, JSON_TYPE, tooLong],
      [413, READ, HOST, JSON_TYPE, tooLong],
      [421, QUICK, 'Host: evil.example', JSON_TYPE, length],
      [400, QUICK, HOST, HOST, JSON_TYPE, length],
      [403, ROUTE, HOST, JSON_TYPE, EVIL, length],
      [415, READ, HOST, 'Content-Type: text/plain', length],
      [405, '/health/live', HOST, JSON_TYPE, length],
      [404, '/nothing', HOST, JSON_TYPE, length],
    ];
    await Promise.all(
      rows.map(async ([status, path, ...headers]) => {
        const raw = await opened([`POST ${path} HTTP/1.1`, ...headers, 'Expect: 100-continue', '', ''].join('\r\n'));
        await raw.closed;
        raw.socket.destroy();
        expect(statusesOf(raw.text()), `${status} ${path}`).toEqual([status]);
        if (status === 413) expect(raw.text().toLowerCase()).toContain('connection: close');
      }),
    );
  });

  it('of a client of HTTP/1.0 is nothing', async () => {
    const head = `GET /health/live HTTP/1.0\r\n${HOST}\r\nExpect: a-miracle\r\n\r\n`;
    expect((await ask(head)).status).toBe(200);
  });
});

describe.each([
  ['GET', '/health/live'],
  ['POST', QUICK],
  ['POST', ROUTE],
  ['GET', '/nothing'],
])('Host: %s %s', (method, path) => {
  const by = (...hosts: readonly string[]) =>
    request(method, path, [...hosts, 'X-Request-Id: mine'], BODY).replace('Connection: close\r\n', '');

  it.each([
    ['is missing', [], 'expected one, as HTTP/1.1 asks, got none'],
    ['came twice', [HOST, 'HOST: evil.example'], 'expected one, got 2: "localhost, evil.example"'],
    ['came twice, the other first', ['HOST: evil.example', HOST], 'expected one, got 2: "evil.example, localhost"'],
    ['came twice, the same', [HOST, HOST], 'expected one, got 2: "localhost, localhost"'],
  ])('that %s is a problem that says so', async (_, hosts, message) => {
    const problem = problemOf(await ask(by(...hosts)));
    const told = { status: 400, code: 'HR_INVALID', request_id: 'mine', errors: [{ path: 'Host', message }] };
    expect(problem).toMatchObject(told);
  });
});

it.each([QUICK, ROUTE])('a prediction whose body breaks off is refused as cancelled: %s', async (path) => {
  const cancelled = async () => (await open.metric(/endpoint="checkout".*HR_CANCELLED/)) || 0;
  const before = await cancelled();
  const raw = await opened(`${keptAlive('POST', path, [JSON_TYPE, 'Content-Length: 100'])}{`);
  await poll(() => open.metric('headrace_requests_in_flight_size_bytes')).toBe(1);
  raw.socket.destroy();
  await poll(cancelled).toBe(before + 1);
});

describe.each([
  ['is none', '/%zz'],
  ['has too long a name in it', `/v1/endpoints/${'a'.repeat(300)}`],
])('a URL that %s', (_what, path) => {
  const TRACE = '0af7651916cd43dd8448eb211c80319c';
  const by = (method: string, headers: readonly string[]) =>
    ask(request(method, path, headers, method === 'GET' ? undefined : BODY));

  it.each(['GET', 'POST'])('is 400, with the request’s id and trace: %s', async (method) => {
    const traceparent = `traceparent: 00-${TRACE}-b7ad6b7169203331-01`;
    const answer = await by(method, [HOST, 'X-Request-Id: mine', traceparent]);
    expect(answer.text).toContain('x-request-id: mine\r\n');
    expect(answer.text).toMatch(new RegExp(`traceparent: 00-${TRACE}-(?!b7ad6b7169203331)\\w{16}-01\r\n`));
    expect(problemOf(answer)).toMatchObject({ status: 400, code: 'HR_INVALID', request_id: 'mine' });
  });

  it.each([
    ['another name in Host', 421, ['Host: evil.example']],
    ['a page of another site', 403, [HOST, EVIL]],
    ['two Hosts', 400, [HOST, HOST]],
    ['none', 400, []],
  ])('is refused as any other: %s', async (_of, status, headers) => {
    for (const method of ['GET', 'POST']) {
      const answer = await by(method, headers);
      expect(answer).toMatchObject({ status, isClosed: true, text: expect.stringMatching(/^x-request-id: /m) });
      if (status === 400) expect(problemOf(answer)).toMatchObject({ errors: [{ path: 'Host' }] });
    }
  });
});

describe('bytes in flight', () => {
  const open = openForAll({
    settings: {
      HEADRACE_SERVER_BODY_LIMIT: '64KB',
      HEADRACE_SERVER_MAX_IN_FLIGHT_BYTES: '100000',
      // What is late is another test's.
      HEADRACE_SERVER_BODY_TIMEOUT_MS: '60000',
    },
  });

  const CHUNKED = 'Transfer-Encoding: chunked';

  const bytesInFlight = () => open.metric('headrace_requests_in_flight_size_bytes');
  const becomes = (bytes: number) => expect.poll(bytesInFlight).toBe(bytes);
  const head = (path: string, ...lines: readonly string[]): string =>
    [`POST ${path} HTTP/1.1`, HOST, JSON_TYPE, ...lines, '', ''].join('\r\n');
  const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
  const statusOf = async (path: string, body: string) =>
    (await rawHttp(open.serving.url, [request('POST', path, [HOST], body)])).status;

  /** A request of which so many bytes came, and one is still to come, or as many as it said. */
  const hold = (path: string, bytes: number, announced = bytes + 1): Promise<RawSocket> =>
    opened(`${head(path, `Content-Length: ${announced}`)}${'['.repeat(bytes)}`, open);
  afterEach(async () => {
    dropAll();
    await becomes(0);
  });

  it('past server.maxInFlightBytes are 429 before a body is read, on every route, and the room comes back', async () => {
    const first = await hold(QUICK, 40_000);
    const second = await hold(READ, 50_000);
    await becomes(90_000);
    for (const path of [QUICK, READ]) {
      const asked = [head(path, 'Content-Length: 10001')];
      const refused = await rawHttp(open.serving.url, asked, { quietMs: 300, limitMs: 3000 });
      expect(refused.text).toMatch(/^HTTP\/1\.1 429 [^]*retry-after: 1\r\n[^]*"code":"HR_OVERLOADED"/i);
      expect(refused.text).toContain('server.maxInFlightBytes');
    }
    expect(await statusOf(QUICK, BODY)).toBe(200);
    expect(await bytesInFlight()).toBe(90_000);
    first.socket.destroy();
    await becomes(50_000);
    expect(await statusOf(QUICK, BODY.padEnd(40_000))).toBe(200);
    second.socket.destroy();
  });

  it('are those that came: bodies that are announced and not sent refuse nobody', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, at) => hold(at % 2 === 0 ? QUICK : READ, 1, 60_000)));
    await becomes(20);
    for (const path of [QUICK, `${QUICK}?route`]) expect(await statusOf(path, BODY.padEnd(50_000))).toBe(200);
  });

  it.each([QUICK, `${QUICK}?route`, READ])('have no room for a body that others came before: %s', async (path) => {
    const late = await hold(path, 1, 60_000);
    await hold(READ, 60_000);
    await becomes(60_001);
    late.socket.write('['.repeat(50_000));
    await expect.poll(late.text).toContain('"code":"HR_OVERLOADED"');
    expect(late.text().match(/HTTP\/1\.1 \d+|connection: close/gi)).toEqual(['HTTP/1.1 429', 'connection: close']);
    await becomes(60_000);
    // What is left of it is read and dropped, so that its client gets to read the answer.
    late.socket.write('['.repeat(9_999));
    await late.closed;
    expect(await bytesInFlight()).toBe(60_000);
  });

  it('are counted while a body comes in chunks', async () => {
    await hold(QUICK, 60_000);
    await becomes(60_000);
    const chunked = await opened(`${head(QUICK, CHUNKED)}${chunk('['.repeat(30_000))}`, open);
    await becomes(90_000);
    chunked.socket.write(chunk('['.repeat(20_000)));
    await expect.poll(chunked.text).toContain('HTTP/1.1 429');
    expect(chunked.text()).toContain('server.maxInFlightBytes');
    await becomes(60_000);
  });

  it('of a body over the limit are not counted: that is 413', async () => {
    await hold(QUICK, 60_000);
    const large = [head(QUICK, 'Content-Length: 70000'), 'x'.repeat(70_000)];
    expect((await rawHttp(open.serving.url, large, { quietMs: 300 })).status).toBe(413);
    const chunked = await opened(`${head(QUICK, CHUNKED)}${chunk('x'.repeat(70_000))}`, open);
    await expect.poll(chunked.text).toMatch(/limit of 64000 bytes \(server\.bodyLimit\): \d{5} have come so far\./);
  });

  it('of requests that wait behind others on a connection that breaks come back', async () => {
    const whole = `${head(QUICK, `Content-Length: ${BODY.length}`)}${BODY}`;
    const raw = await opened(whole.repeat(50), open);
    raw.socket.write(`${head(READ, 'Content-Length: 5000')}{`);
    raw.socket.resetAndDestroy();
  });

  it('come back to nothing, whatever is sent and wherever it breaks off', async () => {
    const read = '{"service":"returns_features","rows":[{"customer":"ada","amount":1}]}';
    const body = fc.constantFrom(BODY, read, '{', '[]', '{"inputs":[{}]}', ' '.repeat(70_000), '"'.padEnd(50_000));
    const path = fc.constantFrom(QUICK, READ, '/v1/endpoints/none/predict', '/v1/nothing', '/health/live');
    const gzip = `${JSON_TYPE}\r\nContent-Encoding: gzip`;
    const type = fc.constantFrom(JSON_TYPE, JSON_TYPE, 'Content-Type: text/plain', gzip);
    const one = fc.record({ path, type, body, isChunked: fc.boolean() }).map((asked) => {
      const length = asked.isChunked ? CHUNKED : `Content-Length: ${asked.body.length}`;
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
            const { socket, closed } = await openRaw(open.serving.url);
            const text = requests.join('');
            socket.write(text.slice(0, Math.ceil(text.length * share)));
            if (end === 'half') socket.end();
            if (end === 'read' || end === 'half')
              await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 50))]);
            if (end === 'reset') socket.resetAndDestroy();
            else socket.destroy();
          }),
        );
        await expect.poll(bytesInFlight, { interval: 5, timeout: 3000 }).toBe(0);
      }),
      { numRuns: runs(40) },
    );
    expect(await statusOf(QUICK, BODY)).toBe(200);
  }, 60_000);
});
