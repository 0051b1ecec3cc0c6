// `headrace push SOURCE FILE`: events from JSON lines or Parquet, through the same path as the server's.

import { counted, sha256Hex, HeadraceError, didYouMeanOf } from '../core/index.ts';
import type { PushedView } from '../ingestion/index.ts';
import type { Durable } from '../online/index.ts';
import { defineCommand, textOption, usageError } from './command.ts';
import { openPushes } from './open-pushes.ts';
import { readEventFile } from './read-event-file.ts';

const BATCH_ROWS = 5000;

export const pushCommand = defineCommand({
  usage: 'push <source> <file>',
  summary: 'push events from a .jsonl or .parquet file into a source',
  example: 'headrace push flights events.jsonl',
  options: (command) => command.option('--idempotency-key <key>', 'a repeat with the same key counts nothing twice'),
  async run(context, [name = '', file = ''], options) {
    const app = await context.app();
    const definitions = await app.applied();
    const { sources } = definitions.manifest;
    const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
    if (source === undefined)
      throw new HeadraceError(
        'HR_UNKNOWN_SOURCE',
        `there is no source "${name}".${didYouMeanOf('sources', name, Object.keys(sources))}`,
      );
    const rows = await readEventFile(context.path(file), source, () => app.duckdb());
    const { completeVersions } = await import('../offline/index.ts');
    const { leastDurable } = await import('../online/index.ts');
    // Its own batches: the same for each repeat.
    const ingestion = await openPushes(app, BATCH_ROWS);
    const key = textOption(options, 'idempotencyKey');
    if (key?.trim() === '') throw usageError('--idempotency-key takes a key that is not blank.');
    const views = new Map<string, PushedView>();
    const warnings = new Map<string, number>();
    const durable: Durable[] = [];
    let accepted = 0;
    let quarantined = 0;
    let isRepeat = true;
    try {
      ingestion.check(name, rows);
      context.progress.start(`push into ${name}`, rows.length, 'events');
      for (let at = 0; at < rows.length; at += BATCH_ROWS) {
        const batch = rows.slice(at, at + BATCH_ROWS);
        const result = await ingestion.push(name, batch, key === undefined ? undefined : batchKey(key, at));
        accepted += result.accepted;
        quarantined += result.quarantined ?? 0;
        for (const { rule, rows: count } of result.warnings ?? [])
          warnings.set(rule, (warnings.get(rule) ?? 0) + count);
        durable.push(result.durable);
        isRepeat &&= result.duplicate;
        for (const { view, written, covered, ignored } of result.views) {
          const total = views.get(view) ?? { view, written: 0, covered: 0, ignored: 0 };
          views.set(view, {
            view,
            written: total.written + written,
            covered: total.covered + covered,
            ignored: total.ignored + ignored,
          });
        }
        context.progress.advance(at + BATCH_ROWS);
      }
      context.progress.done(counted(accepted, 'event'));
    } finally {
      await ingestion.close();
    }
    // Those that hold all there is from the beginning, for one: readers may stay with them while later ones are filled.
    await completeVersions(await app.completeness(), await app.waitingVersions());
    const summary = {
      accepted,
      quarantined,
      duplicate: isRepeat && rows.length > 0,
      views: [...views.values()],
      warnings: [...warnings].map(([rule, count]) => ({ rule, rows: count })),
      // Of no rows there is nothing to say.
      durable: durable.length === 0 ? null : leastDurable(durable),
    };
    const again = summary.duplicate ? ' (the idempotency key was used before: this is what came of it then)' : '';
    return {
      json: summary,
      text: [
        `${counted(accepted, 'event')} into ${name}${again}`,
        ...(quarantined === 0
          ? []
          : [`  ${counted(quarantined, 'event')} set apart: headrace quarantine show ${name}`]),
        ...summary.warnings.map(
          (one) => `  ${counted(one.rows, 'event')} ${one.rows === 1 ? 'breaks' : 'break'} ${one.rule}`,
        ),
        ...summary.views.map(
          ({ view, written, covered, ignored }) =>
            `  ${view}: ${counted(written, 'record')} changed${covered === 0 ? '' : `, ${counted(covered, 'event')} that its files hold already`}${ignored === 0 ? '' : `, ${ignored} without a key or event time`}`,
        ),
        ...(summary.durable === null ? [] : [describeDurable(summary.durable)]),
      ].join('\n'),
    };
  },
});

function describeDurable({ disk, replicas }: Durable): string {
  const copies = replicas === 0 ? 'no replica' : counted(replicas, 'replica');
  return `  durable: ${disk ? 'on disk' : 'in memory alone'}, at ${copies}`;
}

function batchKey(key: string, at: number): string {
  return at === 0 ? key : sha256Hex(`${key} ${at}`);
}
