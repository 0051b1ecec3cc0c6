// Servers that append to a file: a claim is given once the file is synced. Those of Debian (Redis 7.0) can't say when.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import type { Durable, OnlineStore, StoreWriter } from '../../src/online/online-store.ts';
import { openRedisStore } from '../../src/online/redis/redis-store.ts';
import { forEver } from '../support/online-writes.ts';
import { hasRedis, type RedisServerOptions, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';
import { findValkey } from '../support/valkey-program.ts';

if (!hasRedis()) skipBecause('Redis that appends to a file: there is no redis-server on this machine');
const valkey = findValkey('Valkey that appends to a file');

const claimOf = (id: string) => ({ id, writer: 1, offset: 1, payloadHash: 'h' });

/** A server with what claims there survive. */
async function openServer(options: RedisServerOptions, user = '') {
  const server = await startRedis(options);
  if (user !== '') await server.command(`ACL SETUSER app on >secret ~* &* +@all ${user}`);
  const url = user === '' ? server.url : server.url.replace('redis://', 'redis://app:secret@');
  const logged: string[] = [];
  const keep = (level: string) => (fields: object, message: string) =>
    void logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const logger = { ...silentLogger, info: keep('info'), warn: keep('warn') };
  const store: OnlineStore = await openRedisStore(url, { project: 'test', logger });
  const writer: StoreWriter = await store.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode() {} });
  return {
    server,
    writer,
    logged,
    async claim(id: string): Promise<Durable | undefined> {
      let durable: Durable | undefined;
      await writer.claim([claimOf(id)], (_, one) => (durable = one));
      return durable;
    },
    async stop() {
      await writer.close();
      await store.close();
      await server.stop();
    },
  };
}

const EVERY_SECOND = ['--appendonly', 'yes', '--appendfsync', 'everysec'];
const ALWAYS = ['--appendonly', 'yes', '--appendfsync', 'always'];

describe.skipIf(!hasRedis())('the disk has a claim', () => {
  it.each([
    {
      what: 'Redis 7.0 that syncs each write',
      settings: ALWAYS,
      disk: true,
      says: /^info .*appendfsync always.*power cut/,
    },
    {
      what: 'Redis 7.0 that syncs each second, of which it says nothing',
      settings: EVERY_SECOND,
      disk: false,
      says: /^warn .*unknown command.*not a power cut of both.*Redis 7\.2/,
    },
    {
      what: 'Redis 7.0 that refuses CONFIG',
      settings: ALWAYS,
      user: '-config',
      disk: false,
      says: /^warn .*not a power cut of both/,
    },
    { what: 'a server that refuses INFO', settings: ALWAYS, user: '-info', disk: false },
    { what: 'a server without a file', settings: [], disk: false },
  ])(
    'of $what: $disk, and of a file that it says nothing of the log says so once',
    async ({ settings, user, disk, says }) => {
      const { claim, logged, stop } = await openServer({ settings }, user);
      for (const id of ['a', 'b']) expect(await claim(id)).toEqual({ disk, replicas: 0 });
      expect(logged).toEqual(says === undefined ? [] : [expect.stringMatching(says)]);
      await stop();
    },
  );
});

describe.skipIf(valkey === undefined)('on Valkey', () => {
  const program = valkey ?? '';

  it.each([
    { what: 'that syncs each write', settings: ALWAYS },
    { what: 'that syncs each second', settings: EVERY_SECOND },
  ])('$what the disk has a claim when it is given', async ({ settings }) => {
    const { server, claim, stop } = await openServer({ program, settings });
    expect(await claim('a')).toEqual({ disk: true, replicas: 0 });
    expect(await server.command('INFO commandstats')).toContain('cmdstat_waitaof:calls=');
    await stop();
  });

  it('that refuses WAITAOF to this user the log says what a claim survives', async () => {
    const { claim, logged, stop } = await openServer({ program, settings: EVERY_SECOND }, '-waitaof');
    expect(await claim('a')).toEqual({ disk: false, replicas: 0 });
    expect(logged).toEqual([expect.stringMatching(/^warn .*NOPERM.*not a power cut of both/)]);
    await stop();
  });

  describe('whose disk is slow', () => {
    const folder = mkdtempSync(join(tmpdir(), 'headrace-slow-disk-'));
    const [library, held] = [join(folder, 'held-syncs.so'), join(folder, 'held')];
    const source = fileURLToPath(new URL('../support/held-syncs.c', import.meta.url));
    const isCompiled = spawnSync('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl']).status === 0;
    if (!isCompiled) skipBecause('claims on a slow disk: no C compiler (cc) to make one with');
    let opened: Awaited<ReturnType<typeof openServer>>;
    beforeAll(async () => {
      if (!isCompiled) return;
      opened = await openServer({ program, settings: EVERY_SECOND, env: { LD_PRELOAD: library, HELD_SYNCS: held } });
    });
    afterAll(async () => {
      rmSync(folder, { recursive: true, force: true });
      await opened?.stop();
    });

    it.skipIf(!isCompiled)(
      'gives no claim, however often it is asked, and many once it is quick, in few waits',
      async () => {
        writeFileSync(held, '');
        const claims = Promise.allSettled(['a', 'b', 'c'].map((id) => opened.claim(id)));
        const slow = {
          reason: { code: 'HR_ONLINE_UNAVAILABLE', message: expect.stringContaining('not synced within 3 s') },
        };
        expect(await claims).toMatchObject([slow, slow, slow]);
        await opened.writer.release([claimOf('a')]);
        rmSync(held);
        const many = await Promise.all(Array.from({ length: 500 }, (_, i) => opened.claim(`many${i}`)));
        expect(new Set(many.map((durable) => durable?.disk))).toEqual(new Set([true]));
        const [, calls] = /cmdstat_waitaof:calls=(\d+)/.exec(await opened.server.command('INFO commandstats')) ?? [];
        expect(Number(calls)).toBeLessThan(60);
      },
    );
  });
});
