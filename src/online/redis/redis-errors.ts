// What goes wrong with Redis as the catalogue's errors.

import { HeadraceError } from '../../core/index.ts';
import { NotDurable } from '../claims.ts';
import { TooFewCopies } from './durable-writes.ts';
import { ConnectionLost } from './resp/connection.ts';
import { RedisReplyError } from './resp/reply.ts';

/** A failure at Redis as the catalogue's; a mistake of ours stays visible as what it is. */
export function toRedisError(error: unknown, label: string): unknown {
  if (error instanceof RedisReplyError) {
    if (/^OOM |^MISCONF|No space left/.test(error.message)) {
      return new HeadraceError(
        'HR_STORAGE_FULL',
        `Redis at ${label} is full (${error.message}); free memory or disk there and run it again`,
      );
    }
    return new HeadraceError('HR_ONLINE_UNAVAILABLE', `Redis at ${label} refused: ${error.message}`);
  }
  if (error instanceof TooFewCopies)
    return new NotDurable(`Redis at ${label} does not keep the claim safely enough: ${error.message}`);
  if (error instanceof ConnectionLost) return unavailable(label, error.message);
  return error;
}

export function unavailable(label: string, why: string): HeadraceError {
  return new HeadraceError('HR_ONLINE_UNAVAILABLE', `Redis at ${label} did not answer: ${why}`);
}
