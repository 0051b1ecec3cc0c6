// A small world with tables of a lake in it: rows are written by the lake's own libraries, and read as a run reads them.

import { mkdir } from 'node:fs/promises';
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
import { type LakeWriter, startLakeWriter, type WrittenTable } from './lake-writer.ts';
import { fields, type OfflineWorld, openOfflineWorld, sourceOf, TYPES } from './offline-world.ts';
import type { Located } from './source-places.ts';

export interface LakeWorld extends OfflineWorld {
  readonly ask: LakeWriter['ask'];
  /** Where its Iceberg tables lie. */
  readonly warehouse: string;
  /** A Parquet file of the rows. */
  file(columns: readonly Field[], rows: readonly Row[]): Promise<string>;
  /** Its columns' names and types, as `describeTable` finds them. */
  describe(at: Located): Promise<Readonly<Record<string, string>>>;
  /** A table of these rows, in a folder of the world or, where `more` names one, in another warehouse. */
  table(kind: LakeKind, columns: readonly Field[], rows: readonly Row[], more?: MadeOf): Promise<LakeTable>;
  /** `range` left out: all. */
  pin(at: Located, columns: readonly Field[], remote?: OfflineDeps['remote'], range?: EventRange): Promise<LakeRun>;
}

export type LakeKind = 'iceberg' | 'delta';

export const LAKE_COLUMNS = fields({ id: TYPES.int64, at: TYPES.timestamp, v: TYPES.int32, name: TYPES.string });
/** A row of these, whose time is its number. */
export const lakeRow = (id: number, v: number | null, name: string | null): Row => ({
  id: BigInt(id),
  at: id,
  v,
  name,
});

/** How a table is made: words of `lake-writer.py` too. */
interface MadeOf extends Readonly<Record<string, unknown>> {
  readonly warehouse?: string;
  readonly s3?: NonNullable<OfflineDeps['remote']>['s3'];
}

export interface LakeTable {
  readonly at: Located;
  /** What it is named by in the writer's requests. */
  readonly names: { readonly warehouse: string; readonly table: string };
  readonly path: string;
  /** Of its first rows. */
  readonly told: WrittenTable;
  change(what: string, more?: object): Promise<WrittenTable>;
  append(rows: readonly Row[], columns?: readonly Field[], more?: object): Promise<WrittenTable>;
  /** `columns` left out: those that it was made of. */
  pin(columns?: readonly Field[], range?: EventRange): Promise<LakeRun>;
  /** Its rows as a run reads them now. */
  rows(columns?: readonly Field[]): Promise<string[]>;
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
  await mkdir(world.path('rows'));
  let tables = 0;
  const { ask } = writer;
  const file = async (columns: readonly Field[], rows: readonly Row[]): Promise<string> =>
    world.put(`rows/${++files}.parquet`, columns, rows);
  const pin: LakeWorld['pin'] = async (at, columns, remote, range = ALL_EVENTS) => {
    const source = sourceOf('events', '', columns, { ...at, eventTime: 'at' });
    const snapshot = await pinSource(source, range, { ...world.deps, ...(remote !== undefined && { remote }) });
    runs.push(snapshot);
    return { snapshot, rows: () => rowsOf(world, source, snapshot) };
  };
  return {
    ...world,
    ask,
    warehouse: world.path('lake'),
    file,
    pin,
    async table(kind, columns, rows, { warehouse = world.path('lake'), s3, ...more } = {}) {
      const names = { warehouse, table: `t${++tables}` };
      const isIceberg = kind === 'iceberg';
      const written = isIceberg ? names : { path: `${warehouse}/${names.table}`, ...(s3 && { s3 }) };
      const change: LakeTable['change'] = (what, how = {}) => ask({ do: `${kind}_${what}`, ...written, ...how });
      const made = { file: await file(columns, rows), ...(s3 && { s3 }), ...more };
      const told = await change(isIceberg ? 'create' : 'write', made);
      const path = 'path' in written ? written.path : told.location;
      const at = { kind, location: { path } };
      const pinned = (of = columns, range?: EventRange) => pin(at, of, s3 && { s3 }, range);
      return {
        at,
        names,
        path,
        told,
        change,
        append: async (added, of = columns, how = {}) =>
          change(isIceberg ? 'append' : 'write', { file: await file(of, added), ...how }),
        pin: pinned,
        rows: async (of) => (await pinned(of)).rows(),
      };
    },
    async describe({ kind, location }) {
      if (kind !== 'iceberg' && kind !== 'delta') throw new Error(`${kind} is no kind of a lake`);
      const { columns } = await describeTable({ kind, location }, world.directory, 'a look', world.deps);
      return Object.fromEntries(columns.map(({ name, type }) => [name, type]));
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
