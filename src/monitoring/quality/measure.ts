// Works the figures out in DuckDB, day by day, of the rows in the table `quality_rows`.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { CalibrationBin, EstimatedFigures, FigureErrors, Figures, Task } from './figures.ts';

export interface MeasuredDay {
  /** Days since 1970, UTC. */
  readonly day: number;
  readonly rows: number;
  readonly labelled: number;
  readonly figures: Figures;
  readonly errors: FigureErrors;
  readonly estimated: EstimatedFigures | null;
  readonly calibration: readonly CalibrationBin[];
}

/** A chance of 0 or 1 that was wrong would be an infinite loss. */
const LEAST_CHANCE = 1e-15;

const read = async (connection: DuckDBConnection, sql: string): Promise<Record<string, unknown>[]> =>
  (await connection.runAndReadAll(sql)).getRowObjectsJS();

const numberOf = (value: unknown): number => Number(value ?? 0);
const numberOrNull = (value: unknown): number | null =>
  value === null || value === undefined || !Number.isFinite(Number(value)) ? null : Number(value);

/**
 * Figures are of rows with an outcome and a prediction: an output of NaN is neither good nor bad here, and is counted with nulls
 * elsewhere. The table has day, score (DOUBLE, finite), label (VARCHAR), y (DOUBLE), truth (VARCHAR), known (BOOLEAN).
 */
export async function measureDays(connection: DuckDBConnection, task: Task): Promise<MeasuredDay[]> {
  const counts = await read(
    connection,
    `SELECT day, count(*)::DOUBLE AS n, count(*) FILTER (WHERE known)::DOUBLE AS labelled,
  count(*) ${over(`${task === 'label' ? 'label' : 'score'} IS NOT NULL`)}::DOUBLE AS compared, ${FIGURES[task]}
FROM quality_rows GROUP BY day ORDER BY day`,
  );
  const aucs = task === 'chance' ? await realisedAuc(connection) : new Map<number, RealisedAuc>();
  const estimates = task === 'chance' ? await estimatedFigures(connection) : new Map<number, EstimatedFigures>();
  const calibrations = task === 'chance' ? await calibrationBins(connection) : new Map<number, CalibrationBin[]>();
  return counts.map((row) => {
    const day = numberOf(row['day']);
    const labelled = numberOf(row['labelled']);
    const compared = numberOf(row['compared']);
    const calibration = calibrations.get(day) ?? [];
    const { figures, errors } = compared === 0 ? { figures: {}, errors: {} } : figuresOf(task, row, compared);
    const auc = aucs.get(day);
    return {
      day,
      rows: numberOf(row['n']),
      labelled,
      figures:
        task === 'chance' && compared > 0
          ? { auc: auc?.auc ?? null, ...figures, calibration_error: calibrationError(calibration) }
          : figures,
      errors: auc === undefined ? errors : { ...errors, auc: auc.error },
      estimated: estimates.get(day) ?? null,
      calibration,
    };
  });
}

const CLIPPED = `least(greatest(score, ${LEAST_CHANCE}), 1 - ${LEAST_CHANCE})`;
const LOSS = `-(y * ln(${CLIPPED}) + (1 - y) * ln(1 - ${CLIPPED}))`;
const over = (what: string): string => `FILTER (WHERE known AND ${what})`;

const FIGURES: Readonly<Record<Task, string>> = {
  chance: `avg(${LOSS}) ${over('score IS NOT NULL')} AS log_loss, var_samp(${LOSS}) ${over('score IS NOT NULL')} AS log_loss_var,
avg((score - y) ** 2) ${over('true')} AS brier, var_samp((score - y) ** 2) ${over('true')} AS brier_var,
avg(((score >= 0.5)::INT = y)::INT) ${over('score IS NOT NULL')} AS accuracy`,
  number: `avg(abs(score - y)) ${over('true')} AS mae, var_samp(abs(score - y)) ${over('true')} AS mae_var,
avg((score - y) ** 2) ${over('true')} AS mse, var_samp((score - y) ** 2) ${over('true')} AS mse_var, avg(score - y) ${over('true')} AS bias,
var_samp(score - y) ${over('true')} AS bias_var`,
  label: `avg((label = truth)::INT) ${over('label IS NOT NULL')} AS accuracy`,
};

function figuresOf(
  task: Task,
  row: Readonly<Record<string, unknown>>,
  compared: number,
): { readonly figures: Figures; readonly errors: FigureErrors } {
  const error = (name: string): number => Math.sqrt(numberOf(row[`${name}_var`]) / compared);
  if (task === 'number') {
    const rmse = Math.sqrt(numberOf(row['mse']));
    return {
      figures: { mae: numberOf(row['mae']), rmse, bias: numberOf(row['bias']) },
      // By the delta method.
      errors: { mae: error('mae'), rmse: rmse === 0 ? 0 : error('mse') / (2 * rmse), bias: error('bias') },
    };
  }
  const accuracy = numberOf(row['accuracy']);
  const accuracyError = Math.sqrt((accuracy * (1 - accuracy)) / compared);
  if (task === 'label') return { figures: { accuracy }, errors: { accuracy: accuracyError } };
  return {
    figures: { log_loss: numberOf(row['log_loss']), brier: numberOf(row['brier']), accuracy },
    errors: { log_loss: error('log_loss'), brier: error('brier'), accuracy: accuracyError },
  };
}

interface RealisedAuc {
  readonly auc: number | null;
  readonly error: number;
}

/** By ranks, ties in the middle (Mann and Whitney); its error by Hanley and McNeil 1982. */
async function realisedAuc(connection: DuckDBConnection): Promise<Map<number, RealisedAuc>> {
  const rows = await read(
    connection,
    `WITH ranked AS (
  SELECT day, y, rank() OVER (PARTITION BY day ORDER BY score) + (count(*) OVER (PARTITION BY day, score) - 1) / 2.0 AS place
  FROM quality_rows WHERE known AND score IS NOT NULL)
SELECT day, sum(y) AS ones, count(*)::DOUBLE - sum(y) AS zeros, sum(place) FILTER (WHERE y = 1) AS places FROM ranked GROUP BY day`,
  );
  return new Map(
    rows.map((row): [number, RealisedAuc] => {
      const [ones, zeros, places] = [numberOf(row['ones']), numberOf(row['zeros']), numberOf(row['places'])];
      if (ones === 0 || zeros === 0) return [numberOf(row['day']), { auc: null, error: 0 }];
      const auc = (places - (ones * (ones + 1)) / 2) / (ones * zeros);
      const [q1, q2] = [auc / (2 - auc), (2 * auc * auc) / (1 + auc)];
      const variance =
        (auc * (1 - auc) + (ones - 1) * (q1 - auc * auc) + (zeros - 1) * (q2 - auc * auc)) / (ones * zeros);
      return [numberOf(row['day']), { auc, error: Math.sqrt(Math.max(0, variance)) }];
    }),
  );
}

/** Each row is so by its score, and not so by the rest (CBPE): pairs of different rows count for the AUC. */
async function estimatedFigures(connection: DuckDBConnection): Promise<Map<number, EstimatedFigures>> {
  const rows = await read(
    connection,
    `WITH scored AS (SELECT day, score AS s FROM quality_rows WHERE score BETWEEN 0 AND 1),
levels AS (SELECT day, s, count(*)::DOUBLE AS n FROM scored GROUP BY day, s),
below AS (SELECT day, s, n, sum(n * (1 - s)) OVER (PARTITION BY day ORDER BY s) - n * (1 - s) AS under FROM levels)
SELECT day, sum(n) AS n, sum(n * greatest(s, 1 - s)) / sum(n) AS accuracy, sum(n * s * (1 - s)) / sum(n) AS brier,
  sum(n * CASE WHEN s IN (0, 1) THEN 0 ELSE -(s * ln(s) + (1 - s) * ln(1 - s)) END) / sum(n) AS log_loss,
  sum(n * s * (under + 0.5 * (n - 1) * (1 - s))) AS pairs, sum(n * s) * sum(n * (1 - s)) - sum(n * s * (1 - s)) AS all_pairs
FROM below GROUP BY day`,
  );
  return new Map(
    rows.map((row) => [
      numberOf(row['day']),
      {
        auc: numberOf(row['all_pairs']) > 0 ? numberOrNull(numberOf(row['pairs']) / numberOf(row['all_pairs'])) : null,
        log_loss: numberOf(row['log_loss']),
        brier: numberOf(row['brier']),
        accuracy: numberOf(row['accuracy']),
      },
    ]),
  );
}

const CALIBRATION_BINS = 10;

async function calibrationBins(connection: DuckDBConnection): Promise<Map<number, CalibrationBin[]>> {
  const rows = await read(
    connection,
    `SELECT day, least(floor(score * ${CALIBRATION_BINS}), ${CALIBRATION_BINS - 1})::INT AS bin, count(*)::DOUBLE AS n,
  avg(score) AS mean_score, avg(y) AS mean_outcome
FROM quality_rows WHERE known AND score BETWEEN 0 AND 1 GROUP BY day, bin ORDER BY day, bin`,
  );
  const found = new Map<number, CalibrationBin[]>();
  for (const row of rows) {
    const day = numberOf(row['day']);
    const own = found.get(day) ?? [];
    found.set(day, own);
    const bin = numberOf(row['bin']);
    own.push({
      from: bin / CALIBRATION_BINS,
      to: (bin + 1) / CALIBRATION_BINS,
      rows: numberOf(row['n']),
      mean_score: numberOf(row['mean_score']),
      mean_outcome: numberOf(row['mean_outcome']),
    });
  }
  return found;
}

function calibrationError(bins: readonly CalibrationBin[]): number {
  const rows = bins.reduce((sum, bin) => sum + bin.rows, 0);
  if (rows === 0) return 0;
  return bins.reduce((sum, bin) => sum + bin.rows * Math.abs(bin.mean_score - bin.mean_outcome), 0) / rows;
}
