// How long things are kept: by `headrace gc`, and by servers themselves.

import type { Setting } from './setting.ts';

export const RETENTION_SETTINGS = [
  {
    key: 'retention.trainingSets',
    kind: 'duration',
    default: '90d',
    help: 'How long `headrace gc` leaves a training set that no run and no model version needs, by when it was made: its record and its file.',
  },
  {
    key: 'retention.runs',
    kind: 'duration',
    default: '90d',
    help: 'How long gc leaves a pipeline’s run after its end, with what its tasks made, where no model version came of it.',
  },
  {
    key: 'retention.versions',
    kind: 'integer',
    default: 50,
    min: 2,
    max: 1_000_000,
    help: 'How many of the last applied revisions gc leaves, to roll back to; besides them those that something was made by that is kept.',
  },
  {
    key: 'retention.bundles',
    kind: 'duration',
    default: '30d',
    min: 3_600_000_000,
    help: 'How long gc leaves what no row names: code, models, results in the artifact store, by when they were written, and revisions, by when another took their place. At least an hour.',
  },
  {
    key: 'retention.partials',
    kind: 'duration',
    default: '1d',
    min: 3_600_000_000,
    help: 'How long gc leaves files that somebody may still be writing; at least an hour.',
  },
  {
    key: 'retention.pythonEnvironments',
    kind: 'duration',
    default: '30d',
    min: 3_600_000_000,
    help: 'How long gc leaves a Python environment after a step has used it last; at least an hour.',
  },
  {
    key: 'retention.copies',
    kind: 'duration',
    default: '30d',
    min: 3_600_000_000,
    help: 'How long gc leaves what lies under `offline.path` of what is elsewhere, after its last use: copies of objects, and rows read from databases and queries that no training set was made from; at least an hour.',
  },
  {
    key: 'retention.quarantine',
    kind: 'duration',
    min: 3_600_000_000,
    help: 'How long gc leaves pushed rows that were set apart; until somebody puts them back or drops them when left out.',
  },
  {
    key: 'monitoring.minutes',
    kind: 'duration',
    default: '48h',
    min: 7_200_000_000,
    help: 'How long what was counted by the minute is kept: requests, latencies, errors of endpoints and arms, freshness of views. At least two hours.',
  },
  {
    key: 'monitoring.hours',
    kind: 'duration',
    default: '90d',
    min: 86_400_000_000,
    help: 'How long the same by the hour is kept; at least a day.',
  },
] as const satisfies readonly Setting[];
