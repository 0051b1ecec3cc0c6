// The Redis protocol as bytes: whatever is written is read again, however the bytes are cut.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { CommandBuffer, encodeHead } from '../../src/online/redis/resp/command-buffer.ts';
import { createPending } from '../../src/online/redis/resp/pending.ts';
import { type Reply, readReply, RedisReplyError } from '../../src/online/redis/resp/reply.ts';
import { createReplyFramer } from '../../src/online/redis/resp/reply-framer.ts';
import { runs } from '../support/tier.ts';

/** A plain writer of the protocol, to hold the reader against. */
function encode(reply: Reply): Buffer {
  if (reply === null) return Buffer.from('$-1\r\n');
  if (typeof reply === 'number') return Buffer.from(`:${reply}\r\n`);
  if (typeof reply === 'string') return Buffer.from(`+${reply}\r\n`);
  if (reply instanceof RedisReplyError) return Buffer.from(`-${reply.message}\r\n`);
  if (Buffer.isBuffer(reply)) return Buffer.concat([Buffer.from(`$${reply.length}\r\n`), reply, Buffer.from('\r\n')]);
  return Buffer.concat([Buffer.from(`*${reply.length}\r\n`), ...reply.map(encode)]);
}

const line = fc.string({ maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, ' '));
const { reply } = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.integer(),
    line,
    line.map((text) => new RedisReplyError(`ERR ${text}`)),
    fc.constant(null),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.uint8Array({ minLength: 900, maxLength: 3000, size: 'max' }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie('reply'), { maxLength: 5 }),
  ),
}));

/** Cuts at fractions of the length. */
function cut(bytes: Buffer, fractions: readonly number[]): Buffer[] {
  const at = [
    0,
    ...fractions.map((fraction) => Math.floor(fraction * bytes.length)).sort((a, b) => a - b),
    bytes.length,
  ];
  // Copies: a socket's chunks do not lie side by side.
  return at.slice(1).map((to, index) => Buffer.from(bytes.subarray(at[index], to)));
}

describe('replies', () => {
  it('come whole and in order however the bytes are cut, and stay as they were', () => {
    const fraction = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 12 }), fc.array(fraction, { maxLength: 30 }), (replies, fractions) => {
        const found: Reply[] = [];
        const framer = createReplyFramer((bytes, start) => void found.push(readReply(bytes, start)));
        for (const chunk of cut(Buffer.concat(replies.map(encode)), fractions)) framer.push(chunk);
        expect(found).toEqual(replies);
      }),
      { numRuns: runs(300) },
    );
  });

  it('come one byte at a time too', () => {
    const replies: Reply[] = [
      [Buffer.from('a\r\nb'), [null, -7, []], 'OK'],
      new RedisReplyError('ERR no'),
      Buffer.alloc(0),
    ];
    const found: Reply[] = [];
    const framer = createReplyFramer((bytes, start) => void found.push(readReply(bytes, start)));
    for (const byte of Buffer.concat(replies.map(encode))) framer.push(Buffer.of(byte));
    expect(found).toEqual(replies);
  });

  it('of many megabytes in thousands of pieces are gathered without copying them again and again', () => {
    const large: Reply = [Buffer.alloc(8_000_000, 1), ...Array.from({ length: 100_000 }, (_, index) => index)];
    const bytes = encode(large);
    let found: Reply = null;
    const framer = createReplyFramer((at, start) => {
      found = readReply(at, start);
    });
    const copied = vi.spyOn(Buffer.prototype, 'copy');
    onTestFinished(() => copied.mockRestore());
    for (let at = 0; at < bytes.length; at += 2000) framer.push(bytes.subarray(at, at + 2000));
    const bytesCopied = copied.mock.results.reduce((sum, { value }) => sum + Number(value), 0);
    expect(bytesCopied).toBeGreaterThanOrEqual(bytes.length - 2000);
    expect(bytesCopied).toBeLessThan(4 * bytes.length);
    expect((found as unknown as readonly Reply[]).length).toBe(100_001);
  });

  it('that are no Redis protocol are refused', () => {
    for (const text of ['HTTP/1.1 400 Bad Request\r\n', '$x\r\n', '*1a\r\n', `+${'x'.repeat(70_000)}`]) {
      const framer = createReplyFramer(() => {});
      expect(() => framer.push(Buffer.from(text))).toThrow('does not speak the Redis protocol');
    }
  });

  it('say the code of an error', () => {
    expect(new RedisReplyError('MOVED 3999 127.0.0.1:6381').code).toBe('MOVED');
  });
});

describe('commands', () => {
  it('are read again as the words that were written', () => {
    const word = fc.oneof(fc.string(), fc.integer(), fc.uint8Array({ maxLength: 60 }));
    fc.assert(
      fc.property(fc.array(fc.array(word, { minLength: 1, maxLength: 120 }), { maxLength: 8 }), (commands) => {
        const out = new CommandBuffer(Buffer.allocUnsafeSlow(8));
        for (const words of commands) out.words(...words);
        const found: Reply[] = [];
        createReplyFramer((bytes, start) => void found.push(readReply(bytes, start))).push(out.take().written);
        const expected = commands.map((words) =>
          words.map((one) => Buffer.from(typeof one === 'object' ? one : String(one))),
        );
        expect(found).toEqual(expected);
      }),
    );
  });

  it('may be encoded before', () => {
    const out = new CommandBuffer();
    out.raw(encodeHead(2, 'HGETALL'));
    out.text('né');
    expect(readReply(out.take().written, 0)).toEqual([Buffer.from('HGETALL'), Buffer.from('né')]);
  });
});

describe('what is pending', () => {
  it('is answered in order, each with its own replies, and counts its bytes until then', async () => {
    const pending = createPending(() => 0);
    const seen: string[] = [];
    const asked = [1, 3, 2].map((count, ask) =>
      pending.add(count, 10, (_, start, index) => void seen.push(`${ask}.${index}=${start}`)),
    );
    expect(pending.unacknowledgedBytes).toBe(30);
    for (let reply = 0; reply < 4; reply++) pending.answer(Buffer.of(), reply);
    await Promise.all(asked.slice(0, 2));
    expect(seen).toEqual(['0.0=0', '1.0=1', '1.1=2', '1.2=3']);
    expect(pending.unacknowledgedBytes).toBe(10);
    pending.failAll(new Error('gone'));
    await expect(asked[2]).rejects.toThrow('gone');
    expect(pending.oldestMs).toBeUndefined();
    expect(() => pending.answer(Buffer.of(), 0)).toThrow('what nobody asked');
  });

  it('fails by what its reader throws, and what comes after it is answered all the same', async () => {
    const pending = createPending(() => 0);
    const failing = pending.add(2, 1, () => {
      throw new RangeError('mine');
    });
    const fine = pending.add(1, 1, undefined);
    for (let reply = 0; reply < 3; reply++) pending.answer(Buffer.of(), 0);
    await expect(failing).rejects.toThrow('mine');
    await fine;
  });

  it('lets go of an answer at once, however many are still asked behind it', async () => {
    setFlagsFromString('--expose_gc');
    const collect = runInNewContext('gc') as () => void;
    const pending = createPending(() => 0);
    const askFor = (answer: object) => {
      void pending.add(1, 1, () => void Object.keys(answer));
      return new WeakRef(answer);
    };
    const answer = askFor({ large: Buffer.alloc(10) });
    pending.add(1, 1, undefined).catch(() => {});
    pending.answer(Buffer.of(), 0);
    // A WeakRef holds on until the turn is over.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(answer.deref()).toBeUndefined();
    pending.failAll(new Error('done'));
  });
});
