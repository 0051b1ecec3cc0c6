// The one script: replaces a record if its version is still the one that was read. It runs inside Redis, so nothing
// can come between the look and the write.

import { createHash } from 'node:crypto';

/**
 * KEYS[1] the entity's hash; ARGV: field, log field, expected version (8 bytes, or empty for none), new value (empty
 * removes), new log (empty removes), when it may be forgotten in Unix milliseconds (empty is never).
 * Gives 1 when written, 0 when the version was another. The hash lives as long as its longest-lived field.
 */
export const COMPARE_AND_SET = `
local current = redis.call('HGET', KEYS[1], ARGV[1])
local version = ''
if current then version = string.sub(current, 1, 8) end
if version ~= ARGV[3] then return 0 end
local ttl = redis.call('PTTL', KEYS[1])
if ARGV[4] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[4]) end
if ARGV[5] == '' then redis.call('HDEL', KEYS[1], ARGV[2]) else redis.call('HSET', KEYS[1], ARGV[2], ARGV[5]) end
if ARGV[4] == '' then return 1 end
if ARGV[6] == '' then
  redis.call('PERSIST', KEYS[1])
elseif ttl ~= -1 then
  local time = redis.call('TIME')
  local left = tonumber(ARGV[6]) - (time[1] * 1000 + math.floor(time[2] / 1000))
  if left > ttl then redis.call('PEXPIREAT', KEYS[1], ARGV[6]) end
end
return 1
`;

export const COMPARE_AND_SET_SHA = createHash('sha1').update(COMPARE_AND_SET).digest('hex');
