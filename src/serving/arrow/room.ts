// How much the values of a body may come to: dictionaries, views and nulls let a few bytes stand for many, and what reads the
// values would pay for each.

import { HeadraceError } from '../../core/index.ts';

export interface Room {
  /** Throws HR_TOO_LARGE where so many more bytes are past the limit. */
  take(bytes: number): void;
}

export function createRoom(limitBytes: number): Room {
  let left = limitBytes;
  return {
    take(bytes) {
      left -= bytes;
      if (left >= 0) return;
      throw new HeadraceError(
        'HR_TOO_LARGE',
        `the values of the body come to more than the server’s limit of ${limitBytes} bytes (server.bodyLimit). Send fewer rows.`,
      );
    },
  };
}
