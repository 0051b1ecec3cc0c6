// The online stores that tests run on: LMDB always, Redis in the full tier and in the contract.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../src/core/index.ts';
import type { OnlineStore } from '../../src/online/online-store.ts';
import { hasRedis, type RedisServer, type RedisServerOptions, startRedis } from './redis-server.ts';
import { skipBecause } from './skips.ts';
import { isFull } from './tier.ts';

export interface OnlineStoreKind {
  readonly name: 'lmdb' | 'redis';
  /** A fresh place for a store, empty and durable. */
  prepare(): Promise<OnlineStorePlace>;
}

export interface OnlineStorePlace {
  readonly url: string;
  /** Set for Redis. */
  readonly server?: RedisServer;
  open(clock?: Clock, project?: string): Promise<OnlineStore>;
  remove(): Promise<void>;
}

/** Greater than any test needs; address space, not disk. */
const MAP_SIZE_BYTES = 4 * 1024 ** 3;

// Each store is loaded when it is opened: a test of one needs nothing of the other.
export const lmdb: OnlineStoreKind = {
  name: 'lmdb',
  async prepare() {
    const path = mkdtempSync(join(tmpdir(), 'headrace-lmdb-'));
    return {
      url: `lmdb:${path}`,
      async open(clock = systemClock, project = 'test') {
        const { openLmdbStore } = await import('../../src/online/lmdb/lmdb-store.ts');
        return openLmdbStore({ path, project, clock, mapSizeBytes: MAP_SIZE_BYTES });
      },
      remove: async () => rmSync(path, { recursive: true, force: true }),
    };
  },
};

/** On a Redis of the caller's own, at `url`, which `stop` ends; `server` is what its connections lead to. */
export interface OwnRedis extends Pick<RedisServer, 'url' | 'stop'> {
  readonly server?: RedisServer;
}

export function onRedis(start: () => Promise<OwnRedis>): OnlineStoreKind {
  return {
    name: 'redis',
    async prepare() {
      const { url, server, stop } = await start();
      return {
        url,
        ...(server !== undefined && { server }),
        // Redis has a clock of its own.
        async open(_clock, project = 'test') {
          const { openRedisStore } = await import('../../src/online/redis/redis-store.ts');
          return openRedisStore(url, { project });
        },
        remove: stop,
      };
    },
  };
}

/** On a server that is started with these options. */
export const redisWith = (options: RedisServerOptions): OnlineStoreKind =>
  onRedis(async () => {
    const server = await startRedis(options);
    return { url: server.url, server, stop: server.stop };
  });

/** LMDB, and in the full tier Redis: what holds on every store is shown on each by the port's contract. */
export function onlineStoreKinds(): OnlineStoreKind[] {
  return isFull ? everyOnlineStoreKind() : [lmdb];
}

/** Both, in every tier. Says loudly what it leaves out. */
export function everyOnlineStoreKind(): OnlineStoreKind[] {
  if (hasRedis()) return [lmdb, redisWith({ isDurable: true })];
  skipBecause('the online store on Redis: there is no redis-server on this machine');
  return [lmdb];
}
