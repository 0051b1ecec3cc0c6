// Requests that never came to a route: what is no HTTP, headers that are too large, what did not arrive in time. The parser
// found them, so the answer is written to the socket.

import type { Socket } from 'node:net';
import { HeadraceError } from '../../../core/index.ts';
import { PROBLEM_TYPE, toProblem } from '../problem.ts';

/** How long a client may take to read the answer and close: then it is closed without it. */
const CLOSE_MS = 500;

/** For node:http's `clientError`. `bodyTimeoutMs` is the time in which a request has to arrive. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket, bodyTimeoutMs: number): void {
  // Into an answer that has begun nothing else can be written. node:http itself asks this the same way.
  const { _httpMessage: running } = socket as Socket & {
    readonly _httpMessage?: { readonly headersSent: boolean } | null;
  };
  if (error.code === 'ECONNRESET' || !socket.writable || running?.headersSent === true) {
    socket.destroy();
    return;
  }
  const problem = toProblem(describe(error.code, bodyTimeoutMs));
  const body = JSON.stringify(problem);
  const head = `HTTP/1.1 ${problem.status} ${problem.status === 413 ? 'Payload Too Large' : 'Bad Request'}`;
  const length = `content-length: ${Buffer.byteLength(body)}`;
  socket.end(`${head}\r\ncontent-type: ${PROBLEM_TYPE}\r\n${length}\r\nconnection: close\r\n\r\n${body}`);
  // A client that neither reads nor closes would keep its socket.
  setTimeout(() => socket.destroy(), CLOSE_MS).unref();
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
