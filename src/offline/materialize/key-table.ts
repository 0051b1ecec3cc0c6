// Touched keys as a numbered table, with what folding each of them needs: how far its windows look, its winning row, and
// its facts that wait. Made once, read by as many passes as nodes ask for.

import type { Micros } from '../../core/index.ts';
import type { ViewCodec } from '../../online/index.ts';
import { quoteName } from '../../storage/index.ts';
import {
  columnType,
  isDeletedSql,
  isWhole,
  keyed,
  keyNames,
  keyType,
  sameKey,
  streamed,
  streamedKey,
} from './fact-sql.ts';
import { orderColumns } from './row-order.ts';
import { type RunScope, waitsSql } from './run-scope.ts';
import { winnerColumns, winnersOnly } from './winner-sql.ts';
import type { TouchedKeys } from './touched-keys.ts';
import { nextTable } from './work-table.ts';

export interface KeyTable {
  /** `__hr_n` (INTEGER from 0, in the keys' order), `__hr_since` (BIGINT micros), the keys. */
  readonly table: string;
  /** Columns: `__hr_n`, pushed, newest event or null (DOUBLE), the key's, then of the winner `winnerColumns`. By number. */
  readonly keysSql: string;
  /** Whether `keysSql` has a winner's columns. */
  readonly hasWinners: boolean;
  /** Columns: `__hr_n`, event, known, deleted, the order's, the view's event columns. By number. Null: nothing waits. */
  readonly waitingSql: string | null;
  readonly tables: readonly string[];
}

/** `touched` as `TouchedKeys.table`. */
export async function makeKeyTable(
  scope: RunScope,
  touched: string,
  { hasNewest, hasWaiting }: Pick<TouchedKeys, 'hasNewest' | 'hasWaiting'>,
): Promise<KeyTable> {
  const { connection, codec, facts, asOf } = scope;
  const names = keyNames(codec);
  const listed = names.join(', ');
  const table = nextTable('numbered');
  const all = `${keyed(codec, facts.relation)} AS facts`;
  const known = `${isWhole(codec)} AND __hr_known <= ${asOf}`;
  const only = ` SEMI JOIN ${touched} AS touched ON ${sameKey(codec, 'facts', 'touched')}`;
  const isLookedUp = codec.aggregator !== null && !hasNewest;
  const newest = isLookedUp
    ? ` LEFT JOIN (SELECT ${listed}, max(__hr_event) AS newest FROM ${all}${only} WHERE ${known} GROUP BY ${listed}) AS found ` +
      `ON ${sameKey(codec, 'touched', 'found')}`
    : '';
  const newestSql = isLookedUp || hasNewest ? 'newest' : 'CAST(NULL AS BIGINT)';
  await connection.run(
    `CREATE TABLE ${table} AS SELECT CAST(row_number() OVER (ORDER BY ${names.map((name) => `touched.${name}`).join(', ')}) - 1 AS INTEGER) AS __hr_n, ` +
      `${names.map((name) => `touched.${name}`).join(', ')}, touched.pushed AS __hr_pushed, ${newestSql} AS __hr_newest, ` +
      `${newestSql} - ${lookBack(codec)} AS __hr_since FROM ${touched} AS touched${newest}`,
  );
  const tables = [table];
  const joined = `${all} JOIN ${table} AS keys ON ${sameKey(codec, 'facts', 'keys')}`;
  const winners = codec.latestColumns.length === 0 ? null : nextTable('winners');
  if (winners !== null) {
    const columns = winnerColumns(codec).map((column, i) => `${column} AS __hr_w${i}`);
    await connection.run(
      `CREATE TABLE ${winners} AS SELECT __hr_n, ${columns.join(', ')} FROM ${joined} WHERE __hr_known <= ${asOf} ` +
        winnersOnly(codec, ['__hr_n']),
    );
    tables.push(winners);
  }
  const waiting = scope.waits === 'none' || !hasWaiting ? null : nextTable('waiting');
  let isWaiting = false;
  if (waiting !== null) {
    const columns = waitingColumns(codec).map((column, i) => `${column} AS __hr_w${i}`);
    await connection.run(
      `CREATE TABLE ${waiting} AS SELECT ${columns.join(', ')} FROM ${joined} WHERE ${waitsSql(scope)}`,
    );
    tables.push(waiting);
    const counted = await connection.runAndReadAll(`SELECT count(*) > 0 FROM ${waiting}`);
    isWaiting = counted.getRows()[0]?.[0] === true;
  }
  const keys = names.map((name, i) => streamedKey(`keys.${name}`, keyType(codec, i)));
  const own = ['keys.__hr_n', 'keys.__hr_pushed', 'CAST(keys.__hr_newest AS DOUBLE)', ...keys];
  // A key without a winner has nulls, which as numbers would be anything: -1 stands for no place in the log.
  const winner =
    winners === null
      ? []
      : winnerColumns(codec).map((_, i) => (PLACE_COLUMNS.has(i) ? `coalesce(__hr_w${i}, -1)` : `__hr_w${i}`));
  const with_ = winners === null ? '' : ` LEFT JOIN ${winners} AS winners ON winners.__hr_n = keys.__hr_n`;
  return {
    table,
    keysSql: `SELECT ${[...own, ...winner].join(', ')} FROM ${table} AS keys${with_} ORDER BY keys.__hr_n`,
    hasWinners: winners !== null,
    waitingSql: isWaiting ? `FROM ${waiting} ORDER BY ALL` : null,
    tables,
  };
}

/** Of `winnerColumns`, those of the row's place. */
const PLACE_COLUMNS: ReadonlySet<number> = new Set([3, 4]);

function waitingColumns({ source, eventColumns }: ViewCodec): string[] {
  return [
    '__hr_n',
    'CAST(__hr_event AS DOUBLE)',
    'CAST(__hr_known AS DOUBLE)',
    isDeletedSql(source),
    ...orderColumns(source),
    ...eventColumns.map((name) => streamed(quoteName(name), columnType(source, name))),
  ];
}

/**
 * How far before a key's newest event its windows look, hop included. Not before `asOf`: a key that fell silent keeps
 * the tiles that a read as at its last events needs.
 */
function lookBack({ aggregator }: ViewCodec): Micros {
  return Math.max(
    0,
    ...(aggregator?.groups ?? []).map(({ retentionMicros, hopMicros }) => retentionMicros + hopMicros),
  );
}
