// Models, their immutable versions, and the aliases that point at them.

import { canonicalJson, HeadraceError, type RowsVerdict } from '../core/index.ts';
import { type Manifest, own, resolveService } from '../definitions/index.ts';
import { endpointsServing, startTraffic } from './endpoints.ts';
import { graphsThatRun, refuseRetiredPins } from './graph-pins.ts';
import { checkAlias, checkMetrics } from './model-names.ts';
import { pointAlias } from './point-alias.ts';
import {
  checkKnown,
  findVersion,
  type ModelVersion,
  nothingApplied,
  readLiveVersions,
  readVersion,
  readVersions,
  unknownModel,
} from './model-versions.ts';
import { readCurrent, readManifest, type RegistryDb, type RegistryStore } from './store.ts';
import { keepPinned } from './versions/view-versions.ts';

export interface RegisteredModel {
  readonly name: string;
  /** Null when the applied definitions no longer have the model. */
  readonly service: string | null;
  readonly versions: number;
  readonly aliases: Readonly<Record<string, number>>;
}

export interface NewModelVersion {
  readonly model: string;
  readonly artifact: string;
  /** The definitions whose features it was trained on: those of its training set. Left out: what is applied. */
  readonly manifestHash?: string;
  /** Plain JSON: what the runtime read of the file's inputs and outputs. */
  readonly signature: unknown;
  readonly trainingSet?: string;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly alias?: string;
  readonly actor: string;
  /** Whether rows may share a run, where the registration says it; it goes before what the definition says. */
  readonly batch?: boolean;
  /** What rows showed when it was registered. */
  readonly rowsVerdict?: RowsVerdict;
  /**
   * The same run registering the same artifact of the same training set again gets the version it made before: a resumed step is no new
   * one.
   */
  readonly runId?: string;
}

export interface ModelRegistry {
  /**
   * Adds the next version. The first of a model also gives each of its endpoints without traffic `stable=1:100`.
   * Throws HR_UNKNOWN_MODEL, HR_NOTHING_APPLIED, HR_INVALID (a bad alias).
   */
  register(version: NewModelVersion): Promise<ModelVersion>;
  /** Those defined and those with versions, by name. */
  list(): Promise<RegisteredModel[]>;
  /** Ascending. Throws HR_UNKNOWN_MODEL. */
  versions(model: string): Promise<ModelVersion[]>;
  get(model: string, version: number): Promise<ModelVersion>;
  /** `3`, an alias, or `latest`. Throws HR_UNKNOWN_MODEL. */
  resolve(model: string, versionOrAlias: string): Promise<ModelVersion>;
  /** Points the alias at a version, moving it when it exists. Throws HR_CONFLICT for a retired version. */
  setAlias(model: string, alias: string, version: number, actor: string, reason?: string): Promise<ModelVersion>;
  /** Gives the version that the alias pointed at. Throws HR_UNKNOWN_MODEL. */
  removeAlias(model: string, alias: string, actor: string): Promise<ModelVersion>;
  /**
   * From now on the version can't be served, and the view versions that it reads are kept for others alone. Throws
   * HR_CONFLICT while it has traffic or an alias.
   */
  retire(model: string, version: number, actor: string): Promise<ModelVersion>;
  /** Versions that can be served, of all models. */
  live(): Promise<readonly ModelVersion[]>;
}

export function createModelRegistry(store: RegistryStore): ModelRegistry {
  const { db } = store;
  return {
    register: (input) =>
      store.change(async (trx, record) => {
        const { model, artifact, alias, actor, runId, trainingSet = null } = input;
        const current = await readCurrent(trx);
        if (current === undefined) throw nothingApplied();
        const spec = own(current.manifest.models, model);
        if (spec === undefined) throw unknownModel(model, Object.keys(current.manifest.models));
        if (alias !== undefined) checkAlias(alias);
        checkMetrics(input.metrics ?? {});
        await refuseRetiredPins(trx, input.signature);
        const earlier = await readVersions(trx, model);
        const isSame = (one: ModelVersion): boolean =>
          one.runId === runId && one.artifact === artifact && one.trainingSet === trainingSet && !one.isRetired;
        const same = runId === undefined ? undefined : earlier.find(isSame);
        if (same !== undefined) return same;
        const version = (earlier.at(-1)?.version ?? 0) + 1;
        const pinned = await pinnedDefinitions(trx, current, input.manifestHash);
        const views = resolveService(pinned.manifest, spec.service).reads.map(({ view }) => view.name);
        await keepPinned(trx, store.now(), pinned.manifest, pinned.hash, views);
        await trx
          .insertInto('registry_model_versions')
          .values({
            model,
            version,
            artifact,
            signature: canonicalJson(input.signature ?? null),
            service: spec.service,
            manifest_hash: pinned.hash,
            training_set: trainingSet,
            run_id: runId ?? null,
            metrics: canonicalJson(input.metrics ?? {}),
            created_at: store.now(),
            actor,
            spec: canonicalJson(input.batch === undefined ? spec : { ...spec, batch: input.batch }),
            rows_verdict: input.rowsVerdict ?? null,
            is_retired: 0,
          })
          .execute();
        if (alias !== undefined) await pointAlias(trx, 'registry_model_aliases', model, alias, version);
        const made = await readVersion(trx, model, version);
        await record({ actor, action: 'model.register', object: `model/${model}`, after: made });
        if (version === 1) await startTraffic(trx, record, model, actor);
        return made;
      }),
    async list() {
      const current = await readCurrent(db);
      const counts = await db
        .selectFrom('registry_model_versions')
        .select((row) => ['model', row.fn.countAll<number>().as('versions')])
        .groupBy('model')
        .execute();
      const aliases = await db.selectFrom('registry_model_aliases').selectAll().orderBy('alias').execute();
      const defined = current?.manifest.models ?? {};
      const names = new Set([...Object.keys(defined), ...counts.map((row) => row.model)]);
      return [...names].sort().map((name) => ({
        name,
        service: own(defined, name)?.service ?? null,
        versions: counts.find((row) => row.model === name)?.versions ?? 0,
        aliases: Object.fromEntries(aliases.filter((row) => row.model === name).map((row) => [row.alias, row.version])),
      }));
    },
    async versions(model) {
      const versions = await readVersions(db, model);
      if (versions.length === 0) await checkKnown(db, model);
      return versions;
    },
    get: (model, version) => readVersion(db, model, version),
    async resolve(model, versionOrAlias) {
      const versions = await readVersions(db, model);
      if (versions.length === 0) await checkKnown(db, model);
      return findVersion(versions, model, versionOrAlias);
    },
    setAlias: (model, alias, version, actor, reason) =>
      store.change(async (trx, record) => {
        checkAlias(alias);
        const before = await readVersion(trx, model, version);
        if (before.aliases.includes(alias)) return before;
        if (before.isRetired)
          throw new HeadraceError('HR_CONFLICT', `version ${version} of model "${model}" is retired`);
        const previous = await pointAlias(trx, 'registry_model_aliases', model, alias, version);
        const object = `model/${model}`;
        await record({
          actor,
          action: 'model.alias',
          object,
          before: { alias, version: previous },
          after: { alias, version },
          ...(reason === undefined ? {} : { reason }),
        });
        return readVersion(trx, model, version);
      }),
    removeAlias: (model, alias, actor) =>
      store.change(async (trx, record) => {
        const versions = await readVersions(trx, model);
        if (versions.length === 0) await checkKnown(trx, model);
        const { version, aliases } = findVersion(versions, model, alias);
        if (!aliases.includes(alias))
          throw new HeadraceError(
            'HR_INVALID',
            `${JSON.stringify(alias.slice(0, 80))} is no alias of model "${model}"`,
          );
        await trx.deleteFrom('registry_model_aliases').where('model', '=', model).where('alias', '=', alias).execute();
        await record({ actor, action: 'model.alias', object: `model/${model}`, before: { alias, version } });
        return readVersion(trx, model, version);
      }),
    retire: (model, version, actor) =>
      store.change(async (trx, record) => {
        const before = await readVersion(trx, model, version);
        if (before.isRetired) return before;
        await refuseInUse(trx, before);
        await trx
          .updateTable('registry_model_versions')
          .set({ is_retired: 1 })
          .where('model', '=', model)
          .where('version', '=', version)
          .execute();
        await record({ actor, action: 'model.retire', object: `model/${model}`, before: { version } });
        return { ...before, isRetired: true };
      }),
    live: () => readLiveVersions(db),
  };
}

async function pinnedDefinitions(
  trx: RegistryDb,
  current: { readonly manifest: Manifest; readonly hash: string },
  hash = current.hash,
): Promise<{ readonly manifest: Manifest; readonly hash: string }> {
  if (hash === current.hash) return current;
  const manifest = await readManifest(trx, hash);
  if (manifest !== undefined) return { manifest, hash };
  throw new HeadraceError('HR_INVALID', `no definitions ${hash.slice(0, 12)} were ever applied here`);
}

async function refuseInUse(trx: RegistryDb, one: ModelVersion): Promise<void> {
  const { model, version, aliases } = one;
  const endpoints = await endpointsServing(trx, model, version);
  const uses = [
    ...endpoints.map((name) => `endpoint "${name}" gives it traffic`),
    ...aliases.map(
      (alias) => `alias "${alias}" points at it (\`headrace models unalias ${model} ${alias}\` takes it away)`,
    ),
    ...(await graphsThatRun(trx, one)),
  ];
  if (uses.length === 0) return;
  throw new HeadraceError('HR_CONFLICT', `version ${version} of model "${model}" is in use: ${uses.join(', ')}`);
}
