// The transport of gRPC alone, with methods of the test's own, and calls as bytes over node:http2: what no client would send.

import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import { type Logger, silentLogger, systemClock } from '../../src/core/index.ts';
import { createBytesInFlight } from '../../src/serving/index.ts';
import type { Tracing } from '../../src/monitoring/index.ts';
import { createRequestLog, type LoggedRequests } from '../../src/serving/http/request-log.ts';
import { createGate, type Gate } from '../../src/serving/http/security/gate.ts';
import type { CallLimits } from '../../src/serving/grpc/transport/call-parts.ts';
import { createGrpcServer, type GrpcServer } from '../../src/serving/grpc/transport/listen-grpc.ts';
import type { Methods } from '../../src/serving/grpc/transport/method.ts';

export interface Transport {
  readonly server: GrpcServer;
  readonly port: number;
  /** Bytes of messages that are held. */
  held(): number;
  connect(): ClientHttp2Session;
  close(): Promise<void>;
}

export async function openTransport(
  methods: Methods,
  given: {
    readonly limits?: Partial<CallLimits>;
    readonly maxConnections?: number;
    readonly logger?: Logger;
    readonly loggedRequests?: LoggedRequests;
    readonly maxBytes?: number;
    readonly tracing?: Tracing;
    /** How callers are identified, by how the gate does it. */
    readonly identify?: (own: Gate['identify']) => Gate['identify'];
  } = {},
): Promise<Transport> {
  const { logger = silentLogger, loggedRequests = 'errors' } = given;
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
  const server = createGrpcServer({
    methods,
    gate: given.identify === undefined ? gate : { ...gate, identify: given.identify(gate.identify) },
    bytes,
    refused: { note() {} },
    log: createRequestLog(logger, loggedRequests, () => {}),
    logger,
    loggedRequests,
    tracing: given.tracing,
    requestId: (asked) => asked ?? `r${lastId++}`,
    tls: undefined,
    maxConnections: given.maxConnections ?? 100,
    limits: {
      bodyLimitBytes: 100_000,
      bodyTimeoutMs: 400,
      requestTimeoutMs: 1000,
      maxCalls: 50,
      maxStreams: 3,
      ...given.limits,
    },
  });
  const port = await server.listen('127.0.0.1', 0);
  const sessions: ClientHttp2Session[] = [];
  return {
    server,
    port,
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

export interface Ended {
  /** HTTP's; 0 where none came. */
  readonly status: number;
  readonly grpcStatus: number | undefined;
  readonly grpcMessage: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A message of gRPC as it goes over the wire. */
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
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => {});
  return stream;
}

/** How the call ends, whoever ends it. */
export async function endOf(stream: ClientHttp2Stream): Promise<Ended> {
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  const parts: Buffer[] = [];
  stream.on('response', (sent) => (headers = sent));
  stream.on('trailers', (sent: IncomingHttpHeaders) => (trailers = sent));
  stream.on('data', (part: Buffer) => parts.push(part));
  await new Promise<void>((resolve) => stream.once('close', () => resolve()));
  const grpcStatus = trailers['grpc-status'] ?? headers['grpc-status'];
  return {
    status: Number(headers[':status'] ?? 0),
    grpcStatus: grpcStatus === undefined ? undefined : Number(grpcStatus),
    grpcMessage: decodeURIComponent(String(trailers['grpc-message'] ?? headers['grpc-message'] ?? '')),
    headers: { ...headers, ...trailers },
    body: Buffer.concat(parts),
  };
}
