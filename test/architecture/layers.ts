// The layers of src/ and what may import what. docs and CONTRIBUTING.md tell the same; this is what is checked.

/** Level of each folder of src/. A folder imports only from lower levels. */
export const LEVELS: Readonly<Record<string, number>> = {
  core: 0,
  definitions: 1,
  aggregation: 1,
  statistics: 1,
  storage: 1,
  client: 2,
  registry: 2,
  checks: 2,
  profiles: 2,
  events: 2,
  online: 2,
  models: 2,
  offline: 3,
  ingestion: 3,
  monitoring: 3,
  rollouts: 3,
  tracking: 3,
  serving: 4,
  streams: 4,
  orchestrator: 4,
  control: 5,
  housekeeping: 5,
  'batch-prediction': 5,
  app: 6,
  cli: 7,
  console: 7,
};

/** Type-only imports between folders of one level that are allowed: the manifest's types are everyone's data. */
export const TYPES_ALLOWED: Readonly<Record<string, readonly string[]>> = {
  aggregation: ['definitions'],
  storage: ['definitions'],
};

/**
 * What the files of a folder import neither code nor types of: an audit finds mistakes in how training sets read their sources as long
 * as it shares none of that reading.
 */
export const KEPT_APART: Readonly<Record<string, readonly string[]>> = {
  'offline/audit': [
    'offline/checks/rule-sql.ts',
    'offline/checks/sound-rows.ts',
    'offline/facts/check-folders.ts',
    'offline/facts/csv-rows.ts',
    'offline/facts/log-cache.ts',
    'offline/facts/log-rows.ts',
    'offline/facts/open-facts.ts',
    'offline/facts/parquet-rows.ts',
    'offline/facts/raw-rows.ts',
    'offline/sources/known-times.ts',
    'offline/sources/path-partitions.ts',
    'offline/sources/sql-text.ts',
    'offline/sources/text-casts.ts',
  ],
};

export const MAX_LINES = 400;
