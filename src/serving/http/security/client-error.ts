// Requests that never came to a route: what is no HTTP, headers that are too large, what did not arrive in time. The parser
// found them, so the answer is written to the socket, behind those of the requests before.

import type { Socket } from 'node:net';
import { HeadraceError } from '../../../core/index.ts';
import { newestRequest, responseInTurn } from '../node-socket.ts';
import { hasOwnTime } from '../own-time.ts';
import { PROBLEM_TYPE, toProblem } from '../problem.ts';

/** How long a client may take to read the answer and close: then it is closed without it. */
const CLOSE_MS = 500;

/** The parser fails again with whatever comes after a failure. */
const failed = new WeakSet<Socket>();

/**
 * For node:http's `clientError`. `bodyTimeoutMs` is the time in which a request has to arrive, and in which answers that are
 * under way have to be read: then the connection is closed without them.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket, bodyTimeoutMs: number): void {
  if (error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && hasOwnTime(socket)) return;
  if (failed.has(socket)) return;
  failed.add(socket);
  const limit = setTimeout(() => socket.destroy(), bodyTimeoutMs).unref();
  socket.once('close', () => clearTimeout(limit));
  closeBehindAnswers(socket, () => answerOf(describe(error.code, bodyTimeoutMs)));
}

function closeBehindAnswers(socket: Socket, answer: () => string): void {
  // The answer before was the connection's last.
  if (!socket.writable) return;
  const running = responseInTurn(socket);
  const newest = newestRequest(socket);
  const unfinished = newest?.complete === false ? newest : undefined;
  if (running !== undefined && (running.req !== unfinished || running.headersSent)) {
    running.once('close', () => closeBehindAnswers(socket, answer));
    return;
  }
  const isAnswered = unfinished !== undefined && running === undefined;
  socket.end(isAnswered ? '' : answer(), () => {
    // A client that does not close would keep its socket.
    setTimeout(() => socket.destroy(), CLOSE_MS).unref();
  });
}

function answerOf(error: HeadraceError): string {
  const problem = toProblem(error);
  const body = JSON.stringify(problem);
  const head = `HTTP/1.1 ${problem.status} ${problem.status === 413 ? 'Payload Too Large' : 'Bad Request'}`;
  const length = `content-length: ${Buffer.byteLength(body)}`;
  return `${head}\r\ncontent-type: ${PROBLEM_TYPE}\r\n${length}\r\nconnection: close\r\n\r\n${body}`;
}

function describe(code: string | undefined, bodyTimeoutMs: number): HeadraceError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new HeadraceError('HR_TOO_LARGE', 'the headers are over 16 KB; send fewer or shorter ones.');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const sentence = `the request did not arrive within ${bodyTimeoutMs} ms (server.bodyTimeoutMs). Send it again, or fewer rows.`;
    return new HeadraceError('HR_INVALID', sentence);
  }
  return new HeadraceError('HR_INVALID', 'the request is not HTTP/1.1 as it should be.');
}
