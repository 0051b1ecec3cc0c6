// The tables of plain models: as those of models with features, without what those are bound to.

import type { Kysely } from 'kysely';

export interface PlainModelTables {
  registry_plain_versions: {
    model: string;
    version: number;
    artifact: string;
    signature: string;
    metrics: string;
    created_at: number;
    actor: string;
    is_retired: number;
    /** 0 or 1 where the registration said whether rows may share a run; null where it did not. */
    batch: number | null;
    /** `RowsVerdict`; null in rows of a time before it was kept. */
    rows_verdict: string | null;
  };
  registry_plain_aliases: { model: string; alias: string; version: number };
  /** Models that no server is to have in memory. */
  registry_plain_unloaded: { model: string };
}

export async function addPlainModels(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('registry_plain_versions')
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addColumn('artifact', 'text', (column) => column.notNull())
    .addColumn('signature', 'text', (column) => column.notNull())
    .addColumn('metrics', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('is_retired', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('registry_plain_versions_key', ['model', 'version'])
    .execute();
  await db.schema
    .createTable('registry_plain_aliases')
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('alias', 'text', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('registry_plain_aliases_key', ['model', 'alias'])
    .addForeignKeyConstraint('registry_plain_aliases_version', ['model', 'version'], 'registry_plain_versions', [
      'model',
      'version',
    ])
    .execute();
  await db.schema
    .createTable('registry_plain_unloaded')
    .addColumn('model', 'text', (column) => column.primaryKey())
    .execute();
}

export async function addPlainRowDependence(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('registry_plain_versions').addColumn('batch', 'integer').execute();
  await db.schema.alterTable('registry_plain_versions').addColumn('rows_verdict', 'text').execute();
}
