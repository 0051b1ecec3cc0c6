// A small world with tables of a lake in it: rows are written by the lake's own libraries, and read as a run reads them.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Field, Row, Value } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { fromDuck } from '../../src/offline/duckdb/vector-values.ts';
import { openFacts } from '../../src/offline/facts/open-facts.ts';
import type { OfflineDeps } from '../../src/offline/index.ts';
import { describeTable } from '../../src/offline/sources/lake/describe-table.ts';
import { ALL_EVENTS, type EventRange } from '../../src/offline/sources/event-range.ts';
import { pinSource } from '../../src/offline/sources/pin-source.ts';
import { type PinnedSnapshot, readPinned } from '../../src/offline/sources/pinned-snapshot.ts';
import { quoteName } from '../../src/storage/index.ts';
import { type LakeWriter, startLakeWriter } from './lake-writer.ts';
import { type OfflineWorld, openOfflineWorld, sourceOf, writeParquet } from './offline-world.ts';
import type { Located } from './source-places.ts';

export interface LakeWorld extends OfflineWorld {
  readonly ask: LakeWriter['ask'];
  /** Where its Iceberg tables lie. */
  readonly warehouse: string;
  /** A Parquet file of the rows. */
  file(columns: readonly Field[], rows: readonly Row[]): Promise<string>;
  /** Its columns' names and types, as `describeTable` finds them. */
  describe(at: Located): Promise<Readonly<Record<string, string>>>;
  /** `range` left out: all. */
  pin(at: Located, columns: readonly Field[], remote?: OfflineDeps['remote'], range?: EventRange): Promise<LakeRun>;
}

/** A run over a table, in the middle. */
export interface LakeRun {
  readonly snapshot: PinnedSnapshot;
  /** Its rows, as text in order, as one pass over it gives them. */
  rows(): Promise<string[]>;
}

export async function openLakeWorld(python: string, extensions: string | undefined): Promise<LakeWorld> {
  const world = await openOfflineWorld([], { ...(extensions !== undefined && { extensions }) });
  const writer = startLakeWriter(python);
  const runs: PinnedSnapshot[] = [];
  let files = 0;
  await mkdir(join(world.directory, 'rows'));
  return {
    ...world,
    ask: writer.ask,
    warehouse: join(world.directory, 'lake'),
    async file(columns, rows) {
      const path = join(world.directory, 'rows', `${++files}.parquet`);
      await writeParquet(world.connection, path, columns, rows);
      return path;
    },
    async describe({ kind, location }) {
      if (kind !== 'iceberg' && kind !== 'delta') throw new Error(`${kind} is no kind of a lake`);
      const { columns } = await describeTable({ kind, location }, world.directory, 'a look', world.deps);
      return Object.fromEntries(columns.map(({ name, type }) => [name, type]));
    },
    async pin(at, columns, remote, range = ALL_EVENTS) {
      const source = sourceOf('events', '', columns, { ...at, eventTime: 'at' });
      const deps = { ...world.deps, ...(remote !== undefined && { remote }) };
      const snapshot = await pinSource(source, range, deps);
      runs.push(snapshot);
      return { snapshot, rows: () => rowsOf(world, source, snapshot) };
    },
    async close() {
      for (const run of runs) await run.close();
      await writer.stop();
      await world.close();
    },
  };
}

async function rowsOf(world: OfflineWorld, source: SourceSpec, snapshot: PinnedSnapshot): Promise<string[]> {
  const { connection, deps } = world;
  return readPinned([snapshot], 'the table cannot be read', async () => {
    const request = { snapshot, boundary: Infinity, coverage: { floor: 0, cuts: new Map() } };
    const { relation } = await openFacts(connection, source, deps, request);
    const names = source.columns.map(({ name }) => quoteName(name));
    const read = await connection.runAndReadAll(`SELECT ${names.join(', ')} FROM ${relation}`);
    const shown = (value: Value) => (typeof value === 'bigint' ? Number(value) : value);
    return read
      .getRows()
      .map((row) => JSON.stringify(source.columns.map(({ type }, i) => shown(fromDuck(type, row[i] ?? null)))))
      .sort();
  });
}
