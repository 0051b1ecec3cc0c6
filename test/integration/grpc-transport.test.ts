// gRPC's transport with calls that no client would make: each ends with a status that says what is wrong with it, and nothing else
// ends with it.

import { connect as connectTcp } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { HeadraceError, invalid, type Scope } from '../../src/core/index.ts';
import type { Tracing } from '../../src/monitoring/index.ts';
import type { CallContext, Method, Methods, StreamCall } from '../../src/serving/grpc/transport/method.ts';
import { endOf, frame, openCall, openTransport, type Transport } from '../support/grpc-transport.ts';
import { runs } from '../support/tier.ts';

const INVALID = 3;
const DEADLINE = 4;
const EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;

let opened: Transport | undefined;
afterEach(async () => {
  await opened?.close();
  opened = undefined;
});
const open = async (...given: Parameters<typeof openTransport>): Promise<Transport> =>
  (opened = await openTransport(...given));

const echoOf = (message: Buffer, call: CallContext): Buffer => {
  call.permit();
  return frame(message);
};
const echo: Methods = new Map<string, Method>([
  ['/t.T/Echo', { kind: 'unary', role: 'predict', answer: echoOf }],
  [
    '/t.T/Stream',
    {
      kind: 'stream',
      role: 'predict',
      open: (call) => ({
        message(message, release) {
          const answer = echoOf(message, call);
          release();
          return call.send(answer);
        },
        ended: () => undefined,
        stopping: () => undefined,
        closed() {},
      }),
    },
  ],
]);
const small = Buffer.from('a message');

describe('a call that is not as it should be', () => {
  it.each<[string, Buffer, Record<string, string>, number, string]>([
    ['no message', Buffer.alloc(0), {}, INVALID, 'expected one, got none'],
    ['a prefix that is cut', frame(small).subarray(0, 3), {}, INVALID, 'got a part'],
    ['a message that is cut', frame(small).subarray(0, 9), {}, INVALID, 'got a part'],
    ['two messages', Buffer.concat([frame(small), frame(small)]), {}, INVALID, 'got several'],
    ['a flag that there is not', frame(small, 7), {}, INVALID, 'the flag 7'],
    ['a length over the limit', frame(Buffer.alloc(100_001)), {}, EXHAUSTED, 'server.bodyLimit'],
    ['a length that lies', Buffer.from([0, 255, 255, 255, 255, 1]), {}, EXHAUSTED, '4294967295 bytes'],
    ['a packed message without an encoding', frame(small, 1), {}, INVALID, 'names no grpc-encoding'],
    ['what is no gzip', frame(small, 1), { 'grpc-encoding': 'gzip' }, INVALID, 'it is no gzip'],
    ['gzip that is cut', frame(gzipSync(small).subarray(0, 12), 1), { 'grpc-encoding': 'gzip' }, INVALID, 'no gzip'],
    [
      'zeros packed a thousand times',
      frame(gzipSync(Buffer.alloc(10_000_000)), 1),
      { 'grpc-encoding': 'gzip' },
      EXHAUSTED,
      'unpacked',
    ],
    ['an unknown encoding', frame(small), { 'grpc-encoding': 'snappy' }, UNIMPLEMENTED, 'identity, gzip, deflate'],
    ['a deadline that is none', frame(small), { 'grpc-timeout': 'soon' }, INVALID, 'grpc-timeout'],
    ['a deadline with nine digits', frame(small), { 'grpc-timeout': '123456789m' }, INVALID, 'grpc-timeout'],
    ['another host', frame(small), { ':authority': 'evil.example' }, 7, 'answers only to localhost'],
    ['another site’s page', frame(small), { origin: 'http://evil.example' }, 7, 'a page of http://evil.example'],
  ])('%s', async (_, bytes, headers, status, sentence) => {
    const { connect, held } = await open(echo);
    const session = connect();
    const stream = openCall(session, '/t.T/Echo', headers);
    stream.end(bytes);
    const ended = await endOf(stream);
    expect(ended).toMatchObject({ status: 200, grpcStatus: status });
    expect(ended.grpcMessage).toContain(sentence);
    expect(held()).toBe(0);
    // The connection goes on.
    const next = openCall(session, '/t.T/Echo');
    next.end(frame(small));
    expect(await endOf(next)).toMatchObject({ grpcStatus: 0, body: frame(small) });
  });

  it('of no such method is UNIMPLEMENTED', async () => {
    const { connect } = await open(echo);
    const stream = openCall(connect(), '/t.T/None');
    stream.end(frame(small));
    expect(await endOf(stream)).toMatchObject({ grpcStatus: UNIMPLEMENTED });
  });

  it('that is no gRPC is answered by HTTP’s status', async () => {
    const { connect } = await open(echo);
    const session = connect();
    const json = openCall(session, '/t.T/Echo', { 'content-type': 'application/json' });
    json.end('{}');
    expect(await endOf(json)).toMatchObject({ status: 415, grpcStatus: undefined });
    const get = session.request({ ':method': 'GET', ':path': '/t.T/Echo' });
    get.on('error', () => {});
    expect(await endOf(get)).toMatchObject({ status: 405 });
  });
});

describe('messages', () => {
  it('may come in pieces of any size, packed or not', async () => {
    const { connect } = await open(echo);
    const session = connect();
    for (const [encoding, pack] of [
      ['gzip', gzipSync],
      ['deflate', deflateSync],
    ] as const) {
      const stream = openCall(session, '/t.T/Echo', { 'grpc-encoding': encoding });
      for (const byte of frame(pack(small), 1)) stream.write(Buffer.from([byte]));
      stream.end();
      expect(await endOf(stream)).toMatchObject({ grpcStatus: 0, body: frame(small) });
    }
    const large = Buffer.alloc(99_000, 'x');
    const stream = openCall(session, '/t.T/Echo');
    const whole = frame(large);
    for (let at = 0; at < whole.length; at += 7000) stream.write(whole.subarray(at, at + 7000));
    stream.end();
    expect((await endOf(stream)).body.equals(whole)).toBe(true);
  });

  it('of a stream are answered in their order', async () => {
    const { connect } = await open(echo);
    const stream = openCall(connect(), '/t.T/Stream');
    const messages = Array.from({ length: 50 }, (_, at) => frame(Buffer.from(`message ${at}`)));
    stream.end(Buffer.concat(messages));
    expect(await endOf(stream)).toMatchObject({ grpcStatus: 0, body: Buffer.concat(messages) });
  });

  it('of a stream may be none', async () => {
    const { connect } = await open(echo);
    const stream = openCall(connect(), '/t.T/Stream');
    stream.end();
    expect(await endOf(stream)).toMatchObject({ grpcStatus: 0, body: Buffer.alloc(0) });
  });

  it('of a stream that have come are answered though the server stops', async () => {
    const go = Promise.withResolvers<void>();
    const slow: Method = {
      kind: 'stream',
      role: 'predict',
      open: (call) => ({
        async message(message, release) {
          await go.promise;
          const answer = echoOf(message, call);
          release();
          await call.send(answer);
        },
        ended: () => undefined,
        stopping: () => undefined,
        closed() {},
      }),
    };
    const { connect, server, held } = await open(new Map<string, Method>([['/t.T/Slow', slow]]));
    const stream = openCall(connect(), '/t.T/Slow');
    const messages = Buffer.concat(Array.from({ length: 5 }, (_, at) => frame(Buffer.from(`message ${at}`))));
    stream.write(messages);
    await expect.poll(held).toBe(5 * 9);
    const closing = server.close();
    go.resolve();
    expect(await endOf(stream)).toMatchObject({ grpcStatus: 0, body: messages });
    await closing;
  });

  it('of a stream that are cut end it, after those before', async () => {
    const { connect } = await open(echo);
    const stream = openCall(connect(), '/t.T/Stream');
    stream.write(frame(small));
    stream.end(frame(small).subarray(0, 8));
    const ended = await endOf(stream);
    expect(ended).toMatchObject({ grpcStatus: INVALID });
  });

  it('of a stream are held until they are done with, and no longer', async () => {
    const done: (() => void)[] = [];
    const hold: Method = {
      kind: 'stream',
      role: 'predict',
      open: (call) => ({
        message(_, release) {
          call.permit();
          done.push(release);
          return undefined;
        },
        ended: () => undefined,
        stopping: () => undefined,
        closed() {},
      }),
    };
    const { connect, held } = await open(new Map<string, Method>([['/t.T/Hold', hold]]));
    const stream = openCall(connect(), '/t.T/Hold');
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
    const stream = openCall(connect(), '/t.T/Echo');
    stream.end(frame(Buffer.alloc(5000)));
    expect(await endOf(stream)).toMatchObject({ grpcStatus: EXHAUSTED });
    expect(held()).toBe(0);
  });
});

describe('what comes to no end', () => {
  it('a message that stalls is refused in time', async () => {
    const { connect, held } = await open(echo);
    for (const path of ['/t.T/Echo', '/t.T/Stream']) {
      const stream = openCall(connect(), path);
      stream.write(frame(small).subarray(0, 8));
      const ended = await endOf(stream);
      expect(ended).toMatchObject({ grpcStatus: INVALID });
      expect(ended.grpcMessage).toContain('did not arrive within 400 ms');
    }
    expect(held()).toBe(0);
  });

  it('without a deadline of its own a call has the server’s, from its message on', async () => {
    const scopes: Scope[] = [];
    const keep: Method = {
      kind: 'unary',
      role: 'predict',
      answer(message, call) {
        call.permit();
        scopes.push(call.scope());
        return frame(message);
      },
    };
    const { connect } = await open(new Map([['/t.T/Keep', keep]]), {
      limits: { requestTimeoutMs: 300, bodyTimeoutMs: 5000 },
    });
    const stream = openCall(connect(), '/t.T/Keep');
    stream.write(frame(small).subarray(0, 6));
    await new Promise((resolve) => setTimeout(resolve, 400));
    const sentMs = performance.now();
    stream.end(frame(small).subarray(6));
    expect(await endOf(stream)).toMatchObject({ grpcStatus: 0 });
    expect(scopes[0]?.deadlineMs).toBeGreaterThanOrEqual(sentMs + 300);
  });

  it('a deadline that passes before the message came is told', async () => {
    const { connect } = await open(echo, { limits: { bodyTimeoutMs: 600 } });
    const stream = openCall(connect(), '/t.T/Echo', { 'grpc-timeout': '100m' });
    expect(await endOf(stream)).toMatchObject({ grpcStatus: DEADLINE });
  });

  it('a connection that says nothing is closed, and so is one that speaks something else', async () => {
    const { port } = await open(echo);
    for (const said of ['', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', '\0\0\0garbage'.repeat(10)]) {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(said);
      socket.resume();
      await new Promise<void>((resolve) => socket.once('close', () => resolve()));
    }
  });

  it('a client that reads nothing loses its stream, and a method that waits for it goes on', async () => {
    let wasClosed = false;
    const flood: Methods = new Map<string, Method>([
      [
        '/t.T/Flood',
        {
          kind: 'stream',
          role: 'predict',
          open: (call: StreamCall) => ({
            async message() {
              call.permit();
              for (let i = 0; i < 1000 && !wasClosed; i++) await call.send(frame(Buffer.alloc(50_000)));
            },
            ended: () => undefined,
            stopping: () => undefined,
            closed: () => void (wasClosed = true),
          }),
        },
      ],
    ]);
    const { connect } = await open(flood);
    const stream = openCall(connect(), '/t.T/Flood');
    stream.write(frame(small));
    stream.pause();
    await new Promise<void>((resolve) => stream.once('close', () => resolve()));
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
    const head = Buffer.alloc(9);
    head.writeUIntBE(Math.max(0, payload.length + lie), 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  };
  const anyFrame = fc
    .record({
      type: fc.integer({ min: 0, max: 12 }),
      flags: fc.integer({ min: 0, max: 255 }),
      stream: fc.constantFrom(0, 1, 1, 1, 2, 3, 0x7fffffff),
      payload: fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.constant(new Uint8Array(block)),
        fc.constant(new Uint8Array(frame(small))),
      ),
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
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 10))]);
      socket.destroy();
      await closed;
    }),
    { numRuns: runs(150) },
  );
  const stream = openCall(connect(), '/t.T/Echo');
  stream.end(frame(small));
  expect(await endOf(stream)).toMatchObject({ grpcStatus: 0, body: frame(small) });
  await expect.poll(held).toBe(0);
});

describe('a call that is given up', () => {
  it('cancels its scope, and a later answer goes nowhere', async () => {
    const started = Promise.withResolvers<Scope>();
    const late = Promise.withResolvers<Buffer>();
    const slow: Methods = new Map<string, Method>([
      [
        '/t.T/Slow',
        {
          kind: 'unary',
          role: 'predict',
          answer(_: Buffer, call: CallContext) {
            call.permit();
            started.resolve(call.scope());
            return late.promise;
          },
        },
      ],
    ]);
    const { connect, held } = await open(slow);
    const stream = openCall(connect(), '/t.T/Slow', { 'grpc-timeout': '5S' });
    stream.end(frame(small));
    const scope = await started.promise;
    expect(scope.isCancelled).toBe(false);
    expect(scope.deadlineMs - performance.now()).toBeGreaterThan(4000);
    const aborted = new Promise<void>((resolve) => scope.signal.addEventListener('abort', () => resolve()));
    stream.close(8);
    await aborted;
    expect(scope.isCancelled).toBe(true);
    expect(held()).toBe(0);
    late.resolve(frame(small));
    await late.promise;
  });
});

it('a stream that is given up before it is known who asks keeps no other away', async () => {
  // As where a token is seen first: its check takes a moment.
  const checked = Promise.withResolvers<void>();
  let asked = 0;
  const identify: NonNullable<Parameters<typeof openTransport>[1]>['identify'] = (own) => (headers, ip, role) => {
    asked++;
    return checked.promise.then(() => own(headers, ip, role));
  };
  const { connect } = await open(echo, { identify, limits: { bodyTimeoutMs: 5000 } });
  const session = connect();
  const given = Array.from({ length: 3 }, () => openCall(session, '/t.T/Stream'));
  await expect.poll(() => asked).toBe(3);
  for (const stream of given) {
    stream.close(8);
    await endOf(stream);
  }
  // What the connection says next the server reads after it has read that they are given up.
  const next = openCall(session, '/t.T/Stream');
  next.end(frame(small));
  await expect.poll(() => asked).toBe(4);
  checked.resolve();
  expect(await endOf(next)).toMatchObject({ grpcStatus: 0, body: frame(small) });
});

it('calls that are given up at any moment end nothing but themselves', async () => {
  const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  // What a message says: how long it takes, and whether it fails.
  const work = async (message: Buffer, call: CallContext): Promise<Buffer> => {
    call.permit();
    if ((message[0] ?? 0) > 0) await after(message[0] as number);
    if (message[1] === 1) throw new HeadraceError('HR_INVALID', 'it is to fail');
    return frame(message);
  };
  const stream: Method = {
    kind: 'stream',
    role: 'predict',
    open: (call) => ({
      async message(message, release) {
        const answer = await work(message, call);
        release();
        await call.send(answer);
      },
      ended: () => undefined,
      stopping: () => undefined,
      closed() {},
    }),
  };
  const methods = new Map<string, Method>([
    ['/t.T/Work', { kind: 'unary', role: 'predict', answer: work }],
    ['/t.T/Stream', stream],
  ]);
  const { connect, held } = await open(methods, { limits: { maxCalls: 1000, maxStreams: 1000 } });
  const sessions = [connect(), connect()] as const;
  const call = fc.record({
    path: fc.constantFrom('/t.T/Work', '/t.T/Stream'),
    messages: fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.constantFrom(0, 0, 1)), {
      minLength: 1,
      maxLength: 3,
    }),
    ends: fc.boolean(),
    cancelMs: fc.integer({ min: 0, max: 6 }),
    // Not NO_ERROR: Node's own client comes to no end by it, now and then.
    code: fc.constantFrom(8, 2),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 5, maxLength: 20 }), async (calls) => {
      await Promise.all(
        calls.map(async ({ path, messages, ends, cancelMs, code }, at) => {
          const one = openCall(sessions[at % 2 === 0 ? 0 : 1], path);
          for (const [ms, fails] of messages) one.write(frame(Buffer.from([ms, fails])));
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
  const good = openCall(sessions[0], '/t.T/Work');
  good.end(frame(Buffer.from([1, 0])));
  expect(await endOf(good)).toMatchObject({ grpcStatus: 0 });
  await expect.poll(held).toBe(0);
}, 60_000);

describe('bounds', () => {
  it('of streams', async () => {
    const { connect } = await open(echo);
    const session = connect();
    const kept = Array.from({ length: 3 }, () => openCall(session, '/t.T/Stream'));
    for (const stream of kept) {
      stream.write(frame(small));
      await new Promise<void>((resolve) => stream.once('data', () => resolve()));
    }
    const more = openCall(session, '/t.T/Stream');
    const ended = await endOf(more);
    expect(ended).toMatchObject({ grpcStatus: EXHAUSTED });
    expect(ended.grpcMessage).toContain('server.maxStreams');
    kept[0]?.close();
    await new Promise<void>((resolve) => kept[0]?.once('close', () => resolve()));
    const again = openCall(session, '/t.T/Stream');
    again.end(frame(small));
    expect(await endOf(again)).toMatchObject({ grpcStatus: 0 });
  });

  it('of connections: a further one is closed', async () => {
    const { connect } = await open(echo, { maxConnections: 2 });
    for (let i = 0; i < 2; i++) {
      const stream = openCall(connect(), '/t.T/Echo');
      stream.end(frame(small));
      expect(await endOf(stream)).toMatchObject({ grpcStatus: 0 });
    }
    const third = connect();
    await new Promise<void>((resolve) => third.once('close', () => resolve()));
  });

  it('of streams that take no key apart from the others', async () => {
    const watch: Method = {
      kind: 'stream',
      role: 'open',
      open: (call) => ({
        message(message, release) {
          release();
          return call.send(frame(message));
        },
        ended: () => undefined,
        stopping: () => undefined,
        closed() {},
      }),
    };
    const { connect } = await open(new Map<string, Method>([...echo, ['/t.T/Watch', watch]]));
    const session = connect();
    const begun = async (path: string): Promise<void> => {
      const stream = openCall(session, path);
      stream.write(frame(small));
      await new Promise<void>((resolve) => stream.once('data', () => resolve()));
    };
    for (let i = 0; i < 3; i++) await begun('/t.T/Watch');
    const more = openCall(session, '/t.T/Watch');
    expect(await endOf(more)).toMatchObject({ grpcStatus: EXHAUSTED });
    for (let i = 0; i < 3; i++) await begun('/t.T/Stream');
  });

  it('of calls, over connections', async () => {
    const { connect } = await open(echo, { limits: { maxCalls: 4, bodyTimeoutMs: 5000 } });
    const waiting = Array.from({ length: 4 }, () => openCall(connect(), '/t.T/Echo'));
    for (const stream of waiting) stream.write(frame(small).subarray(0, 7));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const more = openCall(connect(), '/t.T/Echo');
    more.end(frame(small));
    expect(await endOf(more)).toMatchObject({ grpcStatus: EXHAUSTED });
    for (const stream of waiting) {
      stream.end(frame(small).subarray(7));
      expect(await endOf(stream)).toMatchObject({ grpcStatus: 0 });
    }
  });
});

describe('a method of a stream that fails its call', () => {
  const seen: string[] = [];
  const told: Methods = new Map<string, Method>([
    [
      '/t.T/Told',
      {
        kind: 'stream',
        role: 'predict',
        open: (call) => ({
          message(message, release) {
            call.permit();
            seen.push(message.toString());
            release();
            if (message.toString() === 'bad') call.fail(new HeadraceError('HR_INVALID', 'it is to fail'));
            return call.send(frame(message));
          },
          ended: () => undefined,
          stopping: () => undefined,
          closed() {},
        }),
      },
    ],
  ]);
  const messages = (...texts: string[]): Buffer => Buffer.concat(texts.map((text) => frame(Buffer.from(text))));

  it('has its status told, and nothing of what it sends afterwards', async () => {
    for (const before of [[], ['good']]) {
      const { connect } = await open(told);
      const stream = openCall(connect(), '/t.T/Told');
      stream.end(messages(...before, 'bad', 'late'));
      expect(await endOf(stream)).toMatchObject({ grpcStatus: INVALID, body: messages(...before) });
      await opened?.close();
    }
  });

  it('is given no more of its messages, and a client that goes on sending loses the stream', async () => {
    const { connect } = await open(told);
    const stream = openCall(connect(), '/t.T/Told');
    seen.length = 0;
    stream.write(messages('good', 'bad', 'late'));
    const sending = setInterval(() => stream.write(messages('later')), 50);
    try {
      expect(await endOf(stream)).toMatchObject({ grpcStatus: INVALID });
    } finally {
      clearInterval(sending);
    }
    expect(seen).toEqual(['good', 'bad']);
  });
});

describe('a method that fails', () => {
  const failing = (thrown: unknown): Methods =>
    new Map<string, Method>([
      [
        '/t.T/Fail',
        {
          kind: 'unary',
          role: 'predict',
          answer(_: Buffer, call: CallContext): Buffer {
            call.permit();
            throw thrown;
          },
        },
      ],
    ]);

  it('tells nothing of its insides', async () => {
    const { connect } = await open(failing(new Error('the password is hunter2')));
    const stream = openCall(connect(), '/t.T/Fail', { 'x-request-id': 'mine' });
    stream.end(frame(small));
    const ended = await endOf(stream);
    expect(ended).toMatchObject({
      grpcStatus: INTERNAL,
      headers: { 'x-request-id': 'mine', 'headrace-code': 'HR_INTERNAL' },
    });
    expect(JSON.stringify(ended)).not.toContain('hunter2');
    expect(Buffer.from(String(ended.headers['grpc-status-details-bin']), 'base64').toString()).not.toContain('hunter2');
  });

  it.each([
    ['a sentence in any script', new HeadraceError('HR_INVALID', '數據'.repeat(5000))],
    ['a sentence of signs that are escaped', new HeadraceError('HR_INVALID', '%'.repeat(5000))],
    ['many mistakes', invalid(Array.from({ length: 50 }, () => ({ path: 'x'.repeat(400), message: 'y'.repeat(400) })))],
    [
      'mistakes in any script',
      invalid(Array.from({ length: 50 }, () => ({ path: '數'.repeat(99), message: '據'.repeat(99) }))),
    ],
  ])('with %s keeps within the 8 KiB that clients take', async (_, thrown) => {
    const { connect } = await open(failing(thrown));
    const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
    const stream = openCall(connect(), '/t.T/Fail', { 'x-request-id': 'r'.repeat(128), traceparent });
    stream.end(frame(small));
    const { grpcStatus, grpcMessage, headers } = await endOf(stream);
    expect(grpcStatus).toBe(INVALID);
    // Cut, and no character of it in the middle.
    expect(thrown.message.startsWith(grpcMessage.replace(/…$/, ''))).toBe(true);
    expect(grpcMessage.length).toBeGreaterThan(200);
    // As HTTP/2 counts them.
    const bytes = Object.entries(headers).reduce(
      (sum, [name, value]) => sum + name.length + String(value).length + 32,
      0,
    );
    expect(bytes).toBeLessThan(8192);
  });

  it('answers nobody whom it has not let in', async () => {
    const open_: Methods = new Map<string, Method>([
      ['/t.T/Open', { kind: 'unary', role: 'predict', answer: (message) => frame(message) }],
    ]);
    const { connect } = await open(open_);
    const stream = openCall(connect(), '/t.T/Open');
    stream.end(frame(small));
    expect(await endOf(stream)).toMatchObject({ grpcStatus: INTERNAL, body: Buffer.alloc(0) });
  });
});

it('spans of calls say what was called, how it ended, and in which trace', async () => {
  const spans: { name: string; parent: string | undefined; told: Record<string, unknown>; ended: unknown }[] = [];
  const tracing: Tracing = {
    startRequest(parent, name) {
      const span = { name, parent, told: {} as Record<string, unknown>, ended: 'not' as unknown };
      spans.push(span);
      return {
        traceId: 'ab'.repeat(16),
        traceparent: `00-${'ab'.repeat(16)}-${'12'.repeat(8)}-01`,
        child: () => {
          throw new Error('nothing is done in it');
        },
        set: (key, value) => void (span.told[key] = value),
        end: (thrown) => void (span.ended = thrown ?? 'well'),
      };
    },
    shutdown: async () => {},
  };
  const { connect } = await open(echo, { tracing });
  const parent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
  for (const bytes of [frame(small), Buffer.alloc(0)]) {
    const stream = openCall(connect(), '/t.T/Echo', { traceparent: parent, 'x-request-id': 'mine' });
    stream.end(bytes);
    expect((await endOf(stream)).headers['traceparent']).toBe(`00-${'ab'.repeat(16)}-${'12'.repeat(8)}-01`);
  }
  const none = openCall(connect(), '/t.T/None/of/mine', {});
  none.end();
  await endOf(none);
  await expect.poll(() => spans.map(({ ended }) => ended === 'not')).toEqual([false, false, false]);
  const told = { 'rpc.system': 'grpc', 'rpc.service': 't.T', 'rpc.method': 'Echo', 'headrace.request_id': 'mine' };
  expect(spans).toMatchObject([
    { name: 't.T/Echo', parent, told: { ...told, 'rpc.grpc.status_code': 0 }, ended: 'well' },
    { name: 't.T/Echo', parent, told: { ...told, 'rpc.grpc.status_code': INVALID }, ended: { code: 'HR_INVALID' } },
    // What callers make up names no span.
    { name: 'unknown', told: { 'rpc.system': 'grpc', 'rpc.grpc.status_code': UNIMPLEMENTED } },
  ]);
  expect(Object.values(spans[2]?.told ?? {}).join()).not.toContain('None');
});

describe('a stop', () => {
  it('answers what runs, and takes no more', async () => {
    const late = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const slow: Methods = new Map<string, Method>([
      ...echo,
      [
        '/t.T/Slow',
        {
          kind: 'unary',
          role: 'predict',
          async answer(message: Buffer, call: CallContext) {
            call.permit();
            started.resolve();
            await late.promise;
            return frame(message);
          },
        },
      ],
    ]);
    const { connect, server } = await open(slow);
    const session = connect();
    const idle = openCall(session, '/t.T/Stream');
    idle.write(frame(small));
    await new Promise<void>((resolve) => idle.once('data', () => resolve()));
    const running = openCall(session, '/t.T/Slow');
    running.end(frame(small));
    await started.promise;
    const closing = server.close();
    await endOf(idle);
    late.resolve();
    expect(await endOf(running)).toMatchObject({ grpcStatus: 0, body: frame(small) });
    await closing;
  });
});
