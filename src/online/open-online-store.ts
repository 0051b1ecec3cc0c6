// Opens the online store that a URL names. Adding a store is its folder and one line here.

import { resolve } from 'node:path';
import { type Clock, HeadraceError, type Logger } from '../core/index.ts';
import { openLmdbStore } from './lmdb/lmdb-store.ts';
import { withoutStepsAhead } from './lmdb/step-guard.ts';
import type { OnlineStore } from './online-store.ts';

export interface OnlineStoreOptions {
  readonly project: string;
  readonly clock: Clock;
  /** Told when a store that is reached over the network goes away and comes back. */
  readonly logger?: Logger;
  /** LMDB only: the size past which the store refuses to grow. */
  readonly mapSizeBytes?: number;
  /** Redis only: how many replicas must have a claim; left out, as many as each node had of late. */
  readonly replicas?: number | undefined;
}

/**
 * Opens `lmdb:PATH`, `redis://…`, or `redis+cluster://host:port,host:port` (with TLS: `rediss…`). A Redis that does not answer
 * yet is no error here: each call gives HR_ONLINE_UNAVAILABLE until it does. Throws HR_CONFIG for any other URL.
 */
export async function openOnlineStore(url: string, options: OnlineStoreOptions): Promise<OnlineStore> {
  const scheme = /^([a-z+]+):/.exec(url)?.[1];
  switch (scheme) {
    case 'lmdb': {
      if (options.replicas !== undefined && options.replicas > 0)
        throw new HeadraceError(
          'HR_CONFIG',
          `online.replicas is ${options.replicas}, but an LMDB store lies on one machine and has none; leave it out, or set online.url to a Redis with replicas`,
        );
      const path = resolve(url.slice('lmdb:'.length).replace(/^\/\/(?=\/)/, ''));
      const { nowMicros } = withoutStepsAhead(options.clock);
      return { ...openLmdbStore({ ...options, path }), nowMicros };
    }
    case 'redis':
    case 'rediss':
    case 'redis+cluster':
    case 'rediss+cluster': {
      const { openRedisStore } = await import('./redis/redis-store.ts');
      return openRedisStore(url, options);
    }
    default:
      throw new HeadraceError(
        'HR_CONFIG',
        `the online store's URL starts with "${scheme ?? ''}"; it must start with lmdb:, redis://, rediss://, redis+cluster:// or rediss+cluster://`,
      );
  }
}
