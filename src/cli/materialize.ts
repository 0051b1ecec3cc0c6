// `headrace materialize`: features from their sources into the online store.

import { formatTimestamp } from '../core/index.ts';
import type { Definitions, LiveVersion } from '../definitions/index.ts';
import type { App } from '../app/index.ts';
import type { MaterializedView, MaterializeReport, MaterializeRequest } from '../offline/index.ts';
import { type CommandContext, defineCommand, textOption, usageError } from './command.ts';
import { describeUnconverted } from './describe-unconverted.ts';
import { readTime } from './read-time.ts';
import { formatTable } from './table.ts';

export const materializeCommand = defineCommand({
  usage: 'materialize',
  summary: 'compute features into the online store, for all keys or those with something new',
  example:
    'headrace materialize --incremental\nheadrace materialize --views airport_delays --from 2026-01-01 --dry-run',
  columns: {
    STATE: 'finished, up-to-date (nothing to do), or dry-run',
    RUN: 'the run’s number; - where it wrote nothing',
    'KEYS OF': 'which keys: all, and why all; or those with something new since that run',
    TO: 'what was known by then is counted',
    BOUNDARY: 'up to it in event time files count, past it pushes; - for none: pushes all count',
    KEYS: 'keys that were computed; in a dry run, that would be',
    RECORDS: 'records written: one for each of them, an empty one for each key whose facts are gone',
    ROWS: 'rows by which the keys were found: all that count, or those that are new',
    IGNORED: 'rows beside them without a key, an event time or a known time: they match nothing',
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
    const chosen = views === undefined ? undefined : await storedVersions(app, views);
    if (!dryRun) await bringBack(app, chosen);
    const request = {
      incremental: isIncremental,
      dryRun,
      ...(chosen === undefined ? {} : { views: chosen }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    };
    const report = await fillOnline(app, request, context);
    return {
      json: { requested_from: from === undefined ? null : formatTimestamp(from), ...report },
      text: [
        formatTable([HEAD, ...report.views.map(toRow)]),
        ...report.views.map(whoHolds),
        ...report.views.map(({ view, unconverted }) => describeUnconverted(view, unconverted)),
      ].join(''),
    };
  },
});

/** Runs it with all that belongs to it: dead writers are settled before, and readers move to what is complete then. */
export async function fillOnline(
  app: App,
  request: MaterializeRequest,
  { progress, tell }: Pick<CommandContext, 'progress' | 'tell'>,
): Promise<MaterializeReport> {
  const offline = await app.offline(progress);
  const { keepLog, materialize } = await import('../offline/index.ts');
  const store = await app.online();
  const deps = { ...offline, store };
  if (request.dryRun) return materialize(deps, request);
  const report = await withDeadSettled(app, offline, async () => {
    await completeNow(app, tell);
    const due = new Set((await app.waitingVersions()).map(({ version }) => version));
    return materialize(deps, { ...request, due });
  });
  await moveReaders(app, tell);
  await keepLog({ ...offline, store, retentionMicros: app.config.values['pushLog.retention'] });
  return report;
}

/** Versions among the names, as they are stored. */
async function storedVersions(app: App, names: readonly string[]): Promise<readonly string[]> {
  if (!names.some((name) => name.includes('@'))) return names;
  const { versionNamed } = await import('../definitions/index.ts');
  const [{ manifest }, { versions }] = await Promise.all([app.applied(), app.registry()]);
  const kept = (await versions.list()).map(({ version }) => version);
  return names.map((name) => (name.includes('@') ? versionNamed(manifest, name, kept) : name));
}

/** A version that was removed and is asked for by its name is kept again. */
async function bringBack(app: App, views: readonly string[] | undefined): Promise<void> {
  const asked = views?.filter((view) => view.includes('@')) ?? [];
  if (asked.length === 0) return;
  const { versions } = await app.registry();
  const kept = new Set((await versions.list()).map(({ version }) => version));
  for (const version of asked) if (!kept.has(version)) await versions.bringBack(version, app.environment.actor);
}

async function completeNow(app: App, tell: (line: string) => void): Promise<void> {
  const { completeVersions } = await import('../offline/index.ts');
  for (const { version } of await completeVersions(await app.completeness(), await app.waitingVersions())) {
    tell(`${version} is complete: readers move to it.`);
  }
}

/** Readers move to versions that are complete now, and what nothing reads goes after a while. */
async function moveReaders(app: App, tell: (line: string) => void): Promise<void> {
  const { tidyVersions } = await import('../offline/index.ts');
  await completeNow(app, tell);
  await tidyVersions({
    registry: await app.registry(),
    runs: await app.runs(),
    store: await app.online(),
    logger: app.logger,
    clock: app.clock,
    keepMicros: app.config.values['online.keepVersions'],
  });
}

/** What servers of this machine left behind that are gone is settled first, so that the run can count it. */
async function withDeadSettled<T>(app: App, { definitions, versions }: Kept, run: () => Promise<T>): Promise<T> {
  const { openIngestion } = await import('../ingestion/index.ts');
  const kept = { definitions: () => definitions, ...(versions === undefined ? {} : { versions: () => versions }) };
  const ingestion = openIngestion(await app.ingestion(), kept);
  try {
    await ingestion.settle();
    return await run();
  } finally {
    await ingestion.close();
  }
}

interface Kept {
  readonly definitions: Definitions;
  readonly versions?: readonly LiveVersion[];
}

const HEAD = ['VIEW', 'STATE', 'RUN', 'KEYS OF', 'TO', 'BOUNDARY', 'KEYS', 'RECORDS', 'ROWS', 'IGNORED'];

function toRow(view: MaterializedView): string[] {
  return [
    view.view,
    view.state,
    view.run === null ? '-' : String(view.run),
    view.full ? `all: ${view.why}` : view.why,
    view.to,
    view.boundary ?? '-',
    String(view.keys),
    String(view.written),
    String(view.rowsInRange),
    String(view.rowsIgnored),
  ];
}

function whoHolds({ view, heldBy }: MaterializedView): string {
  if (heldBy.length === 0) return '';
  const holders = heldBy.map(({ writer, machine }) => `writer ${writer} on ${machine}`).join(', ');
  return `\n${view}: the boundary stays where it was, held by ${holders}, which did not answer.`;
}
