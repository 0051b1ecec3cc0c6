// Reads a request's body whole, within the bounds of one body and of all: what is too large is refused before it is read where
// the request says how much will come, else as soon as it has come.

import type { IncomingMessage } from 'node:http';
import { cancelled, HeadraceError, toHeadraceError } from '../../core/index.ts';
import type { BodyRoom } from '../bytes-in-flight.ts';
import { sendContinue } from './expectations.ts';

export interface BodyBounds {
  /** Of this body alone. */
  readonly limitBytes: number;
  readonly room: BodyRoom;
  /**
   * Where tensors begin in it: an array of any type may begin there where it came in several parts. Undefined for other bodies.
   */
  readonly tensorsAt?: number | undefined;
}

/** Gives the body, or HR_TOO_LARGE, HR_OVERLOADED, HR_CANCELLED: then the rest of it is not read. */
export function readWholeBody(
  request: IncomingMessage,
  bounds: BodyBounds,
  done: (failure: HeadraceError | undefined, body: Buffer) => void,
): void {
  const length = request.headers['content-length'];
  const refused = length === undefined ? undefined : refusal(bounds, Number(length), 'check', Number(length));
  if (refused !== undefined) return done(refused, NOTHING);
  sendContinue(request);
  let first: Buffer | undefined;
  let chunks: Buffer[] | undefined;
  let bytes = 0;
  const fail = (failure: HeadraceError): void => {
    request.off('data', add).off('end', finish).off('error', breakOff);
    done(failure, NOTHING);
  };
  const add = (chunk: Buffer): void => {
    const failure = refusal(bounds, (bytes += chunk.length), 'take', chunk.length);
    if (failure !== undefined) return fail(failure);
    if (first === undefined) first = chunk;
    else (chunks ??= [first]).push(chunk);
  };
  const finish = (): void =>
    done(undefined, chunks === undefined ? (first ?? NOTHING) : joined(chunks, bytes, bounds.tensorsAt));
  const breakOff = (): void => fail(cancelled('its body was read'));
  request.on('data', add).once('end', finish).once('error', breakOff);
}

const NOTHING = Buffer.alloc(0);

function joined(chunks: readonly Buffer[], bytes: number, tensorsAt: number | undefined): Buffer {
  if (tensorsAt === undefined) return Buffer.concat(chunks, bytes);
  const gapBytes = -tensorsAt & (LARGEST_ELEMENT - 1);
  // Shared memory would spare a copy to a model in a thread, and takes longer to get than that copy.
  const memory = Buffer.allocUnsafeSlow(gapBytes + bytes).subarray(gapBytes);
  let at = 0;
  for (const chunk of chunks) {
    memory.set(chunk, at);
    at += chunk.length;
  }
  return memory;
}

/** In bytes: of INT64, UINT64 and FP64. */
const LARGEST_ELEMENT = 8;

/** What refuses a body of `bytes`: its own limit, or that of all bodies where there is no room for `more`. */
function refusal(
  { limitBytes, room }: BodyBounds,
  bytes: number,
  claim: 'check' | 'take',
  more: number,
): HeadraceError | undefined {
  if (bytes > limitBytes)
    return new HeadraceError(
      'HR_TOO_LARGE',
      `the body is over the server’s limit of ${limitBytes} bytes (server.bodyLimit): ${bytes} ${claim === 'check' ? 'are announced' : 'have come so far'}. Send fewer rows or shorter values, or raise the limit.`,
    );
  try {
    room[claim](more);
    return undefined;
  } catch (thrown) {
    return toHeadraceError(thrown);
  }
}
