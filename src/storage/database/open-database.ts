// Opens a database by its URL's scheme.

import { existsSync } from 'node:fs';
import { HeadraceError } from '../../core/index.ts';
import { withoutPassword } from '../without-password.ts';
import type { Database } from './database.ts';
import { onlyRead } from './only-read.ts';
import { openSqlite } from './sqlite/open-sqlite.ts';

/** What a database is opened for: where it is `read`, nothing is made or changed, neither rows nor tables. */
export type DatabaseAccess = 'read' | 'write';

/** `sqlite:PATH`, `sqlite::memory:` or `postgres://…`. Throws HR_CONFIG, HR_STORAGE_UNAVAILABLE. */
export async function openDatabase(
  url: string,
  { access = 'write' }: { readonly access?: DatabaseAccess } = {},
): Promise<Database> {
  if (access === 'write') return open(url);
  const openEmpty = (): Promise<Database> => openSqlite(':memory:');
  const isNew = /^sqlite:./.test(url) && !existsSync(url.slice('sqlite:'.length));
  return onlyRead(isNew ? await openEmpty() : await open(url), openEmpty);
}

async function open(url: string): Promise<Database> {
  if (url.startsWith('sqlite:') && url.length > 'sqlite:'.length) return openSqlite(url.slice('sqlite:'.length));
  if (/^postgres(ql)?:\/\//.test(url)) {
    // Loaded when first needed: an embedded registry has no use for the client.
    const { openPostgres } = await import('./postgres/open-postgres.ts');
    return openPostgres(url);
  }
  const known = '"sqlite:PATH" or "postgres://USER:PASSWORD@HOST/DATABASE"';
  const sentence = `a database URL is ${known}, got "${withoutPassword(url)}"`;
  throw new HeadraceError('HR_CONFIG', sentence);
}
