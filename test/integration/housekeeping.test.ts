// What comes to be needed between gc's look and its removal stays, whoever needs it; a removal that was cut off is gone on with.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger, silentProgress, systemClock } from '../../src/core/index.ts';
import { collectGarbage } from '../../src/housekeeping/index.ts';
import { collectQuarantine, openQuarantine } from '../../src/checks/index.ts';
import { eventRows, migrateEventLog } from '../../src/events/index.ts';
import { collectCopies, collectTrainingSets, migrateOffline } from '../../src/offline/index.ts';
import { collectEndedRuns, migratePipelines, runStoreRows } from '../../src/orchestrator/index.ts';
import { openRegistry, type Registry, registryRows } from '../../src/registry/index.ts';
import {
  collectFiles,
  collectObjects,
  blobKey,
  type Collector,
  type Database,
  type ObjectStore,
  openDatabase,
  openObjectStore,
  putBlob,
  type RowsOwner,
} from '../../src/storage/index.ts';
import { sweepCrashes } from '../support/crash-points.ts';

const HOUR = 3_600_000_000;
let folder: string;
let database: Database;
let registry: Registry;
let objects: ObjectStore;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-housekeeping-'));
  database = await openDatabase(`sqlite:${join(folder, 'registry.db')}`);
  registry = await openRegistry(database, systemClock);
  objects = openObjectStore(`file:${join(folder, 'artifacts')}`);
});
afterEach(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const blobs = (owners: readonly RowsOwner[] = [registryRows]): Collector =>
  collectObjects({ database, objects, owners, nowMicros, keepMicros: HOUR });
const runIn = (opened: Database, ...collectors: readonly Collector[]) => {
  const told = { auditLog: registry.auditLog, actor: 'test', logger: silentLogger, progress: silentProgress };
  return collectGarbage({ database: opened, collectors, ...told }, { dryRun: false });
};
const run = (...collectors: readonly Collector[]) => runIn(database, ...collectors);
const pathOf = (hash: string): string => join(folder, 'artifacts/blobs', hash.slice(0, 2), hash);
const age = (path: string): void =>
  utimesSync(path, new Date(Date.now() - 7_200_000), new Date(Date.now() - 7_200_000));
const oldBlob = async (text: string): Promise<string> => {
  const hash = await putBlob(objects, Buffer.from(text));
  age(pathOf(hash));
  return hash;
};
const nowMicros = (): number => Date.now() * 1000;
const register = async (artifact: string): Promise<void> => {
  await sql`insert into registry_manifests (hash, manifest) values ('m', '{"sources":{},"onDemandViews":{},"models":{},"pipelines":{}}') on conflict do nothing`.execute(
    database.tables(),
  );
  await sql`insert into registry_model_versions (model, version, artifact, signature, service, manifest_hash, metrics, created_at, actor, is_retired) values ('m', 1, ${artifact}, '{}', 's', 'm', '{}', 1, 'a', 0)`.execute(
    database.tables(),
  );
};
const ID = '0123456789abcdef';
const insertSet = (id: string, path: string, more: object = {}, at = 1): Promise<unknown> => {
  const made = { id, name: null, path, contentHash: 'x', sizeBytes: 1, createdAtMicros: at, manifestHash: 'm' };
  const record = JSON.stringify({ ...made, ...more });
  return sql`insert into training_sets (id, created_at_micros, record) values (${id}, ${at}, ${record}) on conflict do nothing`.execute(
    database.tables(),
  );
};
const hashOf = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
const audited = async (): Promise<string[]> => (await registry.auditLog.list()).map(({ object }) => object).sort();

describe('an object that nobody names', () => {
  it('stays while it is young by the clock of its store, where that of gc is ahead', async () => {
    const ahead = () => nowMicros() + 2 * HOUR;
    const collector = collectObjects({ database, objects, owners: [registryRows], nowMicros: ahead, keepMicros: HOUR });
    const young = await putBlob(objects, Buffer.from('it is about to be named'));
    const old = await oldBlob('it is not');
    expect(await run(collector)).toMatchObject({ items: [{ id: blobKey(old) }], stayed: [{ id: blobKey(young) }] });
    expect([young, old].map((hash) => existsSync(pathOf(hash)))).toEqual([true, false]);
    expect(await Array.fromAsync(objects.list(''))).toHaveLength(1);
  });

  it('goes once it is old, and is told in the audit log', async () => {
    const [old, young] = [await oldBlob('old'), await putBlob(objects, Buffer.from('young'))];
    const { items, failures } = await run(blobs());
    expect(failures).toEqual([]);
    expect(items.map(({ id }) => id)).toEqual([`blobs/${old.slice(0, 2)}/${old}`]);
    expect([existsSync(pathOf(old)), existsSync(pathOf(young))]).toEqual([false, true]);
    expect(await audited()).toEqual([`object/blobs/${old.slice(0, 2)}/${old}`]);
  });

  it('stays where it is put again, or named, after the look', async () => {
    const [again, named, gone] = [await oldBlob('again'), await oldBlob('named'), await oldBlob('gone')];
    const collector = blobs();
    const meddled: Collector = {
      ...collector,
      async plan() {
        const plan = await collector.plan();
        expect(plan.items).toHaveLength(3);
        await putBlob(objects, Buffer.from('again'));
        await register(named);
        return plan;
      },
    };
    const { items, stayed } = await run(meddled);
    expect(items).toHaveLength(1);
    expect(stayed).toHaveLength(2);
    expect([again, named, gone].map((hash) => existsSync(pathOf(hash)))).toEqual([true, true, false]);
    expect(await audited()).toHaveLength(1);
  });

  it('stays where it is named between the decision and its end', async () => {
    const hash = await oldBlob('late');
    const collector = blobs();
    const meddled: Collector = {
      ...collector,
      async erase(item) {
        await register(hash);
        await collector.erase(item);
      },
    };
    await run(meddled);
    expect(existsSync(pathOf(hash))).toBe(true);
  });
});

it('an object of a store that another registry uses too stays', async () => {
  const hash = await oldBlob('whose?');
  await migrateEventLog(database);
  const segment = 'events/1-0123456789ab/0000000001.log';
  await objects.put(segment, Buffer.from('other'));
  age(join(folder, 'artifacts', segment));
  const { items, notes } = await run(blobs([registryRows, eventRows]));
  expect(items).toEqual([]);
  expect(notes.join()).toContain('so another registry seems to use it');
  expect(existsSync(pathOf(hash))).toBe(true);
});

describe('runs of pipelines and training sets', () => {
  const DAY = 86_400_000_000;
  const insertRun = (id: string, state: string, daysAgo: number): Promise<unknown> =>
    sql`insert into pipeline_runs (id, pipeline, state, spec, params, manifest_hash, keep_going, cancel_requested, lease_until, epoch, batch, events, created_at, ended_at)
      values (${id}, 'train', ${state}, '{}', '{}', 'm', 0, 0, 0, 1, 0, 0, 1, ${state === 'running' ? null : Date.now() * 1000 - daysAgo * DAY})`.execute(
      database.tables(),
    );
  const insertTask = async (run: string, output: string): Promise<void> => {
    await sql`insert into pipeline_steps (run_id, step, scope, state, next_index, running, retry, succeeded, failed, cancelled)
      values (${run}, 'make', '', 'succeeded', 1, 0, 0, 1, 0, 0)`.execute(database.tables());
    await sql`insert into pipeline_tasks (run_id, step, scope, item_index, state, attempt, failures, losses, not_before, output_blob, started_at)
      values (${run}, 'make', '', 0, 'succeeded', 1, 0, 0, 0, ${output}, 1)`.execute(database.tables());
  };
  const collectors = (): Collector[] => {
    const owners = [registryRows, runStoreRows(objects)];
    const workDirectory = join(folder, 'work');
    return [
      collectEndedRuns({ database, objects, clock: systemClock, workDirectory, owners, keepMicros: 30 * DAY }),
      collectTrainingSets({ database, owners, nowMicros, keepMicros: DAY }),
      collectObjects({ database, objects, owners, nowMicros, keepMicros: HOUR }),
    ];
  };
  beforeEach(async () => {
    await migratePipelines(database);
    await migrateOffline(database);
  });

  it('go with all that only they need, one after the other', async () => {
    const [ofOld, ofKept, kept] = [ID, 'fedcba9876543210', 'aaaaaaaaaaaaaaaa'];
    const file = await oldBlob('a file of a step');
    const output = (id: string) =>
      oldBlob(JSON.stringify({ id, path: `${id}.parquet`, files: { a: { sha256: file } } }));
    await insertRun('old', 'succeeded', 40);
    await insertRun('young', 'failed', 2);
    await insertRun('named', 'succeeded', 40);
    await insertRun('at work', 'running', 0);
    const [oldOutput, keptOutput] = [await output(ofOld), await output(ofKept)];
    await insertTask('old', oldOutput);
    await insertTask('young', keptOutput);
    for (const id of [ofOld, ofKept, kept]) await insertSet(id, join(folder, `${id}.parquet`));
    await register(file);
    await sql`update registry_model_versions set training_set = ${kept}, run_id = 'named'`.execute(database.tables());
    await objects.put('runs/old/logs/make/0/1.txt', Buffer.from('printed'));
    mkdirSync(join(folder, 'work/runs/old/make'), { recursive: true });

    const named = async () => (await run(...collectors())).items.map(({ collector, id }) => `${collector} ${id}`);
    expect(await named()).toEqual(['run old']);
    expect(existsSync(join(folder, 'work/runs/old'))).toBe(false);
    expect(await objects.get('runs/old/logs/make/0/1.txt')).toBeUndefined();
    const blob = `object blobs/${oldOutput.slice(0, 2)}/${oldOutput}`;
    expect(await named()).toEqual([`training set ${ofOld}`, blob]);
    expect(await named()).toEqual([]);
    expect([file, keptOutput].every((hash) => existsSync(pathOf(hash)))).toBe(true);
  });
});

it('the file of an old training set stays where the set is made again while it is looked at', async () => {
  await migrateOffline(database);
  const path = join(folder, 'set.parquet');
  const bytes = Buffer.from('a set of many rows');
  writeFileSync(path, bytes);
  const content = { contentHash: hashOf(bytes) };
  await insertSet(ID, path, content);
  // What it asks last before it reads the file is whether a record names it.
  let [isForgotten, isMadeAgain] = [false, false];
  const other = await openDatabase(`sqlite:${join(folder, 'registry.db')}`);
  const looked: Database = {
    ...other,
    tables: <T>() =>
      other.tables<T>().withPlugin({
        transformQuery: ({ node }) => node,
        async transformResult({ result }) {
          if (!isForgotten || isMadeAgain) return result;
          isMadeAgain = true;
          writeFileSync(`${path}.new`, bytes);
          renameSync(`${path}.new`, path);
          await insertSet(ID, path, content, nowMicros());
          return result;
        },
      }),
  };
  const collector = collectTrainingSets({ database: looked, owners: [], nowMicros, keepMicros: HOUR });
  const erase: Collector['erase'] = (item) => {
    isForgotten = true;
    return collector.erase(item);
  };
  const { items, failures } = await run({ ...collector, erase });
  await other.close();
  expect(isMadeAgain).toBe(true);
  expect([items.length, failures]).toEqual([1, []]);
  expect(existsSync(path)).toBe(true);
});

it('a removal that was cut off leaves what has become another thing since', async () => {
  mkdirSync(join(folder, 'left'));
  const path = join(folder, 'left', 'kept');
  writeFileSync(path, 'kept');
  age(path);
  const [name, why, isOne] = ['leftover', 'it is old', () => true];
  const folders = async () => [join(folder, 'left')];
  const collector = collectFiles({ name, folders, isOne, why, nowMicros, keepMicros: HOUR });
  await run({ ...collector, erase: () => Promise.reject(new Error('killed')) });
  writeFileSync(path, 'written anew');
  await run(collector);
  const { rows } = await sql`select * from housekeeping_removals`.execute(database.tables());
  expect([existsSync(path), rows]).toEqual([true, []]);
});

it('a run that crashes at any step leaves no record whose file is gone; the next removes the rest, and tells of each once', async () => {
  await migrateOffline(database);
  const tables = database.tables<{
    training_sets: { record: string };
    registry_audit: { object: string };
    housekeeping_removals: object;
  }>();
  const paths = [ID, 'fedcba9876543210'].map((id) => [id, join(folder, `${id}.parquet`)] as const);
  /** Runs by how many records they left. */
  const left: Record<number, number> = {};
  await sweepCrashes(async ({ watch }, isCrashing) => {
    for (const [id, path] of paths) {
      writeFileSync(path, id);
      await insertSet(id, path, { contentHash: hashOf(id) });
    }
    const blob = await oldBlob('nobody’s');
    const collect = (wrap: <T extends object>(target: T) => T) => {
      const shared = { database: wrap(database), owners: [registryRows], nowMicros, keepMicros: HOUR };
      return runIn(shared.database, collectTrainingSets(shared), collectObjects({ ...shared, objects: wrap(objects) }));
    };
    // A collector that fails is told in the report; what else fails, ends the run.
    const ended = await collect(watch).catch((error: unknown) => error);
    if (!isCrashing) expect(ended).toMatchObject({ failures: [], items: [{}, {}, {}] });
    const records = await tables.selectFrom('training_sets').select('record').execute();
    left[records.length] = (left[records.length] ?? 0) + 1;
    for (const { record } of records) expect(existsSync((JSON.parse(record) as { path: string }).path)).toBe(true);

    expect(await collect((target) => target)).toMatchObject({ failures: [] });
    for (const path of [...paths.map(([, one]) => one), pathOf(blob)]) expect(existsSync(path)).toBe(false);
    expect(await tables.selectFrom('housekeeping_removals').selectAll().execute()).toEqual([]);
    expect(await audited()).toEqual([
      `object/blobs/${blob.slice(0, 2)}/${blob}`,
      ...paths.map(([id]) => `training-set/${id}`),
    ]);
    await tables.deleteFrom('registry_audit').execute();
  });
  expect(left).toEqual({ 0: 16, 2: 9 });
});

describe('what lies here of what is elsewhere', () => {
  it('goes once nobody used it for long, and stays while a training set was made from it', async () => {
    await migrateOffline(database);
    const place = (...parts: string[]): string => {
      const path = join(folder, 'data', ...parts);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, 'rows');
      age(path);
      return path;
    };
    const paths = {
      landed: place('landed/orders/a.parquet'),
      unfinished: place('landed/orders/unfinished-1.rows'),
      needed: place('landed/orders/b.parquet'),
      used: place('landed/orders/c.parquet'),
      other: place('landed/orders/notes.txt'),
      copy: place('objects/1-part.parquet'),
      usedCopy: place('objects/2-part.parquet'),
    };
    // Written long ago, and read just now.
    for (const path of [paths.used, paths.usedCopy]) utimesSync(path, new Date(), new Date(Date.now() - 7_200_000));
    await insertSet('s', '', { sources: [{ files: [{ path: paths.needed }] }] });
    const copies = collectCopies({ database, dataDirectory: join(folder, 'data'), nowMicros, keepMicros: HOUR });
    const { items, failures } = await run(...copies);
    expect(failures).toEqual([]);
    expect(items.map(({ id }) => id).toSorted()).toEqual([paths.landed, paths.unfinished, paths.copy].toSorted());
    const left = Object.entries(paths).flatMap(([name, path]) => (existsSync(path) ? [name] : []));
    expect(left).toEqual(['needed', 'used', 'other', 'usedCopy']);
  });
});

describe('rows that were set apart', () => {
  const row = (id: string, arrivedMicros: number, source = 's') => ({
    id,
    source,
    row: '{}',
    reasons: [{ rule: 'r', column: 'c', message: 'm' }],
    arrivedMicros,
  });
  const collector = (keepMicros: number | undefined): Collector =>
    collectQuarantine({ database, nowMicros: () => 10 * HOUR, keepMicros });

  it('go where retention says so, as if they were dropped, and those that are being put back stay', async () => {
    const quarantine = await openQuarantine(database, { maxBytes: 1e6 });
    await quarantine.hold([row('old', HOUR), row('back', HOUR), row('young', 9 * HOUR), row('other', HOUR, 't')]);
    await quarantine.beginRelease('s', ['back']);
    expect(await run(collector(undefined))).toMatchObject({ items: [], failures: [] });
    const { items } = await run(collector(2 * HOUR));
    expect(items).toMatchObject([
      { id: 's', what: '1 row of s', sinceMicros: HOUR, bytes: expect.any(Number) },
      { id: 't', what: '1 row of t' },
    ]);
    expect((await quarantine.rows('s')).map(({ id }) => id)).toEqual(['back', 'young']);
    expect(await quarantine.rows('t')).toEqual([]);
    expect(await audited()).toEqual(['quarantined-row/s', 'quarantined-row/t']);
    // A repeat of its push does not bring it again.
    expect(await quarantine.hold([row('old', HOUR)])).toEqual([]);
    expect((await run(collector(2 * HOUR))).items).toEqual([]);
  });
});
