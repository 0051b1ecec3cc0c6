// `headrace materialize`: features from their sources into the online store.

import { formatTimestamp } from '../core/index.ts';
import { defineCommand, textOption, usageError } from './command.ts';
import { readTime } from './read-time.ts';
import { formatTable } from './table.ts';

export const materializeCommand = defineCommand({
  usage: 'materialize',
  summary: 'compute features into the online store, for a range or since the last run',
  example:
    'headrace materialize --incremental\nheadrace materialize --views airport_delays --from 2026-01-01 --dry-run',
  options: (command) =>
    command
      .option('--views <names>', 'views, separated by commas; all when left out')
      .option('--incremental', 'from where the last finished run ended')
      .option('--from <time>', 'from this known time on')
      .option('--to <time>', 'up to this known time; now when left out')
      .option('--dry-run', 'say what would be written, and write nothing'),
  async run(context, _args, options) {
    const isIncremental = options['incremental'] === true;
    const from = readTime('--from', textOption(options, 'from'));
    const to = readTime('--to', textOption(options, 'to'));
    if (isIncremental === (from !== undefined))
      throw usageError('materialize takes either --incremental or --from TIME.');
    const views = textOption(options, 'views')
      ?.split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
    const app = await context.app();
    const { materialize } = await import('../offline/index.ts');
    const report = await materialize(
      { ...(await app.offline(context.progress)), store: await app.online(), pushLog: await app.pushLog() },
      {
        incremental: isIncremental,
        dryRun: options['dryRun'] === true,
        ...(views === undefined ? {} : { views }),
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
      },
    );
    const rows = report.views.map((view) => [
      view.view,
      view.state,
      view.from ?? 'the beginning',
      view.to,
      String(view.keys),
      String(view.written),
      String(view.rowsInRange),
      String(view.rowsIgnored),
    ]);
    return {
      json: { requested_from: from === undefined ? null : formatTimestamp(from), ...report },
      text: formatTable([['VIEW', 'STATE', 'FROM', 'TO', 'KEYS', 'RECORDS CHANGED', 'ROWS', 'IGNORED'], ...rows]),
    };
  },
});
