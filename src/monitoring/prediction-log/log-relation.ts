// The whole log as one SQL relation, wherever its records lie now: Parquet of past hours, and the segments not compacted
// yet, of every process.

import type { DuckDBConnection } from '@duckdb/node-api';
import { MICROS_PER_HOUR } from '../../core/index.ts';
import { quoteText, quoteTime } from '../../storage/index.ts';
import { DECODED_LIMITS, type DecodedLimits } from './decoded-segments.ts';
import { readKeptSchema } from './kept-schemas.ts';
import {
  LEGACY_MISSING,
  type LegacyKind,
  type LegacySegment,
  legacySql,
  listLegacySegments,
} from './legacy-segments.ts';
import {
  columnsSql,
  emptySql,
  HOUR_COLUMN,
  MACROS,
  IS_ANSWERED,
  newestOutcome,
  newestUnitOutcome,
  readableSql,
  ROUTE_NAMES,
  readFilesSql,
} from './log-columns.ts';
import { listParquet, listWriters, type ParquetFile, type RecordKind, type Segment } from './segments.ts';
import type { LogRange, TypedPart } from './log-parts.ts';
import { openWaiting } from './waiting-segments.ts';

export interface LogRelation {
  /** All that have a schema: those of very old logs have none. */
  readonly typed: readonly TypedPart[];
  /** All predictions, one row each. */
  readonly predictions: string;
  /** Of the outcomes of a prediction the one that was recorded last. */
  readonly outcomes: string;
  /** Those that were told of units and belong to a prediction, with its id: not only those that were recorded last. */
  readonly matchedUnits: string;
  /** All that were recorded, with the columns of `outcomes`, and of `unit_outcomes`. */
  readonly recorded: { readonly byId: string; readonly byUnit: string };
  /** All predictions, one row each, with `outcome`, `observed_at` and `recorded_at` of the outcome that was recorded last. */
  readonly sql: string;
  /** The same without what shadows made of rows. */
  readonly answered: string;
  /** What tells whether the same files are still there. */
  readonly files: string;
  /** Places in segments that can't be read and are not in the relation. */
  readonly damaged: number;
}

/** Segments may end, or become Parquet, while they are read. */
const MOST_TRIES = 20;

/**
 * The log's files as they are now, as relations of this connection: a compaction meanwhile can take one away, and the query then
 * fails; `withLog` asks again.
 */
export async function openLogRelation(
  connection: DuckDBConnection,
  directory: string,
  range: LogRange = {},
  limits: DecodedLimits = DECODED_LIMITS,
): Promise<LogRelation> {
  for (const macro of MACROS) await connection.run(macro);
  for (let tries = 1; ; tries++) {
    try {
      return await openOnce(connection, directory, range, limits);
    } catch (error) {
      const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isGone || tries === MOST_TRIES) throw error;
    }
  }
}

async function openOnce(
  connection: DuckDBConnection,
  directory: string,
  range: LogRange,
  limits: DecodedLimits,
): Promise<LogRelation> {
  const listed = await listFiles(directory, range);
  const { segments, legacy, predictions, later, outcomes, unitOutcomes } = listed;
  // A prediction after the range may be the one that an outcome of its unit is told of.
  const { to: _to, ...beginning } = range;
  const decoded = await openWaiting(connection, directory, segments, { range: beginning, limits });
  const waiting = [
    ...decoded.predictions.map(({ named, sql }) => readableSql(named, sql)),
    ...legacyParts('predictions', legacy.predictions),
  ];
  const { typed, parts: inside } = await parquetParts(predictions);
  const outcomeParts = [
    ...decoded.outcomes,
    ...(outcomes.length === 0 ? [] : [columnsSql('outcomes', readFilesSql(outcomes))]),
    ...legacyParts('outcomes', legacy.outcomes),
  ];
  const byId = united('outcomes', outcomeParts);
  const unitParts = [
    ...decoded.unitOutcomes,
    ...(unitOutcomes.length === 0 ? [] : [columnsSql('unit_outcomes', readFilesSql(unitOutcomes))]),
  ];
  let matchedUnits = emptySql('outcomes');
  if (unitParts.length > 0) {
    const all = united('predictions', [...waiting, ...inside, ...(await parquetParts(later)).parts]);
    matchedUnits = matchedSql(inRange(all, beginning), united('unit_outcomes', unitParts));
    outcomeParts.push(matchedUnits);
  }
  const predictionsSql = inRange(united('predictions', [...waiting, ...inside]), range);
  const outcomesSql = `SELECT * FROM (${united('outcomes', outcomeParts)}) ${newestOutcome}`;
  const sql = `SELECT predictions.*, outcomes.outcome, outcomes.observed_at, outcomes.recorded_at \
FROM (${predictionsSql}) predictions LEFT JOIN (${outcomesSql}) outcomes \
ON outcomes.prediction_id = predictions.prediction_id AND outcomes.endpoint = predictions.endpoint`;
  return {
    typed: [...decoded.predictions, ...typed],
    predictions: predictionsSql,
    matchedUnits,
    recorded: { byId, byUnit: united('unit_outcomes', unitParts) },
    outcomes: outcomesSql,
    sql,
    answered: `SELECT * FROM (${sql}) WHERE ${IS_ANSWERED}`,
    files: textOf(listed),
    damaged: decoded.damaged,
  };
}

/** What `LogRelation.files` would be now. */
export async function listLogFiles(directory: string, range: LogRange): Promise<string> {
  return textOf(await listFiles(directory, range));
}

interface LogFiles {
  readonly segments: readonly Segment[];
  readonly legacy: Readonly<Record<LegacyKind, readonly LegacySegment[]>>;
  readonly predictions: readonly ParquetFile[];
  /** Predictions after the range. */
  readonly later: readonly ParquetFile[];
  readonly unitOutcomes: readonly ParquetFile[];
  readonly outcomes: readonly ParquetFile[];
}

// Segments first: one that is gone by now has its Parquet in the second list. And a segment that is still there counts
// alone, without Parquet made from it, so that a record that is in both is read once.
async function listFiles(directory: string, range: LogRange): Promise<LogFiles> {
  const segments = (await listWriters(directory)).flatMap((writer) => writer.segments);
  const legacy = {
    predictions: await listLegacySegments(directory, 'predictions'),
    outcomes: await listLegacySegments(directory, 'outcomes'),
  };
  const names = new Set([...segments, ...legacy.predictions, ...legacy.outcomes].map(({ name }) => name));
  const isAlone = ({ name }: ParquetFile): boolean => !names.has(name);
  const predictions = (await listParquet(directory, 'predictions')).filter(isAlone);
  const { to, ...beginning } = range;
  const wanted = predictions.filter((file) => isWanted(file, range));
  const later =
    to === undefined ? [] : predictions.filter((file) => isWanted(file, beginning) && !wanted.includes(file));
  return {
    segments,
    legacy,
    predictions: wanted,
    later,
    outcomes: (await listParquet(directory, 'outcomes')).filter(isAlone),
    unitOutcomes: (await listParquet(directory, 'unit_outcomes')).filter(isAlone),
  };
}

const textOf = ({ segments, legacy, ...parquet }: LogFiles): string =>
  JSON.stringify(
    [segments, legacy.predictions, legacy.outcomes, ...Object.values(parquet)].map(
      (files: readonly { readonly path: string }[]) => files.map(({ path }) => path),
    ),
  );

/**
 * Outcomes of units with the ids of the predictions that they are told of: the unit's newest that was made when it was
 * observed, from its time on. Of rows of one moment the one with the greatest id, so that each question finds the same.
 */
function matchedSql(predictions: string, unitOutcomes: string): string {
  const keys = `SELECT endpoint, to_json(unit)::VARCHAR AS unit, predicted_at, max(prediction_id) AS prediction_id \
FROM (${predictions}) WHERE ${IS_ANSWERED} GROUP BY ALL`;
  const told = `SELECT * REPLACE (to_json(unit)::VARCHAR AS unit) FROM (SELECT * FROM (${unitOutcomes}) ${newestUnitOutcome})`;
  return `SELECT found.prediction_id, told.endpoint, told.outcome, told.observed_at, told.recorded_at \
FROM (${told}) told ASOF JOIN (${keys}) found \
ON told.endpoint = found.endpoint AND told.unit = found.unit AND told.observed_at >= found.predicted_at \
WHERE found.predicted_at >= told.from_at`;
}

async function parquetParts(
  files: readonly ParquetFile[],
): Promise<{ readonly typed: readonly TypedPart[]; readonly parts: readonly string[] }> {
  const groups = Map.groupBy(files, ({ schema }) => schema?.folder);
  const typed: TypedPart[] = [];
  const parts: string[] = [];
  for (const [folder, group] of groups) {
    const id = group[0]?.schema?.id;
    if (folder === undefined || id === undefined) {
      parts.push(columnsSql('predictions', readFilesSql(group), LEGACY_MISSING));
      continue;
    }
    const named = await readKeptSchema(folder, id);
    // Without it the structs' own names do, and the files' own columns.
    if (named === undefined) parts.push(columnsSql('predictions', withRouteColumns(group)));
    else {
      const sql = readFilesSql(group);
      typed.push({ named, sql });
      parts.push(readableSql(named, sql));
    }
  }
  return { typed, parts };
}

const legacyParts = (kind: LegacyKind, segments: readonly { readonly path: string }[]): string[] =>
  segments.length === 0
    ? []
    : [
        legacySql(
          kind,
          segments.map(({ path }) => path),
        ),
      ];

// Those that the files have not are null.
const withRouteColumns = (files: readonly ParquetFile[]): string =>
  `(SELECT * FROM ${readFilesSql(files)} UNION ALL BY NAME SELECT ${ROUTE_NAMES.join(', ')} FROM (${emptySql('predictions')}))`;

const united = (kind: RecordKind, parts: readonly string[]): string =>
  parts.length === 0 ? emptySql(kind) : parts.join(' UNION ALL ');

/** `sql` with the rows of the range alone. */
export function inRange(sql: string, { from, to, endpoint }: LogRange): string {
  const at = HOUR_COLUMN.predictions;
  const conditions = [
    ...(from === undefined ? [] : [`${at} >= ${quoteTime(from)}`]),
    ...(to === undefined ? [] : [`${at} < ${quoteTime(to)}`]),
    ...(endpoint === undefined ? [] : [`endpoint = ${quoteText(endpoint)}`]),
  ];
  return conditions.length === 0 ? sql : `SELECT * FROM (${sql}) WHERE ${conditions.join(' AND ')}`;
}

function isWanted({ hour, schema }: ParquetFile, { from = -Infinity, to = Infinity, endpoint }: LogRange): boolean {
  if (endpoint !== undefined && schema !== undefined && schema.endpoint !== endpoint) return false;
  return hour < to && hour + MICROS_PER_HOUR > from;
}
