// The rows that quality is worked out of: what was predicted and what came of it, of one arm.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type Micros, MICROS_PER_DAY } from '../../core/index.ts';
import { quoteText, quoteTime } from '../../storage/index.ts';
import type { LoggedArm } from '../drift/count-window.ts';
import type { Task } from './figures.ts';

/** What of an arm's outputs is the prediction. */
export interface Predicted {
  readonly task: Task;
  /** Names of outputs; null where there is none. */
  readonly score: string | null;
  readonly label: string | null;
}

/** Rows of one arm that are looked at; of more, those that a hash of their ids picks. */
const MOST_ROWS = 500_000;

const ofArm = ({ variant, model, version }: LoggedArm): string =>
  `variant = ${quoteText(variant)} AND model = ${quoteText(model)} AND version = ${version}`;

/** An outcome of null takes an earlier one back. */
const KNOWN = `(recorded_at IS NOT NULL AND outcome IS NOT NULL AND json_type(outcome) != 'NULL')`;

/** The log's JSON has numbers that JSON has none for as texts. */
const NO_NUMBER = `('NaN', 'Infinity', '-Infinity')`;
const NOT_FINITE = 'NOT_FINITE';

/** By what the outputs are and what the outcomes were; undefined where nothing can be told by them. */
export async function whatIsPredicted(connection: DuckDBConnection, arm: LoggedArm): Promise<Predicted | undefined> {
  const outputs = await connection.runAndReadAll(`SELECT name, list(DISTINCT kind), min(v), max(v) FROM (
  SELECT name, CASE WHEN text IN ${NO_NUMBER} THEN '${NOT_FINITE}' ELSE json_type(outputs, '$."' || name || '"') END AS kind,
    CASE WHEN text NOT IN ${NO_NUMBER} THEN TRY_CAST(text AS DOUBLE) END AS v FROM (
    SELECT outputs, name, outputs->>('$."' || name || '"') AS text FROM (
      SELECT outputs, unnest(json_keys(outputs)) AS name FROM (
        SELECT outputs FROM predictions WHERE ${ofArm(arm)} ORDER BY md5(prediction_id) LIMIT 5000))))
WHERE kind IS NOT NULL AND kind != 'NULL' AND name NOT LIKE '%"%' GROUP BY name ORDER BY name`);
  const named = outputs.getRowsJS() as [string, string[], number | null, number | null][];
  // What is never a number it can answer with is a number all the same; beside words it is one of them.
  const isNumber = ([, kinds]: (typeof named)[number]): boolean =>
    kinds.every((kind) => kind === 'DOUBLE' || kind === NOT_FINITE || /INT/.test(kind));
  const numbers = named.filter(isNumber);
  const words = named.filter(
    (one) => !isNumber(one) && one[1].every((kind) => kind === 'VARCHAR' || kind === 'BOOLEAN' || kind === NOT_FINITE),
  );
  const score = preferred(numbers, ['probability', 'score', 'prediction', 'value']);
  const label = preferred(words, ['label', 'class', 'prediction']);
  const outcomes = await connection.runAndReadAll(`SELECT coalesce(bool_and(json_type(outcome) = 'VARCHAR'), false),
  coalesce(bool_and(TRY_CAST(outcome AS DOUBLE) IN (0, 1)), false), count(*)::DOUBLE
FROM predictions WHERE ${ofArm(arm)} AND ${KNOWN}`);
  const [areWords, areBinary, known] = outcomes.getRowsJS()[0] as [boolean, boolean, number];
  // Of a score that never was a number outcomes alone can tell.
  const isChance =
    score !== undefined && (score[2] === null ? known > 0 : score[2] >= 0 && score[3] !== null && score[3] <= 1);
  const names = { score: score?.[0] ?? null, label: label?.[0] ?? null };
  if (known > 0 && areWords) return label === undefined ? undefined : { task: 'label', ...names };
  if (isChance && (known === 0 || areBinary)) return { task: 'chance', ...names };
  if (score !== undefined && (known === 0 || !areWords)) return { task: 'number', ...names };
  return label === undefined ? undefined : { task: 'label', ...names };
}

function preferred<T extends readonly [name: string, ...rest: unknown[]]>(
  outputs: readonly T[],
  names: readonly string[],
): T | undefined {
  for (const name of names) {
    const found = outputs.find(([one]) => one === name);
    if (found !== undefined) return found;
  }
  return outputs[0];
}

export interface LoggedDay {
  readonly arm: LoggedArm;
  readonly day: number;
  readonly rows: number;
  readonly labelled: number;
  /** When the last outcome came. */
  readonly recordedMicros: Micros;
}

/** What the log has of each arm, by day. */
export async function loggedDays(connection: DuckDBConnection): Promise<LoggedDay[]> {
  const read = await connection.runAndReadAll(`SELECT variant, model, version,
  (epoch_us(predicted_at) // ${MICROS_PER_DAY})::DOUBLE, count(*)::DOUBLE, count(*) FILTER (WHERE ${KNOWN})::DOUBLE,
  coalesce(max(epoch_us(recorded_at)), 0)::DOUBLE
FROM predictions GROUP BY ALL ORDER BY ALL`);
  return (read.getRowsJS() as [string, string, number, number, number, number, number][]).map(
    ([variant, model, version, day, rows, labelled, recordedMicros]) => ({
      arm: { variant, model, version },
      day,
      rows,
      labelled,
      recordedMicros,
    }),
  );
}

/** Into the table `quality_rows`. `days` are all the arm's that are wanted. */
export async function loadQualityRows(
  connection: DuckDBConnection,
  arm: LoggedArm,
  days: readonly number[],
  predicted: Predicted,
  rows: number,
): Promise<void> {
  const step = Math.max(1, Math.ceil(rows / MOST_ROWS));
  const output = (name: string | null): string =>
    name === null ? 'NULL' : `json_extract_string(outputs, ${quoteText(`$.${JSON.stringify(name)}`)})`;
  const first = Math.min(...days) * MICROS_PER_DAY;
  const day = `epoch_us(predicted_at) // ${MICROS_PER_DAY}`;
  const score = output(predicted.score);
  await connection.run(`CREATE OR REPLACE TEMP TABLE quality_rows AS
SELECT (${day})::DOUBLE AS day, CASE WHEN ${score} NOT IN ${NO_NUMBER} THEN TRY_CAST(${score} AS DOUBLE) END AS score, ${output(predicted.label)} AS label,
  TRY_CAST(outcome AS DOUBLE) AS y, outcome->>'$' AS truth,
  ${KNOWN}${predicted.task === 'label' ? '' : ' AND TRY_CAST(outcome AS DOUBLE) IS NOT NULL'} AS known, request, features
FROM predictions WHERE ${ofArm(arm)} AND predicted_at >= ${quoteTime(first)}
  AND ${day} IN (${days.join(', ')})${step === 1 ? '' : ` AND hash(prediction_id) % ${step} = 0`}`);
}

export interface CoverageOfAge {
  readonly from_seconds: number;
  /** Null: any. */
  readonly to_seconds: number | null;
  readonly rows: number;
  readonly labelled: number;
}

/** Seconds. */
const AGES = [0, 3600, 6 * 3600, 86_400, 3 * 86_400, 7 * 86_400, 14 * 86_400] as const;

/** How many predictions of an age have an outcome by now: how long labels take, and whether they come. */
export async function coverageByAge(
  connection: DuckDBConnection,
  arm: LoggedArm,
  now: Micros,
): Promise<CoverageOfAge[]> {
  const age = `(${now} - epoch_us(predicted_at)) / 1e6`;
  const cases = AGES.map((from, place) => `WHEN ${age} >= ${from} THEN ${place}`).toReversed();
  const read = await connection.runAndReadAll(`SELECT CASE ${cases.join(' ')} ELSE 0 END AS age, count(*)::DOUBLE,
  count(*) FILTER (WHERE ${KNOWN})::DOUBLE FROM predictions WHERE ${ofArm(arm)} GROUP BY 1 ORDER BY 1`);
  return (read.getRowsJS() as [number, number, number][]).map(([place, rows, labelled]) => ({
    from_seconds: AGES[place] ?? 0,
    to_seconds: AGES[place + 1] ?? null,
    rows,
    labelled,
  }));
}
