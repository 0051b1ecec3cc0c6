// The scripts that run inside Redis, where nothing can come between a look and a write.

import { createHash } from 'node:crypto';
import { FIRST_NUMBER, LOG_MARKS } from '../part-number.ts';
import { encodeWord } from './resp/command-buffer.ts';

export interface Script {
  /** `EVALSHA hash` and `EVAL text`, two words each. */
  readonly byHash: Buffer;
  readonly byText: Buffer;
}

function script(text: string): Script {
  const hash = createHash('sha1').update(text).digest('hex');
  return {
    byHash: Buffer.concat([encodeWord('EVALSHA'), encodeWord(hash)]),
    byText: Buffer.concat([encodeWord('EVAL'), encodeWord(text)]),
  };
}

/**
 * KEYS[1] a hash; ARGV: lifetime in milliseconds (empty is for ever), then fields and parts. Writes each part whose
 * number is greater than that of the one there, and which the same log wrote or an earlier holder. Numbers are compared as numbers: Lua compares text by locale. The end of the
 * hash never comes nearer, for another part of it may hold an event that is known only later. Gives which parts, counted from
 * 0, it did not write.
 */
export const PUT_PARTS = script(`
local refused = {}
for i = 2, #ARGV, 2 do
  local old = redis.call('HGET', KEYS[1], ARGV[i])
  local isGreater = true
  if old then
    local oldHolder, oldNumber = struct.unpack('>I4>I8', old)
    local holder, number = struct.unpack('>I4>I8', ARGV[i + 1])
    if holder == oldHolder then
      local isOther = oldNumber >= ${FIRST_NUMBER} and number >= ${FIRST_NUMBER} and (number - oldNumber) % ${LOG_MARKS} ~= 0
      isGreater = number > oldNumber and not isOther
    else isGreater = holder > oldHolder end
  end
  if isGreater then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) else refused[#refused + 1] = i / 2 - 1 end
end
local lifetime = tonumber(ARGV[1])
if not lifetime then redis.call('PERSIST', KEYS[1])
elseif redis.call('PTTL', KEYS[1]) < lifetime then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return refused
`);

/**
 * KEYS[1] a hash; ARGV: fields and parts. Removes those where no other log wrote the part that is there: bytes 11 and 12 are its
 * mark, and the sixth is less than 16 where it has none.
 */
export const WITHDRAW_PARTS = script(`
for i = 1, #ARGV, 2 do
  local old = redis.call('HGET', KEYS[1], ARGV[i])
  local isOwn = old and (string.byte(old, 6) < 16 or string.sub(old, 11, 12) == string.sub(ARGV[i + 1], 11, 12))
  if isOwn then redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return 1
`);

/**
 * KEYS[1] a hash; ARGV: field and bytes of a base, then fields of the parts that it counts. One or the other alone would
 * lose what was pushed: a Redis that is full refuses to write, and still deletes.
 */
export const PUT_COUNTING_BASE = script(`
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
for i = 3, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
return 1
`);

/**
 * KEYS[1] a claim; ARGV: place and payload hash, or none to claim nothing. Gives place, payload hash and result of the
 * claim that holds. What is found is written again, so that a WAIT behind it waits for this very claim. A place that was
 * given up claims nothing, also by a command that comes late.
 */
export const CLAIM = script(`
local held = redis.call('HGET', KEYS[1], 'place')
if held then
  redis.call('HSET', KEYS[1], 'place', held)
elseif ARGV[1] and redis.call('HEXISTS', KEYS[1], 'void:' .. ARGV[1]) == 0 then
  redis.call('HSET', KEYS[1], 'place', ARGV[1], 'payload', ARGV[2])
  redis.call('PERSIST', KEYS[1])
end
return redis.call('HMGET', KEYS[1], 'place', 'payload', 'result')
`);

/**
 * KEYS[1] a claim; ARGV: place, milliseconds. The place holds it no longer, nor does a claim of it that comes within that
 * time. Where another holds it, none can: a claim outlives every command.
 */
export const RELEASE = script(`
local held = redis.call('HGET', KEYS[1], 'place')
if held == ARGV[1] then redis.call('HDEL', KEYS[1], 'place', 'payload', 'result') end
if not held or held == ARGV[1] then
  redis.call('HSET', KEYS[1], 'void:' .. ARGV[1], '')
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
`);

/** KEYS[1] a claim; ARGV: place, result. */
export const FINISH = script(`
if redis.call('HGET', KEYS[1], 'place') == ARGV[1] then redis.call('HSET', KEYS[1], 'result', ARGV[2]) end
return 1
`);

/** KEYS[1] a claim; ARGV: place, milliseconds. The id may be another's by now, whose cut is still open. */
export const EXPIRE_CLAIM = script(`
if redis.call('HGET', KEYS[1], 'place') == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
`);
