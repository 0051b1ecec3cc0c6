// gRPC's transport with calls that no client would make: each ends with a status that says why, and nothing else ends with it.

import type { EventEmitter } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { HeadraceError, invalid, type Scope } from '../../src/core/index.ts';
import type { Tracing } from '../../src/monitoring/index.ts';
import type { Method, Methods, StreamCall, UnaryMethod } from '../../src/serving/grpc/transport/method.ts';
import { type Ended, endOf, frame, openCall, openTransport, type Transport } from '../support/grpc-transport.ts';
import { runs } from '../support/tier.ts';

const INVALID = 3;
const DEADLINE = 4;
const EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
const TRACEPARENT = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;

const open = async (...given: Parameters<typeof openTransport>): Promise<Transport> => {
  const transport = await openTransport(...given);
  onTestFinished(() => transport.close());
  return transport;
};
const methodsOf = (methods: Readonly<Record<string, Method>>): Methods =>
  new Map(Object.entries(methods).map(([name, method]) => [`/t.T/${name}`, method]));
/** Methods that let everybody in. */
const unary = (answer: UnaryMethod['answer']): Method => ({
  kind: 'unary',
  role: 'predict',
  answer(message, call) {
    call.permit();
    return answer(message, call);
  },
});
const streaming = (
  message: (call: StreamCall, message: Buffer, release: () => void) => Promise<void> | undefined,
  { role = 'predict', closed = () => {} }: { role?: 'predict' | 'open'; closed?: () => void } = {},
): Method => ({
  kind: 'stream',
  role,
  open: (call) => ({
    message(given, release) {
      if (role === 'predict') call.permit();
      return message(call, given, release);
    },
    ended: () => undefined,
    stopping: () => undefined,
    closed,
  }),
});
const sendBack = (call: StreamCall, message: Buffer, release: () => void): Promise<void> | undefined => {
  const answer = frame(message);
  release();
  return call.send(answer);
};
const echo = methodsOf({ Echo: unary((message) => frame(message)), Stream: streaming(sendBack) });
const small = Buffer.from('a message');
const echoed = { grpcStatus: 0, body: frame(small) };

const callOf = (session: ClientHttp2Session, method: string, headers?: Readonly<Record<string, string>>) =>
  openCall(session, `/t.T/${method}`, headers);
/** How a call ends that sends this and no more. */
function ask(
  session: ClientHttp2Session,
  method: string,
  ...given: [sent?: Uint8Array, headers?: object]
): Promise<Ended> {
  const [sent = frame(small), headers = {}] = given;
  const stream = callOf(session, method, headers as Record<string, string>);
  stream.end(sent);
  return endOf(stream);
}
const event = (of: EventEmitter, name: string): Promise<void> =>
  new Promise((resolve) => of.once(name, () => resolve()));
const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const numbered = (count: number): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, at) => frame(Buffer.from(`message ${at}`))));

describe('a call that is not as it should be', () => {
  const gzip = { 'grpc-encoding': 'gzip' };
  const zeros = frame(gzipSync(Buffer.alloc(10_000_000)), 1);
  it.each<[string, Buffer, Record<string, string>, number, string]>([
    ['no message', Buffer.alloc(0), {}, INVALID, 'expected one, got none'],
    ['a prefix that is cut', frame(small).subarray(0, 3), {}, INVALID, 'got a part'],
    ['a message that is cut', frame(small).subarray(0, 9), {}, INVALID, 'got a part'],
    ['two messages', Buffer.concat([frame(small), frame(small)]), {}, INVALID, 'got several'],
    ['a flag that there is not', frame(small, 7), {}, INVALID, 'the flag 7'],
    ['a length over the limit', frame(Buffer.alloc(100_001)), {}, EXHAUSTED, 'server.bodyLimit'],
    ['a length that lies', Buffer.from([0, 255, 255, 255, 255, 1]), {}, EXHAUSTED, '4294967295 bytes'],
    ['a packed message without an encoding', frame(small, 1), {}, INVALID, 'names no grpc-encoding'],
    ['what is no gzip', frame(small, 1), gzip, INVALID, 'it is no gzip'],
    ['gzip that is cut', frame(gzipSync(small).subarray(0, 12), 1), gzip, INVALID, 'no gzip'],
    ['zeros packed a thousand times', zeros, gzip, EXHAUSTED, 'unpacked'],
    ['an unknown encoding', frame(small), { 'grpc-encoding': 'snappy' }, UNIMPLEMENTED, 'identity, gzip, deflate'],
    ['a deadline that is none', frame(small), { 'grpc-timeout': 'soon' }, INVALID, 'grpc-timeout'],
    ['a deadline with nine digits', frame(small), { 'grpc-timeout': '123456789m' }, INVALID, 'grpc-timeout'],
    ['another host', frame(small), { ':authority': 'evil.example' }, 7, 'answers only to localhost'],
    ['another site’s page', frame(small), { origin: 'http://evil.example' }, 7, 'a page of http://evil.example'],
  ])('%s', async (_, bytes, headers, status, sentence) => {
    const { connect, held } = await open(echo);
    const session = connect();
    const grpcMessage: unknown = expect.stringContaining(sentence);
    expect(await ask(session, 'Echo', bytes, headers)).toMatchObject({ status: 200, grpcStatus: status, grpcMessage });
    expect(held()).toBe(0);
    // The connection goes on.
    expect(await ask(session, 'Echo')).toMatchObject(echoed);
  });

  it('of no such method is UNIMPLEMENTED, and that is no gRPC is answered by HTTP’s status', async () => {
    const session = (await open(echo)).connect();
    expect(await ask(session, 'None')).toMatchObject({ grpcStatus: UNIMPLEMENTED });
    const json = await ask(session, 'Echo', Buffer.from('{}'), { 'content-type': 'application/json' });
    expect(json).toMatchObject({ status: 415, grpcStatus: undefined });
    const get = session.request({ ':method': 'GET', ':path': '/t.T/Echo' });
    get.on('error', () => {});
    expect(await endOf(get)).toMatchObject({ status: 405 });
  });
});

describe('messages', () => {
  it.each([['gzip', gzipSync] as const, ['deflate', deflateSync]])(
    'may come packed, in pieces: %s',
    async (encoding, pack) => {
      const stream = callOf((await open(echo)).connect(), 'Echo', { 'grpc-encoding': encoding });
      for (const byte of frame(pack(small), 1)) stream.write(Buffer.from([byte]));
      stream.end();
      expect(await endOf(stream)).toMatchObject(echoed);
    },
  );

  it('may be as large as is allowed', async () => {
    const whole = frame(Buffer.alloc(100_000, 'x'));
    expect((await ask((await open(echo)).connect(), 'Echo', whole)).body.equals(whole)).toBe(true);
  });

  it.each([50, 0])('of a stream are answered in their order: %i', async (count) => {
    const { connect } = await open(echo);
    expect(await ask(connect(), 'Stream', numbered(count))).toMatchObject({ grpcStatus: 0, body: numbered(count) });
  });

  it('of a stream that have come are answered though the server stops', async () => {
    const go = Promise.withResolvers<void>();
    const slow = streaming(async (...given) => {
      await go.promise;
      await sendBack(...given);
    });
    const { connect, server, held } = await open(methodsOf({ Slow: slow }));
    const stream = callOf(connect(), 'Slow');
    stream.write(numbered(5));
    await expect.poll(held).toBe(5 * 9);
    const closing = server.close();
    go.resolve();
    expect(await endOf(stream)).toMatchObject({ grpcStatus: 0, body: numbered(5) });
    await closing;
  });

  it('of a stream that are cut end it, after those before', async () => {
    const cut = Buffer.concat([frame(small), frame(small).subarray(0, 8)]);
    expect(await ask((await open(echo)).connect(), 'Stream', cut)).toMatchObject({ ...echoed, grpcStatus: INVALID });
  });

  it('of a stream are held until they are done with, and no longer', async () => {
    const done: (() => void)[] = [];
    const hold = streaming((_call, _message, release) => void done.push(release));
    const { connect, held } = await open(methodsOf({ Hold: hold }));
    const stream = callOf(connect(), 'Hold');
    for (const part of [frame(Buffer.alloc(1000)), frame(Buffer.alloc(500)), frame(Buffer.alloc(70)).subarray(0, 25)])
      stream.write(part);
    await expect.poll(held).toBe(1525);
    done[0]?.();
    expect(held()).toBe(525);
    stream.close();
    await expect.poll(held).toBe(0);
    for (const release of done) release();
    expect(held()).toBe(0);
  });

  it('past what is held for all are refused, and nothing of them is kept', async () => {
    const { connect, held } = await open(echo, { maxBytes: 1000 });
    expect(await ask(connect(), 'Echo', frame(Buffer.alloc(5000)))).toMatchObject({ grpcStatus: EXHAUSTED });
    expect(held()).toBe(0);
  });
});

describe('what comes to no end', () => {
  it('a message that stalls is refused in time', async () => {
    const { connect, held } = await open(echo);
    const grpcMessage: unknown = expect.stringContaining('did not arrive within 400 ms');
    for (const method of ['Echo', 'Stream']) {
      const stream = callOf(connect(), method);
      stream.write(frame(small).subarray(0, 8));
      expect(await endOf(stream)).toMatchObject({ grpcStatus: INVALID, grpcMessage });
    }
    expect(held()).toBe(0);
  });

  it('without a deadline of its own a call has the server’s, from its message on', async () => {
    const scopes: Scope[] = [];
    const keep = unary((message, call) => {
      scopes.push(call.scope());
      return frame(message);
    });
    const limits = { requestTimeoutMs: 300, bodyTimeoutMs: 5000 };
    const { connect } = await open(methodsOf({ Keep: keep }), { limits });
    const stream = callOf(connect(), 'Keep');
    stream.write(frame(small).subarray(0, 6));
    await after(400);
    const sentMs = performance.now();
    stream.end(frame(small).subarray(6));
    expect(await endOf(stream)).toMatchObject({ grpcStatus: 0 });
    expect(scopes[0]?.deadlineMs).toBeGreaterThanOrEqual(sentMs + 300);
  });

  it('a deadline that passes before the message came is told', async () => {
    const { connect } = await open(echo, { limits: { bodyTimeoutMs: 600 } });
    const stream = callOf(connect(), 'Echo', { 'grpc-timeout': '100m' });
    expect(await endOf(stream)).toMatchObject({ grpcStatus: DEADLINE });
  });

  it('a connection that says nothing is closed, and so is one that speaks something else', async () => {
    const { port } = await open(echo);
    for (const said of ['', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', '\0\0\0garbage'.repeat(10)]) {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(said);
      socket.resume();
      await event(socket, 'close');
    }
  });

  it('a client that reads nothing loses its stream, and a method that waits for it goes on', async () => {
    let wasClosed = false;
    const flood = async (call: StreamCall): Promise<void> => {
      for (let i = 0; i < 1000 && !wasClosed; i++) await call.send(frame(Buffer.alloc(50_000)));
    };
    const { connect } = await open(methodsOf({ Flood: streaming(flood, { closed: () => void (wasClosed = true) }) }));
    const stream = callOf(connect(), 'Flood');
    stream.write(frame(small));
    stream.pause();
    await event(stream, 'close');
    expect(wasClosed).toBe(true);
  });
});

it('no frames of HTTP/2, whatever they say, end more than their connection', async () => {
  const { port, connect, held } = await open(echo);
  const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  // A header block as clients send it: POST, http, /t.T/Echo, application/grpc.
  const block = Buffer.concat([
    Buffer.from([0x83, 0x86, 0x04, 9]),
    Buffer.from('/t.T/Echo'),
    Buffer.from([0x01, 9]),
    Buffer.from('127.0.0.1'),
    Buffer.from([0x0f, 0x10, 16]),
    Buffer.from('application/grpc'),
  ]);
  const h2 = (type: number, flags: number, stream: number, payload: Uint8Array, lie = 0): Buffer => {
    const length = Math.max(0, payload.length + lie);
    const head = Buffer.from([length >> 16, length >> 8, length, type, flags, 0, 0, 0, 0]);
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  };
  const known = fc.constantFrom(new Uint8Array(block), new Uint8Array(frame(small)));
  const anyFrame = fc
    .record({
      type: fc.integer({ min: 0, max: 12 }),
      flags: fc.integer({ min: 0, max: 255 }),
      stream: fc.constantFrom(0, 1, 1, 1, 2, 3, 0x7fffffff),
      payload: fc.oneof(fc.uint8Array({ maxLength: 40 }), { weight: 2, arbitrary: known }),
      lie: fc.constantFrom(0, 0, 0, 0, -1, 1, 5000),
    })
    .map(({ type, flags, stream, payload, lie }) => h2(type, flags, stream, payload, lie));
  await fc.assert(
    fc.asyncProperty(fc.array(anyFrame, { minLength: 1, maxLength: 12 }), fc.boolean(), async (frames, isBegun) => {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      const begin = isBegun ? [h2(1, 4, 1, block)] : [];
      socket.write(Buffer.concat([Buffer.from(PREFACE), h2(4, 0, 0, new Uint8Array(0)), ...begin, ...frames]));
      const closed = event(socket, 'close');
      await Promise.race([closed, after(10)]);
      socket.destroy();
      await closed;
    }),
    { numRuns: runs(150) },
  );
  expect(await ask(connect(), 'Echo')).toMatchObject(echoed);
  await expect.poll(held).toBe(0);
});

describe('calls that are given up', () => {
  it('cancel their scope, and a later answer goes nowhere', async () => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(7000);
    onTestFinished(() => now.mockRestore());
    const started = Promise.withResolvers<Scope>();
    const late = Promise.withResolvers<Buffer>();
    const slow = unary((_, call) => {
      started.resolve(call.scope());
      return late.promise;
    });
    const { connect, held } = await open(methodsOf({ Slow: slow }));
    const stream = callOf(connect(), 'Slow', { 'grpc-timeout': '5S' });
    stream.end(frame(small));
    const scope = await started.promise;
    expect(scope.isCancelled).toBe(false);
    expect(scope.deadlineMs).toBe(12_000);
    const aborted = new Promise<void>((resolve) => scope.signal.addEventListener('abort', () => resolve()));
    stream.close(8);
    await aborted;
    expect(scope.isCancelled).toBe(true);
    expect(held()).toBe(0);
    late.resolve(frame(small));
    await late.promise;
  });

  it('before it is known who asks keep no other stream away', async () => {
    // As where a token is seen first: its check takes a moment.
    const checked = Promise.withResolvers<void>();
    let asked = 0;
    const identify: NonNullable<Parameters<typeof openTransport>[1]>['identify'] = (own) => (headers, ip, role) => {
      asked++;
      return checked.promise.then(() => own(headers, ip, role));
    };
    const session = (await open(echo, { identify, limits: { bodyTimeoutMs: 5000 } })).connect();
    const given = Array.from({ length: 3 }, () => callOf(session, 'Stream'));
    await expect.poll(() => asked).toBe(3);
    for (const stream of given) {
      stream.close(8);
      await endOf(stream);
    }
    // What the connection says next the server reads after it has read that they are given up.
    const next = ask(session, 'Stream');
    await expect.poll(() => asked).toBe(4);
    checked.resolve();
    expect(await next).toMatchObject(echoed);
  });

  it('at any moment end nothing but themselves', async () => {
    // What a message says: how long it takes, and whether it fails.
    const work = async (message: Buffer): Promise<Buffer> => {
      if ((message[0] ?? 0) > 0) await after(message[0] as number);
      if (message[1] === 1) throw new HeadraceError('HR_INVALID', 'it is to fail');
      return frame(message);
    };
    const methods = methodsOf({
      Work: unary(work),
      Stream: streaming(async (call, message, release) => {
        const answer = await work(message);
        release();
        await call.send(answer);
      }),
    });
    const { connect, held } = await open(methods, { limits: { maxCalls: 1000, maxStreams: 1000 } });
    const sessions = [connect(), connect()] as const;
    const message = fc.tuple(fc.integer({ min: 0, max: 4 }), fc.constantFrom(0, 0, 1));
    const call = fc.record({
      method: fc.constantFrom('Work', 'Stream'),
      messages: fc.array(message, { minLength: 1, maxLength: 3 }),
      ends: fc.boolean(),
      cancelMs: fc.integer({ min: 0, max: 6 }),
      // Not NO_ERROR: Node's own client comes to no end by it, now and then.
      code: fc.constantFrom(8, 2),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 5, maxLength: 20 }), async (calls) => {
        await Promise.all(
          calls.map(async ({ method, messages, ends, cancelMs, code }, at) => {
            const one = callOf(sessions[at % 2 === 0 ? 0 : 1], method);
            for (const sent of messages) one.write(frame(Buffer.from(sent)));
            if (ends) one.end();
            const ended = endOf(one);
            await after(cancelMs);
            one.close(code);
            await ended;
          }),
        );
      }),
      { numRuns: runs(40) },
    );
    expect(await ask(sessions[0], 'Work', frame(Buffer.from([1, 0])))).toMatchObject({ grpcStatus: 0 });
    await expect.poll(held).toBe(0);
  }, 60_000);
});

describe('bounds', () => {
  const begin = async (session: ClientHttp2Session, method: string) => {
    const stream = callOf(session, method);
    stream.write(frame(small));
    await event(stream, 'data');
    return stream;
  };

  it('of streams', async () => {
    const session = (await open(echo)).connect();
    const kept = await begin(session, 'Stream');
    for (let i = 1; i < 3; i++) await begin(session, 'Stream');
    const grpcMessage: unknown = expect.stringContaining('server.maxStreams');
    expect(await endOf(callOf(session, 'Stream'))).toMatchObject({ grpcStatus: EXHAUSTED, grpcMessage });
    kept.close();
    await event(kept, 'close');
    expect(await ask(session, 'Stream')).toMatchObject({ grpcStatus: 0 });
  });

  it('of connections: a further one is closed', async () => {
    const { connect } = await open(echo, { maxConnections: 2 });
    for (let i = 0; i < 2; i++) expect(await ask(connect(), 'Echo')).toMatchObject({ grpcStatus: 0 });
    await event(connect(), 'close');
  });

  it('of streams that take no key apart from the others', async () => {
    const { connect } = await open(new Map([...echo, ['/t.T/Watch', streaming(sendBack, { role: 'open' })]]));
    const session = connect();
    for (let i = 0; i < 3; i++) await begin(session, 'Watch');
    expect(await endOf(callOf(session, 'Watch'))).toMatchObject({ grpcStatus: EXHAUSTED });
    for (let i = 0; i < 3; i++) await begin(session, 'Stream');
  });

  it('of calls, over connections', async () => {
    const { connect } = await open(echo, { limits: { maxCalls: 4, bodyTimeoutMs: 5000 } });
    const waiting = Array.from({ length: 4 }, () => callOf(connect(), 'Echo'));
    for (const stream of waiting) stream.write(frame(small).subarray(0, 7));
    await after(100);
    expect(await ask(connect(), 'Echo')).toMatchObject({ grpcStatus: EXHAUSTED });
    for (const stream of waiting) {
      stream.end(frame(small).subarray(7));
      expect(await endOf(stream)).toMatchObject({ grpcStatus: 0 });
    }
  });
});

describe('a method of a stream that fails its call', () => {
  const seen: string[] = [];
  const told = streaming((call, message, release) => {
    seen.push(message.toString());
    release();
    if (message.toString() === 'bad') call.fail(new HeadraceError('HR_INVALID', 'it is to fail'));
    return call.send(frame(message));
  });
  const messages = (...texts: string[]): Buffer => Buffer.concat(texts.map((text) => frame(Buffer.from(text))));

  it.each([[[]], [['good']]])('has its status told, and nothing of what it sends afterwards: %j', async (before) => {
    const { connect } = await open(methodsOf({ Told: told }));
    const ended = await ask(connect(), 'Told', messages(...before, 'bad', 'late'));
    expect(ended).toMatchObject({ grpcStatus: INVALID, body: messages(...before) });
  });

  it('is given no more of its messages, and a client that goes on sending loses the stream', async () => {
    const { connect } = await open(methodsOf({ Told: told }));
    const stream = callOf(connect(), 'Told');
    seen.length = 0;
    stream.write(messages('good', 'bad', 'late'));
    const sending = setInterval(() => stream.write(messages('later')), 50);
    onTestFinished(() => clearInterval(sending));
    expect(await endOf(stream)).toMatchObject({ grpcStatus: INVALID });
    expect(seen).toEqual(['good', 'bad']);
  });
});

describe('a method that fails', () => {
  const failing = (thrown: unknown): Methods => {
    const fail = (): never => {
      throw thrown;
    };
    return methodsOf({ Fail: unary(fail) });
  };

  it('tells nothing of its insides', async () => {
    const { connect } = await open(failing(new Error('the password is hunter2')));
    const ended = await ask(connect(), 'Fail', frame(small), { 'x-request-id': 'mine' });
    const headers = { 'x-request-id': 'mine', 'headrace-code': 'HR_INTERNAL' };
    expect(ended).toMatchObject({ grpcStatus: INTERNAL, headers });
    expect(JSON.stringify(ended)).not.toContain('hunter2');
    expect(Buffer.from(String(ended.headers['grpc-status-details-bin']), 'base64').toString()).not.toContain('hunter2');
  });

  const mistakes = (path: string, message: string) => invalid(Array.from({ length: 50 }, () => ({ path, message })));
  it.each([
    ['a sentence in any script', new HeadraceError('HR_INVALID', '數據'.repeat(5000))],
    ['a sentence of signs that are escaped', new HeadraceError('HR_INVALID', '%'.repeat(5000))],
    ['many mistakes', mistakes('x'.repeat(400), 'y'.repeat(400))],
    ['mistakes in any script', mistakes('數'.repeat(99), '據'.repeat(99))],
  ])('with %s keeps within the 8 KiB that clients take', async (_, thrown) => {
    const { connect } = await open(failing(thrown));
    const sent = { 'x-request-id': 'r'.repeat(128), traceparent: TRACEPARENT };
    const { grpcStatus, grpcMessage, headers } = await ask(connect(), 'Fail', frame(small), sent);
    expect(grpcStatus).toBe(INVALID);
    // Cut, and no character of it in the middle.
    expect(thrown.message.startsWith(grpcMessage.replace(/…$/, ''))).toBe(true);
    expect(grpcMessage.length).toBeGreaterThan(200);
    // As HTTP/2 counts them.
    const sizes = Object.entries(headers).map(([name, value]) => name.length + String(value).length + 32);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(8192);
  });

  it('answers nobody whom it has not let in', async () => {
    const { connect } = await open(
      methodsOf({ Open: { kind: 'unary', role: 'predict', answer: (message) => frame(message) } }),
    );
    expect(await ask(connect(), 'Open')).toMatchObject({ grpcStatus: INTERNAL, body: Buffer.alloc(0) });
  });
});

it('spans of calls say what was called, how it ended, and in which trace', async () => {
  const spans: { name: string; parent: string | undefined; told: Record<string, unknown>; ended: unknown }[] = [];
  const traceparent = `00-${'ab'.repeat(16)}-${'12'.repeat(8)}-01`;
  const tracing: Tracing = {
    startRequest(parent, name) {
      const span = { name, parent, told: {} as Record<string, unknown>, ended: 'not' as unknown };
      spans.push(span);
      return {
        traceId: 'ab'.repeat(16),
        traceparent,
        child: () => expect.unreachable('nothing is done in it'),
        set: (key, value) => void (span.told[key] = value),
        end: (thrown) => void (span.ended = thrown ?? 'well'),
      };
    },
    shutdown: async () => {},
  };
  const { connect } = await open(echo, { tracing });
  for (const bytes of [frame(small), Buffer.alloc(0)]) {
    const ended = await ask(connect(), 'Echo', bytes, { traceparent: TRACEPARENT, 'x-request-id': 'mine' });
    expect(ended.headers['traceparent']).toBe(traceparent);
  }
  await ask(connect(), 'None/of/mine', Buffer.alloc(0));
  await expect.poll(() => spans.map(({ ended }) => ended === 'not')).toEqual([false, false, false]);
  const told = { 'rpc.system': 'grpc', 'rpc.service': 't.T', 'rpc.method': 'Echo', 'headrace.request_id': 'mine' };
  const common = { name: 't.T/Echo', parent: TRACEPARENT };
  expect(spans).toMatchObject([
    { ...common, told: { ...told, 'rpc.grpc.status_code': 0 }, ended: 'well' },
    { ...common, told: { ...told, 'rpc.grpc.status_code': INVALID }, ended: { code: 'HR_INVALID' } },
    // What callers make up names no span.
    { name: 'unknown', told: { 'rpc.system': 'grpc', 'rpc.grpc.status_code': UNIMPLEMENTED } },
  ]);
  expect(Object.values(spans[2]?.told ?? {}).join()).not.toContain('None');
});

it('a stop answers what runs, and takes no more', async () => {
  const late = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const slow = unary(async (message) => {
    started.resolve();
    await late.promise;
    return frame(message);
  });
  const { connect, server } = await open(new Map([...echo, ['/t.T/Slow', slow]]));
  const session = connect();
  const idle = callOf(session, 'Stream');
  idle.write(frame(small));
  await event(idle, 'data');
  const running = ask(session, 'Slow');
  await started.promise;
  const closing = server.close();
  await endOf(idle);
  late.resolve();
  expect(await running).toMatchObject(echoed);
  await closing;
});
