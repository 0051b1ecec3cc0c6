// The registry on each database in turn, for tests of what holds on all of them.

import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import type { Manifest } from '../../src/definitions/index.ts';
import { type Applied, type ModelVersion, openRegistry, type Registry } from '../../src/registry/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { type TestDatabases, testDatabases } from './databases.ts';

export const NOW = 1_795_000_000_123_456;
export const MODEL = 'delay_classifier';
export const artifact = (digit: string): string => digit.repeat(64);

/** The registry of the test that runs: empty when it begins. */
export interface TestedRegistry {
  readonly registry: Registry;
  readonly database: Database;
  apply(manifest: Manifest, allowBreaking?: boolean): Promise<Applied>;
  register(digit?: string, extra?: object): Promise<ModelVersion>;
  /** The registry's clock, at NOW when the test begins, goes on. */
  later(micros: number): void;
}

/** `what` names the tests where a database is missing. */
export function onEachRegistry(
  what: string,
  tests: (given: TestedRegistry) => void,
  databasesOf: typeof testDatabases = testDatabases,
): void {
  describe.each(databasesOf(what))('the registry on $name', (databases) => {
    let database: Database;
    let registry: Registry;
    let nowMicros = NOW;

    beforeAll(() => databases.start());
    beforeEach(async () => {
      database = await (databases.name === 'Postgres' ? emptied(databases) : openDatabase('sqlite::memory:'));
      nowMicros = NOW;
      registry = await openRegistry(database, { nowMicros: () => nowMicros });
    });
    afterEach(() => database.close());
    afterAll(() => databases.stop());

    tests({
      get registry() {
        return registry;
      },
      get database() {
        return database;
      },
      apply: (manifest, allowBreaking = false) => registry.definitions.apply(manifest, { actor: 'ann', allowBreaking }),
      register: (digit = '1', extra = {}) =>
        registry.models.register({
          model: MODEL,
          artifact: artifact(digit),
          signature: { inputs: [] },
          actor: 'ann',
          ...extra,
        }),
      later(micros) {
        nowMicros += micros;
      },
    });
  });
}

const emptiedUrls = new WeakMap<TestDatabases, string>();

/** The same database for all tests, its registry as it was when it was made: making one takes longer than most tests. */
async function emptied(databases: TestDatabases): Promise<Database> {
  const known = emptiedUrls.get(databases);
  const url = known ?? (await databases.newUrl());
  emptiedUrls.set(databases, url);
  const database = await openDatabase(url);
  if (known === undefined) return database;
  const tables = await database.tables().introspection.getTables();
  const filled = tables.map(({ name }) => name).filter((name) => name !== 'headrace_migrations');
  await database.transaction(async (trx) => {
    await sql`truncate ${sql.join(filled.map((name) => sql.table(name)))} cascade`.execute(trx);
    await sql`insert into registry_state (id, revision, change_token) values (1, 0, 0)`.execute(trx);
  });
  return database;
}
