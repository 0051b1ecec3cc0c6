// `headrace push SOURCE FILE`: events from JSON lines or Parquet, through the same path as the server's.

import { counted, sha256Hex, HeadraceError, didYouMeanOf } from '../core/index.ts';
import type { PushedView } from '../ingestion/index.ts';
import { defineCommand, textOption, usageError } from './command.ts';
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
    const { openIngestion } = await import('../ingestion/index.ts');
    const { completeVersions } = await import('../offline/index.ts');
    const deps = await app.ingestion();
    // Its own batches: the same for each repeat, whatever a server's limit is.
    const limits = { ...deps.limits, maxRows: BATCH_ROWS };
    let versions = await app.versions();
    const refresh = async () => (versions = await app.versions());
    const kept = { definitions: () => definitions, versions: () => versions, refresh };
    const ingestion = openIngestion({ ...deps, limits }, kept);
    const key = textOption(options, 'idempotencyKey');
    if (key?.trim() === '') throw usageError('--idempotency-key takes a key that is not blank.');
    const views = new Map<string, PushedView>();
    let accepted = 0;
    let isRepeat = true;
    try {
      ingestion.check(name, rows);
      context.progress.start(`push into ${name}`, rows.length, 'events');
      for (let at = 0; at < rows.length; at += BATCH_ROWS) {
        const batch = rows.slice(at, at + BATCH_ROWS);
        const result = await ingestion.push(name, batch, key === undefined ? undefined : batchKey(key, at));
        accepted += result.accepted;
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
    const summary = { accepted, duplicate: isRepeat && rows.length > 0, views: [...views.values()] };
    const again = summary.duplicate ? ' (the idempotency key was used before: this is what came of it then)' : '';
    return {
      json: summary,
      text: [
        `${counted(accepted, 'event')} into ${name}${again}`,
        ...summary.views.map(
          ({ view, written, covered, ignored }) =>
            `  ${view}: ${counted(written, 'record')} changed${covered === 0 ? '' : `, ${counted(covered, 'event')} that its files hold already`}${ignored === 0 ? '' : `, ${ignored} without a key or event time`}`,
        ),
      ].join('\n'),
    };
  },
});

function batchKey(key: string, at: number): string {
  return at === 0 ? key : sha256Hex(`${key} ${at}`);
}
