// The registry on each database in turn, for tests of what holds on all of them.

import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import type { Manifest } from '../../src/definitions/index.ts';
import {
  type Applied,
  type ModelVersion,
  openRegistry,
  type Registry,
  type ServerState,
} from '../../src/registry/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { type TestDatabases, testDatabases } from './databases.ts';
import { flightsManifest } from './manifests.ts';

export const NOW = 1_795_000_000_123_456;
export const MODEL = 'delay_classifier';
export const artifact = (digit: string): string => digit.repeat(64);

/** What a server tells of itself that has loaded the first revision. */
export function serverState(more: Partial<ServerState> = {}): ServerState {
  const state = { machine: 'host', pid: 1, startedMicros: 0, revision: 1, failure: null, reads: [], folds: [] };
  return { ...state, ...more };
}

/** Traffic of variants, each as `name version weight`. */
export const traffic = (...texts: readonly string[]) => ({
  variants: texts.map((text) => {
    const [name = '', version, weight] = text.split(' ');
    return { name, version: Number(version), weight: Number(weight) };
  }),
});

/** The registry of the test that runs: empty when it begins. */
export interface TestedRegistry extends Registry {
  readonly registry: Registry;
  readonly database: Database;
  apply(manifest: Manifest, allowBreaking?: boolean): Promise<Applied>;
  register(digit?: string, extra?: object): Promise<ModelVersion>;
  /** Applies `flightsManifest`, and registers so many versions of its model. */
  prepare(versions: number): Promise<void>;
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

    const signature = { inputs: [] };
    const own = {
      apply: (manifest: Manifest, allowBreaking = false) =>
        registry.definitions.apply(manifest, { actor: 'ann', allowBreaking }),
      register: (digit = '1', extra = {}) =>
        registry.models.register({ model: MODEL, artifact: artifact(digit), signature, actor: 'ann', ...extra }),
      async prepare(versions: number) {
        await own.apply(flightsManifest);
        for (let version = 1; version <= versions; version++) await own.register(String(version));
      },
      later: (micros: number) => void (nowMicros += micros),
    };
    const get = (_: object, name: string) => ({ ...registry, ...own, registry, database })[name as 'registry'];
    tests(new Proxy({}, { get }) as TestedRegistry);
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
