// A small world for offline tests: rows in memory, the same rows in Parquet, and everything offline needs to run.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import {
  contentHash,
  type DataType,
  type Field,
  fixedClock,
  type Logger,
  type Micros,
  type Row,
  silentLogger,
  silentProgress,
  type Value,
} from '../../src/core/index.ts';
import type {
  Definitions,
  FeatureSpec,
  Manifest,
  OnDemandViewSpec,
  ServiceMember,
  SourceSpec,
  UserFunction,
  ViewSpec,
  WindowOp,
} from '../../src/definitions/index.ts';
import { type EventLog, type LogWriter, openEventLog, type PushedRow } from '../../src/events/index.ts';
import { fromDuck, toDuck } from '../../src/offline/duckdb/vector-values.ts';
import type { Facts, Forgiving } from '../../src/offline/facts/facts.ts';
import { openFacts } from '../../src/offline/facts/open-facts.ts';
import {
  createTrainingSet,
  type OfflineDeps,
  type TrainingSetRecord,
  type TrainingSetRequest,
} from '../../src/offline/index.ts';
import { ALL_EVENTS } from '../../src/offline/sources/event-range.ts';
import { pinSource } from '../../src/offline/sources/pin-source.ts';
import { type Coverage, NOTHING_COVERED } from '../../src/online/index.ts';
import { castSql, duckType } from '../../src/offline/sources/sql-text.ts';
import { openDatabase, openDuckDb, openObjectStore, quoteName, quoteText } from '../../src/storage/index.ts';

export interface OfflineWorld {
  readonly directory: string;
  readonly deps: OfflineDeps;
  /** `deps.log`, which a world always has. */
  readonly log: EventLog;
  readonly connection: DuckDBConnection;
  /** A file of its folder. */
  path(name: string): string;
  /** The rows of a query. */
  select(sql: string): Promise<DuckDBValue[][]>;
  /** Writes rows as a Parquet file of its folder; gives the file's path. */
  put(name: string, columns: readonly Field[], rows: readonly Row[]): Promise<string>;
  /** Reads columns of a Parquet file of its folder, in the file's order. */
  read(name: string, columns: readonly Field[]): Promise<Row[]>;
  /** What offline needs with these definitions. */
  depsOf(manifest: Manifest, functions?: Record<string, UserFunction>): OfflineDeps;
  /** A training set of service `s` over a spine with the time `when`: a file, a query, or rows of these columns. */
  train(
    by: Manifest | OfflineDeps,
    spine: string | readonly [readonly Field[], readonly Row[]],
    more?: Partial<TrainingSetRequest>,
  ): Promise<TrainingSetRecord>;
  /** Facts of a source as its files are now, without its log where no coverage is given. */
  facts<T>(source: SourceSpec, use: (facts: Facts) => Promise<T>, given?: GivenFacts): Promise<T>;
  close(): Promise<void>;
}

interface GivenFacts {
  readonly deps?: OfflineDeps & { readonly forgiving?: Forgiving };
  readonly boundary?: Micros;
  readonly coverage?: Coverage;
}

/** A world of its own for each test. */
export function worldOfEach(...given: Parameters<typeof openOfflineWorld>): OfflineWorld {
  const world = {} as OfflineWorld;
  beforeEach(async () => void Object.assign(world, await openOfflineWorld(...given)));
  afterEach(() => world.close());
  return world;
}

/** One world for all tests. */
export function worldOfAll(...given: Parameters<typeof openOfflineWorld>): OfflineWorld {
  const world = {} as OfflineWorld;
  beforeAll(async () => void Object.assign(world, await openOfflineWorld(...given)));
  afterAll(() => world.close());
  return world;
}

/** Opens a world in a folder of its own; `logged` collects warnings. `extensions`: a folder of DuckDB's. */
export async function openOfflineWorld(
  logged: object[] = [],
  { extensions }: { readonly extensions?: string } = {},
): Promise<OfflineWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'headrace-offline-'));
  const database = await openDatabase(`sqlite:${join(directory, 'registry.db')}`);
  const duckdb = await openDuckDb({
    tempDirectory: join(directory, 'spill'),
    threads: 2,
    ...(extensions !== undefined && { extensions }),
  });
  const connection = await duckdb.connect();
  const clock = fixedClock(1_700_000_000_000_000);
  const log = await openEventLog({
    path: join(directory, 'push-log'),
    database,
    objects: openObjectStore(`file:${join(directory, 'objects')}`),
    clock,
    logger: silentLogger,
  });
  const logger: Logger = { ...silentLogger, warn: (fields) => void logged.push(fields) };
  const deps: OfflineDeps = {
    definitions: definitionsOf(manifestOf({}), directory),
    database,
    duckdb,
    logger,
    clock,
    progress: silentProgress,
    dataDirectory: directory,
    log,
    // Writers of these tests are no processes that answer.
    askTimeoutMs: 0,
  };
  const path = (name: string): string => resolve(directory, name);
  const put = async (name: string, columns: readonly Field[], rows: readonly Row[]): Promise<string> => {
    await writeParquet(connection, path(name), columns, rows);
    return path(name);
  };
  const depsOf: OfflineWorld['depsOf'] = (manifest, functions) => ({
    ...deps,
    definitions: definitionsOf(manifest, directory, functions),
  });
  return {
    directory,
    deps,
    log,
    connection,
    path,
    select: async (sql) => (await connection.runAndReadAll(sql)).getRows(),
    put,
    read: (name, columns) => readParquet(connection, path(name), columns),
    depsOf,
    async train(by, spine, more = {}) {
      return createTrainingSet('database' in by ? by : depsOf(by), {
        service: 's',
        spine: typeof spine === 'string' ? spine : await put('spine.parquet', ...spine),
        timestamp: 'when',
        labels: [],
        boundary: 'at',
        out: path('out.parquet'),
        ...more,
      });
    },
    async facts(source, use, { deps: own = deps, boundary = Infinity, coverage = NOTHING_COVERED } = {}) {
      const snapshot = await pinSource(source, ALL_EVENTS, own);
      try {
        return await use(await openFacts(connection, source, own, { snapshot, boundary, coverage }));
      } finally {
        await snapshot.close();
      }
    },
    async close() {
      connection.closeSync();
      await log.close();
      await duckdb.close();
      await database.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export function manifestOf(parts: Partial<Manifest>): Manifest {
  return {
    format: 1,
    project: 'test',
    entities: {},
    sources: {},
    views: {},
    onDemandViews: {},
    services: {},
    models: {},
    endpoints: {},
    pipelines: {},
    ...parts,
  };
}

export function definitionsOf(
  manifest: Manifest,
  directory: string,
  functions: Record<string, UserFunction> = {},
): Definitions {
  return {
    manifest,
    hash: contentHash(manifest),
    functions: new Map(Object.entries(functions)),
    bundles: new Map(),
    directory,
  };
}

export const TYPES = {
  bool: { kind: 'bool' },
  int32: { kind: 'int32' },
  int64: { kind: 'int64' },
  float32: { kind: 'float32' },
  float64: { kind: 'float64' },
  string: { kind: 'string' },
  bytes: { kind: 'bytes' },
  timestamp: { kind: 'timestamp' },
} as const satisfies Record<string, DataType>;

export function fields(types: Readonly<Record<string, DataType>>): Field[] {
  return Object.entries(types).map(([name, type]) => ({ name, type }));
}

export function sourceOf(
  name: string,
  path: string,
  columns: readonly Field[],
  more: Partial<SourceSpec> = {},
): SourceSpec {
  return {
    name,
    kind: 'parquet',
    location: { path },
    columns,
    derive: [],
    eventTime: 'at',
    knownTime: { kind: 'after', micros: 0 },
    pushes: 'until-materialized',
    ...more,
  };
}

/** The newest value of a column. */
export function latest(name: string, type: DataType, column: string): FeatureSpec {
  return { name, type, aggregation: { op: 'latest', column } };
}

/** An aggregation over a window. */
export function windowed(
  name: string,
  type: DataType,
  op: WindowOp,
  column: string | null,
  windowMicros: Micros,
  hopMicros: Micros,
  n?: number,
): FeatureSpec {
  const aggregation = { op, column, windowMicros, hopMicros, ...(n !== undefined && { n }) };
  return { name, type, aggregation };
}

export function viewOf(
  name: string,
  entity: string,
  source: string,
  keyColumns: readonly string[],
  features: readonly FeatureSpec[],
  more: Partial<ViewSpec> = {},
): ViewSpec {
  return { name, entity, source, keyColumns, ttlMicros: null, features, freshness: { kind: 'live' }, ...more };
}

/** All features of a view, under its name. */
export function memberOf(
  { name, keyColumns, features }: Pick<ViewSpec, 'name' | 'keyColumns' | 'features'>,
  more: Partial<Pick<ServiceMember, 'role' | 'features'>> & { readonly keyColumns?: readonly string[] } = {},
): ServiceMember {
  return { kind: 'view', role: name, view: name, keyColumns, features: features.map((one) => one.name), ...more };
}

/** Definitions of one view over one source, with service `s` that gives all of it: entity `e` has the view's keys. */
export function oneView(source: SourceSpec, view: ViewSpec, more: Partial<Manifest> = {}): Manifest {
  const keys = view.keyColumns.map((name): Field => {
    const type = source.columns.find((column) => column.name === name)?.type;
    if (type === undefined) throw new Error(`${source.name} has no column ${name}`);
    return { name, type };
  });
  return manifestOf({
    entities: { [view.entity]: { name: view.entity, keys } },
    sources: { [source.name]: source },
    views: { [view.name]: view },
    services: { s: { name: 's', members: [memberOf(view)] } },
    ...more,
  });
}

export function onDemandOf(
  name: string,
  features: readonly Field[],
  inputs: OnDemandViewSpec['inputs'],
): OnDemandViewSpec {
  return { name, features, inputs, transform: { id: `onDemand/${name}`, hash: 'test' } };
}

/** Writes rows as a Parquet file of the fields' types. */
export async function writeParquet(
  connection: DuckDBConnection,
  path: string,
  columns: readonly Field[],
  rows: readonly Row[],
): Promise<void> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE written (${columns.map(({ name, type }) => `${quoteName(name)} ${duckType(type)}`).join(', ')})`,
  );
  const appender = await connection.createAppender('written', null, 'temp');
  for (const row of rows) {
    for (const { name, type } of columns) {
      const value = row[name] ?? null;
      if (value === null) appender.appendNull();
      else
        appender.appendValue(
          toDuck(type, value),
          appender.columnType(columns.findIndex((column) => column.name === name)),
        );
    }
    appender.endRow();
  }
  appender.closeSync();
  await connection.run(`COPY written TO ${quoteText(path)} (FORMAT parquet)`);
}

/** What a writer's cut is to hold: batches, of which those that are void were never acknowledged. */
export interface WrittenCut {
  readonly batches: readonly {
    readonly source: SourceSpec;
    readonly rows: readonly PushedRow[];
    readonly isVoid?: boolean;
    /** It was quarantined before. */
    readonly isPutBack?: boolean;
  }[];
}

/** Writes cuts to a log as a server does, and ships them. The last cut stays open, and can't be read. */
export async function writeCuts(writer: LogWriter, cuts: readonly WrittenCut[]): Promise<void> {
  if (writer.cut === 0) await writer.openCut(new Map());
  for (const { batches } of cuts) {
    const entries = await Promise.all(
      batches.map(({ source, rows, isPutBack }) => writer.append({ source, rows, ...(isPutBack && { isPutBack }) })),
    );
    const voids = entries.flatMap(({ offset }, i) => (batches[i]?.isVoid === true ? [offset] : []));
    const ended = writer.cut;
    await writer.openCut(new Map());
    await writer.seal(ended, voids);
  }
  await writer.ship();
}

/** Ends a writer as a command does that has pushed all it had. */
export async function endWriter(writer: LogWriter): Promise<void> {
  await writer.seal(writer.cut, []);
  await writer.ship();
  await writer.end();
}

/** Reads a Parquet file's columns as our values, in the file's order. */
export async function readParquet(
  connection: DuckDBConnection,
  path: string,
  columns: readonly Field[],
): Promise<Row[]> {
  const from = `read_parquet(${quoteText(path)})`;
  const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`);
  const types = new Map(described.getRows().map(([name, type]) => [String(name), String(type)]));
  const selected = columns.map(
    ({ name, type }) => castSql(quoteName(name), types.get(name) ?? 'missing', type) ?? quoteName(name),
  );
  const result = await connection.runAndReadAll(`SELECT ${selected.join(', ')} FROM ${from}`);
  return result
    .getRows()
    .map((row) =>
      Object.fromEntries(columns.map(({ name, type }, i): [string, Value] => [name, fromDuck(type, row[i] ?? null)])),
    );
}
