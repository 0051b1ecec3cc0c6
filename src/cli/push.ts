// `headrace push SOURCE FILE`: events from JSON lines or Parquet, through the same path as the server's.

import { sha256Hex, HeadraceError, didYouMeanOf } from '../core/index.ts';
import { defineCommand, textOption } from './command.ts';
import { readEventFile } from './read-event-file.ts';
import type { PushedView } from '../serving/index.ts';

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
    const { compilePusher } = await import('../serving/index.ts');
    const pusher = compilePusher(
      {
        definitions,
        store: await app.online(),
        pushLog: await app.pushLog(),
        duckdb: () => app.duckdb(),
        maxRows: BATCH_ROWS,
      },
      source,
    );
    const key = textOption(options, 'idempotencyKey');
    pusher.check(rows);
    const views = new Map<string, PushedView>();
    let accepted = 0;
    let isRepeat = true;
    context.progress.start(`push into ${name}`, rows.length, 'events');
    for (let at = 0; at < rows.length; at += BATCH_ROWS) {
      const result = await pusher.push(
        rows.slice(at, at + BATCH_ROWS),
        key === undefined ? undefined : batchKey(key, at),
      );
      accepted += result.accepted;
      isRepeat &&= result.duplicate;
      for (const { view, written, skipped, ignored } of result.views) {
        const total = views.get(view) ?? { view, written: 0, skipped: 0, ignored: 0 };
        views.set(view, {
          view,
          written: total.written + written,
          skipped: total.skipped + skipped,
          ignored: total.ignored + ignored,
        });
      }
      context.progress.advance(at + BATCH_ROWS);
    }
    context.progress.done(`${accepted} events`);
    const summary = { accepted, duplicate: isRepeat && rows.length > 0, views: [...views.values()] };
    return {
      json: summary,
      text: [
        `${accepted} events into ${name}`,
        ...summary.views.map(
          ({ view, written, skipped, ignored }) =>
            `  ${view}: ${written} records changed, ${skipped} events skipped${whySkipped(skipped, key !== undefined, summary.duplicate)}${ignored === 0 ? '' : `, ${ignored} without a key or event time`}`,
        ),
      ].join('\n'),
    };
  },
});

function whySkipped(skipped: number, hasKey: boolean, isRepeat: boolean): string {
  if (skipped === 0) return '';
  if (isRepeat) return ' (the idempotency key was used before)';
  return ` (already covered by a materialize${hasKey ? ', or the idempotency key repeated' : ''})`;
}

function batchKey(key: string, at: number): string {
  return at === 0 ? key : sha256Hex(`${key} ${at}`);
}
