// Plain models: files served by their own signature, under names that no definition has. Their versions and aliases are as
// those of models with features; beside them it is kept whether servers are to have them in memory.

import {
  canonicalJson,
  HeadraceError,
  invalid,
  type Json,
  type Micros,
  nearestName,
  type RowsVerdict,
} from '../core/index.ts';
import type { Manifest } from '../definitions/index.ts';
import { checkAlias, checkMetrics } from './model-names.ts';
import { findVersion } from './model-versions.ts';
import { pointAlias } from './point-alias.ts';
import type { RegistryTables } from './schema.ts';
import { readCurrent, readJson, type RegistryDb, type RegistryStore } from './store.ts';

export interface PlainVersion {
  readonly model: string;
  /** 1, 2, 3, … per model; never reused. */
  readonly version: number;
  /** SHA-256 of the ONNX blob in the artifact store. */
  readonly artifact: string;
  readonly signature: Json;
  readonly metrics: Readonly<Record<string, number>>;
  readonly aliases: readonly string[];
  readonly createdAtMicros: Micros;
  readonly actor: string;
  /** Whether rows may share a run, as the registration says; null where it does not. */
  readonly batch: boolean | null;
  /** What rows showed when it was registered; null in versions of a time before. */
  readonly rowsVerdict: RowsVerdict | null;
  /** It can't be served any more. */
  readonly isRetired: boolean;
}

export interface PlainModel {
  readonly name: string;
  /** Servers let go of it until it is loaded again. */
  readonly isUnloaded: boolean;
  /** Ascending; retired ones too. */
  readonly versions: readonly PlainVersion[];
}

export interface NewPlainVersion {
  readonly model: string;
  readonly artifact: string;
  /** Plain JSON: what the runtime read of the file's inputs and outputs. */
  readonly signature: unknown;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly alias?: string;
  readonly actor: string;
  readonly batch?: boolean;
  readonly rowsVerdict?: RowsVerdict;
}

export interface PlainModelRegistry {
  /** Adds the next version. Throws what `refuse` does, HR_INVALID (a bad alias or metric). */
  register(version: NewPlainVersion): Promise<PlainVersion>;
  /**
   * Throws HR_INVALID for a name that no model can have, HR_CONFLICT for one that an endpoint has, and HR_UNKNOWN_MODEL for a
   * new one that is nearly that of a defined model: most likely it was meant.
   */
  refuse(model: string): Promise<void>;
  /** By name. What the definitions came to define after it was registered is among them. */
  list(): Promise<PlainModel[]>;
  /** Undefined where there is none. */
  find(model: string): Promise<PlainModel | undefined>;
  /** Points the alias at a version: its number, an alias or `latest`. Throws HR_UNKNOWN_MODEL, HR_CONFLICT (retired). */
  setAlias(model: string, alias: string, version: string, actor: string): Promise<PlainVersion>;
  /** Gives the version that the alias pointed at. Throws HR_UNKNOWN_MODEL, HR_INVALID. */
  removeAlias(model: string, alias: string, actor: string): Promise<PlainVersion>;
  /** Throws HR_UNKNOWN_MODEL, HR_CONFLICT while an alias points at it. */
  retire(model: string, version: string, actor: string): Promise<PlainVersion>;
  /** Whether servers have it in memory from now on. Throws HR_UNKNOWN_MODEL. */
  setLoaded(
    model: string,
    isLoaded: boolean,
    by: { readonly actor: string; readonly reason?: string | undefined },
  ): Promise<void>;
}

/** As in a URL's path: a letter first, so that no name is a dot alone. */
const NAME = /^[A-Za-z][\w.-]{0,99}$/;

export function createPlainModelRegistry(store: RegistryStore): PlainModelRegistry {
  const { db } = store;
  return {
    register: (input) =>
      store.change(async (trx, record) => {
        const { model, artifact, alias, actor, metrics = {} } = input;
        await refuseName(trx, model);
        if (alias !== undefined) checkAlias(alias);
        checkMetrics(metrics);
        const { versions = [] } = (await readPlain(trx, model)) ?? {};
        const version = (versions.at(-1)?.version ?? 0) + 1;
        const row = {
          model,
          version,
          artifact,
          signature: canonicalJson(input.signature ?? null),
          metrics: canonicalJson(metrics),
          created_at: store.now(),
          actor,
          is_retired: 0,
          batch: input.batch === undefined ? null : Number(input.batch),
          rows_verdict: input.rowsVerdict ?? null,
        };
        await trx.insertInto('registry_plain_versions').values(row).execute();
        if (alias !== undefined) await pointAlias(trx, 'registry_plain_aliases', model, alias, version);
        const made = await needVersion(trx, model, String(version));
        await record({ actor, action: 'model.register', object: `model/${model}`, after: made });
        return made;
      }),
    refuse: (model) => refuseName(db, model),
    async list() {
      const rows = await db
        .selectFrom('registry_plain_versions')
        .selectAll()
        .orderBy('model')
        .orderBy('version')
        .execute();
      const aliases = await db.selectFrom('registry_plain_aliases').selectAll().orderBy('alias').execute();
      const unloaded = new Set(
        (await db.selectFrom('registry_plain_unloaded').selectAll().execute()).map(({ model }) => model),
      );
      return Array.from(
        Map.groupBy(rows, ({ model }) => model),
        ([name, own]) => ({
          name,
          isUnloaded: unloaded.has(name),
          versions: own.map((row) => toVersion(row, aliases)),
        }),
      );
    },
    find: (model) => readPlain(db, model),
    setAlias: (model, alias, asked, actor) =>
      store.change(async (trx, record) => {
        checkAlias(alias);
        const { version, aliases, isRetired } = await needVersion(trx, model, asked);
        if (isRetired) throw new HeadraceError('HR_CONFLICT', `version ${version} of model "${model}" is retired`);
        if (!aliases.includes(alias)) {
          const previous = await pointAlias(trx, 'registry_plain_aliases', model, alias, version);
          const change = { before: { alias, version: previous }, after: { alias, version } };
          await record({ actor, action: 'model.alias', object: `model/${model}`, ...change });
        }
        return needVersion(trx, model, String(version));
      }),
    removeAlias: (model, alias, actor) =>
      store.change(async (trx, record) => {
        const { version, aliases } = await needVersion(trx, model, alias);
        if (!aliases.includes(alias)) {
          const sentence = `${JSON.stringify(alias.slice(0, 80))} is no alias of model "${model}"`;
          throw new HeadraceError('HR_INVALID', sentence);
        }
        await trx.deleteFrom('registry_plain_aliases').where('model', '=', model).where('alias', '=', alias).execute();
        await record({ actor, action: 'model.alias', object: `model/${model}`, before: { alias, version } });
        return needVersion(trx, model, String(version));
      }),
    retire: (model, asked, actor) =>
      store.change(async (trx, record) => {
        const before = await needVersion(trx, model, asked);
        const { version, aliases } = before;
        if (before.isRetired) return before;
        if (aliases.length > 0) {
          const uses = aliases.map((alias) => `alias "${alias}"`).join(', ');
          const sentence = `version ${version} of model "${model}" is in use: ${uses} (\`headrace models unalias ${model} ALIAS\` takes one away)`;
          throw new HeadraceError('HR_CONFLICT', sentence);
        }
        await trx
          .updateTable('registry_plain_versions')
          .set({ is_retired: 1 })
          .where('model', '=', model)
          .where('version', '=', version)
          .execute();
        await record({ actor, action: 'model.retire', object: `model/${model}`, before: { version } });
        return { ...before, isRetired: true };
      }),
    setLoaded: (model, isLoaded, by) =>
      store.change(async (trx, record) => {
        const found = await readPlain(trx, model);
        if (found === undefined) throw unknownPlain(model);
        if (found.isUnloaded === !isLoaded) return;
        if (isLoaded) await trx.deleteFrom('registry_plain_unloaded').where('model', '=', model).execute();
        else await trx.insertInto('registry_plain_unloaded').values({ model }).execute();
        await record({
          ...by,
          action: isLoaded ? 'model.load' : 'model.unload',
          object: `model/${model}`,
          before: { isLoaded: !isLoaded },
          after: { isLoaded },
        });
      }),
  };
}

async function refuseName(db: RegistryDb, model: string): Promise<void> {
  const path = 'model';
  if (!NAME.test(model)) {
    const came = JSON.stringify(model.slice(0, 120));
    throw invalid([{ path, message: `expected a letter, then up to 99 letters, digits, "_", "-", ".", got ${came}` }]);
  }
  const manifest = (await readCurrent(db))?.manifest;
  if (manifest === undefined) return;
  const { models, endpoints } = manifest;
  if (Object.hasOwn(models, model))
    throw new HeadraceError('HR_CONFLICT', `the definitions have a model "${model}", so it is no plain model`);
  if (Object.hasOwn(endpoints, model)) {
    const sentence = `the definitions have an endpoint "${model}", which clients would be answered by. Take another name for the model.`;
    throw new HeadraceError('HR_CONFLICT', sentence);
  }
  if ((await readPlain(db, model)) === undefined) refuseSlip(model, manifest);
}

function refuseSlip(model: string, { models }: Pick<Manifest, 'models'>): void {
  const meant = nearestName(model, Object.keys(models));
  if (meant === undefined) return;
  const sentence = `there is no model "${model}". Did you mean "${meant}"? A model without a definition takes a name that is not so near to a defined one.`;
  throw new HeadraceError('HR_UNKNOWN_MODEL', sentence);
}

async function readPlain(db: RegistryDb, model: string): Promise<PlainModel | undefined> {
  const rows = await db
    .selectFrom('registry_plain_versions')
    .selectAll()
    .where('model', '=', model)
    .orderBy('version')
    .execute();
  if (rows.length === 0) return undefined;
  const aliases = db.selectFrom('registry_plain_aliases').selectAll().where('model', '=', model);
  const named = await aliases.orderBy('alias').execute();
  const unloaded = db.selectFrom('registry_plain_unloaded').selectAll().where('model', '=', model);
  return {
    name: model,
    isUnloaded: (await unloaded.executeTakeFirst()) !== undefined,
    versions: rows.map((row) => toVersion(row, named)),
  };
}

async function needVersion(db: RegistryDb, model: string, asked: string): Promise<PlainVersion> {
  const found = await readPlain(db, model);
  if (found === undefined) throw unknownPlain(model);
  return findVersion(found.versions, model, asked);
}

function toVersion(
  row: RegistryTables['registry_plain_versions'],
  aliases: readonly RegistryTables['registry_plain_aliases'][],
): PlainVersion {
  return {
    model: row.model,
    version: row.version,
    artifact: row.artifact,
    signature: readJson(row.signature),
    // Written from a record of numbers.
    metrics: readJson(row.metrics) as Record<string, number>,
    aliases: aliases
      .filter(({ model, version }) => model === row.model && version === row.version)
      .map(({ alias }) => alias),
    createdAtMicros: row.created_at,
    actor: row.actor,
    batch: row.batch === null ? null : row.batch === 1,
    // Written from one.
    rowsVerdict: row.rows_verdict as RowsVerdict | null,
    isRetired: row.is_retired === 1,
  };
}

function unknownPlain(model: string): HeadraceError {
  return new HeadraceError('HR_UNKNOWN_MODEL', `there is no model "${model.slice(0, 100)}" without a definition`);
}
