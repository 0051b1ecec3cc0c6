// Which keys a run writes, as a table; and what it has to say of the source's rows.

import type { Micros } from '../../core/index.ts';
import { coveredCut, type Coverage } from '../../online/index.ts';
import { countUnconverted, type Unconverted } from '../facts/unconverted.ts';
import type { Changes, Interval } from './changes.ts';
import { isWhole, keyed, keyNames } from './fact-sql.ts';
import { type RunScope, waitsSql } from './run-scope.ts';
import { nextTable } from './work-table.ts';

export interface TouchedKeys {
  /** Columns as `keyNames`, and `pushed`: whether covered parts may lie with the key. Null: every key with facts. */
  readonly table: string | null;
  /** Of a full run: the keys of the log's covered rows, likewise; null where there are none. */
  readonly logTable: string | null;
  /** Whether the table has `newest` too: the newest event time of a key's facts that are known by `asOf`, or null. */
  readonly hasNewest: boolean;
  readonly rowsInRange: number;
  /** Rows with a null key, event time or known time: they match nothing. */
  readonly rowsIgnored: number;
  /** Of the log's rows among them. */
  readonly unconverted: Unconverted;
  /** The greatest event time known by `asOf` of the rows that were looked at; null for none. */
  readonly newestMicros: Micros | null;
  /** Whether some facts are known only after `asOf` and carried. */
  readonly hasWaiting: boolean;
}

/** Of a run that writes every key. */
export async function findAllKeys(scope: RunScope): Promise<TouchedKeys> {
  const { connection, codec, facts, asOf, finished } = scope;
  const names = keyNames(codec).join(', ');
  const all = keyed(codec, facts.relation);
  const whole = isWhole(codec);
  const counted = await connection.runAndReadAll(
    `SELECT CAST(count(*) FILTER (WHERE ${whole} AND __hr_known <= ${asOf}) AS DOUBLE), ` +
      `CAST(count(*) FILTER (WHERE NOT (${whole})) AS DOUBLE), ` +
      `CAST(count(*) FILTER (WHERE ${whole} AND ${waitsSql(scope)}) AS DOUBLE), ` +
      `CAST(max(__hr_event) FILTER (WHERE ${whole} AND __hr_known <= ${asOf}) AS DOUBLE) FROM ${all} AS facts`,
  );
  const [row = []] = counted.getRows();
  const [rowsInRange = 0, rowsIgnored = 0, waiting = 0] = row.map(Number);
  const newestMicros = microsOf(row[3]);
  const log = facts.log;
  const unconverted = (await log?.unconverted()) ?? {};
  const logTable = log === null || log.rows === 0 ? null : nextTable('log_keys');
  if (log !== null && logTable !== null) {
    const isNew = isPast(
      finished?.coverage,
      log.writers.map(({ writer }) => writer),
    );
    await connection.run(
      `CREATE TABLE ${logTable} AS SELECT ${names}, bool_or(${isNew}) AS pushed ` +
        `FROM ${keyed(codec, facts.allLogRows)} AS logged WHERE ${whole} GROUP BY ${names}`,
    );
  }
  const hasNewest = codec.aggregator !== null;
  const hasWaiting = waiting > 0;
  const shared = { hasNewest, logTable, rowsInRange, rowsIgnored, unconverted, newestMicros, hasWaiting };
  if (codec.aggregator === null) return { table: null, ...shared };
  const table = nextTable('keys');
  const logged = logTable === null ? '' : ` UNION ALL SELECT ${names}, pushed, NULL FROM ${logTable}`;
  const newest = `CASE WHEN __hr_known <= ${asOf} THEN __hr_event END`;
  await connection.run(
    `CREATE TABLE ${table} AS SELECT ${names}, bool_or(pushed) AS pushed, max(newest) AS newest FROM (` +
      `SELECT ${names}, false AS pushed, ${newest} AS newest FROM ${all} AS facts ` +
      `WHERE ${whole} AND (__hr_known <= ${asOf} OR ${waitsSql(scope)})${logged}) GROUP BY ${names}`,
  );
  return { table, ...shared };
}

/** Of an incremental run; reads no more of the source than the changes ask for. */
export async function findChangedKeys(
  scope: RunScope,
  changes: Changes,
  boundary: Micros,
  from: Micros | undefined,
): Promise<TouchedKeys> {
  const { connection, codec, facts, asOf } = scope;
  const { files, log, cuts, passed, known } = changes;
  const names = keyNames(codec).join(', ');
  const whole = isWhole(codec);
  // A span may begin before all times, and end after them.
  const within = (column: string, { after, upTo }: Interval) => {
    const ends = [
      ...(Number.isFinite(upTo) ? [`${column} <= ${upTo}`] : []),
      ...(Number.isFinite(after) ? [`${column} > ${after}`] : []),
    ];
    return ends.length === 0 ? 'true' : `(${ends.join(' AND ')})`;
  };
  const anywhere = [
    ...(passed === null ? [] : [within('__hr_event', passed)]),
    ...(known === null ? [] : [within('__hr_known', known)]),
    ...(from === undefined ? [] : [`__hr_known >= ${from}`]),
  ];
  const isScan = anywhere.length > 0;
  const counts = Number.isFinite(boundary) ? `coalesce(__hr_event <= ${boundary}, true)` : 'true';
  const isNewFile = files.length === 0 ? 'false' : `(__hr_file IN (${files.join(', ')}) AND ${counts})`;
  const isNewCut = `CASE __hr_writer ${cuts.map(({ writer, after }) => `WHEN ${writer} THEN __hr_cut > ${after}`).join(' ')} ELSE false END`;
  const newCut = cuts.length === 0 ? 'false' : isNewCut;
  const fileRows = isScan ? facts.allFileRows : facts.fileRows(files);
  const logRows = isScan ? facts.allLogRows : log.relation;
  const select = `SELECT ${names}, __hr_known, __hr_event, `;
  const isLooked = [newCut, ...anywhere].join(' OR ');
  const rows =
    `(${select}false AS pushed FROM ${keyed(codec, fileRows)} AS filed WHERE ${[isNewFile, ...anywhere].join(' OR ')} ` +
    `UNION ALL ${select}${newCut} AS pushed FROM ${keyed(codec, logRows)} AS logged WHERE ${isLooked})`;
  const table = nextTable('keys');
  await connection.run(
    `CREATE TABLE ${table} AS SELECT ${names}, bool_or(pushed) AS pushed, ` +
      `max(__hr_event) FILTER (WHERE __hr_known <= ${asOf}) AS newest_in_range, ` +
      `count(*) FILTER (WHERE __hr_known <= ${asOf}) AS in_range FROM ${rows} WHERE ${whole} GROUP BY ${names}`,
  );
  const ignored = `(SELECT CAST(count(*) AS DOUBLE) FROM ${rows} WHERE NOT (${whole}))`;
  const counted = await connection.runAndReadAll(
    `SELECT CAST(coalesce(sum(in_range), 0) AS DOUBLE), ${ignored}, CAST(max(newest_in_range) AS DOUBLE) FROM ${table}`,
  );
  const [row = []] = counted.getRows();
  const [rowsInRange = 0, rowsIgnored = 0] = row.map(Number);
  const newestMicros = microsOf(row[2]);
  const unconverted = await countUnconverted(connection, codec.source, `(FROM ${logRows} WHERE ${isLooked})`);
  const found = { rowsInRange, rowsIgnored, unconverted, newestMicros };
  return { table, logTable: null, hasNewest: false, ...found, hasWaiting: true };
}

const microsOf = (value: unknown): Micros | null => (typeof value === 'number' ? value : null);

/** How many keys a run would write. */
export async function countKeys(scope: RunScope, { table, logTable }: TouchedKeys): Promise<number> {
  const { connection, codec, facts, asOf } = scope;
  const names = keyNames(codec).join(', ');
  const logged = logTable === null ? '' : ` UNION SELECT ${names} FROM ${logTable}`;
  const all =
    table === null
      ? `SELECT DISTINCT ${names} FROM ${keyed(codec, facts.relation)} AS facts ` +
        `WHERE ${isWhole(codec)} AND (__hr_known <= ${asOf} OR ${waitsSql(scope)})${logged}`
      : `SELECT ${names} FROM ${table}`;
  const counted = await connection.runAndReadAll(`SELECT CAST(count(*) AS DOUBLE) FROM (${all})`);
  return Number(counted.getRows()[0]?.[0]);
}

/** Whether a row of the log lies in a cut that a coverage lacks. */
function isPast(coverage: Coverage | undefined, writers: readonly number[]): string {
  if (coverage === undefined) return 'true';
  const cases = writers.map((writer) => {
    const after = coveredCut(coverage, writer);
    return `WHEN ${writer} THEN ${Number.isFinite(after) ? `__hr_cut > ${after}` : 'false'}`;
  });
  return cases.length === 0 ? 'true' : `CASE __hr_writer ${cases.join(' ')} ELSE true END`;
}
