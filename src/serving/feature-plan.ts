// A feature service compiled for answering: request rows in, feature values and statuses out, in one round trip.

import {
  defaultOf,
  type Field,
  HeadraceError,
  type Micros,
  MICROS_PER_MINUTE,
  toHeadraceError,
  type Value,
} from '../core/index.ts';
import { compileTransform, type Definitions, functionOf, type ResolvedService } from '../definitions/index.ts';
import {
  createFeatureReader,
  type OnlineStore,
  type ReadRow,
  type RecordDirectory,
  type Status,
} from '../online/index.ts';
import { readsBehind } from './reads-behind.ts';
import { compileKeys } from './request-keys.ts';
import { failedRows, rowError } from './row-failures.ts';
import { compileRowParser, type RequestRow, type RowParser } from './row-parser.ts';

/** One row's features, in the service's order. */
export interface FeatureRow {
  readonly values: readonly Value[];
  readonly statuses: readonly Status[];
  /** What they came from, by the service's reads. */
  readonly reads: ReadRow;
}

export interface FeaturePlan {
  readonly service: ResolvedService;
  readonly parseRow: RowParser;
  /**
   * Reads as the clock showed `at`; `skew`: how far ahead of it the clock of the server may be that took a push. A promise
   * only when the store's answer is one.
   */
  read(rows: readonly RequestRow[], at: Micros, skew?: Micros): FeatureRow[] | Promise<FeatureRow[]>;
  /** The same, each row for itself: one that can't be computed is its error. Throws what all rows fail at. */
  readEach(rows: readonly RequestRow[], at: Micros, skew?: Micros): FeatureRowOrError[] | Promise<FeatureRowOrError[]>;
  /**
   * What stands in when the store is down: declared defaults, else null; on-demand views run on them. INVALID, all but what
   * is made of the request alone.
   */
  defaults(rows: readonly RequestRow[]): FeatureRowOrError[];
}

export type FeatureRowOrError = FeatureRow | HeadraceError;

/** Servers' clocks may differ by so much, and yet what one has answered is seen by a read of now on another. */
export const CLOCK_SKEW_MICROS = MICROS_PER_MINUTE;

/** Compiles a service. `path` names the rows in errors: `inputs` or `rows`. Throws HR_CODE_MISSING. */
export function compileFeaturePlan(
  definitions: Definitions,
  service: ResolvedService,
  store: Pick<OnlineStore, 'read'>,
  directory: RecordDirectory,
  path: string,
): FeaturePlan {
  const reader = createFeatureReader(definitions.manifest, service, store, directory);
  const keysOf = compileKeys(service);
  const compute = compileGather(definitions, service);
  const defaultReads: ReadRow = service.reads.map(({ view }) => ({
    values: view.features.map((feature) => defaultOf(feature)),
    statuses: view.features.map(() => 'INVALID' as const),
    eventMicros: null,
  }));

  const isStoreBehind = readsBehind(service).map((reads) => reads.length > 0);

  const computeOrError = (row: RequestRow, reads: ReadRow): FeatureRowOrError => {
    try {
      return compute(row, reads);
    } catch (thrown) {
      return toHeadraceError(thrown);
    }
  };

  const readAll = (
    rows: readonly RequestRow[],
    at: Micros,
    skew: Micros | undefined,
  ): FeatureRowOrError[] | Promise<FeatureRowOrError[]> => {
    const keys = rows.map(keysOf);
    const gather = (answered: readonly ReadRow[]): FeatureRowOrError[] => {
      const features = new Array<FeatureRowOrError>(answered.length);
      for (let i = 0; i < answered.length; i++)
        features[i] = computeOrError(rows[i] as RequestRow, answered[i] as ReadRow);
      return features;
    };
    const read = reader.read(keys, at, skew);
    return read instanceof Promise ? read.then(gather) : gather(read);
  };

  // A record that can't be read is its row's failure; a store that is away is everybody's.
  const readAlone = async (
    rows: readonly RequestRow[],
    at: Micros,
    skew: Micros | undefined,
    thrown: unknown,
  ): Promise<FeatureRowOrError[]> => {
    const error = toHeadraceError(thrown);
    if (error.status >= 500) throw error;
    if (rows.length === 1) return [error];
    const alone = rows.map(async (row) => {
      try {
        return (await readAll([row], at, skew))[0] as FeatureRowOrError;
      } catch (own) {
        return toHeadraceError(own);
      }
    });
    return Promise.all(alone);
  };

  const readEach: FeaturePlan['readEach'] = (rows, at, skew) => {
    try {
      const read = readAll(rows, at, skew);
      return read instanceof Promise ? read.catch((thrown: unknown) => readAlone(rows, at, skew, thrown)) : read;
    } catch (thrown) {
      return readAlone(rows, at, skew, thrown);
    }
  };

  return {
    service,
    parseRow: compileRowParser(service.requestColumns, path),
    read(rows, at, skew) {
      const read = readEach(rows, at, skew);
      return read instanceof Promise ? read.then((features) => allOf(path, features)) : allOf(path, read);
    },
    readEach,
    defaults: (rows) =>
      rows.map((row) => {
        const computed = computeOrError(row, defaultReads);
        if (computed instanceof HeadraceError) return computed;
        const statuses = computed.statuses.map((status, at) => (isStoreBehind[at] === true ? 'INVALID' : status));
        return { ...computed, statuses };
      }),
  };
}

/** Throws where a row failed, with each that did. */
function allOf(path: string, rows: readonly FeatureRowOrError[]): FeatureRow[] {
  const failed = failedRows(
    rows.map((row, place) => (row instanceof HeadraceError ? { error: rowError(path, place, row) } : {})),
    false,
  );
  if (failed !== undefined) throw failed;
  return rows as FeatureRow[];
}

type Gather = (row: RequestRow, reads: ReadRow) => FeatureRow;

// Runs the on-demand views in their order, then picks the service's features from where they come.
function compileGather(definitions: Definitions, service: ResolvedService): Gather {
  const transforms = compileTransforms(definitions, service);
  const { features } = service;
  const size = features.length;
  // Of each feature: its read, or past those its transform; and its place in that.
  const width = service.reads.length;
  const sources = features.map(({ from }) => (from.kind === 'read' ? from.read : width + from.transform));
  const places = features.map(({ from }) => from.feature);
  return (row, reads) => {
    const computed: Value[][] = [];
    for (const transform of transforms) computed.push(transform(row, reads, computed));
    const values = new Array<Value>(size);
    const statuses = new Array<Status>(size);
    for (let i = 0; i < size; i++) {
      const source = sources[i] as number;
      const place = places[i] as number;
      if (source < width) {
        const read = reads[source] as ReadRow[number];
        values[i] = read.values[place] as Value;
        statuses[i] = read.statuses[place] as Status;
      } else {
        const value = (computed[source - width] as Value[])[place] ?? null;
        values[i] = value;
        statuses[i] = value === null ? 'NULL_VALUE' : 'PRESENT';
      }
    }
    return { values, statuses, reads };
  };
}

type RunTransform = (row: RequestRow, reads: ReadRow, computed: readonly Value[][]) => Value[];

function compileTransforms(definitions: Definitions, service: ResolvedService): RunTransform[] {
  const positions = new Map(service.requestColumns.map((column, at) => [column.name, at]));
  return service.onDemand.map(({ view, inputs }) => {
    const call = functionOf(definitions, view.transform);
    const fields: Record<string, readonly Field[]> = {};
    const fetchers: {
      readonly name: string;
      readonly fetch: (row: RequestRow, reads: ReadRow, computed: readonly Value[][]) => readonly Value[];
    }[] = [];
    for (const input of inputs) {
      if (input.kind === 'request') {
        fields[input.name] = input.columns;
        const columns = input.columns.map((column) => positions.get(column.name) as number);
        fetchers.push({ name: input.name, fetch: (row) => columns.map((column) => row[column] as Value) });
      } else if (input.kind === 'read') {
        fields[input.name] = (service.reads[input.read] as ResolvedService['reads'][number]).view.features;
        fetchers.push({ name: input.name, fetch: (_row, reads) => (reads[input.read] as ReadRow[number]).values });
      } else {
        fields[input.name] = (service.onDemand[input.transform] as ResolvedService['onDemand'][number]).view.features;
        fetchers.push({ name: input.name, fetch: (_row, _reads, computed) => computed[input.transform] as Value[] });
      }
    }
    const run = compileTransform(view, call, fields);
    return (row, reads, computed) => {
      const given: Record<string, readonly Value[]> = {};
      for (const { name, fetch } of fetchers) given[name] = fetch(row, reads, computed);
      return run(given);
    };
  });
}
