// `headrace gc`: removes what is past its retention and needed by nothing, or shows what it would.

import { counted, floorTo, formatDuration, formatTimestamp, MICROS_PER_DAY, MICROS_PER_HOUR } from '../core/index.ts';
import type { CollectedItem } from '../housekeeping/index.ts';
import { defineCommand } from './command.ts';
import { formatBytes } from './format-bytes.ts';
import { formatTable } from './table.ts';

export const gcCommand = defineCommand({
  usage: 'gc',
  summary: 'remove what is past its retention and needed by nothing: training sets, runs, code, models, log, leftovers',
  example: 'headrace gc --dry-run',
  columns: {
    KIND: 'what it is of',
    AGE: 'since it was made, written, used or replaced',
  },
  exitCodes: {
    0: 'done',
    1: 'something could not be looked at or removed; the rest is done, and a repeat goes on',
    2: 'wrong usage',
  },
  notes:
    'What is kept for how long is `retention` in the configuration. Each removal is in `headrace audit`. Servers may be\nat work, and another gc; one that is killed is gone on with by the next.',
  options: (command) => command.option('--dry-run', 'say what would go, and remove nothing'),
  async run(context, _args, options) {
    const dryRun = options['dryRun'] === true;
    const app = await context.app(dryRun ? 'read' : 'write', { leaveDeadSpill: true });
    const { collectAll } = await import('../app/index.ts');
    const { items, stayed, failures, notes } = await collectAll(app, { dryRun }, context.progress);
    const now = app.clock.nowMicros();
    const bytes = items.reduce((sum, item) => sum + (item.bytes ?? 0), 0);
    const rows = items.map((item) => [
      item.collector,
      item.what,
      item.why,
      item.bytes === null ? '' : formatBytes(item.bytes),
      age(now - item.sinceMicros),
    ]);
    const verb = dryRun ? 'would go' : items.length === 1 ? 'has gone' : 'have gone';
    const text = [
      ...(items.length === 0 ? [] : [formatTable([['KIND', 'WHAT', 'WHY', 'SIZE', 'AGE'], ...rows]), '']),
      items.length === 0
        ? `Nothing ${dryRun ? 'would go' : 'was to go'}.`
        : `${counted(items.length, 'item')} ${verb}, ${formatBytes(bytes)}.`,
      ...stayed.map(({ collector, what }) => `Stayed, as it is needed again or gone already: ${collector} ${what}`),
      ...notes,
      ...failures.map(({ collector, reason }) => `FAILED  ${collector}: ${reason}`),
    ];
    return {
      json: { dry_run: dryRun, items: items.map(present), bytes, stayed: stayed.map(present), notes, failures },
      text: text.join('\n'),
      exitCode: failures.length > 0 ? 1 : 0,
    };
  },
});

function present({ collector, id, what, why, bytes, sinceMicros }: CollectedItem): object {
  return { kind: collector, id, what, why, bytes, since: formatTimestamp(sinceMicros) };
}

/** In whole days, or hours where it is less than two. */
function age(micros: number): string {
  const unit = micros < 2 * MICROS_PER_DAY ? MICROS_PER_HOUR : MICROS_PER_DAY;
  return micros < MICROS_PER_HOUR ? '< 1h' : formatDuration(floorTo(micros, unit));
}
