// The worst slices of an arm's rows: by request columns, features and pairs of them, ranked by how much worse they are, each pulled
// towards the rest as far as its few rows say little.

import type { DuckDBConnection } from '@duckdb/node-api';
import { benjaminiHochberg, normalTwoSidedP } from '../../statistics/index.ts';
import { quoteText } from '../../storage/index.ts';
import type { Predicted } from './load-rows.ts';

export interface Segment {
  /** Columns with their values; a number's is its quarter: `q1` the least. */
  readonly where: Readonly<Record<string, string>>;
  readonly rows: number;
  /** Mean of the slice's rows: their loss where outcomes are known, else the score. */
  readonly mean: number;
  /** How far that is over the mean of all, and the same shrunk by what chance alone makes slices differ: what they are ranked by. */
  readonly effect: number;
  readonly shrunk: number;
  /** By Benjamini and Hochberg over all slices. */
  readonly q: number;
}

export interface Segments {
  /** `brier excess`, `absolute error`, `error` of rows with outcomes; `score` where there are too few. */
  readonly of: string;
  readonly rows: number;
  readonly mean: number;
  /** Slices that were looked at. */
  readonly tested: number;
  /** Those with q ≤ .05, the worst first; of scores those that are furthest from the mean either way. */
  readonly worst: readonly Segment[];
}

const LEAST_ROWS = 30;
/** Rows with an outcome that slices of losses take, and else rows that slices of scores do. */
export const LEAST_LABELLED = 300;
const MOST_COLUMNS = 30;
const MOST_VALUES = 30;
const MOST_PAIRED = 5;
const MOST_WORST = 20;
const MOST_Q = 0.05;

interface Column {
  readonly section: 'request' | 'features';
  readonly name: string;
  /** SQL of a row's value as text. */
  readonly value: string;
}

/** Of the rows in `quality_rows`. Null where there are too few. */
export async function worstSegments(connection: DuckDBConnection, predicted: Predicted): Promise<Segments | null> {
  const labelled = await count(connection, 'known');
  const hasLabels = labelled >= LEAST_LABELLED;
  const { of, loss } = hasLabels ? LOSSES[predicted.task] : { of: 'score', loss: 'score' };
  const rows = hasLabels ? labelled : await count(connection, 'true');
  if (rows < LEAST_LABELLED || (!hasLabels && predicted.score === null)) return null;
  const columns = await findColumns(connection);
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE sliced AS SELECT ${loss} AS loss${columns
      .map(({ value }, i) => `, ${value} AS c${i}`)
      .join('')} FROM quality_rows WHERE (${loss}) IS NOT NULL${hasLabels ? ' AND known' : ''}`,
  );
  const whole = await connection.runAndReadAll(
    'SELECT count(*)::DOUBLE, avg(loss), coalesce(var_samp(loss), 0) FROM sliced',
  );
  const [n, mean, variance] = whole.getRowsJS()[0] as [number, number | null, number];
  if (mean === null || n < LEAST_LABELLED || variance === 0) return null;
  const all: Slice[] = [];
  for (let i = 0; i < columns.length; i++) all.push(...(await slicesOf(connection, columns, [i])));
  const singles = withoutCopies(all);
  const paired = rankColumns(singles, mean).slice(0, MOST_PAIRED);
  const pairs: Slice[] = [];
  for (const [at, i] of paired.entries())
    for (const j of paired.slice(at + 1)) pairs.push(...(await slicesOf(connection, columns, [i, j])));
  const slices = [...singles, ...pairs];
  return { of, rows: n, mean, tested: slices.length, worst: rank(slices, { n, mean, variance }, hasLabels) };
}

/**
 * Of a chance what its Brier score is over s(1 − s), which is due where scores say what they know: slices that are hard, with scores
 * near ½ that are honest about it, would else always be the worst.
 */
const LOSSES: Readonly<Record<Predicted['task'], { readonly of: string; readonly loss: string }>> = {
  chance: { of: 'brier excess', loss: '(score - y) ** 2 - score * (1 - score)' },
  number: { of: 'absolute error', loss: 'abs(score - y)' },
  label: { of: 'error', loss: '(label IS DISTINCT FROM truth)::INT::DOUBLE' },
};

interface Slice {
  readonly columns: readonly number[];
  readonly where: Readonly<Record<string, string>>;
  readonly rows: number;
  readonly mean: number;
  readonly variance: number;
}

async function count(connection: DuckDBConnection, condition: string): Promise<number> {
  const read = await connection.runAndReadAll(`SELECT count(*)::DOUBLE FROM quality_rows WHERE ${condition}`);
  return (read.getRowsJS()[0] as [number])[0];
}

/** Texts and bools with few values, as they are; numbers by their quarters. */
async function findColumns(connection: DuckDBConnection): Promise<Column[]> {
  const columns: Column[] = [];
  for (const section of ['request', 'features'] as const) {
    const read = await connection.runAndReadAll(`SELECT name, list(DISTINCT kind) FROM (
  SELECT name, json_type(${section}, '$."' || name || '"') AS kind FROM (
    SELECT ${section}, unnest(json_keys(${section})) AS name FROM (SELECT ${section} FROM quality_rows LIMIT 2000)))
WHERE kind IS NOT NULL AND kind != 'NULL' AND name NOT LIKE '%"%' GROUP BY name ORDER BY name`);
    for (const [name, kinds] of read.getRowsJS() as [string, string[]][]) {
      if (columns.length >= MOST_COLUMNS) break;
      const text = `json_extract_string(${section}, ${quoteText(`$.${JSON.stringify(name)}`)})`;
      const value = kinds.every((kind) => kind === 'DOUBLE' || /INT/.test(kind))
        ? await quarterSql(connection, `TRY_CAST(${text} AS DOUBLE)`)
        : kinds.every((kind) => kind === 'VARCHAR' || kind === 'BOOLEAN')
          ? await fewValuesSql(connection, text)
          : undefined;
      if (value !== undefined) columns.push({ section, name, value });
    }
  }
  return columns;
}

async function quarterSql(connection: DuckDBConnection, value: string): Promise<string | undefined> {
  const read = await connection.runAndReadAll(
    `SELECT quantile_disc(v, [0.25, 0.5, 0.75]), count(DISTINCT v)::DOUBLE FROM (SELECT ${value} AS v FROM quality_rows)
WHERE v IS NOT NULL AND isfinite(v)`,
  );
  const [quarters, different] = read.getRowsJS()[0] as [number[] | null, number];
  if (quarters === null || different < 2) return undefined;
  const cases = quarters.map((edge, i) => `WHEN ${value} <= '${edge}'::DOUBLE THEN 'q${i + 1}'`);
  return `CASE WHEN ${value} IS NULL THEN NULL ${cases.join(' ')} ELSE 'q4' END`;
}

async function fewValuesSql(connection: DuckDBConnection, value: string): Promise<string | undefined> {
  const read = await connection.runAndReadAll(
    `SELECT count(DISTINCT v)::DOUBLE FROM (SELECT ${value} AS v FROM quality_rows)`,
  );
  const [different] = read.getRowsJS()[0] as [number];
  return different >= 2 && different <= MOST_VALUES * 10 ? value : undefined;
}

async function slicesOf(
  connection: DuckDBConnection,
  columns: readonly Column[],
  of: readonly number[],
): Promise<Slice[]> {
  const names = of.map((i) => `c${i}`);
  const read =
    await connection.runAndReadAll(`SELECT ${names.join(', ')}, count(*)::DOUBLE, avg(loss), coalesce(var_samp(loss), 0)
FROM sliced WHERE ${names.map((name) => `${name} IS NOT NULL`).join(' AND ')}
GROUP BY ${names.join(', ')} HAVING count(*) >= ${LEAST_ROWS} ORDER BY count(*) DESC, ${names.join(', ')} LIMIT ${MOST_VALUES}`);
  return read.getRowsJS().map((row) => {
    const values = row.slice(0, of.length).map(String);
    const [rows, mean, variance] = row.slice(of.length) as [number, number, number];
    const where = Object.fromEntries(
      of.map((i, at) => [`${(columns[i] as Column).section}.${(columns[i] as Column).name}`, values[at] as string]),
    );
    return { columns: of, where, rows, mean, variance };
  });
}

/**
 * Of columns that cut the rows alike the first alone: a feature that hands a request column on, `true` beside 1. Slices of the same
 * rows have the same number, mean and variance; sums may differ in their last digits by the order they are added in.
 */
function withoutCopies(slices: readonly Slice[]): readonly Slice[] {
  const byColumn = Map.groupBy(slices, ({ columns: [column] }) => column);
  const seen = new Set<string>();
  return [...byColumn.values()].flatMap((own) => {
    const cut = own.map(({ rows, mean, variance }) => `${rows}/${mean.toPrecision(9)}/${variance.toPrecision(9)}`);
    const key = cut.toSorted().join(' ');
    if (seen.has(key)) return [];
    seen.add(key);
    return own;
  });
}

/** Those whose slices differ most. */
function rankColumns(slices: readonly Slice[], mean: number): number[] {
  const best = new Map<number, number>();
  for (const { columns, rows, mean: own } of slices) {
    const [column = 0] = columns;
    best.set(column, Math.max(best.get(column) ?? 0, Math.abs(own - mean) * Math.sqrt(rows)));
  }
  return [...best].sort(([, a], [, b]) => b - a).map(([column]) => column);
}

/**
 * Each slice against the rest. Effects of single columns are shrunk towards none, those of pairs towards the greater of their two
 * columns' own, both by τ²/(τ² + se²), where τ² is how much they differ beyond their noise (DerSimonian and Laird's moment,
 * weights alike): a pair comes before the slice that it is part of where it is bad by itself.
 */
function rank(
  slices: readonly Slice[],
  { n, mean, variance }: { readonly n: number; readonly mean: number; readonly variance: number },
  isLoss: boolean,
): Segment[] {
  const compared = slices
    .filter(({ rows }) => rows < n)
    .map((slice): Compared => {
      const rest = n - slice.rows;
      const restMean = (n * mean - slice.rows * slice.mean) / rest;
      // A slice whose rows are all alike is as uncertain as any.
      const own = Math.max(slice.variance, variance / slice.rows);
      const se = Math.sqrt(own / slice.rows + variance / rest);
      return { slice, se, z: (slice.mean - restMean) / se, effect: slice.mean - mean };
    });
  const qs = benjaminiHochberg(compared.map(({ z }) => normalTwoSidedP(z)));
  const shrunk = shrink(compared.filter(isSingle), () => 0);
  const parents = new Map([...shrunk].map(([{ slice }, effect]) => [keyOf(slice.where), effect]));
  const greater = ({ slice }: Compared): number =>
    Object.entries(slice.where)
      .map(([column, value]) => parents.get(keyOf({ [column]: value })) ?? 0)
      .reduce((one, other) => (Math.abs(other) > Math.abs(one) ? other : one), 0);
  for (const [pair, effect] of shrink(
    compared.filter((one) => !isSingle(one)),
    greater,
  ))
    shrunk.set(pair, effect);
  return compared
    .map((one, i): Segment => {
      const { where, rows, mean: own } = one.slice;
      return { where, rows, mean: own, effect: one.effect, shrunk: shrunk.get(one) ?? 0, q: qs[i] as number };
    })
    .filter(({ q, effect }) => q <= MOST_Q && (!isLoss || effect > 0))
    .sort((a, b) => (isLoss ? b.shrunk - a.shrunk : Math.abs(b.shrunk) - Math.abs(a.shrunk)) || b.rows - a.rows)
    .slice(0, MOST_WORST);
}

interface Compared {
  readonly slice: Slice;
  readonly se: number;
  readonly z: number;
  readonly effect: number;
}

const isSingle = ({ slice }: Compared): boolean => slice.columns.length === 1;
const keyOf = (where: Slice['where']): string => JSON.stringify(where);

/** What is left of each effect, of those towards which it is shrunk. */
function shrink(compared: readonly Compared[], towards: (one: Compared) => number): Map<Compared, number> {
  const most = Math.max(1, compared.length);
  const noise = compared.reduce((sum, { se }) => sum + se * se, 0) / most;
  const spread = compared.reduce((sum, one) => sum + (one.effect - towards(one)) ** 2, 0) / most;
  const tau = Math.max(0, spread - noise);
  return new Map(
    compared.map((one) => {
      const from = towards(one);
      const kept = tau + one.se ** 2 === 0 ? 0 : tau / (tau + one.se ** 2);
      return [one, from + (one.effect - from) * kept];
    }),
  );
}
