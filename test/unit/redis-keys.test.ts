// Keys, fields and slots: what is written is found again, on the node that Redis itself would look at.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EncodedKey } from '../../src/core/index.ts';
import { slotOfKey, tagOfSlot } from '../../src/online/redis/cluster/slots.ts';
import { createRecordKeys, partField, readPartId } from '../../src/online/redis/record-keys.ts';
import { parseRedisUrl } from '../../src/online/redis/redis-url.ts';
import { CommandBuffer } from '../../src/online/redis/resp/command-buffer.ts';
import { readReply } from '../../src/online/redis/resp/reply.ts';

// Branding: any bytes do here.
const anyKey = fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes as EncodedKey);

describe('keys', () => {
  it('hold project, entity and key, and give the key back', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), anyKey, (project, entity, key) => {
        fc.pre(project.isWellFormed() && entity.isWellFormed());
        const keys = createRecordKeys(project);
        const out = new CommandBuffer(Buffer.allocUnsafeSlow(1));
        keys.writeKey(out, entity, key);
        const hash = readReply(out.take().written, 0) as Buffer;
        const names = [project, entity].map(encodeURIComponent).join(':');
        expect(hash.toString()).toBe(`hr:{${names}:${Buffer.from(key).toString('base64url')}}`);
        expect(Buffer.from(keys.entityKeyOf(hash, entity)).equals(key)).toBe(true);
        expect(keys.slotOf(entity, key)).toBe(slotOfKey(hash));
      }),
    );
  });
});

describe('parts’ fields', () => {
  it('give their part back', () => {
    const number = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const boundary = fc.oneof(fc.constant(-Infinity), fc.integer({ min: -(2 ** 53), max: 2 ** 53 }));
    fc.assert(
      fc.property(number, number, boundary, (writer, cut, at) => {
        const field = Buffer.from(partField('v@1', { writer, cut, boundary: at }));
        expect(readPartId(field, 'v@1|'.length, field.length)).toEqual({ writer, cut, boundary: at });
      }),
    );
  });
});

// The expected numbers are those of CLUSTER KEYSLOT on Redis 7.0.
describe('slots', () => {
  it('are Redis’ own', () => {
    expect(slotOfKey('123456789')).toBe(0x31c3);
    expect(slotOfKey('foo')).toBe(12_182);
    expect(slotOfKey('{user1000}.following')).toBe(slotOfKey('{user1000}.followers'));
    expect(slotOfKey('foo{}{bar}')).toBe(8363);
    expect(slotOfKey('foo{bar}{zap}')).toBe(slotOfKey('bar'));
    expect(slotOfKey('')).toBe(0);
  });

  it('have tags', () => {
    for (const slot of [0, 1, 5461, 10_923, 16_383]) expect(slotOfKey(`hr:mark:{${tagOfSlot(slot)}}:p:v`)).toBe(slot);
  });
});

const login = { isTls: false, username: undefined, password: undefined, database: undefined };
const local = [{ host: 'localhost', port: 6379 }];

describe('a Redis URL', () => {
  it.each([
    ['redis://localhost', { isCluster: false, nodes: local, login }],
    ['redis://localhost:7000/3', { nodes: [{ host: 'localhost', port: 7000 }], login: { ...login, database: 3 } }],
    ['redis://[::1]:7000', { nodes: [{ host: '::1', port: 7000 }] }],
    ['redis://:secret@localhost', { login: { ...login, password: 'secret' } }],
    ['redis://me@localhost', { login: { ...login, username: 'me' } }],
    ['redis://me:a:b::c@localhost', { login: { ...login, username: 'me', password: 'a:b::c' } }],
    ['redis://me:a%40b%2Fc%3Ad@localhost', { login: { ...login, username: 'me', password: 'a@b/c:d' } }],
    ['rediss://localhost', { isCluster: false, login: { ...login, isTls: true } }],
    [
      'redis+cluster://:s:t@a:1,b:2,[::1]',
      {
        isCluster: true,
        label: 'a:1,b:2,::1:6379',
        nodes: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
          { host: '::1', port: 6379 },
        ],
        login: { ...login, password: 's:t' },
      },
    ],
    ['rediss+cluster://a:1,b:2', { isCluster: true, login: { ...login, isTls: true } }],
  ])('%s is read', (url, expected) => {
    expect(parseRedisUrl(url)).toMatchObject(expected);
  });

  it.each([
    'redis://me:s3cret@host:port:1',
    'redis://me:s3cret@a:1,b:2',
    'redis+cluster://me:s3cret@a:1/2',
    'redis://me:s3cret%zz@host',
    'redis://me:s3cret@host/name',
    'redis://',
  ])('%s is refused without its password', (url) => {
    expect(() => parseRedisUrl(url)).toThrow(
      expect.objectContaining({ code: 'HR_CONFIG', message: expect.not.stringContaining('s3cret') }),
    );
  });
});
