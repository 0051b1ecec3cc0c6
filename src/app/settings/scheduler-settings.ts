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
  {
    key: 'gc.schedule',
    kind: 'cron',
    help: 'When a scheduler does what `headrace gc` does: a cron expression, the same on all of them. Left out: never.',
  },
  {
    key: 'gc.timezone',
    kind: 'timezone',
    default: 'UTC',
    help: 'The IANA time zone of `gc.schedule`.',
  },
] as const satisfies readonly Setting[];
