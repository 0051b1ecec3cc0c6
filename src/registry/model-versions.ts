// A model's versions as they are read back, and the errors for those that there aren't.

import { didYouMean, didYouMeanOf, HeadraceError, type Json, type Micros, type RowsVerdict } from '../core/index.ts';
import type { ModelSpec } from '../definitions/index.ts';
import type { RegistryTables } from './schema.ts';
import { readCurrent, readJson, type RegistryDb } from './store.ts';

export interface ModelVersion {
  readonly model: string;
  /** 1, 2, 3, … per model; never reused. */
  readonly version: number;
  /** SHA-256 of the ONNX blob in the artifact store. */
  readonly artifact: string;
  readonly signature: Json;
  /** The feature service that it takes, as the definitions of `manifestHash` have it: what it was trained on. */
  readonly service: string;
  readonly manifestHash: string;
  readonly trainingSet: string | null;
  readonly runId: string | null;
  readonly metrics: Readonly<Record<string, number>>;
  readonly aliases: readonly string[];
  readonly createdAtMicros: Micros;
  readonly actor: string;
  /** Its outputs and providers, as the model was defined when it was registered; null in versions of a time before. */
  readonly spec: ModelSpec | null;
  /** What rows showed when it was registered; null in versions of a time before, and of graphs. */
  readonly rowsVerdict: RowsVerdict | null;
  /** It can't be served any more. */
  readonly isRetired: boolean;
}

export async function readVersions(db: RegistryDb, model: string): Promise<ModelVersion[]> {
  const rows = await db
    .selectFrom('registry_model_versions')
    .selectAll()
    .where('model', '=', model)
    .orderBy('version')
    .execute();
  const aliases = await db
    .selectFrom('registry_model_aliases')
    .select(['alias', 'version'])
    .where('model', '=', model)
    .orderBy('alias')
    .execute();
  return rows.map((row) =>
    toVersion(
      row,
      aliases.filter((alias) => alias.version === row.version).map((alias) => alias.alias),
    ),
  );
}

/** Of all models, those that are not retired. */
export async function readLiveVersions(db: RegistryDb): Promise<ModelVersion[]> {
  const rows = await db
    .selectFrom('registry_model_versions')
    .selectAll()
    .where('is_retired', '=', 0)
    .orderBy('model')
    .orderBy('version')
    .execute();
  const aliases = await db.selectFrom('registry_model_aliases').selectAll().orderBy('alias').execute();
  return rows.map((row) => {
    const own = aliases.filter((alias) => alias.model === row.model && alias.version === row.version);
    return toVersion(
      row,
      own.map(({ alias }) => alias),
    );
  });
}

export async function readVersion(db: RegistryDb, model: string, version: number): Promise<ModelVersion> {
  const versions = await readVersions(db, model);
  const found = versions.find((candidate) => candidate.version === version);
  if (found !== undefined) return found;
  if (versions.length === 0) await checkKnown(db, model);
  const has = versions.length === 0 ? 'no version yet' : `versions 1 to ${versions.length}`;
  throw new HeadraceError('HR_UNKNOWN_MODEL', `model "${model}" has no version ${version}; it has ${has}`);
}

/** What no alias may be called: it always means the newest version that is not retired, or the newest where all are. */
export const LATEST = 'latest';

/** Of all of a model's versions, ascending, the one of a number, an alias or `latest`. Throws HR_UNKNOWN_MODEL. */
export function findVersion<V extends Pick<ModelVersion, 'version' | 'aliases' | 'isRetired'>>(
  versions: readonly V[],
  model: string,
  asked: string,
): V {
  const latest = asked === LATEST ? (versions.findLast(({ isRetired }) => !isRetired) ?? versions.at(-1)) : undefined;
  const found = latest ?? versions.find(({ version, aliases }) => String(version) === asked || aliases.includes(asked));
  if (found !== undefined) return found;
  if (versions.length === 0) {
    throw new HeadraceError('HR_UNKNOWN_MODEL', `model "${model}" has no version yet; register one first`);
  }
  const aliases = [...versions.flatMap((version) => version.aliases).sort(), LATEST];
  const numbers = versions.length === 1 ? 'version 1' : `versions 1 to ${versions.length}`;
  throw new HeadraceError(
    'HR_UNKNOWN_MODEL',
    `model "${model}" has no version or alias ${JSON.stringify(asked.slice(0, 80))}.${didYouMean(asked, aliases)} ` +
      `It has ${numbers}; aliases ${aliases.join(', ')}.`,
  );
}

function toVersion(row: RegistryTables['registry_model_versions'], aliases: readonly string[]): ModelVersion {
  return {
    model: row.model,
    version: row.version,
    artifact: row.artifact,
    signature: readJson(row.signature),
    service: row.service,
    manifestHash: row.manifest_hash,
    trainingSet: row.training_set,
    runId: row.run_id,
    // Written from a record of numbers.
    metrics: readJson(row.metrics) as Record<string, number>,
    aliases,
    createdAtMicros: row.created_at,
    actor: row.actor,
    // Written from the model's spec.
    spec: readJson(row.spec) as ModelSpec | null,
    // Written from one.
    rowsVerdict: row.rows_verdict as RowsVerdict | null,
    isRetired: row.is_retired === 1,
  };
}

export async function checkKnown(db: RegistryDb, model: string): Promise<void> {
  const current = await readCurrent(db);
  if (current === undefined) throw nothingApplied();
  const known = Object.keys(current.manifest.models);
  if (!known.includes(model)) throw unknownModel(model, known);
}

export function unknownModel(model: string, known: readonly string[]): HeadraceError {
  return new HeadraceError('HR_UNKNOWN_MODEL', `there is no model "${model}".${didYouMeanOf('models', model, known)}`);
}

export function nothingApplied(): HeadraceError {
  return new HeadraceError('HR_NOTHING_APPLIED', 'nothing is applied yet; run `headrace apply` first');
}
