// Every version of a view that is kept: what defines it, whether readers may move to it, since when nothing reads it.
// Versions come with what is applied or registered, and stay until they are removed.

import { createLastUsed, HeadraceError, type Micros } from '../../core/index.ts';
import {
  type Manifest,
  resolveService,
  type VersionEpoch,
  viewOfVersion,
  viewVersion,
} from '../../definitions/index.ts';
import { readLiveVersions } from '../model-versions.ts';
import { readCurrent, readManifest, type RegistryDb, type RegistryStore } from '../store.ts';
import { type ServedService, servedServices } from './served-services.ts';
import { refuseNeeded, type VersionNeed, versionNeeds } from './version-needs.ts';
import { readKept, toRow, toRows, type ViewVersionRow, type ViewVersionTable } from './view-version-rows.ts';

export interface ViewVersions {
  /** Those that are kept, by name and in the order in which they came. */
  list(): Promise<readonly ViewVersionRow[]>;
  /** Those that were removed and whose records may still lie in the store. */
  removed(): Promise<readonly ViewVersionRow[]>;
  /**
   * The records of a removed version are gone, or some of them, where `isWhole` is false. Where it came back meanwhile, some
   * of its new ones may be gone with them: it begins anew.
   */
  swept(version: VersionEpoch, isWhole: boolean): Promise<void>;
  /** Keeps a version again that was removed, as its manifest defines it: it has to be filled anew. Throws HR_UNKNOWN_VIEW. */
  bringBack(version: string, actor: string): Promise<ViewVersionRow>;
  /** A writer folds into the versions from this cut on. */
  noteFirstCuts(writer: number, cut: number, versions: readonly VersionEpoch[]): Promise<void>;
  /** By writer, the first cut that has the version. */
  firstCuts(version: VersionEpoch): Promise<ReadonlyMap<number, number>>;
  /** Readers may move to it. False when it came to that before, or is no longer kept in this epoch. */
  complete(version: VersionEpoch): Promise<boolean>;
  /** Takes note of which versions are read, and since when the others are not. */
  noteRead(isRead: (version: ViewVersionRow) => boolean): Promise<void>;
  /** By which definitions each service is served; of those that are applied. */
  servedServices(): Promise<readonly ServedService[]>;
  /** Who needs each version that is kept, by version. */
  needs(): Promise<ReadonlyMap<string, readonly VersionNeed[]>>;
  /**
   * From now on it is not kept: no cut is opened with it, no run fills it. False when it was not kept in this epoch, or was
   * read since, where `unreadSinceMicros` is given. Throws HR_CONFLICT while anything needs it.
   */
  remove(version: VersionEpoch & { readonly unreadSinceMicros?: Micros | null }, actor: string): Promise<boolean>;
}

export function createViewVersions(store: RegistryStore): ViewVersions {
  const { db } = store;
  const cached = cachedManifests();
  const rows = (from: RegistryDb) => from.selectFrom('registry_view_versions').selectAll();
  const kept = (from: RegistryDb) => rows(from).where('removed_at', 'is', null);
  const one = async (from: RegistryDb, { version, epoch }: VersionEpoch) =>
    kept(from).where('version', '=', version).where('epoch', '=', epoch).executeTakeFirst();

  const current = async (from: RegistryDb) => {
    const found = await readCurrent(from);
    return found === undefined ? undefined : { ...found, manifest: await cached(from, found.hash, found.manifest) };
  };
  const served = async (from: RegistryDb): Promise<readonly ServedService[]> => {
    const applied = await current(from);
    if (applied === undefined) return [];
    const revisions = await from
      .selectFrom('registry_applies')
      .select(['revision', 'hash'])
      .orderBy('revision', 'desc')
      .execute();
    return servedServices(applied, revisions, await readKept(from), (hash) => cached(from, hash));
  };
  const needs = async (from: RegistryDb): Promise<ReadonlyMap<string, readonly VersionNeed[]>> => {
    const applied = await current(from);
    if (applied === undefined) return new Map();
    const models = await readLiveVersions(from);
    const services = await served(from);
    return versionNeeds({ current: applied.manifest, services, models, manifestOf: (hash) => cached(from, hash) });
  };

  return {
    servedServices: () => served(db),
    needs: () => needs(db),
    list: () => readKept(db),
    removed: async () =>
      toRows(await rows(db).where('removed_at', 'is not', null).where('swept_at', 'is', null).execute()),
    swept: (version, isWhole) =>
      store.change(async (trx, record) => {
        const row = await rows(trx).where('version', '=', version.version).executeTakeFirst();
        if (row === undefined) return;
        if (row.removed_at !== null) {
          if (isWhole && row.epoch === version.epoch) await setRow(trx, row, { swept_at: store.now() });
          return;
        }
        await setRow(trx, row, { epoch: row.epoch + 1, completed_at: null });
        await trx.deleteFrom('registry_version_cuts').where('version', '=', row.version).execute();
        const object = `view/${viewOfVersion(row.version)}`;
        await record({ actor: 'headrace', action: 'view.keep', object, after: { version: row.version } });
      }),
    bringBack: (version, actor) =>
      store.change(async (trx, record) => {
        const found = await rows(trx).where('version', '=', version).executeTakeFirst();
        if (found === undefined) throw unknownVersion(version);
        const row = await keep(trx, store.now(), found);
        if (row.removed_at === found.removed_at) return toRow(row);
        await record({ actor, action: 'view.keep', object: `view/${viewOfVersion(version)}`, after: { version } });
        return toRow(row);
      }),
    async noteFirstCuts(writer, cut, versions) {
      if (versions.length === 0) return;
      await db
        .insertInto('registry_version_cuts')
        .values(versions.map(({ version, epoch }) => ({ version, epoch, writer, cut })))
        .onConflict((conflict) => conflict.columns(['version', 'epoch', 'writer']).doNothing())
        .execute();
    },
    async firstCuts({ version, epoch }) {
      const found = await db
        .selectFrom('registry_version_cuts')
        .select(['writer', 'cut'])
        .where('version', '=', version)
        .where('epoch', '=', epoch)
        .execute();
      return new Map(found.map(({ writer, cut }) => [writer, cut]));
    },
    complete: (version) =>
      store.change(async (trx, record) => {
        const row = await one(trx, version);
        if (row === undefined || row.completed_at !== null) return false;
        await setRow(trx, row, { completed_at: store.now() });
        const object = `view/${viewOfVersion(row.version)}`;
        await record({ actor: 'headrace', action: 'view.complete', object, after: { version: row.version } });
        return true;
      }),
    async noteRead(isRead) {
      const now = store.now();
      for (const row of await kept(db).execute()) {
        const unread = isRead(toRow(row)) ? null : (row.unread_since ?? now);
        if (unread !== row.unread_since) await setRow(db, row, { unread_since: unread });
      }
    },
    remove: (version, actor) =>
      store.change(async (trx, record) => {
        const row = await one(trx, version);
        if (row === undefined) return false;
        if (version.unreadSinceMicros !== undefined && row.unread_since !== version.unreadSinceMicros) return false;
        // Under the lock of all changes: what was applied or registered since the caller looked is seen.
        refuseNeeded(row.version, (await needs(trx)).get(row.version) ?? []);
        await setRow(trx, row, { removed_at: store.now(), completed_at: null });
        await trx.deleteFrom('registry_version_cuts').where('version', '=', row.version).execute();
        const object = `view/${viewOfVersion(row.version)}`;
        await record({ actor, action: 'view.remove', object, before: { version: row.version } });
        return true;
      }),
  };
}

/** Manifests never change: each is read once, and the last few are held. */
function cachedManifests(): (from: RegistryDb, hash: string, known?: Manifest) => Promise<Manifest> {
  const held = createLastUsed<string, Manifest>(MOST_HELD);
  return async (from, hash, known) => {
    const found = held.get(hash) ?? known ?? (await readManifest(from, hash));
    if (found === undefined) throw new HeadraceError('HR_INTERNAL', `the registry has no definitions ${hash}`);
    held.set(hash, found);
    return found;
  };
}

const MOST_HELD = 64;

/** Keeps the versions of all views of a manifest that is applied: it defines them from now on, as nobody needs an older one. */
export function keepApplied(trx: RegistryDb, now: Micros, manifest: Manifest, manifestHash: string): Promise<void> {
  const views = Object.keys(manifest.views);
  return keepVersions(trx, now, manifest, views, (found, view) => ({ ...found, view, manifest_hash: manifestHash }));
}

/** For a registry of a time before versions were kept: those of what is applied, to be filled. */
export async function keepFirstVersions(trx: RegistryDb, now: Micros): Promise<void> {
  const current = await readCurrent(trx);
  if (current !== undefined) await keepApplied(trx, now, current.manifest, current.hash);
}

/** Then those that its model versions were trained on. They came after what is applied, which goes on answering. */
export async function keepEarlierPins(trx: RegistryDb, now: Micros): Promise<void> {
  const known = await readKept(trx);
  let added = known.reduce((last, { addedMicros }) => Math.max(last, addedMicros), now);
  for (const { manifestHash, service } of await readLiveVersions(trx)) {
    const manifest = await readManifest(trx, manifestHash);
    if (manifest === undefined || !Object.hasOwn(manifest.services, service)) continue;
    const views = resolveService(manifest, service).reads.map(({ view }) => view.name);
    await keepPinned(trx, ++added, manifest, manifestHash, views);
  }
}

/** Keeps the versions of some views of an earlier manifest; those that are kept are left as they are. */
export function keepPinned(
  trx: RegistryDb,
  now: Micros,
  manifest: Manifest,
  manifestHash: string,
  views: readonly string[],
): Promise<void> {
  return keepVersions(trx, now, manifest, views, (found, view) =>
    found.removed_at === null ? found : { ...found, view, manifest_hash: manifestHash },
  );
}

async function keepVersions(
  trx: RegistryDb,
  now: Micros,
  manifest: Manifest,
  views: readonly string[],
  definedBy: (row: KeptRow, view: string) => KeptRow,
): Promise<void> {
  const rows = await trx.selectFrom('registry_view_versions').selectAll().execute();
  const known = new Map(rows.map((row) => [row.version, row]));
  for (const view of views) {
    const version = viewVersion(manifest, view);
    const found: KeptRow = known.get(version) ?? { version, view, manifest_hash: '', epoch: 0, removed_at: now };
    await keep(trx, now, definedBy(found, view));
  }
}

/** A row as it was, or as a version's that never was. */
type KeptRow = Pick<ViewVersionTable, 'version' | 'view' | 'manifest_hash' | 'epoch' | 'removed_at'> &
  Partial<ViewVersionTable>;

async function keep(trx: RegistryDb, now: Micros, was: KeptRow): Promise<ViewVersionTable> {
  const { version, view, manifest_hash } = was;
  const anew = { epoch: was.epoch + 1, added_at: now, completed_at: null, removed_at: null };
  const standing = { epoch: was.epoch, added_at: was.added_at ?? now, completed_at: was.completed_at ?? null };
  const state = was.removed_at === null ? { ...standing, removed_at: null } : anew;
  const row: ViewVersionTable = { version, view, manifest_hash, unread_since: null, swept_at: null, ...state };
  await trx
    .insertInto('registry_view_versions')
    .values(row)
    .onConflict((conflict) => conflict.column('version').doUpdateSet(row))
    .execute();
  return row;
}

async function setRow(
  trx: RegistryDb,
  { version, epoch }: VersionEpoch,
  set: Partial<ViewVersionTable>,
): Promise<void> {
  await trx
    .updateTable('registry_view_versions')
    .set(set)
    .where('version', '=', version)
    .where('epoch', '=', epoch)
    .execute();
}

function unknownVersion(version: string): HeadraceError {
  return new HeadraceError(
    'HR_UNKNOWN_VIEW',
    `there is no version "${version}" of a view. \`headrace views\` shows those there are.`,
  );
}
