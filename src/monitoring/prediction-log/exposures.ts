// Exposures: when a unit first got an arm of an experiment in one of its phases, by the log. As assigned, whatever answered;
// forced rows are somebody's choice and tell nothing.

/**
 * SQL of one row for each (experiment, phase, unit, arm): `exposed_at` of the first, how many `predictions` they had, and the
 * `sample_rate` that the first was logged at. `unit` is the text that was hashed; `sha256:…` where it is redacted or long.
 * `predictions`: a relation with the log's columns.
 */
export function exposuresSql(predictions: string): string {
  return `SELECT experiment, phase, experiment_unit AS unit, assigned AS arm, min(predicted_at) AS exposed_at, \
count(*) AS predictions, arg_min(sample_rate, predicted_at) AS sample_rate \
FROM ${predictions} WHERE via = 'experiment' AND experiment_unit IS NOT NULL GROUP BY experiment, phase, experiment_unit, assigned`;
}
