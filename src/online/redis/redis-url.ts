// What a Redis URL says: where the servers are, whether they are a cluster, and who to be there.

import { HeadraceError } from '../../core/index.ts';
import type { RedisLogin } from './resp/greeting.ts';

export interface RedisAddress {
  /** Hosts and ports, for messages: no message holds the URL, which may carry a password. */
  readonly label: string;
  readonly isCluster: boolean;
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly login: RedisLogin;
}

/** Reads `redis[s]://[user:password@]host[:port][/db]` or `redis[s]+cluster://[user:password@]host:port,host:port`. */
export function parseRedisUrl(url: string): RedisAddress {
  const match = /^redis(s?)(\+cluster)?:\/\/(?:([^@/]*)@)?([^/?@]+)(?:\/(\d*))?$/.exec(url);
  if (match === null) throw badUrl();
  const [, tls, cluster, login = '', hosts = '', database] = match;
  if (cluster !== undefined && database) throw badUrl();
  const nodes = hosts.split(',').map((text) => {
    const host = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(text);
    if (host === null) throw badUrl();
    return { host: host[1] ?? host[2] ?? '', port: Number(host[3] ?? 6379) };
  });
  if (cluster === undefined && nodes.length > 1) throw badUrl();
  // A password may hold colons: only the first ends the user's name.
  const colon = login.indexOf(':');
  const username = decode(colon < 0 ? login : login.slice(0, colon));
  const password = colon < 0 ? '' : decode(login.slice(colon + 1));
  return {
    label: nodes.map((node) => `${node.host}:${node.port}`).join(','),
    isCluster: cluster !== undefined,
    nodes,
    login: {
      isTls: tls === 's',
      username: username === '' ? undefined : username,
      password: password === '' ? undefined : password,
      database: database ? Number(database) : undefined,
    },
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badUrl();
  }
}

// The URL itself is not repeated: it may hold a password.
function badUrl(): HeadraceError {
  return new HeadraceError(
    'HR_CONFIG',
    'the online store’s URL is not of the form redis[s]://[user:password@]host[:port][/db] or redis[s]+cluster://[user:password@]host:port,host:port',
  );
}
