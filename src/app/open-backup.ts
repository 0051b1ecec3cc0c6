// Backups, with everyone who owns rows: what they need of the object store, and what is not true of them at another place.

import { join } from 'node:path';
import { counted, HeadraceError, type Progress } from '../core/index.ts';
import type { BackedUpExtra, BackupDeps, BackupManifest, Restored } from '../housekeeping/index.ts';
import { type ObjectStore, openObjectStore, withoutPassword } from '../storage/index.ts';
import { migrateAllTables } from './migrate-tables.ts';
import type { App } from './open-app.ts';
import { packageVersion } from './package-version.ts';
import { rowsOwners } from './rows-owners.ts';

export interface BackupChoice {
  readonly trainingSets: boolean;
  readonly predictions: boolean;
  /** Makes the backup though writers do not answer: what they have not shipped is not in it. */
  readonly allowMissing: boolean;
  /** How long writers are waited for. */
  readonly timeoutMs: number;
}

export interface BackedUp {
  readonly manifest: BackupManifest;
  /** Writers that did not answer. */
  readonly silent: readonly number[];
  /** Kafka topics that hold pushed events, which stay there. */
  readonly topics: readonly string[];
}

/** `to`: a folder's absolute path, or `s3://…`. Throws as `createBackup` does. */
export async function backUp(app: App, to: string, choice: BackupChoice, progress: Progress): Promise<BackedUp> {
  const { createBackup } = await import('../housekeeping/index.ts');
  const silent = await shipAll(app, choice);
  const { topicsWithEvents } = await import('../events/index.ts');
  const topics = await topicsWithEvents(await app.database());
  const { store, place } = openPlace(to);
  const manifest = await createBackup({
    database: await app.database(),
    migrateAll: (database) => migrateAllTables(database, app.clock),
    objects: await app.objects(),
    owners: await rowsOwners(app),
    extras: await extrasOf(app, choice),
    to: store,
    place,
    project: await app.appliedProject(),
    version: packageVersion(),
    clock: app.clock,
    progress,
  });
  return { manifest, silent, topics };
}

async function shipAll(app: App, { timeoutMs, allowMissing }: BackupChoice): Promise<readonly number[]> {
  const { shipLog } = await import('../offline/index.ts');
  const silent = await shipLog({ log: await app.log(), runs: await app.runs(), clock: app.clock }, timeoutMs);
  if (silent.length > 0 && !allowMissing) {
    const who = silent.map(({ number, machine }) => `writer ${number} on ${machine}`).join(', ');
    throw new HeadraceError(
      'HR_BACKUP_INCOMPLETE',
      `${who} did not answer, so what ${silent.length === 1 ? 'it has' : 'they have'} not shipped would be missing. Start a server on that machine; \`headrace log forget\` is for one that will not return, and \`--allow-missing\` goes ahead without.`,
    );
  }
  return silent.map(({ number }) => number);
}

async function extrasOf(app: App, choice: BackupChoice): Promise<BackupDeps['extras']> {
  const extras: BackupDeps['extras'][number][] = [];
  if (choice.trainingSets) {
    const { trainingSetFiles } = await import('../offline/index.ts');
    extras.push(async function* (db) {
      for await (const { id, path, sha256 } of trainingSetFiles(db)) {
        yield { kind: 'training-set', name: `${id}.parquet`, path, sha256 };
      }
    });
  }
  if (choice.predictions) {
    const { predictionFiles } = await import('../monitoring/index.ts');
    const directory = app.config.values['predictionLog.path'];
    extras.push(async function* () {
      for await (const { name, path } of predictionFiles(directory)) yield { kind: 'prediction', name, path };
    });
  }
  return extras;
}

/** `from`: as `to` of a backup. Throws as `restoreBackup` does. */
export async function restore(
  app: App,
  from: string,
  options: { readonly force: boolean },
  progress: Progress,
): Promise<Restored> {
  const [{ restoreBackup }, { relocateTrainingSets }] = await Promise.all([
    import('../housekeeping/index.ts'),
    import('../offline/index.ts'),
  ]);
  const { store, place } = openPlace(from);
  const { values } = app.config;
  const pathOf = ({ kind, name }: BackedUpExtra): string => {
    if (name.split('/').some((part) => part === '' || part === '.' || part === '..')) {
      throw new HeadraceError(
        'HR_BACKUP_DAMAGED',
        `the backup names a file ${JSON.stringify(name)}, which leads elsewhere`,
      );
    }
    return kind === 'training-set'
      ? join(values['offline.path'], 'training-sets', name)
      : join(values['predictionLog.path'], name);
  };
  // Before the transaction: inside it nobody else may ask.
  if (options.force) await refuseWorkers(app);
  return restoreBackup(
    {
      database: await app.database(),
      migrateAll: (database) => migrateAllTables(database, app.clock),
      objects: await app.objects(),
      owners: await rowsOwners(app),
      from: store,
      place,
      project: values.project,
      pathOf,
      relocate: (trx, paths) => relocateTrainingSets(trx, trainingSetPaths(paths)),
      progress,
    },
    options,
  );
}

/** By id. */
function trainingSetPaths(paths: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const found = [...paths].flatMap(([key, path]) => {
    const id = /^training-sets\/(.+)\.parquet$/.exec(key)?.[1];
    return id === undefined ? [] : [[id, path] as const];
  });
  return new Map(found);
}

async function refuseWorkers(app: App): Promise<void> {
  const { findRows } = await import('../storage/index.ts');
  const rows = await findRows((await app.database()).tables(), (database) => migrateAllTables(database, app.clock));
  const servers = rows.has('registry_servers') ? await (await app.registry()).servers.list() : [];
  if (servers.length > 0) {
    const who = servers.map(({ machine, pid }) => `process ${pid} on ${machine}`).join(', ');
    throw new HeadraceError(
      'HR_RESTORE_REFUSED',
      `${counted(servers.length, 'server')} of this registry ${servers.length === 1 ? 'is' : 'are'} at work (${who}). Stop ${servers.length === 1 ? 'it' : 'them'} first.`,
    );
  }
  // A consumer of a topic is no server, and would go on behind what is restored.
  const since = app.clock.nowMicros() - WRITER_SILENCE_MICROS;
  const writers = rows.has('event_writers') ? await (await app.log()).writers() : [];
  const live = writers.find(({ state, seenMicros }) => state === 'open' && seenMicros > since);
  if (live === undefined) return;
  throw new HeadraceError(
    'HR_RESTORE_REFUSED',
    `writer ${live.number} on ${live.machine} took pushes for this registry less than ${WRITER_SILENCE_MICROS / 1e6} s ago. Stop it first (\`headrace consume\`, for one), or wait where it died.`,
  );
}

/** Writers tell that they live every two seconds. */
const WRITER_SILENCE_MICROS = 10_000_000;

function openPlace(place: string): { readonly store: ObjectStore; readonly place: string } {
  if (/^[a-z0-9]+:\/\//i.test(place)) return { store: openObjectStore(place), place: withoutPassword(place) };
  return { store: openObjectStore(`file:${place}`), place };
}
