// The online stores that the contract and the property tests run on: LMDB always, Redis where there is one.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../src/core/index.ts';
import { type OnlineStore, openOnlineStore } from '../../src/online/index.ts';
import { hasRedis, type RedisServer, startRedis } from './redis-server.ts';
import { skipBecause } from './skips.ts';

export interface OnlineStoreKind {
  readonly name: 'lmdb' | 'redis';
  /** A fresh place for a store, empty and durable. */
  prepare(): Promise<OnlineStorePlace>;
}

export interface OnlineStorePlace {
  readonly url: string;
  /** Set for Redis. */
  readonly server?: RedisServer;
  open(clock?: Clock): Promise<OnlineStore>;
  remove(): Promise<void>;
}

const lmdb: OnlineStoreKind = {
  name: 'lmdb',
  async prepare() {
    const folder = mkdtempSync(join(tmpdir(), 'headrace-lmdb-'));
    const url = `lmdb:${folder}`;
    return {
      url,
      open: (clock = systemClock) => openOnlineStore(url, { project: 'test', clock }),
      remove: async () => rmSync(folder, { recursive: true, force: true }),
    };
  },
};

const redis: OnlineStoreKind = {
  name: 'redis',
  async prepare() {
    const server = await startRedis({ isDurable: true });
    return {
      url: server.url,
      server,
      open: (clock = systemClock) => openOnlineStore(server.url, { project: 'test', clock }),
      remove: () => server.stop(),
    };
  },
};

/** Names loudly what it leaves out. */
export function onlineStoreKinds(): OnlineStoreKind[] {
  if (hasRedis()) return [lmdb, redis];
  skipBecause('the online store on Redis: there is no redis-server on this machine');
  return [lmdb];
}
