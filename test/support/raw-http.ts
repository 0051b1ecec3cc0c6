// HTTP as bytes on a socket, for what no client would send.

import { connect, type Socket } from 'node:net';

export type RawAnswer = Awaited<ReturnType<typeof rawHttp>>;

/** Writes `parts` and reads until the server closes or has said nothing for `quietMs`; the status is 0 where there was none. */
export async function rawHttp(
  url: string,
  parts: readonly (string | Uint8Array)[],
  options: { readonly quietMs?: number; readonly limitMs?: number; readonly halfClose?: boolean } = {},
) {
  const { quietMs, limitMs = 10_000, halfClose = false } = options;
  const startMs = performance.now();
  const { socket, closed, text } = await openRaw(url);
  for (const part of parts) socket.write(part);
  if (halfClose) socket.end();
  let quiet: NodeJS.Timeout | undefined;
  let limit: NodeJS.Timeout | undefined;
  const waited = new Promise<false>((resolve) => {
    limit = setTimeout(resolve, limitMs, false);
    socket.on('data', () => {
      clearTimeout(quiet);
      if (quietMs !== undefined) quiet = setTimeout(resolve, quietMs, false);
    });
  });
  const isClosed = await Promise.race([closed.then(() => true), waited]);
  for (const timer of [limit, quiet]) clearTimeout(timer);
  socket.destroy();
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text())?.[1] ?? 0);
  return { text: text(), status, isClosed, tookMs: performance.now() - startMs };
}

export interface RawSocket {
  readonly socket: Socket;
  readonly text: () => string;
  /** Resolves when the server has closed its side, or the connection broke. */
  readonly closed: Promise<void>;
}

/** A connection that stays half open when the server closes its side, as a hostile one would. */
export function openRaw(url: string): Promise<RawSocket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), allowHalfOpen: true });
    socket.setEncoding('utf8').on('data', (part: string) => (text += part));
    const closed = new Promise<void>((done) => {
      socket.once('end', () => done());
      socket.once('close', () => done());
    });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.on('error', () => {});
      resolve({ socket, text: () => text, closed });
    });
  });
}

/** A request with a JSON body; `headers` are whole lines. */
export function request(method: string, path: string, headers: readonly string[], body?: string): string {
  const own =
    body === undefined ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`];
  return [`${method} ${path} HTTP/1.1`, ...headers, ...own, 'Connection: close', '', body ?? ''].join('\r\n');
}
