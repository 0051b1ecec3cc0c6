// Opens a database by its URL's scheme.

import { HeadraceError } from '../../core/index.ts';
import { withoutPassword } from '../without-password.ts';
import type { Database } from './database.ts';
import { openSqlite } from './sqlite/open-sqlite.ts';

/** `sqlite:PATH`, `sqlite::memory:` or `postgres://…`. Throws HR_CONFIG, HR_STORAGE_UNAVAILABLE. */
export async function openDatabase(url: string): Promise<Database> {
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
