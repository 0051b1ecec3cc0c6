// What pipelines learn from, and what they judge by: the flights of the days before, and the newest fifth, which none has seen.

import { trainingSet } from 'headrace';
import { delayFeatures } from './delay-model.ts';

const NEWEST = "SELECT quantile_disc(scheduled_at, 0.8) FROM 'data/spine.parquet'";
const set = { service: delayFeatures, timestamp: 'scheduled_at', label: 'late' };

export const pastDays = trainingSet({
  ...set,
  spine: `SELECT * FROM 'data/spine.parquet' WHERE scheduled_at < (${NEWEST})`,
});

/** A champion was trained on days before, so these are new to it, too. */
export const newestDays = trainingSet({
  ...set,
  spine: `SELECT * FROM 'data/spine.parquet' WHERE scheduled_at >= (${NEWEST})`,
});
