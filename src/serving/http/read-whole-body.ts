// Reads a request's body whole, within the bounds of one body and of all: what is too large is refused before it is read where
// the request says how much will come, else as soon as it has come.

import type { IncomingMessage } from 'node:http';
import { cancelled, HeadraceError, toHeadraceError } from '../../core/index.ts';
import type { BodyRoom } from '../bytes-in-flight.ts';

export interface BodyBounds {
  /** Of this body alone. */
  readonly limitBytes: number;
  readonly room: BodyRoom;
}

/** Gives the body, or HR_TOO_LARGE, HR_OVERLOADED, HR_CANCELLED: then the rest of it is not read. */
export function readWholeBody(
  request: IncomingMessage,
  bounds: BodyBounds,
  done: (failure: HeadraceError | undefined, body: Buffer) => void,
): void {
  const length = request.headers['content-length'];
  const refused = length === undefined ? undefined : takeRoom(bounds, Number(length), Number(length), 'are announced');
  if (refused !== undefined) return done(refused, NOTHING);
  let first: Buffer | undefined;
  let chunks: Buffer[] | undefined;
  let bytes = 0;
  const fail = (failure: HeadraceError): void => {
    request.off('data', add).off('end', finish).off('error', breakOff);
    done(failure, NOTHING);
  };
  const add = (chunk: Buffer): void => {
    if (length === undefined) {
      const failure = takeRoom(bounds, chunk.length, (bytes += chunk.length), 'have come so far');
      if (failure !== undefined) return fail(failure);
    }
    if (first === undefined) first = chunk;
    else (chunks ??= [first]).push(chunk);
  };
  const finish = (): void => done(undefined, chunks === undefined ? (first ?? NOTHING) : Buffer.concat(chunks));
  const breakOff = (): void => fail(cancelled('its body was read'));
  request.on('data', add).once('end', finish).once('error', breakOff);
}

const NOTHING = Buffer.alloc(0);

/** What refuses `more` bytes of a body that has `bytes` with them; `known` says by what. */
function takeRoom(
  { limitBytes, room }: BodyBounds,
  more: number,
  bytes: number,
  known: 'are announced' | 'have come so far',
): HeadraceError | undefined {
  if (bytes > limitBytes)
    return new HeadraceError(
      'HR_TOO_LARGE',
      `the body is over the server’s limit of ${limitBytes} bytes (server.bodyLimit): ${bytes} ${known}. Send fewer rows or shorter values, or raise the limit.`,
    );
  try {
    room.take(more);
    return undefined;
  } catch (thrown) {
    return toHeadraceError(thrown);
  }
}
