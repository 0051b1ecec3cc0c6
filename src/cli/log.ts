// `headrace log`: the writers of the event log, letting go of one whose machine will not return, and retention.

import {
  didYouMeanOf,
  formatTimestamp,
  HeadraceError,
  MICROS_PER_SECOND,
  stringifyJson,
  toJson,
} from '../core/index.ts';
import type { PruneReport, WriterRemoval } from '../offline/index.ts';
import { defineCommand, defineGroup, textOption, usageError } from './command.ts';
import { formatTable } from './table.ts';

/** A writer that told of itself so lately may well be alive. */
const RECENT_SECONDS = 600;

const list = defineCommand({
  usage: 'list',
  summary: 'list the writers of the event log, with what is shipped of each',
  example: 'headrace log list',
  async run(context) {
    const app = await context.app('read');
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
    const app = await context.app(dryRun ? 'read' : 'write');
    const { pruneLog } = await import('../offline/index.ts');
    const retentionMicros = app.config.values['pushLog.retention'];
    const deps = { ...(await app.offline(context.progress)), store: await app.online(), retentionMicros };
    const report = await pruneLog(deps, { dryRun });
    return { json: { dry_run: dryRun, ...presentPrune(report) }, text: describePrune(report) };
  },
});

export function presentPrune({ oldUpTo, writers }: PruneReport): object {
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

export function describePrune({ writers }: PruneReport): string {
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
  example: 'headrace log forget 7\nheadrace log forget 7 --through 12',
  options: (command) =>
    command.option(
      '--through <cut>',
      'give up what it shipped, up to this cut, for good, and nothing else: where it is damaged',
    ),
  async run(context, [text = ''], options) {
    const writer = wholeNumber(text, 'a writer’s number');
    const through = textOption(options, 'through');
    const app = await context.app();
    const log = await app.log();
    if (through !== undefined) {
      const { giveUpShipped } = await import('../offline/index.ts');
      const last = wholeNumber(through, 'a cut’s number after --through');
      const { cut, rows } = await giveUpShipped({ log, database: await app.database() }, writer, last);
      const json = { writer, given_up: { through: cut, rows: Object.fromEntries(rows) } };
      return { json, text: describeGivenUp(cut, rows) };
    }
    const row = (await log.writers()).find(({ number }) => number === writer);
    const seenSeconds = row === undefined ? Infinity : (app.clock.nowMicros() - row.seenMicros) / MICROS_PER_SECOND;
    if (row?.state === 'open' && seenSeconds < RECENT_SECONDS) {
      context.tell(
        `writer ${writer} on ${row.machine} told of itself ${Math.max(0, Math.round(seenSeconds))} s ago. If it is only stopped, what it has not shipped will be missing offline.`,
      );
    }
    await log.forget(writer);
    const state = row?.state === 'ended' ? 'ended' : 'forgotten';
    return { json: { writer, state }, text: state === 'ended' ? describeEnded(writer) : describeForgotten(writer) };
  },
});

const entries = defineCommand({
  usage: 'entries <folder>',
  summary: 'print what a folder that was set aside (HR_LOG_COPIED) holds and the log lacks, as JSON lines',
  example:
    'headrace log entries .headrace/push-log/.copied-7-4f2a81c05e9d\nheadrace log entries .headrace/push-log/.copied-7-4f2a81c05e9d --source orders > again.jsonl',
  options: (command) =>
    command.option('--source <name>', 'the rows of this source alone, in the form that headrace push reads'),
  async run(context, [folder = ''], options) {
    const app = await context.app('read');
    const { sources } = (await app.applied()).manifest;
    const only = textOption(options, 'source');
    // No rows at all would look as if the folder had none of that source, and then it is removed.
    if (only !== undefined && !Object.hasOwn(sources, only))
      throw new HeadraceError(
        'HR_UNKNOWN_SOURCE',
        `there is no source "${only}", so its rows can't be read.${didYouMeanOf('sources', only, Object.keys(sources))}`,
      );
    const { readCopied } = await import('../events/index.ts');
    const found: object[] = [];
    for await (const entry of readCopied(context.path(folder), await app.objects())) {
      if (only !== undefined && entry.source !== only) continue;
      const source = Object.hasOwn(sources, entry.source) ? sources[entry.source] : undefined;
      if (source === undefined) {
        found.push({ source: entry.source, rows: entry.count, unreadable: 'no such source is defined' });
        continue;
      }
      for (const { row, knownMicros } of entry.rows(source)) {
        const shown = Object.fromEntries(
          source.columns.map(({ name, type }) => [name, toJson(type, row[name] ?? null)]),
        );
        const key = entry.key === undefined ? {} : { key: entry.key.key };
        const line = { source: entry.source, known_at: formatTimestamp(knownMicros), ...key, row: shown };
        found.push(only === undefined ? line : shown);
      }
    }
    return { json: { entries: found }, text: found.map((line) => stringifyJson(line)).join('\n') };
  },
});

function wholeNumber(text: string, what: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw usageError(`log forget takes ${what}, got "${text}".`);
  return Number(text);
}

const describeForgotten = (writer: number): string =>
  `Writer ${writer} is forgotten. What it shipped still counts; what it did not ship is kept in the online store where pushes are kept, and comes from the files elsewhere.`;

const describeEnded = (writer: number): string =>
  `Writer ${writer} has ended: nothing waits for it, and all that it took is shipped. To give that up where it is damaged: headrace log forget ${writer} --through CUT`;

function describeGivenUp(cut: number, rows: ReadonlyMap<string, number>): string {
  if (cut === 0) return 'Nothing of it is shipped that could be given up.';
  const events = [...rows].map(([source, count]) => `${count} of ${source}`).join(', ');
  return `Given up for good, up to cut ${cut}: ${events === '' ? 'no event' : `events ${events}`}. No run and no training set reads them any more; online they count until a run next writes their keys.`;
}

export const logCommand = defineGroup(
  'log',
  'look at the event log’s writers, let go of a lost one, remove what is old, read a copy that was set aside',
  [list, forget, prune, entries],
);
