// Files that must outlive a machine's sudden end: a name is given to bytes that are on the disk already, and nothing is told
// to be done before the name is there too.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openOutFolder } from '../../src/batch-prediction/out-folder.ts';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import { openEventLog } from '../../src/events/segments/open-event-log.ts';
import { placeFile } from '../../src/housekeeping/backup/restore-backup.ts';
import { putInPlace } from '../../src/monitoring/prediction-log/put-parquet.ts';
import { writeWhole } from '../../src/offline/facts/write-parquet.ts';
import { openDatabase, openDuckDb } from '../../src/storage/index.ts';
import { openFileObjectStore } from '../../src/storage/object-store/file/file-object-store.ts';
import { type DiskStep, diskSteps, isDurable } from '../support/disk-steps.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-durable-'));
  file = join(folder, 'file');
  writeFileSync(file, 'bytes');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const BOTH = { bytes: true, name: true };

describe('is durable before it is told to be there', () => {
  it('an object that is put, from memory, from a file, or where none was', async () => {
    const store = openFileObjectStore(join(folder, 'objects'));
    const path = join(folder, 'objects', 'a', 'b');
    const body = Buffer.alloc(2 ** 21, 'x');
    expect(isDurable(await diskSteps(() => store.put('a/b', body)), path)).toEqual(BOTH);
    expect(readFileSync(path).equals(body)).toBe(true);
    expect(isDurable(await diskSteps(() => store.putFile('a/b', file)), path)).toEqual(BOTH);
    rmSync(path);
    expect(isDurable(await diskSteps(() => store.put('a/b', body, { ifAbsent: true })), path)).toEqual(BOTH);
  });

  it('a part of a batch, and what is written of the batch', async () => {
    const out = openOutFolder(join(folder, 'out'), folder, {});
    expect(isDurable(await diskSteps(() => out.publish('part', file)), join(folder, 'out', 'part'))).toEqual(BOTH);
    const written = await diskSteps(() => out.write('_job.json', '{}'));
    expect(isDurable(written, join(folder, 'out', '_job.json'))).toEqual(BOTH);
  });

  it('a file that a restored backup puts back', async () => {
    const to = join(folder, 'restored', 'set.parquet');
    expect(isDurable(await diskSteps(() => placeFile(file, to)), to)).toEqual(BOTH);
    expect(readdirSync(join(folder, 'restored'))).toEqual(['set.parquet']);
  });

  it('a file that can not be put back leaves nothing beside its place', async () => {
    const to = join(folder, 'restored', 'set.parquet');
    mkdirSync(to, { recursive: true });
    // Looked at in the same turn: what is left then would be left by a process that ends.
    const left = await placeFile(file, to).catch(() => readdirSync(join(folder, 'restored')));
    expect(left).toEqual(['set.parquet']);
  });

  it('an hour of the prediction log, with each folder that was made for it', async () => {
    mkdirSync(join(folder, 'log'));
    const to = join(folder, 'log', 'date', 'hour', 'x.parquet');
    const steps = await diskSteps(() => putInPlace(file, to));
    expect(isDurable(steps, to)).toEqual(BOTH);
    const synced = steps.slice(1 + steps.findIndex(({ kind }) => kind === 'named')).map(({ path }) => path);
    expect(synced).toEqual(['log/date/hour', 'log/date', 'log'].map((path) => join(folder, path)));
  });

  it('the folder of a new log, before anybody is told of its writer', async () => {
    const [database, path] = [await openDatabase('sqlite::memory:'), join(folder, 'log')];
    const objects = openFileObjectStore(join(folder, 'objects'));
    const log = await openEventLog({ path, database, objects, clock: systemClock, logger: silentLogger });
    try {
      const steps = await diskSteps(() => log.register());
      const [name = ''] = readdirSync(path);
      expect(isDurable(steps, join(path, name)).name).toBe(true);
    } finally {
      await log.close();
      await database.close();
    }
  });
});

it('rows that are kept as Parquet have their bytes on the disk before they have their name', async () => {
  const duckdb = await openDuckDb({ tempDirectory: join(folder, 'spill'), threads: 1 });
  const connection = await duckdb.connect();
  try {
    const path = join(folder, 'rows.parquet');
    const steps: readonly DiskStep[] = await diskSteps(() => writeWhole(connection, 'SELECT 1 AS one', path));
    expect(isDurable(steps, path).bytes).toBe(true);
    expect(existsSync(path)).toBe(true);
  } finally {
    connection.closeSync();
    await duckdb.close();
  }
});
