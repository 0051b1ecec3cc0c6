// An HTTP/1.1 client that costs little: a socket with one request under way, sent as bytes that were made before. It reads
// what Headrace answers with (a status, a content-length, a body) and takes anything else for a broken connection.

import { connect, type Socket } from 'node:net';

/** Stand in the place of a status where there was no answer. */
export const BROKEN = 0;
export const TIMED_OUT = 1;

/** What came: a status, or BROKEN or TIMED_OUT; of an answer that was no 2xx, its text. */
export type Answered = (status: number, text: string | undefined) => void;

export interface Connection {
  readonly isIdle: boolean;
  readonly isClosed: boolean;
  /** performance.now() when the request under way was written. */
  readonly sentMs: number;
  /** Only while idle. `answered` is called once, never before `send` returns. */
  send(request: Buffer, answered: Answered): void;
  /** Gives the request under way up. */
  giveUp(status: typeof BROKEN | typeof TIMED_OUT): void;
  close(): void;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const MOST_TEXT = 500;

export function openConnection(url: URL): Connection {
  const socket: Socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port), noDelay: true });
  let waiting: Answered | undefined;
  let bytes: Buffer = Buffer.alloc(0);
  let [isClosed, sentMs] = [false, 0];

  const finish = (status: number, text: string | undefined): void => {
    const answered = waiting;
    waiting = undefined;
    answered?.(status, text);
  };
  const end = (status: typeof BROKEN | typeof TIMED_OUT, why: string): void => {
    if (isClosed) return;
    isClosed = true;
    socket.destroy();
    finish(status, why);
  };

  socket.on('data', (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const headEnd = bytes.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = bytes.toString('latin1', 0, headEnd);
    const status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? (status === 204 ? '0' : undefined);
    if (length === undefined) return end(BROKEN, 'an answer without content-length');
    const total = headEnd + HEAD_END.length + Number(length);
    if (bytes.length < total) return;
    // One answer to one request: there is nothing behind it.
    if (bytes.length > total || waiting === undefined) return end(BROKEN, 'more than one answer to a request');
    const isGood = status >= 200 && status < 300;
    const text = isGood ? undefined : bytes.toString('utf8', headEnd + HEAD_END.length).slice(0, MOST_TEXT);
    bytes = Buffer.alloc(0);
    if (/\r\nconnection: *close/i.test(head)) {
      isClosed = true;
      socket.destroy();
    }
    finish(status, text);
  });
  socket.on('error', (error) => end(BROKEN, error.message));
  socket.on('close', () => end(BROKEN, 'the connection was closed'));

  return {
    get isIdle() {
      return waiting === undefined && !isClosed;
    },
    get isClosed() {
      return isClosed;
    },
    get sentMs() {
      return sentMs;
    },
    send(request, answered) {
      waiting = answered;
      sentMs = performance.now();
      socket.write(request);
    },
    giveUp: (status) => end(status, 'no answer in time'),
    close() {
      isClosed = true;
      socket.destroy();
    },
  };
}

/** A request as bytes. */
export function toBytes(
  url: URL,
  request: {
    readonly method: string;
    readonly path: string;
    readonly body?: string;
    readonly timeoutMs?: number;
  },
): Buffer {
  const { method, path, body = '', timeoutMs } = request;
  const deadline = timeoutMs === undefined ? '' : `x-request-timeout-ms: ${timeoutMs}\r\n`;
  const content = body === '' ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: ${url.host}\r\n${deadline}${content}\r\n${body}`);
}
