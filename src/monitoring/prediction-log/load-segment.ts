// A segment's records into tables of a DuckDB connection: one a schema, and one for outcomes, filled by chunks of columns.

import { DOUBLE, type DuckDBConnection, DuckDBListValue, LIST, VARCHAR } from '@duckdb/node-api';
import type { Micros } from '../../core/index.ts';
import { CHUNK_ROWS } from '../../storage/index.ts';
import { type AppendRecord, compileAppend } from './append-record.ts';
import { type NamedSchema, readSchema } from './arm-schema.ts';
import { KIND, readFrames } from './frame.ts';
import { type FlatColumn, flatColumns, type PredictionTable } from './log-columns.ts';
import { readOutcome } from './outcome-record.ts';
import { STATUSES } from './record-layout.ts';
import { compileDecoder, type RecordDecoder, schemaIdOf } from './record-decoder.ts';
import type { DecodedRoute } from './record-route.ts';
import { addRow, createFiller, type TableFiller } from './table-filler.ts';

export interface LogTables {
  /** Appends all records of a segment, or of what follows a whole frame of it. */
  load(bytes: Buffer): Promise<LoadedBytes>;
  /** Ends appending: the tables hold everything. */
  finish(): void;
  readonly predictions: readonly PredictionTable[];
  /** With the columns of outcomes; undefined without any. */
  readonly outcomes: { readonly table: string; readonly rows: number } | undefined;
  readonly unitOutcomes: { readonly table: string; readonly rows: number } | undefined;
  /** Removes the tables. */
  drop(): Promise<void>;
}

export interface LoadedBytes {
  /** The ranges of bytes that can't be read. */
  readonly damaged: readonly DamagedRange[];
  /** Where the last whole frame ends: what follows may come to be one. */
  readonly readTo: number;
}

export interface DamagedRange {
  readonly from: number;
  readonly to: number;
}

export interface LoadOptions {
  /** Only predictions from `from` on and before `to`, and of `endpoint`. */
  readonly from?: Micros;
  readonly to?: Micros;
  readonly endpoint?: string;
  /** A schema that the segment does not have: its frame may be what is damaged. */
  readonly schemaOf?: (id: string) => Promise<NamedSchema | undefined>;
  /** Called every so many records, so that others get their turn. */
  readonly pause?: () => Promise<void>;
  readonly recordsATurn?: number;
}

const RECORDS_A_TURN = 16 * CHUNK_ROWS;
const OUTCOME_COLUMNS: readonly FlatColumn[] = [
  { name: 'prediction_id', type: VARCHAR },
  { name: 'endpoint', type: VARCHAR },
  { name: 'outcome', type: VARCHAR },
  { name: 'observed', type: DOUBLE },
  { name: 'recorded', type: DOUBLE },
];
const UNIT_OUTCOME_COLUMNS: readonly FlatColumn[] = [
  { name: 'endpoint', type: VARCHAR },
  { name: 'unit', type: LIST(VARCHAR) },
  { name: 'told_from', type: DOUBLE },
  ...OUTCOME_COLUMNS.slice(2),
];
/** The relation of outcomes as a reader sees them, from their table. */
export const outcomesSql = (table: string): string =>
  `(SELECT prediction_id, endpoint, outcome::JSON AS outcome, make_timestamp(observed::BIGINT) AT TIME ZONE 'UTC' AS observed_at, \
make_timestamp(recorded::BIGINT) AT TIME ZONE 'UTC' AS recorded_at FROM ${table})`;
export const unitOutcomesSql = (table: string): string =>
  `(SELECT endpoint, unit, make_timestamp(told_from::BIGINT) AT TIME ZONE 'UTC' AS from_at, outcome::JSON AS outcome, \
make_timestamp(observed::BIGINT) AT TIME ZONE 'UTC' AS observed_at, make_timestamp(recorded::BIGINT) AT TIME ZONE 'UTC' AS recorded_at FROM ${table})`;

export function createLogTables(connection: DuckDBConnection, options: LoadOptions = {}): LogTables {
  const { from = -Infinity, to = Infinity, endpoint, schemaOf, pause, recordsATurn = RECORDS_A_TURN } = options;
  const bySchema = new Map<string, SchemaTable>();
  let outcomes: TableFiller | undefined;
  let unitOutcomes: TableFiller | undefined;

  const open = async (named: NamedSchema): Promise<SchemaTable> => {
    let table = bySchema.get(named.id);
    if (table !== undefined) return table;
    const filler = await createFiller(connection, flatColumns(named));
    const statuses = [...STATUSES];
    const routes: DecodedRoute[] = [];
    const append = compileAppend(named, filler, statuses, routes);
    table = { named, filler, statuses, routes, decode: compileDecoder(named), append };
    bySchema.set(named.id, table);
    return table;
  };

  return {
    async load(bytes) {
      const damaged: DamagedRange[] = [];
      let count = 0;
      let readTo = 0;
      const own = new Map<string, SchemaTable | null>();
      for (const frame of readFrames(bytes)) {
        if ('unread' in frame) {
          if (frame.unread === 'damaged') damaged.push({ from: frame.at, to: frame.end });
          continue;
        }
        readTo = frame.end;
        if (++count % recordsATurn === 0) await pause?.();
        try {
          if (frame.kind === KIND.schema) {
            const id = schemaIdOf(bytes, frame);
            const named = readSchema(id, bytes.toString('utf8', frame.from + 8, frame.end));
            if (named === undefined) throw new RangeError('a schema is none');
            own.set(id, endpoint === undefined || named.schema.endpoint === endpoint ? await open(named) : null);
          } else if (frame.kind === KIND.prediction) {
            const id = schemaIdOf(bytes, frame);
            if (!own.has(id)) {
              const named = await schemaOf?.(id);
              if (named === undefined) throw new RangeError('the schema of a record is not there');
              own.set(id, endpoint === undefined || named.schema.endpoint === endpoint ? await open(named) : null);
            }
            const table = own.get(id);
            if (table === undefined || table === null) continue;
            const record = table.decode(bytes, frame);
            checkTime(record.atMicros);
            if (record.atMicros < from || record.atMicros >= to) continue;
            table.append(record);
          } else {
            const outcome = readOutcome(bytes, frame);
            checkTime(outcome.observedMicros);
            checkTime(outcome.recordedMicros);
            // An outcome of null takes an earlier one back.
            const value = outcome.value === 'null' ? null : outcome.value;
            const times = [outcome.observedMicros, outcome.recordedMicros];
            if (typeof outcome.predictionId === 'string') {
              outcomes ??= await createFiller(connection, OUTCOME_COLUMNS);
              addRow(outcomes, [outcome.predictionId, outcome.endpoint, value, ...times]);
            } else {
              const { unit, fromMicros } = outcome.predictionId;
              checkTime(fromMicros);
              unitOutcomes ??= await createFiller(connection, UNIT_OUTCOME_COLUMNS);
              addRow(unitOutcomes, [outcome.endpoint, new DuckDBListValue(unit), fromMicros, value, ...times]);
            }
          }
        } catch (error) {
          if (!(error instanceof RangeError) && !(error instanceof TypeError)) throw error;
          damaged.push({ from: frame.at, to: frame.end });
        }
      }
      return { damaged, readTo };
    },
    finish() {
      for (const { filler } of bySchema.values()) filler.finish();
      outcomes?.finish();
      unitOutcomes?.finish();
    },
    get predictions() {
      return Array.from(bySchema.values(), ({ named, filler, statuses, routes }) => ({
        named,
        table: filler.name,
        statuses,
        routes,
        rows: filler.rows,
      }));
    },
    get outcomes() {
      return outcomes === undefined ? undefined : { table: outcomes.name, rows: outcomes.rows };
    },
    get unitOutcomes() {
      return unitOutcomes === undefined ? undefined : { table: unitOutcomes.name, rows: unitOutcomes.rows };
    },
    async drop() {
      for (const { filler } of bySchema.values()) await filler.drop();
      await outcomes?.drop();
      await unitOutcomes?.drop();
    },
  };
}

function checkTime(at: Micros): void {
  if (!Number.isSafeInteger(at)) throw new RangeError('a time is none');
}

interface SchemaTable {
  readonly named: NamedSchema;
  readonly filler: TableFiller;
  readonly statuses: readonly string[];
  readonly routes: readonly DecodedRoute[];
  readonly decode: RecordDecoder;
  readonly append: AppendRecord;
}
