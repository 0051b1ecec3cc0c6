// The transport of gRPC alone, with methods of the test's own, and calls as bytes over node:http2: what no client would send.

import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import { createBytesInFlight } from '../../src/serving/index.ts';
import { createRequestLog } from '../../src/serving/http/request-log.ts';
import { createGate, type Gate } from '../../src/serving/http/security/gate.ts';
import type { CallLimits, CallParts } from '../../src/serving/grpc/transport/call-parts.ts';
import { createGrpcServer } from '../../src/serving/grpc/transport/listen-grpc.ts';
import type { Methods } from '../../src/serving/grpc/transport/method.ts';

export type Transport = Awaited<ReturnType<typeof openTransport>>;

interface Given extends Partial<Pick<CallParts, 'logger' | 'loggedRequests' | 'tracing'>> {
  readonly limits?: Partial<CallLimits>;
  readonly maxConnections?: number;
  readonly maxBytes?: number;
  /** How callers are identified, by how the gate does it. */
  readonly identify?: (own: Gate['identify']) => Gate['identify'];
}

export async function openTransport(methods: Methods, given: Given = {}) {
  const { logger = silentLogger, loggedRequests = 'errors', tracing, maxConnections = 100 } = given;
  const bytes = createBytesInFlight(given.maxBytes ?? 64 * 1024 * 1024);
  let lastId = 0;
  const gate = createGate({
    keys: { hasKeys: () => false, find: () => undefined, refresh: async () => {}, close: async () => {} },
    tokens: undefined,
    opensTo: 'loopback',
    host: '127.0.0.1',
    rateLimit: undefined,
    clock: systemClock,
  });
  const limits = { bodyLimitBytes: 100_000, bodyTimeoutMs: 400, requestTimeoutMs: 1000, maxCalls: 50, maxStreams: 3 };
  const server = createGrpcServer({
    methods,
    gate: given.identify === undefined ? gate : { ...gate, identify: given.identify(gate.identify) },
    bytes,
    refused: { note() {} },
    log: createRequestLog(logger, loggedRequests, () => {}),
    logger,
    loggedRequests,
    tracing,
    requestId: (asked) => asked ?? `r${lastId++}`,
    tls: undefined,
    maxConnections,
    limits: { ...limits, ...given.limits },
  });
  const port = await server.listen('127.0.0.1', 0);
  const sessions: ClientHttp2Session[] = [];
  return {
    server,
    port,
    /** Bytes of messages that are held. */
    held: () => bytes.count,
    connect() {
      const session = connect(`http://127.0.0.1:${port}`);
      session.on('error', () => {});
      sessions.push(session);
      return session;
    },
    async close() {
      for (const session of sessions) session.destroy();
      await server.close();
    },
  };
}

export function frame(message: Uint8Array, flag = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

export function openCall(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): ClientHttp2Stream {
  const own = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request({ ...own, ...headers });
  stream.on('error', () => {});
  return stream;
}

export type Ended = Awaited<ReturnType<typeof endOf>>;

/** How the call ends, whoever ends it; its status of HTTP is 0 where none came. */
export async function endOf(stream: ClientHttp2Stream) {
  let headers: IncomingHttpHeaders = {};
  const parts: Buffer[] = [];
  for (const event of ['response', 'trailers'])
    stream.on(event, (sent: IncomingHttpHeaders) => (headers = { ...headers, ...sent }));
  stream.on('data', (part: Buffer) => parts.push(part));
  await new Promise<void>((resolve) => stream.once('close', () => resolve()));
  const grpcStatus = headers['grpc-status'];
  return {
    status: Number(headers[':status'] ?? 0),
    grpcStatus: grpcStatus === undefined ? undefined : Number(grpcStatus),
    grpcMessage: decodeURIComponent(String(headers['grpc-message'] ?? '')),
    headers,
    body: Buffer.concat(parts),
  };
}
