// The HTTP/2 server under the calls: connections and their bounds, listening, an end that drops no call.

import { once } from 'node:events';
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerOptions,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TlsFiles } from '../../http/create-http-server.ts';
import { Call } from './call.ts';
import type { CallParts, OpenCalls } from './call-parts.ts';

export interface GrpcServer {
  /** For certificates that change; it listens to nothing yet. */
  readonly server: Http2Server | Http2SecureServer;
  /** Gives the port. Rejects with what the system says, such as EADDRINUSE. */
  listen(host: string, port: number): Promise<number>;
  /** Takes no more connections and calls; resolves once those that run have ended. A second call gives the same promise. */
  close(): Promise<void>;
  /** Ends every connection at once. */
  cut(): void;
}

export interface ListenOptions extends CallParts {
  /** PEM; undefined: no TLS. */
  readonly tls: TlsFiles | undefined;
  readonly maxConnections: number;
}

const HEADER_LIMIT_BYTES = 16 * 1024;
/** How often what is late is looked for. */
const CHECK_MS = 500;
const HANDSHAKE_MS = 10_000;
/** A peer that went away without a word is found by the system. */
const KEEP_ALIVE_MS = 60_000;
/** What one stream and one connection may have on their way before it is read. */
const STREAM_WINDOW_BYTES = 512 * 1024;
const SESSION_WINDOW_BYTES = 4 * 1024 * 1024;
const SESSION_MEMORY_MB = 64;
/** Calls that clients give up: a client with short deadlines gives up many. */
const RESETS_A_SECOND = 2000;
const RESET_BURST = 20_000;

export function createGrpcServer({ tls, maxConnections, ...parts }: ListenOptions): GrpcServer {
  const { limits, gate } = parts;
  const options: ServerOptions = {
    maxSessionMemory: SESSION_MEMORY_MB,
    streamResetBurst: RESET_BURST,
    streamResetRate: RESETS_A_SECOND,
    settings: {
      maxConcurrentStreams: limits.maxCalls,
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxHeaderListSize: HEADER_LIMIT_BYTES,
      enablePush: false,
    },
  };
  const server =
    tls === undefined
      ? createServer(options)
      : createSecureServer({ ...options, ...tls, handshakeTimeout: HANDSHAKE_MS });
  server.maxConnections = maxConnections;
  const sessions = new Set<ServerHttp2Session>();
  const calls = new Set<Call>();
  const open: OpenCalls = { calls: 0, streams: 0, openStreams: 0 };
  let ticks = 0;
  let closing: Promise<void> | undefined;

  const check = (): void => {
    ticks++;
    const now = performance.now();
    for (const call of calls) {
      call.checkDeadline();
      if (call.dueMs !== undefined && call.dueMs < now) call.late();
      if (call.body === undefined || ticks % 2 === 1) continue;
      // A stream outlives neither the key nor the token that it began with.
      void gate.stillAdmits(call.credentials, call.ip, call.role).then((isAdmitted) => {
        if (!isAdmitted) call.refuse();
      });
    }
  };
  const timer = setInterval(check, CHECK_MS).unref();

  server.on('connection', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
  server.on('session', (session) => {
    sessions.add(session);
    // It was on its way when the listener closed.
    if (closing !== undefined) session.close();
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    // One that never says a word of HTTP/2 holds a connection.
    const silent = setTimeout(() => session.destroy(), limits.bodyTimeoutMs).unref();
    session.once('remoteSettings', () => clearTimeout(silent));
    session.once('close', () => {
      clearTimeout(silent);
      sessions.delete(session);
    });
    // It ends the session, and nothing else.
    session.on('error', () => {});
  });
  server.on('stream', (stream, headers) => {
    const isGrpc = headers[':method'] === 'POST' && IS_GRPC.test(headers['content-type'] ?? '');
    if (!isGrpc) {
      stream.on('error', () => {});
      if (stream.destroyed || stream.closed) return;
      const status = headers[':method'] === 'POST' ? 415 : 405;
      stream.respond({ ':status': status }, { endStream: true });
      if (!stream.readableEnded) stream.close();
      return;
    }
    const ip = stream.session?.socket.remoteAddress ?? '';
    const call = new Call(parts, open, stream, headers, ip);
    open.calls++;
    calls.add(call);
    stream.once('close', () => {
      open.calls--;
      calls.delete(call);
    });
    call.begin();
  });

  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const call of calls) call.body?.stopping();
    for (const session of sessions) session.close();
    await closed;
    clearInterval(timer);
  };
  return {
    server,
    async listen(host, port) {
      server.listen({ host, port });
      await once(server, 'listening');
      // It listens on an address and no path.
      return (server.address() as AddressInfo).port;
    },
    close: () => (closing ??= close()),
    cut() {
      for (const session of sessions) session.destroy();
    },
  };
}

const IS_GRPC = /^application\/grpc(?:$|[+;])/;
