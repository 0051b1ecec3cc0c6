// `headrace log`: the writers of the event log, letting go of one whose machine will not return, and retention.

import { formatTimestamp, MICROS_PER_SECOND } from '../core/index.ts';
import type { PruneReport, WriterRemoval } from '../offline/index.ts';
import { defineCommand, defineGroup, usageError } from './command.ts';
import { formatTable } from './table.ts';

/** A writer that told of itself so lately may well be alive. */
const RECENT_SECONDS = 600;

const list = defineCommand({
  usage: 'list',
  summary: 'list the writers of the event log, with what is shipped of each',
  example: 'headrace log list',
  async run(context) {
    const app = await context.app();
    const writers = (await (await app.log()).writers()).map((row) => ({
      writer: row.number,
      machine: row.machine,
      state: row.state,
      holder: row.holder,
      cut: row.cut,
      shipped: row.shipped,
      removed: row.removed,
      registered_at: formatTimestamp(row.registeredMicros),
      seen_at: formatTimestamp(row.seenMicros),
    }));
    const rows = writers.map((row) => [
      String(row.writer),
      row.machine,
      row.state,
      String(row.cut),
      keptCuts(row),
      row.seen_at,
    ]);
    return {
      json: { writers },
      text: formatTable([['WRITER', 'MACHINE', 'STATE', 'OPEN CUT', 'SHIPPED CUTS', 'LAST SEEN'], ...rows]),
    };
  },
});

function keptCuts({ shipped, removed }: { readonly shipped: number; readonly removed: number }): string {
  if (shipped === removed) return shipped === 0 ? 'none' : `none (${removed} removed)`;
  return `${removed + 1} to ${shipped}`;
}

const prune = defineCommand({
  usage: 'prune',
  summary: 'remove from the log what the files hold by now, or is past pushLog.retention',
  example: 'headrace log prune --dry-run',
  options: (command) => command.option('--dry-run', 'say what would go, and remove nothing'),
  async run(context, _args, options) {
    const dryRun = options['dryRun'] === true;
    const app = await context.app();
    const { pruneLog } = await import('../offline/index.ts');
    const retentionMicros = app.config.values['pushLog.retention'];
    const deps = { ...(await app.offline(context.progress)), store: await app.online(), retentionMicros };
    const report = await pruneLog(deps, { dryRun });
    return { json: { dry_run: dryRun, ...presentPrune(report) }, text: describePrune(report) };
  },
});

function presentPrune({ oldUpTo, writers }: PruneReport): object {
  return {
    old_up_to: oldUpTo === null ? null : formatTimestamp(oldUpTo),
    writers: writers.map(({ writer, from, through, rows, stays }) => ({
      writer,
      cuts: through < from ? null : { from, to: through },
      rows: Object.fromEntries(rows),
      next_stays: stays,
    })),
  };
}

function describePrune({ writers }: PruneReport): string {
  const rows = writers.map((removal) => [
    String(removal.writer),
    removal.through < removal.from ? 'none' : `${removal.from} to ${removal.through}`,
    String([...removal.rows.values()].reduce((sum, count) => sum + count, 0)),
    describeStay(removal),
  ]);
  const head = ['WRITER', 'CUTS THAT GO', 'ROWS', 'THE NEXT CUT STAYS'];
  return formatTable([head, ...rows], 'Nothing is shipped that could go.');
}

function describeStay({ stays }: WriterRemoval): string {
  if (stays === null) return '';
  const { cut, why, source } = stays;
  return {
    kept: `cut ${cut}: it holds events of ${source}, which neither files (as of two runs) nor pushLog.retention let go`,
    uncovered: `cut ${cut}: not every view over ${source} covers it at every node`,
    new: `cut ${cut}: it holds events of ${source} that are too young`,
    unknown: `cut ${cut}: what it holds is not known`,
  }[why];
}

const forget = defineCommand({
  usage: 'forget <writer>',
  summary: 'let go of a writer whose machine will not return: no run waits for it any more',
  example: 'headrace log forget 7',
  async run(context, [text = '']) {
    if (!/^[1-9]\d{0,9}$/.test(text)) throw usageError(`log forget takes a writer's number, got "${text}".`);
    const writer = Number(text);
    const app = await context.app();
    const log = await app.log();
    const row = (await log.writers()).find(({ number }) => number === writer);
    const seenSeconds = row === undefined ? Infinity : (app.clock.nowMicros() - row.seenMicros) / MICROS_PER_SECOND;
    if (row?.state === 'open' && seenSeconds < RECENT_SECONDS) {
      context.tell(
        `writer ${writer} on ${row.machine} told of itself ${Math.round(seenSeconds)} s ago. If it is only stopped, what it has not shipped will be missing offline.`,
      );
    }
    await log.forget(writer);
    return {
      json: { writer, state: 'forgotten' },
      text: `Writer ${writer} is forgotten. What it shipped still counts; what it did not ship is kept in the online store where pushes are kept, and comes from the files elsewhere.`,
    };
  },
});

export const logCommand = defineGroup(
  'log',
  'look at the event log’s writers, let go of a lost one, remove what is old',
  [list, forget, prune],
);
