// How many bytes of request bodies are held at once, read or worked at: past the bound the answer is 429, before more is read.
// What has come counts, and not what was announced: to announce a body and send none costs a client nothing.

import { HeadraceError } from '../core/index.ts';

/** What a body comes over. A socket is one. */
export interface BodyConnection {
  readonly destroyed: boolean;
  once(event: 'close', listener: () => void): unknown;
}

/** A bound on the bytes of all bodies. */
export interface BytesInFlight {
  /** Whether so many more are within the bound. */
  fits(bytes: number): boolean;
  /** Room for one body of the connection, which gives back what it took with its answer, or when the connection is gone. */
  open(connection: BodyConnection): BodyRoom;
  readonly count: number;
}

export interface BodyRoom {
  /** Throws HR_OVERLOADED where so many more would be past the bound now, and takes nothing. */
  check(bytes: number): void;
  /** Throws HR_OVERLOADED past the bound, and has taken nothing then. */
  take(bytes: number): void;
  /** Gives all of it back; again it does nothing. */
  release(): void;
}

/** What one connection's requests hold: several may wait behind each other. */
interface Held {
  bytes: number;
  isGone: boolean;
}

export function createBytesInFlight(maxBytes: number): BytesInFlight {
  let count = 0;
  const byConnection = new WeakMap<BodyConnection, Held>();

  // A listener a connection and not a request: a request behind another on a connection that breaks is told nothing.
  const heldBy = (connection: BodyConnection): Held => {
    let held = byConnection.get(connection);
    if (held === undefined) {
      const own = (held = { bytes: 0, isGone: connection.destroyed });
      byConnection.set(connection, own);
      connection.once('close', () => {
        count -= own.bytes;
        own.bytes = 0;
        own.isGone = true;
      });
    }
    return held;
  };

  const check = (bytes: number): void => {
    if (count + bytes <= maxBytes) return;
    const sentence = `the bodies of running requests hold ${count} bytes, and a worker takes ${maxBytes} (server.maxInFlightBytes). Retry after a second.`;
    throw new HeadraceError('HR_OVERLOADED', sentence);
  };

  return {
    fits: (bytes) => count + bytes <= maxBytes,
    open(connection) {
      const held = heldBy(connection);
      let own = 0;
      return {
        check,
        take(bytes) {
          check(bytes);
          if (held.isGone) return;
          own += bytes;
          held.bytes += bytes;
          count += bytes;
        },
        release() {
          if (!held.isGone) {
            held.bytes -= own;
            count -= own;
          }
          own = 0;
        },
      };
    },
    get count() {
      return count;
    },
  };
}
