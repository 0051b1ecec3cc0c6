// Exposures: when a unit first got an arm of an experiment in one of its phases, by the log. As assigned, whatever answered;
// forced rows are somebody's choice and tell nothing.

import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteText } from '../../storage/index.ts';
import { openLogRelation } from './log-relation.ts';

export interface ExposureQuestion {
  readonly experiment?: string;
  readonly phase?: number;
}

/**
 * SQL of one row for each (experiment, phase, unit, arm): `exposed_at` of the first, how many `predictions` they had, and the
 * `sample_rate` that the first was logged at. `unit` is the text that was hashed; `sha256:…` where it is redacted or long.
 * It is of this connection and of the files that are there now, as `predictionLogSql` is.
 */
export async function exposuresSql(
  connection: DuckDBConnection,
  directory: string,
  question: ExposureQuestion = {},
): Promise<string> {
  const { predictions } = await openLogRelation(connection, directory);
  return exposuresOf(`(${predictions})`, question);
}

/** The same of a relation with the columns of `predictions`. */
export function exposuresOf(predictions: string, { experiment, phase }: ExposureQuestion = {}): string {
  const conditions = [
    `via = 'experiment'`,
    'experiment_unit IS NOT NULL',
    ...(experiment === undefined ? [] : [`experiment = ${quoteText(experiment)}`]),
    ...(phase === undefined ? [] : [`phase = ${phase}`]),
  ];
  return `SELECT experiment, phase, experiment_unit AS unit, assigned AS arm, min(predicted_at) AS exposed_at, \
count(*) AS predictions, arg_min(sample_rate, predicted_at) AS sample_rate \
FROM ${predictions} WHERE ${conditions.join(' AND ')} GROUP BY experiment, phase, experiment_unit, assigned`;
}
