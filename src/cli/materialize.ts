// `headrace materialize`: features from their sources into the online store.

import { formatTimestamp } from '../core/index.ts';
import type { App } from '../app/index.ts';
import { defineCommand, textOption, usageError } from './command.ts';
import { describeFailure, filledTable, presentFailed } from './describe-filled.ts';
import { readTime } from './read-time.ts';

export const materializeCommand = defineCommand({
  usage: 'materialize',
  summary: 'compute features into the online store, for all keys or those with something new',
  example:
    'headrace materialize --incremental\nheadrace materialize --views airport_delays --from 2026-01-01 --dry-run',
  columns: {
    STATE: 'finished, up-to-date (nothing to do), dry-run, or failed: why stands below',
    RUN: 'the run’s number; - where it wrote nothing',
    'KEYS OF': 'which keys: all, and why all; or those with something new since that run',
    TO: 'what was known by then is counted',
    BOUNDARY: 'up to it in event time files count, past it pushes; - for none: pushes all count',
    KEYS: 'keys that were computed; in a dry run, that would be',
    RECORDS: 'records written: one for each of them, an empty one for each key whose facts are gone',
    ROWS: 'rows by which the keys were found: all that count, or those that are new',
    IGNORED: 'rows beside them without a key, an event time or a known time: they match nothing',
  },
  exitCodes: {
    0: 'done; a version may have failed that nothing reads any more',
    1: 'a view failed; the others are done',
    2: 'wrong usage',
  },
  options: (command) =>
    command
      .option(
        '--views <names>',
        'views, or versions of them (view@hash), separated by commas; all that are kept when left out',
      )
      .option('--incremental', 'only keys whose facts have changed since the last run; either this or --from')
      .option('--from <time>', 'also keys with rows known at this time or later; all keys where a view has no run yet')
      .option('--to <time>', 'as known at this time; now when left out')
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
    if (views?.length === 0) throw usageError('--views names no view; leave it out for all.');
    const dryRun = options['dryRun'] === true;
    const app = await context.app(dryRun ? 'read' : 'write');
    const chosen = views === undefined ? undefined : await storedVersions(app, views, dryRun);
    const request = {
      incremental: isIncremental,
      dryRun,
      ...(chosen === undefined ? {} : { views: chosen }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    };
    const { fillOnline } = await import('../app/index.ts');
    const filled = await fillOnline(app, request, context);
    const { failed } = filled;
    const result = {
      json: {
        requested_from: from === undefined ? null : formatTimestamp(from),
        views: filled.views,
        failed: failed.map(presentFailed),
      },
      text: filledTable(filled),
      exitCode: failed.some(({ isRead }) => isRead) ? 1 : 0,
    } as const;
    // What was done comes first, then what was not.
    context.announce(result);
    for (const one of failed) context.tell(describeFailure(one, dryRun));
    return result;
  },
});

/**
 * Versions among the names, as they are stored. One that was removed and is asked for by its name is kept again, unless
 * nothing is to be written.
 */
async function storedVersions(app: App, names: readonly string[], dryRun: boolean): Promise<readonly string[]> {
  const isVersion = (name: string): boolean => name.includes('@');
  if (!names.some(isVersion)) return names;
  const { versionNamed } = await import('../definitions/index.ts');
  const [{ manifest }, { versions }] = await Promise.all([app.applied(), app.registry()]);
  const kept = (await versions.list()).map(({ version }) => version);
  const stored = names.map((name) => (isVersion(name) ? versionNamed(manifest, name, kept) : name));
  const removed = dryRun ? [] : stored.filter((name) => isVersion(name) && !kept.includes(name));
  for (const version of removed) await versions.bringBack(version, app.environment.actor);
  return stored;
}
