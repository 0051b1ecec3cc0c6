// Makes a reference of rows that DuckDB has: quantile bins of numbers, frequent values of texts, and how many of each a day.

import type { DuckDBConnection } from '@duckdb/node-api';
import { binSql } from './bin-sql.ts';
import type { FeatureKind, FeatureReference } from './reference.ts';

/** A column that is to be watched. */
export interface WatchedColumn {
  readonly name: string;
  readonly kind: FeatureKind;
  readonly isWindow: boolean;
  /** SQL of its value in the relation: of numbers a DOUBLE, else a VARCHAR. */
  readonly value: string;
}

/** Bins that are tested, and those that make up each: with these the distances that are only shown are worked out. */
const COARSE_BINS = 10;
const FINE_BINS = 50;
const MOST_CATEGORIES = 20;
const MOST_KNOWN = 1000;
/** Days of the reference, the newest: so many tell how much days differ. */
const MOST_DAYS = 120;

/** `relation`: SQL of a table; `day`: SQL of the number of a row's day, null where it has none. */
export async function buildReference(
  connection: DuckDBConnection,
  relation: string,
  day: string,
  columns: readonly WatchedColumn[],
): Promise<FeatureReference[]> {
  const features: FeatureReference[] = [];
  for (const column of columns) {
    const bins = column.kind === 'number' ? await numberBins(connection, relation, column.value) : undefined;
    const named = column.kind === 'category' ? await categoryBins(connection, relation, column.value) : undefined;
    const edges = bins?.edges ?? [];
    const categories = named?.categories ?? [];
    const size = column.kind === 'category' ? categories.length + 1 : edges.length + 1;
    const groups = bins?.groups ?? Array.from({ length: size }, (_, bin) => bin);
    const of = { kind: column.kind, edges, categories };
    const counted = await countBins(connection, relation, day, binSql(of, column.value));
    const counts = new Array<number>(size + 1).fill(0);
    const days = new Map<number, number[]>();
    const coarseSize = (groups.at(-1) ?? 0) + 1;
    for (const { day: one, bin, rows } of counted) {
      const place = bin ?? size;
      counts[place] = (counts[place] as number) + rows;
      if (one === null) continue;
      const own = days.get(one) ?? new Array<number>(coarseSize + 1).fill(0);
      days.set(one, own);
      const group = bin === null ? coarseSize : (groups[bin] as number);
      own[group] = (own[group] as number) + rows;
    }
    features.push({
      name: column.name,
      kind: column.kind,
      isWindow: column.isWindow,
      edges,
      groups,
      categories,
      known: named?.known ?? null,
      range: bins?.range ?? null,
      counts,
      days: [...days]
        .sort(([a], [b]) => a - b)
        .slice(-MOST_DAYS)
        .map(([, own]) => own),
    });
  }
  return features;
}

async function numberBins(connection: DuckDBConnection, relation: string, value: string) {
  const fractions = Array.from({ length: FINE_BINS - 1 }, (_, i) => (i + 1) / FINE_BINS);
  const sql = `SELECT quantile_disc(v, [${fractions.join(', ')}]), min(v), max(v) FROM (SELECT ${value} AS v FROM ${relation})
WHERE v IS NOT NULL AND isfinite(v)`;
  const [row] = (await connection.runAndReadAll(sql)).getRowsJS() as [number[] | null, number | null, number | null][];
  const [quantiles, min, max] = row ?? [null, null, null];
  // −0 and 0 are one value.
  const all = (quantiles ?? []).map((one) => (one === 0 ? 0 : one));
  const edges = [...new Set(all)].sort((a, b) => a - b);
  const coarseEdges = new Set(all.filter((_, i) => (i + 1) % (FINE_BINS / COARSE_BINS) === 0));
  let group = 0;
  const groups = edges.map((edge) => (coarseEdges.has(edge) ? group++ : group));
  groups.push(group);
  const range: readonly [number, number] | null = min === null || max === null ? null : [min, max];
  return { edges, groups, range };
}

async function categoryBins(connection: DuckDBConnection, relation: string, value: string) {
  const sql = `SELECT v, count(*)::DOUBLE FROM (SELECT ${value} AS v FROM ${relation}) WHERE v IS NOT NULL
GROUP BY v ORDER BY count(*) DESC, v LIMIT ${MOST_KNOWN + 1}`;
  const rows = (await connection.runAndReadAll(sql)).getRowsJS() as [string, number][];
  const values = rows.map(([text]) => text);
  return { categories: values.slice(0, MOST_CATEGORIES), known: values.length > MOST_KNOWN ? null : values };
}

async function countBins(connection: DuckDBConnection, relation: string, day: string, bin: string) {
  const sql = `SELECT ${day}, ${bin}, count(*)::DOUBLE FROM ${relation} GROUP BY 1, 2`;
  const rows = (await connection.runAndReadAll(sql)).getRowsJS() as [number | bigint | null, number | null, number][];
  return rows.map(([one, place, count]) => ({ day: one === null ? null : Number(one), bin: place, rows: count }));
}
