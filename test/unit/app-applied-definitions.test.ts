// What a long life of a server holds of what was ever applied: the last used, and never more than a few fetches at once.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AppliedDefinitions, createAppliedDefinitions } from '../../src/app/applied-definitions.ts';
import { describeUnapplied } from '../../src/app/index.ts';
import { contentHash, fixedClock, sha256Hex, silentLogger } from '../../src/core/index.ts';
import type { Manifest } from '../../src/definitions/index.ts';
import { openRegistry, type Registry } from '../../src/registry/index.ts';
import { type Database, type ObjectStore, openDatabase, openObjectStore, putBlob } from '../../src/storage/index.ts';
import { flightsManifest } from '../support/manifests.ts';
import { folderOfFile } from '../support/new-folder.ts';

describe('definitions that were applied', () => {
  let folder: string;
  let database: Database;
  let registry: Registry;
  let objects: ObjectStore;
  let [fetched, running, most] = [0, 0, 0];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'headrace-applied-'));
    database = await openDatabase('sqlite::memory:');
    registry = await openRegistry(database, fixedClock(1_795_000_000_000_000));
    objects = openObjectStore(`file:${folder}`);
    [fetched, running, most] = [0, 0, 0];
  });
  afterEach(async () => {
    await database.close();
    rmSync(folder, { recursive: true });
  });

  const open = (): AppliedDefinitions =>
    createAppliedDefinitions({
      registry: async () => registry,
      objects: async () => ({ ...objects, get: counted }),
      store: `file:${folder}`,
      logger: silentLogger,
      project: 'p',
      directory: '/',
    });
  const counted = async (key: string): Promise<Uint8Array | undefined> => {
    fetched++;
    most = Math.max(most, ++running);
    try {
      return await objects.get(key);
    } finally {
      running--;
    }
  };

  /** A manifest of its own, whose source derives columns by these functions. */
  const applied = async (description: string, factors: readonly number[]): Promise<string> => {
    const columns = factors.map(async (factor) => {
      const bundle = await putBlob(objects, Buffer.from(`module.exports = (row) => row.delay * ${factor};`));
      const id = `source/flights/derive/times_${factor}`;
      const by = { kind: 'function', function: { id, hash: bundle, bundle } } as const;
      return { name: `times_${factor}`, type: { kind: 'float64' }, by } as const;
    });
    const { flights } = flightsManifest.sources;
    const manifest = {
      ...flightsManifest,
      project: 'p',
      onDemandViews: {},
      models: {},
      endpoints: {},
      services: {},
      sources: { flights: { ...flights, description, derive: await Promise.all(columns) } },
    } as Manifest; // flightsManifest has that source
    await registry.definitions.apply(manifest, { actor: 'ann', allowBreaking: true });
    return contentHash(manifest);
  };

  it('are fetched a few functions at a time, each once for all that share it', async () => {
    const factors = Array.from({ length: 40 }, (_, n) => n);
    const hashes = [await applied('a', factors), await applied('b', factors), await applied('c', factors)];
    const definitions = open();
    const loaded = await Promise.all(hashes.map((hash) => definitions.of(hash)));
    expect(loaded.map(({ functions }) => functions.size)).toEqual([40, 40, 40]);
    expect(new Set(loaded.map(({ functions }) => functions.get('source/flights/derive/times_7'))).size).toBe(1);
    expect(fetched).toBe(40);
    expect(most).toBe(8);
  });

  it('are held while they are used, however early they came; others are loaded again', async () => {
    const first = await applied('first', [1]);
    const second = await applied('second', [2]);
    const definitions = open();
    const [one, two] = [await definitions.of(first), await definitions.of(second)];
    for (let n = 0; n < 127; n++) {
      await definitions.of(await applied(`p${n}`, [1]));
      expect(await definitions.of(first)).toBe(one);
    }
    const again = await definitions.of(second);
    expect(again).not.toBe(two);
    // Its function is still the same.
    expect(again.functions.get('source/flights/derive/times_2')).toBe(
      two.functions.get('source/flights/derive/times_2'),
    );
  });

  it('let go of functions that nothing used for long', async () => {
    const first = await applied('first', [-1]);
    const definitions = open();
    await definitions.of(first);
    for (let n = 0; n < 140; n++) {
      const factors = Array.from({ length: 16 }, (_, i) => n * 16 + i);
      await definitions.of(await applied(`p${n}`, factors));
    }
    const before = fetched;
    await definitions.of(first);
    expect(fetched).toBe(before + 1);
  }, 60_000);

  it('are tried again where a function could not be fetched', async () => {
    const hash = await applied('a', [1]);
    const { get } = objects;
    objects = { ...objects, get: async () => undefined };
    const definitions = open();
    await expect(definitions.of(hash)).rejects.toMatchObject({ code: 'HR_CODE_MISSING' });
    objects = { ...objects, get };
    expect((await definitions.of(hash)).functions.size).toBe(1);
  });
});

describe('files that were not applied', () => {
  const directory = folderOfFile();

  it('names files of the pipeline’s steps that are other than what was applied, and none that is not here', () => {
    const files = ['a.py', 'b.py', 'gone.py'].map((path) => ({ path, hash: sha256Hex(path) }));
    const step = { name: 's', needs: {}, retry: 1, timeoutMicros: null, resources: {} } as const;
    const action = { kind: 'python', script: 'a.py', args: {}, files } as const;
    const manifest = { ...flightsManifest, pipelines: { p: { name: 'p', params: [], steps: [{ ...step, action }] } } };
    const told = (pipeline = 'p') => describeUnapplied({ manifest, directory }, pipeline);
    for (const path of ['a.py', 'b.py']) writeFileSync(join(directory, path), path);
    expect(told()).toBeUndefined();
    expect(told('other')).toBeUndefined();
    writeFileSync(join(directory, 'b.py'), 'print(1)');
    expect(told()).toBe('b.py changed since `headrace apply`: this run goes by what was applied.');
    writeFileSync(join(directory, 'a.py'), 'print(1)');
    expect(told()).toBe('a.py and 1 other file changed since `headrace apply`: this run goes by what was applied.');
  });
});
