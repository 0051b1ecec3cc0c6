// Rows of a prediction log as an experiment's analysis reads them, and the report that it makes of them.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Micros } from '../../src/core/index.ts';
import {
  analyse,
  type Analysed,
  type AnalysedExperiment,
  type AnalysedPhase,
  type ExperimentReport,
  makeReport,
} from '../../src/rollouts/index.ts';
import { type DuckDb, openDuckDb, quoteText } from '../../src/storage/index.ts';

export interface LoggedRow {
  readonly id: string;
  readonly unit: string;
  readonly atMicros: Micros;
  readonly via: 'experiment' | 'forced' | 'base';
  readonly arm: string;
  readonly phase: number;
  readonly endpoint: string;
  readonly outputs: Readonly<Record<string, unknown>>;
}

export interface LoggedOutcome {
  readonly id: string;
  readonly value: number | boolean | string | null;
  readonly atMicros: Micros;
  /** Of several outcomes of a prediction the one that was recorded last counts. */
  readonly recordedMicros: Micros;
}

export interface ExperimentRows {
  readonly rows: readonly LoggedRow[];
  readonly outcomes: readonly LoggedOutcome[];
  /** What a metric that is SQL gives. */
  readonly sql?: readonly { readonly unit: string; readonly atMicros: Micros; readonly value: number }[];
}

export const EXPERIMENT = 'exp';
export const START = 1_700_000_000_000_000;

export const onePhase = (over: Partial<AnalysedPhase> = {}): AnalysedPhase => ({
  phase: 1,
  startedMicros: START,
  endedMicros: null,
  arms: [
    { name: 'control', version: 1, buckets: 5000 },
    { name: 'treatment', version: 2, buckets: 5000 },
  ],
  ...over,
});

let number = 0;

// One for all of a file's tests: opening one takes longer than most analyses. The file says `useAnalyses`, which closes it.
let opened: Promise<{ readonly duckdb: DuckDb; readonly folder: string }> | undefined;

async function open(): Promise<{ readonly duckdb: DuckDb; readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-experiment-'));
  return { folder, duckdb: await openDuckDb({ tempDirectory: folder, threads: 1 }) };
}

/** For a file whose tests make reports. */
export function useAnalyses(): void {
  afterAll(async () => {
    if (opened === undefined) return;
    const { duckdb, folder } = await opened;
    opened = undefined;
    await duckdb.close();
    await rm(folder, { recursive: true, force: true });
  });
}

export async function analyseRows(given: ExperimentRows, experiment: AnalysedExperiment): Promise<Analysed> {
  opened ??= open();
  const { duckdb, folder } = await opened;
  const connection = await duckdb.connect();
  try {
    const fill = async (name: string, columns: Columns, rows: readonly object[]): Promise<void> => {
      const file = join(folder, `${name}-${number++}.jsonl`);
      await writeFile(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
      const types = Object.entries(columns).map(
        ([column, type]) => `'${column}': '${type === 'time' ? 'BIGINT' : type}'`,
      );
      const made = Object.entries(columns).map(([column, type]) =>
        type === 'time' ? `make_timestamptz("${column}") AS "${column}"` : `"${column}"`,
      );
      await connection.run(
        `CREATE TEMP TABLE ${name} AS SELECT ${made.join(', ')} FROM read_json(${quoteText(file)}, format = 'newline_delimited', columns = {${types.join(', ')}})`,
      );
    };
    await fill('given_rows', ROW_COLUMNS, given.rows.map(asLogged));
    const outcomes = given.outcomes.map(({ id, value, atMicros, recordedMicros }) => {
      return { prediction_id: id, outcome: value, observed_at: atMicros, recorded_at: recordedMicros };
    });
    const columns = { prediction_id: 'VARCHAR', outcome: 'JSON', observed_at: 'time', recorded_at: 'time' } as const;
    await fill('given_outcomes', columns, outcomes);
    const values = (given.sql ?? []).map(({ unit, atMicros, value }) => ({ unit, time: atMicros, value }));
    await fill('given_sql', { unit: 'VARCHAR', time: 'time', value: 'DOUBLE' }, values);
    return await analyse(connection, experiment, {
      log: `SELECT r.*, o.outcome, o.observed_at, o.recorded_at FROM given_rows r LEFT JOIN (SELECT * FROM given_outcomes \
QUALIFY row_number() OVER (PARTITION BY prediction_id ORDER BY recorded_at DESC) = 1) o USING (prediction_id)`,
      sqlValues: () => 'SELECT unit, "time", "value" FROM given_sql',
    });
  } finally {
    connection.closeSync();
  }
}

export async function reportOf(
  given: ExperimentRows,
  experiment: AnalysedExperiment,
  isAll = false,
): Promise<ExperimentReport> {
  return makeReport(await analyseRows(given, experiment), { nowMicros: START + 1, isAll });
}

type Columns = Readonly<Record<string, 'time' | 'VARCHAR' | 'INTEGER' | 'DOUBLE' | 'JSON'>>;

const ROW_COLUMNS: Columns = {
  prediction_id: 'VARCHAR',
  endpoint: 'VARCHAR',
  predicted_at: 'time',
  via: 'VARCHAR',
  assigned: 'VARCHAR',
  experiment: 'VARCHAR',
  experiment_unit: 'VARCHAR',
  phase: 'INTEGER',
  sample_rate: 'DOUBLE',
  request: 'JSON',
  outputs: 'JSON',
};

function asLogged({ id, endpoint, atMicros, via, arm, unit, phase, outputs }: LoggedRow): object {
  const own = via === 'base' ? {} : { experiment: EXPERIMENT, experiment_unit: unit, phase };
  const row = { prediction_id: id, endpoint, predicted_at: atMicros, via, assigned: arm, outputs };
  return { ...row, ...own, request: { uid: unit } };
}
