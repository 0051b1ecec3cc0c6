// The settings of the scheduler, and of what runs share: part of the table in settings.

import type { Setting } from './setting.ts';

export const SCHEDULER_SETTINGS = [
  {
    key: 'orchestrator.pools',
    kind: 'counts',
    help: 'How many tasks may run at once, over all runs, of the steps that name a pool: `{ warehouse: 4 }`; in the environment `warehouse=4,gpu=2`. Of drivers that say different numbers the least counts.',
  },
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
