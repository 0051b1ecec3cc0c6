// What a store has forgotten by a later time, without waiting for it.

import type { OnlineStore } from '../../src/online/index.ts';
import type { RedisServer } from './redis-server.ts';

/** Removes what ends within `micros` of `from`; at Redis, which has a clock of its own, of now. */
export async function letTimePass(
  store: OnlineStore,
  server: RedisServer | undefined,
  from: number,
  micros: number,
): Promise<void> {
  if (server === undefined) await store.removeExpired(from + micros);
  else await server.command(`EVAL "${EXPIRE}" 0 ${micros / 1000}`);
}

const EXPIRE = [
  `for _, key in ipairs(redis.call('KEYS', '*')) do`,
  `local left = redis.call('PTTL', key)`,
  `if left >= 0 and left <= tonumber(ARGV[1]) then redis.call('DEL', key) end`,
  `end return 1`,
].join(' ');
