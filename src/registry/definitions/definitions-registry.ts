// Plan and apply: from the applied manifest to another, whole or not at all, with every object's versions kept.

import { canonicalJson, contentHash, HeadraceError, type Json, type Micros } from '../../core/index.ts';
import type { Manifest } from '../../definitions/index.ts';
import { followDefinitions } from '../endpoints.ts';
import type { RegistryTables } from '../schema.ts';
import { readCurrent, readJson, readManifest, type RegistryDb, type RegistryStore } from '../store.ts';
import { keepBundles } from './function-refs.ts';
import { OBJECT_SECTIONS, type ObjectKind, sectionOf } from './objects.ts';
import { makePlan, type Plan, type PlanChange } from './plan.ts';
import { readInUse, type TrainingSetReader } from './read-in-use.ts';
import { findRefusals, type Refusal } from './refusals.ts';
import { refuseRunning } from './refuse-running.ts';
import { refuseUnderRollout } from './refuse-under-rollout.ts';
import { shownSpec } from './shown-spec.ts';
import { withStoredNames } from './stored-names.ts';
import { keepApplied } from '../versions/view-versions.ts';

export interface Apply {
  readonly revision: number;
  /** SHA-256 of the manifest's canonical JSON. */
  readonly hash: string;
  readonly appliedAtMicros: Micros;
  readonly actor: string;
  readonly origin: CodeOrigin;
}

/** Where definitions came from, as far as it is known. */
export interface CodeOrigin {
  /** The commit that the repository was at. */
  readonly commit?: string;
  /** Whether files differed from it. */
  readonly isDirty?: boolean;
}

export interface AppliedManifest extends Apply {
  readonly manifest: Manifest;
}

export interface Applied extends Apply {
  /** What this apply changed; empty when the manifest was the current one. */
  readonly changes: readonly PlanChange[];
}

export interface PlanOptions {
  /** The manifest is one that was applied: names under which its data lies, and bundles, are taken as they stand in it. */
  readonly isRestored?: boolean;
}

export interface ApplyOptions extends PlanOptions {
  readonly actor: string;
  readonly origin?: CodeOrigin;
  readonly allowBreaking?: boolean;
  /** A plan's `baseRevision`: the apply fails when anyone applied something else since. */
  readonly expectedRevision?: number;
  /** Applied bundles that the artifact store no longer has whole: the same functions get those of `manifest`. */
  readonly lostBundles?: ReadonlySet<string>;
}

export interface ObjectVersion {
  readonly kind: ObjectKind;
  readonly name: string;
  readonly version: number;
  readonly hash: string;
  /** Without a password; null where the object was removed. */
  readonly spec: Json;
  readonly revision: number;
}

export interface ForetoldPlan extends Plan {
  /** Why apply would refuse it as things stand, with `allowBreaking` too. */
  readonly refused: readonly Refusal[];
}

export interface DefinitionsRegistry {
  /** With training sets, it tells of those too that read what changes. */
  plan(manifest: Manifest, trainingSets?: readonly TrainingSetReader[], options?: PlanOptions): Promise<ForetoldPlan>;
  /** Throws HR_BREAKING_CHANGE, HR_EXPERIMENT_RUNNING, HR_CONFLICT. Applying the current manifest changes nothing. */
  apply(manifest: Manifest, options: ApplyOptions): Promise<Applied>;
  current(): Promise<AppliedManifest | undefined>;
  byHash(hash: string): Promise<Manifest | undefined>;
  /** Every apply, newest first. */
  history(): Promise<Apply[]>;
  /** An object's versions, ascending; empty when there never was one. */
  objectVersions(kind: ObjectKind, name: string): Promise<ObjectVersion[]>;
}

export function createDefinitionsRegistry(store: RegistryStore, newSalt: () => string): DefinitionsRegistry {
  const { db } = store;
  return {
    async plan(written, trainingSets = [], { isRestored = false } = {}) {
      const current = await readCurrent(db);
      const manifest = isRestored ? written : asApplied(current?.manifest, written);
      const inUse = await readInUse(db, current, trainingSets);
      const plan = makePlan(current?.manifest, manifest, current?.revision ?? 0, inUse);
      // Applying what is applied is never refused.
      const isNew = current !== undefined && current.hash !== contentHash(manifest);
      return { ...plan, refused: isNew ? await findRefusals(db, manifest) : [] };
    },
    apply: (written, options) =>
      store.change(async (trx, record) => {
        const { actor, origin = {}, allowBreaking = false, expectedRevision, lostBundles, isRestored } = options;
        const current = await readCurrent(trx);
        const manifest = isRestored === true ? written : asApplied(current?.manifest, written, lostBundles);
        const hash = contentHash(manifest);
        if (current !== undefined && current.hash === hash) return { ...toApply(current), changes: [] };
        const base = current?.revision ?? 0;
        if (expectedRevision !== undefined && expectedRevision !== base) {
          const sentence = `the plan was made at revision ${expectedRevision}, the registry is at ${base}; plan again`;
          throw new HeadraceError('HR_CONFLICT', sentence);
        }
        await refuseRunning(trx, manifest);
        await refuseUnderRollout(trx, manifest);
        const plan = makePlan(current?.manifest, manifest, base, await readInUse(trx, current, []));
        if (plan.breaking.length > 0 && !allowBreaking) throw breakingChange(plan.breaking);
        const apply = { revision: base + 1, hash, appliedAtMicros: store.now(), actor, origin };
        await trx
          .insertInto('registry_manifests')
          .values({ hash, manifest: canonicalJson(manifest) })
          .onConflict((conflict) => conflict.column('hash').doNothing())
          .execute();
        await trx
          .insertInto('registry_applies')
          .values({
            revision: apply.revision,
            hash,
            applied_at: apply.appliedAtMicros,
            actor,
            origin: canonicalJson(origin),
          })
          .execute();
        await keepApplied(trx, store.now(), manifest, hash);
        await writeObjectVersions(trx, plan.changes, manifest, apply.revision);
        await trx.updateTable('registry_state').set({ revision: apply.revision }).execute();
        const before = current === undefined ? undefined : { revision: base, hash: current.hash };
        const after = {
          revision: apply.revision,
          hash,
          changes: plan.changes.map(({ kind, object, name }) => [kind, object, name]),
        };
        await record({ actor, action: 'definitions.apply', object: 'definitions', before, after });
        await followDefinitions(trx, record, manifest.endpoints, newSalt, actor);
        return { ...apply, changes: plan.changes };
      }),
    async current() {
      const current = await readCurrent(db);
      return current === undefined ? undefined : { ...toApply(current), manifest: current.manifest };
    },
    byHash: (hash) => readManifest(db, hash),
    async history() {
      const rows = await db.selectFrom('registry_applies').selectAll().orderBy('revision', 'desc').execute();
      return rows.map(toApply);
    },
    async objectVersions(kind, name) {
      const rows = await db
        .selectFrom('registry_objects')
        .selectAll()
        .where('kind', '=', kind)
        .where('name', '=', name)
        .orderBy('version')
        .execute();
      // What is shown of JSON is JSON.
      return rows.map((row) => ({ ...row, kind, spec: shownSpec(readJson(row.spec)) as Json }));
    },
  };
}

/** Records lie by the project's name: under another all of them would be missing. Throws HR_OTHER_PROJECT. */
export function refuseOtherProject(applied: Pick<Manifest, 'project'>, project: string): void {
  if (applied.project === project) return;
  throw new HeadraceError(
    'HR_OTHER_PROJECT',
    `the definitions that are applied in this registry are of project "${applied.project}", and \`project\` is "${project}" here. Set it to that (HEADRACE_PROJECT), or use another registry.url.`,
  );
}

/** What is written, by the names and the bundles that stay as they are applied. */
function asApplied(before: Manifest | undefined, written: Manifest, lost?: ReadonlySet<string>): Manifest {
  if (before !== undefined) refuseOtherProject(before, written.project);
  return keepBundles(before, withStoredNames(before, written), lost);
}

async function writeObjectVersions(
  trx: RegistryDb,
  changes: readonly PlanChange[],
  manifest: Manifest,
  revision: number,
): Promise<void> {
  const latest = await trx
    .selectFrom('registry_objects')
    .select((row) => ['kind', 'name', row.fn.max('version').as('version')])
    .groupBy(['kind', 'name'])
    .execute();
  const versions = new Map(latest.map((row) => [`${row.kind}/${row.name}`, row.version]));
  const sections = new Map(OBJECT_SECTIONS);
  const removed = changes.flatMap(({ object, former }) => (former === null ? [] : [{ object, name: former }]));
  const all = [...changes, ...removed.map((one) => ({ ...one, kind: 'remove' }))];
  for (const { kind, object, name } of all) {
    const version = (versions.get(`${object}/${name}`) ?? 0) + 1;
    // The plan's own copy is for people.
    const specs = sectionOf(manifest, sections.get(object) ?? 'entities');
    const spec = kind === 'remove' ? null : specs[name];
    const text = spec === null ? null : canonicalJson(spec);
    const row = { kind: object, name, version, hash: spec === null ? '' : contentHash(spec), spec: text, revision };
    await trx.insertInto('registry_objects').values(row).execute();
  }
}

function toApply({ revision, hash, applied_at, actor, origin }: RegistryTables['registry_applies']): Apply {
  // Written from a CodeOrigin.
  return { revision, hash, appliedAtMicros: applied_at, actor, origin: readJson(origin) as CodeOrigin };
}

function breakingChange(breaking: readonly PlanChange[]): HeadraceError {
  const details = breaking.map(({ object, name, breaking: reason }) => ({
    path: `${object} ${name}`,
    message: reason ?? '',
  }));
  const [first] = details;
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
  const what = `${first?.path}: ${first?.message}${more}`;
  const sentence = `this would break what is in use: ${what}. \`apply --yes\` goes ahead.`;
  return new HeadraceError('HR_BREAKING_CHANGE', sentence, { details });
}
