// What the registry's rows need of the artifact store: the files of models, and the code of every applied definition.

import type { Kysely } from 'kysely';
import { functionsOf } from '../definitions/index.ts';
import { blobKey, type Need, type ObjectUse, type RowsOwner } from '../storage/index.ts';
import type { RegistryTables } from './schema.ts';
import { parseManifest } from './store.ts';

const MANIFESTS_AT_ONCE = 20;
const BLOB_NAME = /\b[0-9a-f]{64}\b/g;

/** Servers of the place where the rows were are not those of another. */
export const registryRows: RowsOwner = {
  table: 'registry_state',
  objects: registryObjects,
  needs: modelNeeds,
  settle: forgetServers,
};

/** Of all model versions, retired ones too, and all manifests that are kept. */
async function* registryObjects(opened: Kysely<unknown>): AsyncIterable<ObjectUse> {
  // The registry's own tables are in it.
  const db = opened as Kysely<RegistryTables>;
  const models = await db.selectFrom('registry_model_versions').select(['model', 'version', 'artifact']).execute();
  for (const { model, version, artifact } of [...models, ...(await readPlainArtifacts(db))]) {
    yield { key: blobKey(artifact), what: `version ${version} of model ${model}`, ifGone: 'lost' };
  }
  for (let after = ''; ; ) {
    const rows = await db
      .selectFrom('registry_manifests')
      .selectAll()
      .where('hash', '>', after)
      .orderBy('hash')
      .limit(MANIFESTS_AT_ONCE)
      .execute();
    for (const { hash, manifest } of rows) yield* manifestObjects(hash, manifest);
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.hash;
  }
}

/** A backup of before there were any has no such table. */
async function readPlainArtifacts(
  db: Kysely<RegistryTables>,
): Promise<readonly Pick<RegistryTables['registry_plain_versions'], 'model' | 'version' | 'artifact'>[]> {
  const tables = await db.introspection.getTables();
  if (!tables.some(({ name }) => name === 'registry_plain_versions')) return [];
  return db.selectFrom('registry_plain_versions').select(['model', 'version', 'artifact']).execute();
}

/** A retired version lets go of what it was made from. */
async function* modelNeeds(opened: Kysely<unknown>): AsyncIterable<Need> {
  const db = opened as Kysely<RegistryTables>;
  const rows = await db
    .selectFrom('registry_model_versions')
    .select(['training_set', 'run_id'])
    .where('is_retired', '=', 0)
    .execute();
  for (const { training_set: trainingSet, run_id: run } of rows) {
    if (trainingSet !== null) yield { kind: 'training set', id: trainingSet };
    if (run !== null) yield { kind: 'run', id: run };
  }
}

/** Its functions' bundles, the files of its scripts and its topics' schemas, and whatever else is written like a blob's name. */
function* manifestObjects(hash: string, text: string): Iterable<ObjectUse> {
  const manifest = parseManifest(text);
  const known = new Set<string>();
  const use = (blob: string, of: string): ObjectUse => {
    known.add(blob);
    return { key: blobKey(blob), what: `code of ${of} in definitions ${hash.slice(0, 12)}`, ifGone: 'lost' };
  };
  for (const { id, bundle } of functionsOf(manifest)) if (bundle !== undefined) yield use(bundle, id);
  for (const { steps } of Object.values(manifest.pipelines)) {
    for (const { action } of steps) {
      if (!('files' in action)) continue;
      for (const file of action.files ?? []) yield use(file.hash, file.path);
    }
  }
  for (const { files = [] } of Object.values(manifest.sources))
    for (const file of files) yield use(file.hash, file.path);
  for (const [name] of text.matchAll(BLOB_NAME)) {
    if (!known.has(name)) yield { key: blobKey(name), what: `definitions ${hash.slice(0, 12)}`, ifGone: 'unsaid' };
  }
}

async function forgetServers(opened: Kysely<unknown>): Promise<void> {
  const db = opened as Kysely<RegistryTables>;
  const tables = await db.introspection.getTables();
  if (tables.some(({ name }) => name === 'registry_servers')) await db.deleteFrom('registry_servers').execute();
}
