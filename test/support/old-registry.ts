// A registry as the first version of Headrace left it: tables of its first migration, with rows as that wrote them. Two
// applies; a model version of each, so that the older one was trained on a view that has changed since; an endpoint that
// splits traffic between them, and one that is retired.

import { canonicalJson, contentHash } from '../../src/core/index.ts';
import type { Manifest } from '../../src/definitions/index.ts';
import { registryMigrations, type RegistryTables } from '../../src/registry/schema.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { flightsManifest, flightsManifestWith, lastDelay } from './manifests.ts';

/** What model version 1 was trained on, and what is applied. */
export const OLD_MANIFESTS: readonly [Manifest, Manifest] = [flightsManifest, flightsManifestWith([lastDelay])];
export const OLD_HASHES = OLD_MANIFESTS.map((manifest) => contentHash(manifest));

/** Without the columns that came later. */
interface OldTables {
  registry_state: RegistryTables['registry_state'];
  registry_manifests: RegistryTables['registry_manifests'];
  registry_applies: Omit<RegistryTables['registry_applies'], 'origin'>;
  registry_objects: RegistryTables['registry_objects'];
  registry_model_versions: Omit<RegistryTables['registry_model_versions'], 'spec' | 'rows_verdict' | 'is_retired'>;
  registry_model_aliases: RegistryTables['registry_model_aliases'];
  registry_endpoints: Omit<RegistryTables['registry_endpoints'], 'change' | 'experiments' | 'rollout' | 'candidate'>;
  registry_audit: Omit<RegistryTables['registry_audit'], 'reason'>;
}

/** Makes it in an empty database. */
export async function makeOldRegistry(url: string): Promise<void> {
  const database = await openDatabase(url);
  try {
    await database.migrate(
      'registry',
      registryMigrations.filter(({ name }) => name === '0001-registry'),
    );
    await database.transaction<OldTables, void>(async (trx) => {
      for (const [table, rows] of Object.entries(oldRows())) {
        // Each table's own rows, by the type of `oldRows`.
        const name = table as 'registry_audit';
        for (const row of rows)
          await trx
            .insertInto(name)
            .values(row as never)
            .execute();
      }
      await trx.updateTable('registry_state').set({ revision: 2, change_token: 7 }).execute();
    });
  } finally {
    await database.close();
  }
}

type OldRows = { readonly [T in keyof Omit<OldTables, 'registry_state'>]: readonly OldTables[T][] };

const model = 'delay_classifier';
const endpoint = { model, unit: '["flight"]', shadows: '[]' };
const VARIANTS = '[{"name":"stable","version":1,"weight":90},{"name":"new","version":2,"weight":10}]';
const applied = { action: 'definitions.apply', object: 'definitions' };

function oldRows(): OldRows {
  return {
    registry_manifests: OLD_MANIFESTS.map((manifest, at) => ({
      hash: OLD_HASHES[at] ?? '',
      manifest: canonicalJson(manifest),
    })),
    registry_applies: OLD_HASHES.map((hash, at) => ({ revision: at + 1, hash, applied_at: 10 + at, actor: 'ann' })),
    registry_objects: OLD_MANIFESTS.map(({ views }, at) => ({
      kind: 'view',
      name: 'airport_delays',
      version: at + 1,
      hash: contentHash(views['airport_delays']),
      spec: canonicalJson(views['airport_delays']),
      revision: at + 1,
    })),
    registry_model_versions: OLD_HASHES.map((manifest_hash, at) => {
      const trained = { training_set: at === 0 ? 'a'.repeat(64) : null, run_id: null, metrics: '{"auc":0.75}' };
      const made = { signature: '{"inputs":[]}', service: 'delay_features', manifest_hash, actor: 'bob' };
      return { model, version: at + 1, artifact: String(at + 1).repeat(64), created_at: 20 + at, ...trained, ...made };
    }),
    registry_model_aliases: [{ model, alias: 'champion', version: 1 }],
    registry_endpoints: [
      { ...endpoint, name: 'delay', salt: '0011223344556677', variants: VARIANTS, revision: 3, is_retired: 0 },
      { ...endpoint, name: 'gone', salt: '8899aabbccddeeff', variants: '[]', revision: 5, is_retired: 1 },
    ],
    registry_audit: [
      { ...applied, at: 10, actor: 'ann', before: null, after: '{"revision":1}' },
      { at: 20, actor: 'bob', action: 'model.register', object: `model/${model}`, before: null, after: '{}' },
    ],
  };
}
