// The registry's tables, as rows and as migrations. Nobody else reads them.
// Bools and JSON are kept as 0/1 and text, so that SQLite and Postgres answer alike.

import { type Kysely, sql } from 'kysely';
import type { DatabaseKind, Migration } from '../storage/index.ts';
import { addPlainRowDependence, type PlainModelTables } from './plain-schema.ts';

export interface RegistryTables extends PlainModelTables {
  /** One row. `revision` is the last apply's; `change_token` grows with every change of any kind. */
  registry_state: { id: number; revision: number; change_token: number };
  registry_manifests: { hash: string; manifest: string };
  registry_applies: {
    revision: number;
    hash: string;
    applied_at: number;
    actor: string;
    /** JSON of `CodeOrigin`: where the definitions came from. */
    origin: string;
  };
  /** Every version of every object; `spec` is null where the object was removed. */
  registry_objects: {
    kind: string;
    name: string;
    version: number;
    hash: string;
    spec: string | null;
    revision: number;
  };
  registry_model_versions: {
    model: string;
    version: number;
    artifact: string;
    signature: string;
    service: string;
    manifest_hash: string;
    training_set: string | null;
    run_id: string | null;
    metrics: string;
    created_at: number;
    actor: string;
    /** JSON of the model's spec when it was registered; null in rows of a time before it was kept. */
    spec: string | null;
    /** `RowsVerdict`; null in rows of a time before it was kept, and of graphs. */
    rows_verdict: string | null;
    /** A retired version holds no view versions any more, and can't be given traffic. */
    is_retired: number;
  };
  registry_model_aliases: { model: string; alias: string; version: number };
  /** A retired endpoint keeps its row: its salt and revision must not start again. */
  registry_endpoints: {
    name: string;
    model: string;
    unit: string;
    salt: string;
    variants: string;
    shadows: string;
    revision: number;
    is_retired: number;
    /** JSON of `LiveExperiment`s. */
    experiments: string;
    /** Id of the rollout that alone may change the traffic. */
    rollout: string | null;
    /** JSON of the `Arm` that it gives traffic; null where none is under way. */
    candidate: string | null;
    /** JSON of `TrafficChange`: the last one that was asked for; null where none was, or it means nothing any more. */
    change: string | null;
  };
  /** One row for each version of a view that is kept or was: what gives it meaning is in the manifest that it names. */
  registry_view_versions: {
    version: string;
    view: string;
    manifest_hash: string;
    epoch: number;
    added_at: number;
    /** When readers could move to it; null while it is filled. */
    completed_at: number | null;
    /** Since when nothing reads it; null while something does. */
    unread_since: number | null;
    /** Then its records are gone, or going; null while it is kept. */
    removed_at: number | null;
    /** When they were gone. */
    swept_at: number | null;
  };
  /** By writer, the first cut whose events it folds into the version. */
  registry_version_cuts: { version: string; epoch: number; writer: number; cut: number };
  /** Serving processes, as they told of themselves last. */
  registry_servers: { id: string; seen_at: number; state: string };
  /** API keys. `secret_hash` is SHA-256 in hex; `roles` and `endpoints` are JSON lists, null endpoints are all. */
  registry_keys: {
    id: string;
    name: string;
    secret_hash: string;
    roles: string;
    endpoints: string | null;
    created_at: number;
    created_by: string;
    expires_at: number | null;
    revoked_at: number | null;
    used_at: number | null;
  };
  registry_audit: {
    /** Given by the database. */
    id?: number;
    at: number;
    actor: string;
    action: string;
    object: string;
    before: string | null;
    after: string | null;
    /** As whoever changed it says. */
    reason?: string | null;
  };
}

export const registryMigrations: readonly Migration[] = [
  { name: '0001-registry', up: createTables },
  { name: '0002-view-versions', up: addVersions },
];

export async function addTrafficChanges(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('registry_endpoints').addColumn('change', 'text').execute();
}

export async function addRollouts(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('registry_endpoints')
    .addColumn('experiments', 'text', (column) => column.notNull().defaultTo('[]'))
    .execute();
  await db.schema.alterTable('registry_endpoints').addColumn('rollout', 'text').execute();
}

export async function addCandidates(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('registry_endpoints').addColumn('candidate', 'text').execute();
}

export async function addRowDependence(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('registry_model_versions').addColumn('rows_verdict', 'text').execute();
  await addPlainRowDependence(db);
}

/** Keys, and why something was changed. */
export const keysMigration: Migration = { name: '0005-access-keys', up: addKeys };

async function addKeys(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('registry_keys')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('secret_hash', 'text', (column) => column.notNull())
    .addColumn('roles', 'text', (column) => column.notNull())
    .addColumn('endpoints', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'bigint')
    .addColumn('revoked_at', 'bigint')
    .addColumn('used_at', 'bigint')
    .execute();
  await db.schema.alterTable('registry_audit').addColumn('reason', 'text').execute();
}

async function addVersions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('registry_applies')
    .addColumn('origin', 'text', (column) => column.notNull().defaultTo('{}'))
    .execute();
  await db.schema
    .alterTable('registry_model_versions')
    .addColumn('is_retired', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema.alterTable('registry_model_versions').addColumn('spec', 'text').execute();
  await db.schema
    .createTable('registry_view_versions')
    .addColumn('version', 'text', (column) => column.primaryKey())
    .addColumn('view', 'text', (column) => column.notNull())
    .addColumn('manifest_hash', 'text', (column) => column.notNull().references('registry_manifests.hash'))
    .addColumn('epoch', 'bigint', (column) => column.notNull())
    .addColumn('added_at', 'bigint', (column) => column.notNull())
    .addColumn('completed_at', 'bigint')
    .addColumn('unread_since', 'bigint')
    .addColumn('removed_at', 'bigint')
    .addColumn('swept_at', 'bigint')
    .execute();
  await db.schema
    .createTable('registry_version_cuts')
    .addColumn('version', 'text', (column) => column.notNull())
    .addColumn('epoch', 'bigint', (column) => column.notNull())
    .addColumn('writer', 'bigint', (column) => column.notNull())
    .addColumn('cut', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('registry_version_cuts_key', ['version', 'epoch', 'writer'])
    .execute();
  await db.schema
    .createTable('registry_servers')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('seen_at', 'bigint', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .execute();
}

async function createTables(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  await db.schema
    .createTable('registry_state')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('revision', 'bigint', (column) => column.notNull())
    .addColumn('change_token', 'bigint', (column) => column.notNull())
    .execute();
  await sql`insert into registry_state (id, revision, change_token) values (1, 0, 0)`.execute(db);
  await db.schema
    .createTable('registry_manifests')
    .addColumn('hash', 'text', (column) => column.primaryKey())
    .addColumn('manifest', 'text', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('registry_applies')
    .addColumn('revision', 'bigint', (column) => column.primaryKey())
    .addColumn('hash', 'text', (column) => column.notNull().references('registry_manifests.hash'))
    .addColumn('applied_at', 'bigint', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('registry_objects')
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('spec', 'text')
    .addColumn('revision', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('registry_objects_key', ['kind', 'name', 'version'])
    .execute();
  await db.schema
    .createTable('registry_model_versions')
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addColumn('artifact', 'text', (column) => column.notNull())
    .addColumn('signature', 'text', (column) => column.notNull())
    .addColumn('service', 'text', (column) => column.notNull())
    .addColumn('manifest_hash', 'text', (column) => column.notNull().references('registry_manifests.hash'))
    .addColumn('training_set', 'text')
    .addColumn('run_id', 'text')
    .addColumn('metrics', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('registry_model_versions_key', ['model', 'version'])
    .execute();
  await db.schema
    .createTable('registry_model_aliases')
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('alias', 'text', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('registry_model_aliases_key', ['model', 'alias'])
    .addForeignKeyConstraint('registry_model_aliases_version', ['model', 'version'], 'registry_model_versions', [
      'model',
      'version',
    ])
    .execute();
  await db.schema
    .createTable('registry_endpoints')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('unit', 'text', (column) => column.notNull())
    .addColumn('salt', 'text', (column) => column.notNull())
    .addColumn('variants', 'text', (column) => column.notNull())
    .addColumn('shadows', 'text', (column) => column.notNull())
    .addColumn('revision', 'bigint', (column) => column.notNull())
    .addColumn('is_retired', 'integer', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('registry_audit')
    .addColumn('id', kind === 'sqlite' ? 'integer' : 'bigserial', (column) =>
      kind === 'sqlite' ? column.primaryKey().autoIncrement() : column.primaryKey(),
    )
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('action', 'text', (column) => column.notNull())
    .addColumn('object', 'text', (column) => column.notNull())
    .addColumn('before', 'text')
    .addColumn('after', 'text')
    .execute();
  await db.schema.createIndex('registry_audit_object').on('registry_audit').columns(['object', 'id']).execute();
}
