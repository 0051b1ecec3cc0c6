// The settings of the scheduler: part of the table in settings.

import type { Setting } from './setting.ts';

export const SCHEDULER_SETTINGS = [
  {
    key: 'scheduler.runs',
    kind: 'integer',
    default: 4,
    min: 1,
    max: 256,
    help: 'Runs of pipelines that one scheduler drives at once; further ones wait, or go to another.',
  },
  {
    key: 'scheduler.serve',
    kind: 'boolean',
    default: false,
    help: 'Whether one of the servers that `headrace serve` starts is a scheduler too, as `headrace scheduler` is: for a single machine.',
  },
] as const satisfies readonly Setting[];
