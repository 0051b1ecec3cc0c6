// What Redis URLs say, and that no error repeats the password in one.

import { describe, expect, it } from 'vitest';
import { parseRedisUrl } from '../../src/online/redis/redis-url.ts';

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
