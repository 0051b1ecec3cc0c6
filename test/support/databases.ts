// The databases that contract tests run on: SQLite always, a real Postgres where there is one.

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { memoryFolder } from './memory-folder.ts';
import { findPostgres } from './postgres-server.ts';
import { sharedPostgres } from './shared-servers.ts';
import { skipBecause } from './skips.ts';
import { isFull } from './tier.ts';

export interface TestDatabases {
  readonly name: 'SQLite' | 'Postgres';
  start(): Promise<void>;
  /** URL of a new, empty database; `start` first. */
  newUrl(): Promise<string>;
  stop(): Promise<void>;
}

/** `suite` names the tests in the notice when Postgres is absent. */
export function testDatabases(suite: string): TestDatabases[] {
  const hasPostgres = findPostgres() !== undefined;
  if (!hasPostgres) skipBecause(`${suite} on Postgres: no initdb and postgres found (Debian: postgresql)`);
  return hasPostgres ? [onSqlite(), onPostgres()] : [onSqlite()];
}

/**
 * SQLite in every tier, Postgres in the full one alone: for what is built on the `Database` port, which test/contract/database.test.ts
 * holds both to.
 */
export function databasesByTier(suite: string): TestDatabases[] {
  return isFull ? testDatabases(suite) : [onSqlite()];
}

function onSqlite(): TestDatabases {
  let folder = '';
  let count = 0;
  return {
    name: 'SQLite',
    async start() {
      folder = mkdtempSync(join(memoryFolder(), 'headrace-sqlite-'));
    },
    newUrl: async () => `sqlite:${join(folder, `${++count}.db`)}`,
    stop: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

function onPostgres(): TestDatabases {
  return {
    name: 'Postgres',
    start: async () => void (await sharedPostgres()),
    newUrl: async () => (await sharedPostgres()).newDatabase(),
    stop: async () => {},
  };
}
