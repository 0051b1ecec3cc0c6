// DuckDB's extensions: from the folder that the user names, else from DuckDB's own install. One that can't be had is told
// as such, once: what needs it has another way, or says what to do.

import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { messageOf, within } from '../../core/index.ts';
import { quoteName, quoteText } from './quote.ts';

/** Undefined when it is loaded, else why it isn't, in a clause. */
export type ExtensionTrouble = string | undefined;

/** DuckDB fetches one from its own host; a network that swallows the request must not hold up the work. */
const INSTALL_LIMIT_MS = 20_000;

/**
 * Loads an extension for all connections of an instance. In `folder` it is looked for as `NAME.duckdb_extension`, with `-`
 * or `_` in its name. `mayInstall`: DuckDB fetches one that is nowhere here.
 */
export async function loadExtension(
  connect: () => Promise<DuckDBConnection>,
  name: string,
  folder: string | undefined,
  mayInstall: boolean,
): Promise<ExtensionTrouble> {
  const connection = await connect();
  try {
    const file = folder === undefined ? undefined : await fileOf(folder, name);
    if (file !== undefined) return await attempt(connection, `LOAD ${quoteText(file)}`);
    const absent = await attempt(connection, `LOAD ${quoteName(name)}`);
    if (absent === undefined || !mayInstall) return absent;
    const installing = attempt(connection, `INSTALL ${quoteName(name)}`);
    const late = (): string => `it was not installed within ${INSTALL_LIMIT_MS / 1000} s`;
    const missing = await within(installing, INSTALL_LIMIT_MS, late);
    return missing ?? (await attempt(connection, `LOAD ${quoteName(name)}`));
  } finally {
    connection.closeSync();
  }
}

async function fileOf(folder: string, name: string): Promise<string | undefined> {
  for (const file of [name, name.replaceAll('_', '-')]) {
    const path = join(folder, `${file}.duckdb_extension`);
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}

function attempt(connection: DuckDBConnection, sql: string): Promise<ExtensionTrouble> {
  return connection.run(sql).then(
    () => undefined,
    (error: unknown) => messageOf(error).split('\n')[0] ?? 'it failed',
  );
}
