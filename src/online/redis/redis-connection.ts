// A connection that fails fast and mends itself: a command on a dead link is refused at once instead of queued,
// the link is tried again for ever, and no message of ours holds the URL, which may carry a password.

import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { HeadraceError } from '../../core/index.ts';

export type RedisConnection = Redis | Cluster;

/** A command that takes longer is given up: the request that waits for it has a deadline of about a second. */
const COMMAND_TIMEOUT_MS = 1000;
const CONNECT_TIMEOUT_MS = 2000;
const LONGEST_RETRY_MS = 1000;

export interface RedisAddress {
  /** Host and port, for messages. */
  readonly label: string;
  readonly isCluster: boolean;
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly options: Pick<RedisOptions, 'tls' | 'username' | 'password' | 'db'>;
}

/** Reads `redis[s]://[user:password@]host[:port][/db]` or `redis[s]+cluster://[user:password@]host:port,host:port`. */
export function parseRedisUrl(url: string): RedisAddress {
  const match = /^redis(s?)(\+cluster)?:\/\/(?:([^@/]*)@)?([^/?]+)(?:\/(\d*))?$/.exec(url);
  if (match === null) throw badUrl();
  const [, tls, cluster, login, hosts = '', db] = match;
  const nodes = hosts.split(',').map((text) => {
    const host = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(text);
    if (host === null) throw badUrl();
    return { host: host[1] ?? host[2] ?? '', port: Number(host[3] ?? 6379) };
  });
  const [username, password] = (login ?? '').split(':').map(decodeURIComponent);
  return {
    label: nodes.map((node) => `${node.host}:${node.port}`).join(','),
    isCluster: cluster !== undefined,
    nodes,
    options: {
      ...(tls === 's' ? { tls: {} } : {}),
      ...(username ? { username } : {}),
      ...(password ? { password } : {}),
      ...(db ? { db: Number(db) } : {}),
    },
  };
}

// The URL itself is not repeated: it may hold a password.
function badUrl(): HeadraceError {
  return new HeadraceError(
    'HR_CONFIG',
    'the online store’s URL is not of the form redis://[user:password@]host[:port][/db] or redis+cluster://host:port,host:port',
  );
}

/** Connects, and waits a moment for the link; a server that is down is found out by the first command. */
export async function connectRedis(address: RedisAddress): Promise<RedisConnection> {
  const retry = (times: number): number => Math.min(50 * 2 ** Math.min(times, 10), LONGEST_RETRY_MS);
  const options = {
    ...address.options,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  };
  const [first = { host: '127.0.0.1', port: 6379 }] = address.nodes;
  const connection = address.isCluster
    ? new Cluster([...address.nodes], {
        redisOptions: options,
        enableOfflineQueue: false,
        slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
        clusterRetryStrategy: retry,
      })
    : new Redis({ ...options, ...first, enableOfflineQueue: false, retryStrategy: retry });
  // Every command reports the failure to its caller; without a listener the library would throw it as well.
  connection.on('error', () => {});
  await new Promise<void>((done) => {
    const settle = (): void => {
      clearTimeout(timer);
      connection.off('ready', settle);
      connection.off('close', settle);
      done();
    };
    const timer = setTimeout(settle, CONNECT_TIMEOUT_MS);
    connection.once('ready', settle);
    connection.once('close', settle);
  });
  return connection;
}

/** A Redis error as the catalogue's. */
export function toRedisError(error: unknown, label: string): HeadraceError {
  if (error instanceof HeadraceError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (/^OOM |^MISCONF|No space left/.test(message)) {
    return new HeadraceError(
      'HR_STORAGE_FULL',
      `Redis at ${label} is full (${message}); free memory or disk there and run it again`,
    );
  }
  return new HeadraceError('HR_ONLINE_UNAVAILABLE', `Redis at ${label} did not answer: ${message}`);
}
