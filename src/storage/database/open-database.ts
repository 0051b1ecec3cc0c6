// Opens a database by its URL's scheme.

import { existsSync } from 'node:fs';
import { sql } from 'kysely';
import { HeadraceError } from '../../core/index.ts';
import { withoutPassword } from '../without-password.ts';
import type { Database, DatabaseAccess, Migration } from './database.ts';
import { isMigrated } from './migrate.ts';
import { onlyRead } from './only-read.ts';
import { openSqlite } from './sqlite/open-sqlite.ts';

/** `sqlite:PATH`, `sqlite::memory:` or `postgres://…`. Throws HR_CONFIG, also where there is none to join, HR_STORAGE_UNAVAILABLE. */
export async function openDatabase(
  url: string,
  { access = 'write', queryTimeoutMs }: OpenDatabaseOptions = {},
): Promise<Database> {
  if (access === 'write') return open(url, access, queryTimeoutMs);
  const isNew = /^sqlite:./.test(url) && !existsSync(url.slice('sqlite:'.length));
  if (access === 'join') {
    if (isNew) throw nothingThere(url);
    return await joined(await open(url, 'write', queryTimeoutMs), url);
  }
  return onlyRead(await open(isNew ? 'sqlite::memory:' : url, access, queryTimeoutMs), openEmpty);
}

export interface OpenDatabaseOptions {
  readonly access?: DatabaseAccess;
  /** When a database over the network that says nothing counts as away. */
  readonly queryTimeoutMs?: number | undefined;
}

/** A file or a database that somebody else has made, or a mistyped one, has no table of ours. */
async function joined(database: Database, url: string): Promise<Database> {
  try {
    if (await isMigrated(database.tables())) return database;
    throw nothingThere(url);
  } catch (thrown) {
    await database.close();
    throw thrown;
  }
}

function nothingThere(url: string): HeadraceError {
  const sentence = `there is no registry at ${withoutPassword(url)}, and this command joins one that is there. Check the place (\`registry.url\`, HEADRACE_REGISTRY_URL); \`headrace apply\` makes one there`;
  return new HeadraceError('HR_CONFIG', sentence);
}

/** An owner's tables as an empty database has them. */
async function openEmpty(owner: string, migrations: readonly Migration[]): Promise<Database> {
  const empty = await openSqlite(':memory:', 'write');
  try {
    await empty.migrate(owner, migrations);
    await sql`pragma query_only = on`.execute(empty.tables());
    return empty;
  } catch (thrown) {
    await empty.close();
    throw thrown;
  }
}

async function open(url: string, access: 'read' | 'write', queryTimeoutMs: number | undefined): Promise<Database> {
  if (url.startsWith('sqlite:') && url.length > 'sqlite:'.length)
    return openSqlite(url.slice('sqlite:'.length), access);
  if (/^postgres(ql)?:\/\//.test(url)) {
    // Loaded when first needed: an embedded registry has no use for the client.
    const { openPostgres } = await import('./postgres/open-postgres.ts');
    return openPostgres(url, access, queryTimeoutMs);
  }
  const known = '"sqlite:PATH" or "postgres://USER:PASSWORD@HOST/DATABASE"';
  const sentence = `a database URL is ${known}, got "${withoutPassword(url)}"`;
  throw new HeadraceError('HR_CONFIG', sentence);
}
