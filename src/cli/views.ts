// `headrace views`: the versions of each view, who reads them, how fresh they are, and what no run covers yet.

import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app/index.ts';
import type { Aged, ViewStatus } from '../control/index.ts';
import { didYouMeanOf, formatDuration, HeadraceError, MICROS_PER_SECOND } from '../core/index.ts';
import { type CommandResult, defineCommand, usageError } from './command.ts';
import { formatTable } from './table.ts';

export const viewsCommand = defineCommand({
  usage: 'views [remove] [version]',
  summary:
    'show every version of each view that is kept: whether it is complete, who reads it, how fresh it is, what waits in the logs; or remove one',
  example: 'headrace views\nheadrace views remove airport_delays@3f2a9c1d7b60',
  columns: {
    VERSION: 'the hash of all that gives the values meaning; * for the one that is applied',
    STATE:
      'complete: readers may take it; filling: a run has to finish first; partial, absent: complete by the registry, but some nodes or all of this store lack it',
    'READ BY': 'services, model versions, and training sets that were made of it',
    'NEWEST EVENT': 'the newest event that the last run counted',
    'LAST RUN': 'the last run that wrote, and when it finished',
    'LAST LOOK': 'when a run last finished, or found nothing to do',
    'FILES UP TO': 'the boundary: up to it in event time files count, past it pushes; - for none: pushes all count',
    'WAITS FOR A RUN': 'shipped cuts of servers’ logs that no run counts yet; reads count them all the same',
  },
  async run(context, [action, version]) {
    if (action !== undefined) return removeVersion(await context.app(), action, version);
    const app = await context.app('read');
    const { viewStatuses } = await import('../control/index.ts');
    const views = await viewStatuses({
      versions: await app.keptVersions({ hasTrainingSets: true }),
      runs: await app.runs(),
      log: await app.log(),
      store: await app.online(),
      storePlace: await app.storePlace(),
      nowMicros: app.clock.nowMicros(),
    });
    const rows = views.map((view) => [
      view.view,
      `${view.version.slice(view.version.lastIndexOf('@') + 1)}${view.current ? '*' : ''}`,
      completeness(view),
      readers(view),
      view.freshness,
      ago(view.newest_event),
      view.last_run === null ? 'never' : `${view.last_run.run}, ${ago(view.last_run.finished)}`,
      ago(view.last_look),
      stateOf(view),
      view.boundary ?? '-',
      waits(view),
    ]);
    const notes = [...unfilled(views), ...lacks(views), ...failures(views), ...clocksAhead(views)];
    return { json: { views }, text: formatTable([HEAD, ...rows]) + notes.join('') };
  },
});

const HEAD = [
  'VIEW',
  'VERSION',
  'STATE',
  'READ BY',
  'FRESHNESS',
  'NEWEST EVENT',
  'LAST RUN',
  'LAST LOOK',
  'NOW',
  'FILES UP TO',
  'WAITS FOR A RUN',
];

/** Marks it removed, then takes its records as soon as no server reads it or folds into it. */
async function removeVersion(app: App, action: string, named: string | undefined): Promise<CommandResult> {
  if (action !== 'remove' || named === undefined) throw usageError('views takes nothing, or: remove VIEW@HASH.');
  const [{ sweepVersions }, { versionNamed }] = await Promise.all([
    import('../offline/index.ts'),
    import('../definitions/index.ts'),
  ]);
  const registry = await app.registry();
  const kept = await registry.versions.list();
  const known = kept.map((one) => one.version);
  const version = versionNamed((await app.applied()).manifest, named, known);
  const row = kept.find((one) => one.version === version);
  if (row === undefined) {
    throw new HeadraceError(
      'HR_UNKNOWN_VIEW',
      `no version "${version}" is kept.${didYouMeanOf('versions that are kept', version, known)}`,
    );
  }
  await registry.versions.remove({ version, epoch: row.epoch }, app.environment.actor);
  const deps = { registry, runs: await app.runs(), store: await app.online(), clock: app.clock };
  const deadline = performance.now() + SWEEP_LIMIT_MS;
  let left = await sweepVersions(deps);
  while (left.some((one) => one.version === version) && performance.now() < deadline) {
    await sleep(SWEEP_POLL_MS);
    left = await sweepVersions(deps);
  }
  const isSwept = !left.some((one) => one.version === version);
  return {
    json: { version, removed: true, swept: isSwept },
    text: isSwept
      ? `${version} is removed with its records.`
      : `${version} is not kept any more. A server still reads it or folds into it: the next materialize takes its records.`,
  };
}

const SWEEP_LIMIT_MS = 5000;
const SWEEP_POLL_MS = 200;

/** Training sets by their number: there may be many. */
function readers({ read_by: readBy, unread_since: unread }: ViewStatus): string {
  const sets = readBy.filter(({ kind }) => kind === 'training_set').length;
  const others = readBy.flatMap((reader) =>
    reader.kind === 'service' ? [reader.service] : reader.kind === 'model' ? [`${reader.model} ${reader.version}`] : [],
  );
  const readers =
    others.length > 0 ? [...new Set(others)].join(', ') : unread === null ? '-' : `nothing since ${unread}`;
  // They were made by its definitions, and keep no records.
  return sets === 0 ? readers : `${readers} (${sets} training ${sets === 1 ? 'set' : 'sets'} made by it)`;
}

function unfilled(views: readonly ViewStatus[]): string[] {
  return views.flatMap(({ version, waits_for: waitsFor }) => {
    if (waitsFor === null) return [];
    const nodes = waitsFor.nodes.length === 0 ? [] : [`a run to fill ${waitsFor.nodes.join(', ')}`];
    const writers = waitsFor.writers.map(({ writer, machine }) => `a run past writer ${writer} on ${machine}`);
    const what = [...nodes, ...writers].join(', ');
    return [`\n${version} waits for ${what}: headrace materialize --incremental --views ${version}`];
  });
}

function completeness({ complete, store_lacks: lacks }: ViewStatus): string {
  if (lacks !== null) return lacks.absent ? 'absent' : 'partial';
  return complete ? 'complete' : 'filling';
}

function lacks(views: readonly ViewStatus[]): string[] {
  return views.flatMap(({ store_lacks: lacking }) => (lacking === null ? [] : [`\n${lacking.reason}`]));
}

/** Less is told by clocks that are right, read one after the other. */
const AHEAD_SECONDS = 60;

function clocksAhead(views: readonly ViewStatus[]): string[] {
  const writers = new Map(views.flatMap(({ coverage }) => coverage.map((one) => [one.writer, one])));
  return [...writers.values()]
    .filter((one) => one.state === 'open' && one.clock_ahead_seconds >= AHEAD_SECONDS)
    .map(({ writer, machine, clock_ahead_seconds: seconds }) => {
      const ahead = formatDuration(seconds * MICROS_PER_SECOND);
      return `\nThe clock of writer ${writer} on ${machine} is ${ahead} ahead of this one: once a run counts its events, they are read only when that time comes.`;
    });
}

function ago(aged: Aged | null): string {
  return aged === null ? '-' : `${formatDuration(aged.age_seconds * MICROS_PER_SECOND)} ago`;
}

function stateOf({ running, failed }: ViewStatus): string {
  if (running?.state === 'asked') return `run ${running.run} has asked, and waits its turn`;
  if (running !== null) return `run ${running.run} writes`;
  return failed === null ? 'idle' : `run ${failed.run} failed`;
}

// Below the table: an error may be long.
function failures(views: readonly ViewStatus[]): string[] {
  return views.flatMap(({ view, failed }) =>
    failed === null ? [] : [`\nRun ${failed.run} of ${view} failed: ${failed.error}`],
  );
}

function waits({ coverage }: ViewStatus): string {
  const waiting = coverage.filter((writer) => writer.waiting > 0);
  if (waiting.length === 0) return 'nothing';
  return waiting
    .map(
      ({ writer, machine, waiting: cuts }) => `writer ${writer} on ${machine}: ${cuts} ${cuts === 1 ? 'cut' : 'cuts'}`,
    )
    .join(', ');
}
