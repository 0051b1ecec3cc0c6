// The settings of experiments' reports that servers make: part of the table in settings.

import type { Setting } from './setting.ts';

export const REPORT_SETTINGS = [
  {
    key: 'server.reportTimeoutMs',
    kind: 'integer',
    default: 120_000,
    min: 100,
    max: 3_600_000,
    help: 'Milliseconds in which a report of an experiment that is asked for over HTTP is to be made, by a process of its own; a later one is answered 504. One that waits as long for others’ to be made is answered 429.',
  },
  {
    key: 'server.reportMemory',
    kind: 'size',
    default: '1GB',
    help: 'Memory that DuckDB may use in the process of such a report, or of a bandit’s weights, before it spills to disk; a worker makes one at a time. A report that can’t be made within it is answered 413.',
  },
] as const satisfies readonly Setting[];
