// Backups and restores in one process: what comes back, what is refused, and what a crash at any step leaves.

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type App, backUp, openApp, readEnvironment, restore } from '../../src/app/index.ts';
import { migrateAllTables } from '../../src/app/migrate-tables.ts';
import { rowsOwners } from '../../src/app/rows-owners.ts';
import { fixedClock, type Progress, silentLogger, silentProgress } from '../../src/core/index.ts';
import {
  type BackupDeps,
  type BackupManifest,
  createBackup,
  type ExtraFile,
  restoreBackup,
  type RestoreDeps,
} from '../../src/housekeeping/index.ts';
import { openRegistry } from '../../src/registry/index.ts';
import {
  type Database,
  type ObjectStore,
  openDatabase,
  openObjectStore,
  putBlob,
  type RowsOwner,
} from '../../src/storage/index.ts';
import { Crash, type CrashPoints, sweepCrashes } from '../support/crash-points.ts';
import { flightsManifest } from '../support/manifests.ts';
import { CONFIG, createProject, type Project } from '../support/serving-project.ts';

const CLOCK = fixedClock(1_795_000_000_000_000);
const MODEL = 'delay_classifier';

type Place = { readonly database: Database; readonly objects: ObjectStore };

let folder: string;
let opened: Database[];
let count = 0;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-backup-test-'));
  opened = [];
});
afterEach(async () => {
  for (const database of opened) await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const storeAt = (name: string): ObjectStore => openObjectStore(`file:${join(folder, name)}`);
const newDatabase = async (): Promise<Database> => {
  const database = await openDatabase('sqlite::memory:');
  opened.push(database);
  return database;
};
/** The registry's tables alone: those of every owner take most of a test's time. */
const migrateAll = async (database: Database): Promise<void> => void (await openRegistry(database, CLOCK));
const ownersOf = (objects: ObjectStore) => rowsOwners({ objects: async () => objects } as never);

/** A registry with definitions and two versions of a model, whose files are in the object store. */
async function filledPlace() {
  const database = await newDatabase();
  const objects = storeAt('here');
  const registry = await openRegistry(database, CLOCK);
  await registry.definitions.apply(flightsManifest, { actor: 'ann' });
  const blobs: string[] = [];
  for (const text of ['one', 'two']) {
    const artifact = await putBlob(objects, Buffer.from(text));
    await registry.models.register({ model: MODEL, artifact, signature: { inputs: [] }, actor: 'ann' });
    blobs.push(`blobs/${artifact.slice(0, 2)}/${artifact}`);
  }
  return { database, objects, registry, blobs };
}

async function backUpPlace(from: Place, more: Partial<BackupDeps> = {}): Promise<BackupManifest> {
  return createBackup({
    ...from,
    migrateAll,
    owners: await ownersOf(from.objects),
    extras: [],
    to: storeAt('backup'),
    place: 'there',
    project: 'flights',
    version: '1',
    clock: CLOCK,
    progress: silentProgress,
    ...more,
  });
}

async function restorePlace(to: Place, { force = false, ...more }: Partial<RestoreDeps & { force: boolean }> = {}) {
  const deps: RestoreDeps = {
    ...to,
    migrateAll,
    owners: await ownersOf(to.objects),
    from: storeAt('backup'),
    place: 'there',
    project: 'flights',
    pathOf: ({ name }) => join(folder, 'extras', name),
    relocate: async () => {},
    progress: silentProgress,
    ...more,
  };
  return restoreBackup(deps, { force });
}

const extrasOf = (...files: readonly ExtraFile[]): Pick<BackupDeps, 'extras'> => ({
  extras: [
    async function* () {
      yield* files;
    },
  ],
});

/** An empty place, with a store of its own. */
const emptyPlace = async () => ({ database: await newDatabase(), objects: storeAt(`place-${++count}`) });

/** What the registry of a place says; nothing where none was restored. */
async function seen({ database }: { database: Database }): Promise<unknown> {
  const { definitions, models, endpoints, auditLog } = await openRegistry(database, CLOCK);
  if ((await definitions.current()) === undefined) return undefined;
  return [await definitions.current(), await models.versions(MODEL), await endpoints.list(), await auditLog.list()];
}

const manifestOf = (): BackupManifest => JSON.parse(readFileSync(join(folder, 'backup/manifest.json'), 'utf8'));

describe('a backup', () => {
  it('brings back definitions, models with their files, endpoints and the audit log', async () => {
    const here = await filledPlace();
    const every = { migrateAll: (database: Database) => migrateAllTables(database, CLOCK) };
    await every.migrateAll(here.database);
    const { tables, ...made } = await backUpPlace(here, every);
    expect(made).toMatchObject({ project: 'flights', missing: [], objects: { count: 2 } });
    expect(tables.length).toBeGreaterThan(30);
    const there = await emptyPlace();
    await restorePlace(there, every);
    expect(await seen(there)).toEqual(await seen(here));
    for (const key of here.blobs) expect(await there.objects.get(key)).toEqual(await here.objects.get(key));
  });

  it('is made and restored with progress that counts each object', async () => {
    const here = await filledPlace();
    const there = await emptyPlace();
    const told = async (work: (more: { progress: Progress }) => Promise<unknown>) => {
      const steps: (string | number | undefined)[] = [];
      await work({
        progress: {
          ...silentProgress,
          start: (name: string, total?: number) => void steps.push(name, total),
          advance: (done: number) => void steps.push(done),
        },
      });
      return steps.slice(steps.indexOf('copy objects')).slice(1, 5);
    };
    // Beside the models there is code that may be gone.
    expect(await told((more) => backUpPlace(here, more))).toEqual([3, 1, 2, 3]);
    expect((await told((more) => restorePlace(there, more))).slice(0, 3)).toEqual([2, 1, 2]);
  });

  it.each([
    ['brings all back where the object that is needed is there at the third moment', 3],
    ['is given up where that is gone at three moments', 4],
  ])('%s', async (_, thereFrom) => {
    const here = await filledPlace();
    let moments = 0;
    const owner: RowsOwner = {
      table: 'registry_audit',
      async *objects() {
        yield { key: ++moments < thereFrom ? 'gone' : (here.blobs[0] ?? ''), what: 'rows', ifGone: 'needed' };
      },
    };
    const made = backUpPlace(here, { owners: [owner] });
    if (thereFrom > 3) await expect(made).rejects.toMatchObject({ code: 'HR_BACKUP_INCOMPLETE' });
    else expect(await made).toMatchObject({ missing: [], objects: { count: 1 } });
    expect(moments).toBe(3);
  });

  it('changes nothing where an owner of rows can not settle what came', async () => {
    await backUpPlace(await filledPlace());
    const there = await emptyPlace();
    const refused = new Error('can not be settled here');
    const owner: RowsOwner = {
      table: 'registry_audit',
      settle: async () => {
        await turn();
        throw refused;
      },
    };
    let isRelocated = false;
    const relocate = async () => void (isRelocated = true);
    await expect(restorePlace(there, { owners: [owner], relocate })).rejects.toBe(refused);
    expect([await seen(there), isRelocated]).toEqual([undefined, false]);
  });

  it('names an artifact that is gone or that is another file, and is made all the same', async () => {
    const here = await filledPlace();
    const [gone = '', changed = ''] = here.blobs;
    await here.objects.remove(gone);
    await here.objects.put(changed, Buffer.from('other'));
    const { missing, objects } = await backUpPlace(here);
    expect(missing.map(({ key }) => key).toSorted()).toEqual([gone, changed].toSorted());
    expect(objects.count).toBe(0);
  });

  it('names the code that is gone by its function and its definitions', async () => {
    const here = await filledPlace();
    const { departure } = flightsManifest.onDemandViews;
    if (departure === undefined) throw new Error('flightsManifest has the view');
    const transform = { ...departure.transform, bundle: 'b'.repeat(64) };
    const manifest = { ...flightsManifest, onDemandViews: { departure: { ...departure, transform } } };
    const { hash } = await here.registry.definitions.apply(manifest, { actor: 'ann' });
    const what = `code of ${transform.id} in definitions ${hash.slice(0, 12)}`;
    expect((await backUpPlace(here)).missing).toMatchObject([{ what }]);
  });

  it('is written over no other backup, nor beside files of none; one that was only begun is gone on with', async () => {
    const here = await filledPlace();
    await storeAt('backup').put('notes.txt', Buffer.from('mine'));
    await expect(backUpPlace(here)).rejects.toThrow('is not empty: it holds 1 file that is of no backup');
    await storeAt('backup').remove('notes.txt');
    await storeAt('backup').put('begun.json', Buffer.from('{}'));
    await storeAt('backup').put('objects/half', Buffer.from('x'));
    await expect(restorePlace(await emptyPlace())).rejects.toThrow('a backup was begun there and is not finished');
    await backUpPlace(here);
    await expect(backUpPlace(here)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    await restorePlace(await emptyPlace());
  });

  const backupFile = (name: string): string => join(folder, 'backup', name);
  const changeManifest = (change: (manifest: BackupManifest) => object): void =>
    writeFileSync(backupFile('manifest.json'), JSON.stringify(change(manifestOf())));
  const damages: Readonly<Record<string, readonly [damage: () => void, code: string, sentence: string]>> = {
    'a table of other bytes': [
      () => {
        const path = backupFile(manifestOf().tables.find(({ name }) => name === 'registry_audit')?.key ?? '');
        writeFileSync(path, readFileSync(path, 'utf8').replace('definitions.apply', 'definitions.appla'));
      },
      'HR_BACKUP_DAMAGED',
      'registry_audit.ndjson of the backup is damaged',
    ],
    'an object of other bytes': [
      () => {
        const [line = ''] = readFileSync(backupFile(manifestOf().objects.key), 'utf8').split('\n');
        writeFileSync(join(backupFile('objects'), (JSON.parse(line) as [string])[0]), 'other');
      },
      'HR_BACKUP_DAMAGED',
      'of the backup is damaged',
    ],
    'fewer rows than its manifest says': [
      () => changeManifest((of) => ({ ...of, tables: of.tables.map((one) => ({ ...one, rows: one.rows + 1 })) })),
      'HR_BACKUP_DAMAGED',
      'has other rows than the manifest of there says',
    ],
    'a later format': [
      () => changeManifest(() => ({ format: 2 })),
      'HR_BACKUP_NEWER',
      'has format 2; this version reads up to 1',
    ],
    'a later migration': [
      () => changeManifest((of) => ({ ...of, migrations: [...of.migrations, 'registry: 9999-later'] })),
      'HR_BACKUP_NEWER',
      'the backup is of a later version of Headrace',
    ],
  };
  it.each(Object.keys(damages))('with %s is refused, and nothing has changed', async (what) => {
    const [damage, code, sentence] = damages[what] as (typeof damages)[string];
    await backUpPlace(await filledPlace());
    damage();
    const there = await emptyPlace();
    await expect(restorePlace(there)).rejects.toMatchObject({ code, message: expect.stringContaining(sentence) });
    expect(await seen(there)).toBeUndefined();
  });

  it('is restored over what is there, or into another project, only where that is forced or named', async () => {
    const here = await filledPlace();
    await backUpPlace(here);
    const taken = await filledPlace();
    await taken.registry.models.setAlias(MODEL, 'champion', 1, 'bob');
    await expect(restorePlace(taken)).rejects.toMatchObject({
      code: 'HR_RESTORE_REFUSED',
      message: expect.stringContaining('registry_model_versions has 2 rows'),
    });
    await expect(restorePlace(taken, { force: true, project: 'other' })).rejects.toMatchObject({
      code: 'HR_OTHER_PROJECT',
    });
    expect(await seen(taken)).not.toEqual(await seen(here));
    await restorePlace(taken, { force: true });
    expect(await seen(taken)).toEqual(await seen(here));
  });

  it('writes over another object, or another file, of the place only where that is forced', async () => {
    const here = await filledPlace();
    writeFileSync(join(folder, 'a.parquet'), 'rows');
    const extra: ExtraFile = { kind: 'prediction', name: 'a.parquet', path: join(folder, 'a.parquet') };
    await backUpPlace(here, extrasOf(extra));
    const [key = ''] = here.blobs;
    const there = await emptyPlace();
    await there.objects.put(key, Buffer.from('other'));
    await expect(restorePlace(there)).rejects.toThrow('has another object under');
    await restorePlace(there, { force: true });
    expect(await there.objects.get(key)).toEqual(await here.objects.get(key));
    const next = await emptyPlace();
    writeFileSync(join(folder, 'extras/a.parquet'), 'other rows');
    await expect(restorePlace(next)).rejects.toThrow('is another file than the backup’s');
    await restorePlace(next, { force: true });
    expect(readFileSync(join(folder, 'extras/a.parquet'), 'utf8')).toBe('rows');
  });

  it('takes files along that are what they were, and names those that are not', async () => {
    const here = await filledPlace();
    const fileOf = (name: string, text: string, hashed = text): ExtraFile => {
      writeFileSync(join(folder, name), text);
      const sha256 = createHash('sha256').update(hashed).digest('hex');
      return { kind: 'training-set', name, path: join(folder, name), sha256 };
    };
    const files = [fileOf('same.parquet', 'rows'), fileOf('changed.parquet', 'rows', 'other')];
    const gone: ExtraFile = { kind: 'prediction', name: 'gone.parquet', path: join(folder, 'gone.parquet') };
    const { missing } = await backUpPlace(here, extrasOf(...files, gone));
    expect(missing.map(({ key }) => key)).toEqual(['training-sets/changed.parquet', 'predictions/gone.parquet']);
    const there = await emptyPlace();
    const moved = new Map<string, string>();
    await restorePlace(there, { relocate: async (_trx, paths) => paths.forEach((path, key) => moved.set(key, path)) });
    expect([...moved]).toEqual([['training-sets/same.parquet', join(folder, 'extras/same.parquet')]]);
    expect(readFileSync(join(folder, 'extras/same.parquet'), 'utf8')).toBe('rows');
  });
});

describe('a process that crashes at any step', () => {
  /** Sweeps over an empty place, which is closed after each trial. */
  const swept = async (trial: (there: Place, points: CrashPoints, isCrashing: boolean) => Promise<void>) => {
    const calls = await sweepCrashes(async (points, isCrashing) => {
      const there = await emptyPlace();
      await trial(there, points, isCrashing);
      await there.database.close();
      opened.splice(opened.indexOf(there.database), 1);
    });
    expect(calls).toBeGreaterThan(20);
  };
  const expectEnd = (work: Promise<unknown>, isCrashing: boolean): Promise<unknown> =>
    isCrashing ? expect(work).rejects.toThrow(Crash) : work;

  it('of a restore has changed nothing, or all of it; the next one brings all back', async () => {
    const here = await filledPlace();
    await backUpPlace(here);
    const whole = await seen(here);
    const found = { nothing: 0, all: 0 };
    await swept(async ({ database, objects }, { watch }, isCrashing) => {
      const watched = { database: watch(database), objects: watch(objects) };
      await expectEnd(restorePlace(watched, { from: watch(storeAt('backup')) }), isCrashing);
      const after = await seen({ database });
      expect([undefined, whole]).toContainEqual(after);
      found[after === undefined ? 'nothing' : 'all']++;
      await restorePlace({ database, objects }, { force: after !== undefined });
      expect(await seen({ database })).toEqual(whole);
      for (const key of here.blobs) expect(await objects.get(key)).toEqual(await here.objects.get(key));
    });
    expect(found).toEqual({ nothing: 25, all: 1 });
  });

  it('of a backup leaves one that is whole, or one that is gone on with', async () => {
    const here = await filledPlace();
    const whole = await seen(here);
    await swept(async (there, { watch }, isCrashing) => {
      rmSync(join(folder, 'backup'), { recursive: true, force: true });
      const places = { database: watch(here.database), objects: watch(here.objects) };
      await expectEnd(backUpPlace(places, { to: watch(storeAt('backup')) }), isCrashing);
      if ((await storeAt('backup').get('manifest.json')) === undefined) await backUpPlace(here);
      await restorePlace(there);
      expect(await seen(there)).toEqual(whole);
    });
  });
});

describe('the backup of a project', () => {
  const choice = { trainingSets: false, predictions: false, allowMissing: false, timeoutMs: 1000 };
  const FILE = 'predictions/endpoint=checkout/schema=0123456789abcdef/date=2026-11-25/hour=07/a.parquet';
  let project: Project;
  const apps: App[] = [];
  const open = async (directory: string): Promise<App> => {
    writeFileSync(join(directory, 'headrace.config.ts'), CONFIG.replace('shop', flightsManifest.project));
    const environment = { ...readEnvironment({}), workingDirectory: directory };
    const app = await openApp({ environment, logger: silentLogger });
    apps.push(app);
    return app;
  };
  beforeEach(() => {
    project = createProject({ 'there/.keep': '' });
  });
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
    project.remove();
  });

  it('takes predictions along where it is asked to, to where they lie at the other place and nowhere else', async () => {
    const [here, there] = [await open(project.directory), await open(project.file('there'))];
    await (await here.registry()).definitions.apply(flightsManifest, { actor: 'ann' });
    project.write(`.headrace/predictions/${FILE}`, 'parquet');
    expect((await backUp(here, project.file('without'), choice, silentProgress)).manifest.extras).toEqual([]);
    await backUp(here, project.file('with'), { ...choice, predictions: true }, silentProgress);
    await restore(there, project.file('with'), { force: false }, silentProgress);
    expect(readFileSync(project.file(`there/.headrace/predictions/${FILE}`), 'utf8')).toBe('parquet');
    const text = readFileSync(project.file('with/manifest.json'), 'utf8');
    for (const name of ['../../elsewhere', 'a//b', './a', '/a']) {
      project.write('with/manifest.json', text.replace(`"name": "${FILE}"`, `"name": "${name}"`));
      const refused = restore(there, project.file('with'), { force: true }, silentProgress);
      await expect(refused).rejects.toMatchObject({ code: 'HR_BACKUP_DAMAGED' });
    }
  });

  it('is forced on no registry that servers, or other processes, write for', async () => {
    const app = await open(project.directory);
    const [registry, log] = [await app.registry(), await app.log()];
    await registry.definitions.apply(flightsManifest, { actor: 'ann' });
    await backUp(app, project.file('backup'), choice, silentProgress);
    const forced = () => restore(app, project.file('backup'), { force: true }, silentProgress);
    const state = { machine: 'm', pid: 7, startedMicros: 0, revision: 1, failure: null, reads: [], folds: [] };
    await registry.servers.report('a', state);
    await expect(forced()).rejects.toThrow('1 server of this registry is at work (process 7 on m). Stop it first.');
    await registry.servers.leave('a');
    await forced();
    const writer = await log.register();
    await expect(forced()).rejects.toThrow(new RegExp(`writer ${writer.writer} on .* took pushes`));
    await writer.close();
  });
});
