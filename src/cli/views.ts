// `headrace views`: the versions of each view, who reads them, how fresh they are, and what no run covers yet.

import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app/index.ts';
import { didYouMeanOf, HeadraceError } from '../core/index.ts';
import { type CommandResult, defineCommand, usageError } from './command.ts';
import { describeViews } from './describe-views.ts';

export const viewsCommand = defineCommand({
  usage: 'views [remove] [version]',
  summary:
    'show every version of each view that is kept: whether it is complete, who reads it, how fresh it is, what waits in the logs; or remove one',
  example: 'headrace views\nheadrace views remove airport_delays@3f2a9c1d7b60',
  columns: {
    VERSION: 'the hash of all that gives the values meaning; * for the one that is applied',
    STATE:
      'complete: readers may take it; filling: a run has to finish first; partial, absent: complete by the registry, but some nodes or all of this store lack it',
    'READ BY': 'services, model versions, and training sets that were made by it; +N for more of them',
    FRESH: 'live: pushes count at once; scheduled: with the next run',
    NEWEST: 'how old the newest event is that the last run counted',
    RUN: 'the last run that wrote, and how long ago it finished',
    LOOK: 'how long ago a run last finished, or found nothing to do',
    'FILES TO': 'the boundary (UTC): up to it in event time files count, past it pushes; - for none: pushes all count',
    WAITS: 'shipped cuts of servers’ logs that no run counts yet; reads count them all the same',
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
      applied: await app.appliedProject(),
      nowMicros: app.clock.nowMicros(),
    });
    return { json: { views }, text: describeViews(views) };
  },
});

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
  const deps = { registry, runs: await app.runs(), store: await app.online(), clock: app.clock, logger: app.logger };
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
