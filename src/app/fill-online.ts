// A materialize with all that belongs to it: dead writers are settled before, readers move to what is complete then, what
// nothing reads goes, and of what failed it is known whom it is kept for.

import { type Logger, messageOf, type Progress } from '../core/index.ts';
import type { LiveVersion } from '../definitions/index.ts';
import type {
  FailedView,
  MaterializedView,
  MaterializeOutcome,
  MaterializeRequest,
  Missing,
  OfflineDeps,
} from '../offline/index.ts';
import type { OnlineStore } from '../online/index.ts';
import type { VersionNeed } from '../registry/index.ts';
import type { App } from './open-app.ts';
import { withDeadSettled } from './with-dead-settled.ts';

export interface FilledOnline {
  readonly views: readonly MaterializedView[];
  readonly failed: readonly FailedVersion[];
}

export interface FailedVersion extends FailedView {
  /** Whether anything reads it: the failure of a version that is kept for nobody holds nothing up. */
  readonly isRead: boolean;
  readonly needs: readonly VersionNeed[];
}

interface Telling {
  readonly progress: Progress;
  /** A line for whoever waits. */
  readonly tell: (line: string) => void;
}

/** Throws as `materializeEach`; where a view failed that is read, what goes wrong after it is a warning beside that. */
export async function fillOnline(
  app: App,
  request: MaterializeRequest,
  { progress, tell }: Telling,
): Promise<FilledOnline> {
  const offline = await app.offline(progress);
  const { materializeEach } = await import('../offline/index.ts');
  const maxAheadMicros = app.config.values['pushLog.maxAhead'];
  const deps = { ...offline, store: await app.online(), maxAheadMicros };
  if (request.dryRun) return withNeeds(app, await materializeEach(deps, request));
  await warnOfGuards(deps.store, app.logger);
  let waiting: readonly LiveVersion[] = [];
  const outcome = await withDeadSettled(app, offline, async () => {
    waiting = [...(await completeNow(app, await app.waitingVersions(), tell)).keys()];
    return materializeEach(deps, { ...request, due: new Set(waiting.map(({ version }) => version)) });
  });
  const trouble = await finishUp(app, offline, waiting, tell).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  const filled = await withNeeds(app, outcome);
  if (trouble !== undefined) {
    if (!filled.failed.some(({ isRead }) => isRead)) throw trouble.error;
    const reason = messageOf(trouble.error);
    app.logger.warn({ reason }, 'a materialize could not be finished up; the next one tries again');
  }
  return filled;
}

/** Of a store that is away the run itself says so. */
async function warnOfGuards(store: OnlineStore, logger: Logger): Promise<void> {
  const { reportGuards } = await import('../online/index.ts');
  const guards = await store.guards().catch(() => []);
  reportGuards(guards, logger);
}

async function finishUp(
  app: App,
  offline: OfflineDeps,
  waiting: readonly LiveVersion[],
  tell: Telling['tell'],
): Promise<void> {
  const { keepLog } = await import('../offline/index.ts');
  await moveReaders(app, waiting, tell);
  const store = await app.online();
  await keepLog({ ...offline, store, retentionMicros: app.config.values['pushLog.retention'] });
}

/** By what the registry knows now: a version that nothing reads was noted just before. */
async function withNeeds(app: App, { views, failed }: MaterializeOutcome): Promise<FilledOnline> {
  if (failed.length === 0) return { views, failed: [] };
  const { versions } = await app.registry();
  const needs = await versions.needs();
  const unread = new Map((await versions.list()).map((row) => [row.version, row.unreadSinceMicros]));
  return {
    views,
    failed: failed.map((one) => {
      const own = needs.get(one.version) ?? [];
      return { ...one, needs: own, isRead: own.length > 0 || unread.get(one.version) === null };
    }),
  };
}

/** Gives those that still wait, with what for. */
async function completeNow(
  app: App,
  waiting: readonly LiveVersion[],
  tell: Telling['tell'],
): Promise<ReadonlyMap<LiveVersion, Missing>> {
  const { completeVersions } = await import('../offline/index.ts');
  const { completed, missing } = await completeVersions(await app.completeness(), waiting);
  for (const { version } of completed) tell(`${version} is complete: readers move to it.`);
  return missing;
}

/** A server that had not heard of a version yet opened a cut without it: the next run covers that. */
function tellOfWaiting(waiting: ReadonlyMap<LiveVersion, Missing>, tell: Telling['tell']): void {
  for (const [{ version }, { nodes, writers }] of waiting) {
    if (nodes.length > 0 || writers.length === 0) continue;
    const who = writers.map(({ number, machine }) => `writer ${number} on ${machine}`).join(', ');
    tell(
      `${version} is filled, and not complete yet: ${who} took pushes without it meanwhile. Once more: headrace materialize --incremental --views ${version}`,
    );
  }
}

/** Readers move to versions that are complete now, and what nothing reads goes after a while. */
async function moveReaders(app: App, waiting: readonly LiveVersion[], tell: Telling['tell']): Promise<void> {
  const { tidyVersions } = await import('../offline/index.ts');
  tellOfWaiting(await completeNow(app, waiting, tell), tell);
  await tidyVersions({
    registry: await app.registry(),
    runs: await app.runs(),
    store: await app.online(),
    logger: app.logger,
    clock: app.clock,
    keepMicros: app.config.values['online.keepVersions'],
  });
}
