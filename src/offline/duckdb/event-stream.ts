// Events and spine rows as one stream of plain numbers, sorted as they became visible, key by key: what the window
// replay is run over. DuckDB joins, sorts and spills; nothing here holds more than a chunk.

import type { DuckDBConnection, DuckDBVector } from '@duckdb/node-api';
import type { Aggregator, AggregatorInput, EventColumns } from '../../aggregation/index.ts';
import { floorTo, type Micros } from '../../core/index.ts';
import type { SourceSpec, ViewSpec } from '../../definitions/index.ts';
import { quoteName } from '../../storage/index.ts';
import { inputColumns, readInput } from './input-columns.ts';
import { readAhead } from './read-ahead.ts';
import { numbersOf } from './vector-values.ts';

/** A view's events and the (key, time) pairs at which its windows are wanted. */
export interface EventStreamRequest {
  readonly view: ViewSpec;
  readonly source: SourceSpec;
  readonly aggregator: Aggregator;
  /** `Facts.relation`: SQL to stand after FROM. */
  readonly sourceRelation: string;
  /**
   * SQL to stand after FROM: the spine's key columns, `__hr_at` (BIGINT micros) and `__hr_row` (BIGINT, one number a
   * row). Rows with a null key or time are left out.
   */
  readonly spineRelation: string;
  /** Spine column for each of the entity's keys, in the entity's order. */
  readonly spineKeys: readonly string[];
  /** Spine column (BIGINT micros, the same in all rows of a key) before which its events are left out, in place of what the spine's times say. */
  readonly spineSince?: string;
  /** 'before' counts only events strictly before a spine row's time, known strictly before it. */
  readonly boundary: 'at' | 'before';
}

/**
 * A piece of the stream. Row i is an event of key `keys[i]` (`isSpine[i]` is 0; its columns as an aggregator takes
 * them) or spine row `rows[i]`, wanted at `eventMicros[i]`. The arrays are DuckDB's memory: use them before the next.
 */
export interface EventChunk extends EventColumns {
  readonly size: number;
  readonly keys: Int32Array;
  readonly isSpine: Uint8Array;
  readonly rows: Float64Array;
}

export interface EventStream {
  readonly spineRows: number;
  /** By key, then visible time, then events before spine rows ('before': after them), then a total order. */
  chunks(): AsyncIterable<EventChunk>;
  /** The key's values, for a message. */
  describeKey(key: number): Promise<string>;
  close(): Promise<void>;
}

let streams = 0;

/** Joins the spine's distinct keys and counts its rows; the sort itself starts with the first chunk. */
export async function openEventStream(connection: DuckDBConnection, request: EventStreamRequest): Promise<EventStream> {
  streams++;
  const keysTable = quoteName(`__hr_keys_${streams}`);
  const spineTable = quoteName(`__hr_spine_${streams}`);
  const drop = async () => {
    await connection.run(`DROP TABLE IF EXISTS ${keysTable}`);
    await connection.run(`DROP TABLE IF EXISTS ${spineTable}`);
  };
  try {
    const { spineRows, earliest, latest } = await loadSpine(connection, request, keysTable, spineTable);
    const sql = streamSql(request, keysTable, spineTable, earliest, latest);
    return {
      spineRows,
      async *chunks() {
        for await (const chunk of readAhead(await connection.stream(sql))) {
          yield toEventChunk((index) => chunk.getColumnVector(index), chunk.rowCount, request.aggregator.inputs);
        }
      },
      async describeKey(key) {
        const result = await connection.run(`SELECT COLUMNS('^__hr_key_') FROM ${keysTable} WHERE __hr_key = ${key}`);
        return `(${(await result.getRows())[0]?.map(String).join(', ') ?? ''})`;
      },
      close: drop,
    };
  } catch (error) {
    await drop();
    throw error;
  }
}

// Dense numbers stand for keys: sorting and comparing them is far cheaper than strings, and events of keys that the
// spine lacks fall out of the join.
async function loadSpine(
  connection: DuckDBConnection,
  request: EventStreamRequest,
  keysTable: string,
  spineTable: string,
) {
  const { spineRelation, spineKeys, spineSince } = request;
  const keys = spineKeys.map((name, i) => `${quoteName(name)} AS ${keyName(i)}`);
  if (spineSince !== undefined) keys.push(`${quoteName(spineSince)} AS __hr_since`);
  const present = [...spineKeys.map(quoteName), '__hr_at'].map((name) => `${name} IS NOT NULL`).join(' AND ');
  const distinct = `SELECT DISTINCT ${keys.join(', ')} FROM ${spineRelation} AS spine WHERE ${present}`;
  await connection.run(
    `CREATE TEMP TABLE ${keysTable} AS SELECT CAST(row_number() OVER () - 1 AS INTEGER) AS __hr_key, * FROM (${distinct})`,
  );
  await connection.run(
    `CREATE TEMP TABLE ${spineTable} AS SELECT __hr_key, ${spineTime(request.view)} AS __hr_at, __hr_row ` +
      `FROM ${spineRelation} AS spine JOIN ${keysTable} AS keys ON ${joinKeys('spine', spineKeys)} WHERE __hr_at IS NOT NULL`,
  );
  const bounds = `SELECT CAST(count(*) AS DOUBLE), CAST(min(__hr_at) AS DOUBLE), CAST(max(__hr_at) AS DOUBLE) FROM ${spineTable}`;
  const [row] = await (await connection.run(bounds)).getRows();
  const [spineRows, earliest, latest] = (row ?? []).map((value) => Number(value ?? 0));
  return { spineRows: spineRows ?? 0, earliest: earliest ?? 0, latest: latest ?? 0 };
}

/** As served: with a schedule, the start of the last run whose results were up. SQL's % keeps the sign, ours doesn't. */
function spineTime({ freshness }: ViewSpec): string {
  if (freshness.kind === 'live') return '__hr_at';
  const { everyMicros: every, lagMicros: lag } = freshness;
  const shifted = `(__hr_at - ${lag})`;
  return `(${shifted} - (${shifted} % ${every} + ${every}) % ${every})`;
}

const keyName = (index: number): string => `__hr_key_${index}`;

function joinKeys(alias: string, columns: readonly string[]): string {
  return columns.map((column, i) => `${alias}.${quoteName(column)} = keys.${keyName(i)}`).join(' AND ');
}

function streamSql(
  request: EventStreamRequest,
  keysTable: string,
  spineTable: string,
  earliest: Micros,
  latest: Micros,
): string {
  const { view, source, aggregator, sourceRelation, boundary } = request;
  const { inputs } = aggregator;
  const ties = aggregator.isOrderSensitive ? tieColumns(source) : [];
  const oldest = Math.min(
    ...aggregator.groups.map((group) => floorTo(earliest - group.retentionMicros, group.hopMicros)),
  );
  const isFact = source.tombstone === undefined ? '' : ` AND ${quoteName(source.tombstone)} IS NOT TRUE`;
  const inputSql = inputs.map(({ column }, i) => `${quoteName(column)} AS __hr_input_${i}`);
  const tieSql = ties.map((column, i) => `${column} AS __hr_tie_${i}`);
  const events =
    `SELECT keys.__hr_key, greatest(__hr_event, __hr_known) AS __hr_known, CAST(0 AS UTINYINT) AS __hr_is_spine, ` +
    `__hr_event, __hr_row${list([...inputSql, ...tieSql])} ` +
    `FROM ${sourceRelation} AS events JOIN ${keysTable} AS keys ON ${joinKeys('events', view.keyColumns)} ` +
    `WHERE __hr_event >= ${request.spineSince === undefined ? oldest : 'keys.__hr_since'} AND greatest(__hr_event, __hr_known) <= ${latest} AND __hr_known IS NOT NULL${isFact}`;
  const blanks = [...inputs.map((_, i) => `NULL AS __hr_input_${i}`), ...ties.map((_, i) => `NULL AS __hr_tie_${i}`)];
  const spine =
    `SELECT __hr_key, __hr_at AS __hr_known, CAST(1 AS UTINYINT) AS __hr_is_spine, ` +
    `__hr_at AS __hr_event, __hr_row${list(blanks)} FROM ${spineTable}`;
  const order = [
    '__hr_key',
    '__hr_known',
    `__hr_is_spine${boundary === 'before' ? ' DESC' : ''}`,
    ...ties.map((_, i) => `__hr_tie_${i} ASC NULLS FIRST`),
    '__hr_row',
  ];
  const columns = [
    '__hr_key',
    '__hr_is_spine',
    'CAST(__hr_event AS DOUBLE)',
    'CAST(__hr_known AS DOUBLE)',
    'CAST(__hr_row AS DOUBLE)',
    ...inputs.flatMap((input, i) => inputColumns(input, `__hr_input_${i}`)),
  ];
  return `SELECT ${columns.join(', ')} FROM (SELECT * FROM (${events} UNION ALL ${spine}) ORDER BY ${order.join(', ')})`;
}

const list = (columns: readonly string[]): string => columns.map((column) => `, ${column}`).join('');

/**
 * What orders full ties of (event, known): the created order as the source tells it, the place in the log, after files'
 * rows, then the row's content.
 */
function tieColumns(source: SourceSpec): string[] {
  const created = source.createdOrder === undefined ? [] : [quoteName(source.createdOrder)];
  const content = source.columns.flatMap(({ name, type }) => {
    const column = quoteName(name);
    // −0 and 0 are equal to DuckDB, and two values to compareValues: −0 is the lesser.
    const isFloat = type.kind === 'float32' || type.kind === 'float64';
    return isFloat ? [column, `NOT (${column} = 0 AND signbit(${column}))`] : [column];
  });
  return [...created, '__hr_writer', '__hr_offset', ...content];
}

function toEventChunk(
  column: (index: number) => DuckDBVector,
  size: number,
  inputs: readonly AggregatorInput[],
): EventChunk {
  let at = 5;
  return {
    size,
    keys: numbersOf<Int32Array>(column(0)),
    isSpine: numbersOf<Uint8Array>(column(1)),
    eventMicros: numbersOf<Float64Array>(column(2)),
    knownMicros: numbersOf<Float64Array>(column(3)),
    rows: numbersOf<Float64Array>(column(4)),
    inputs: inputs.map((input) => readInput(input, size, () => column(at++))),
  };
}
