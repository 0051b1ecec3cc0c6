// Whether readers may move to versions that are being filled, and what is still missing: asked of the marks, the writers
// and their first cuts, once a run has ended and from time to time while servers wait.

import { isLogAlone, type LiveVersion, sourceOfView, type VersionEpoch } from '../../definitions/index.ts';
import type { EventLog, WriterRow } from '../../events/index.ts';
import { isComplete, type OnlineStore, type RunRow, type Runs } from '../../online/index.ts';

/** Of the registry's versions, what this takes; see its `ViewVersions`. */
export interface FilledVersions {
  firstCuts(version: VersionEpoch): Promise<ReadonlyMap<number, number>>;
  complete(version: VersionEpoch): Promise<boolean>;
}

export interface CompletenessDeps {
  readonly versions: FilledVersions;
  readonly store: Pick<OnlineStore, 'marks'>;
  readonly runs: Pick<Runs, 'row'>;
  readonly log: Pick<EventLog, 'writers'> | undefined;
}

/** What a version waits for; nothing once it is complete. */
export interface Missing {
  /** Nodes without the mark of a run of it. */
  readonly nodes: readonly string[];
  /** Writers with cuts that were opened without it and that no run covers at every node. */
  readonly writers: readonly WriterRow[];
}

/** Of each of some versions; those that lack nothing are complete, though the registry may not say so yet. */
export async function missingOf(
  deps: CompletenessDeps,
  versions: readonly LiveVersion[],
): Promise<ReadonlyMap<LiveVersion, Missing>> {
  // The writers first: one that registers later reads the versions after that, and opens no cut without them.
  const writers = (await deps.log?.writers()) ?? [];
  const found = new Map<LiveVersion, Missing>();
  for (const live of versions) found.set(live, await missingAmong(deps, live, writers));
  return found;
}

async function missingAmong(
  deps: CompletenessDeps,
  live: LiveVersion,
  writers: readonly WriterRow[],
): Promise<Missing> {
  const { manifest } = live.definitions;
  const isAlone = isLogAlone(sourceOfView(live.definitions, live.view));
  const isScheduled = manifest.views[live.view]?.freshness.kind === 'scheduled';
  const marks = await deps.store.marks(live.version);
  const rows: (RunRow | undefined)[] = [];
  for (const { run } of marks) rows.push(run === undefined ? undefined : await deps.runs.row(run));
  const isMarked = (row: RunRow | undefined) => isComplete([row], [], new Map(), isAlone && !isScheduled);
  const nodes = marks.filter((_, at) => !isMarked(rows[at])).map(({ node }) => node);
  // Nothing is folded into a scheduled view: its runs count what is shipped, and it is read as of the last of them.
  if (isScheduled || nodes.length > 0) return { nodes, writers: [] };
  const firstCuts = await deps.versions.firstCuts(live);
  const isReady = (writer: WriterRow) => isComplete(rows, [writer], firstCuts, isAlone);
  return { nodes, writers: writers.filter((writer) => !isReady(writer)) };
}

/** Tells the registry of each that came to be complete; gives those, and what each of the others waits for. */
export async function completeVersions(
  deps: CompletenessDeps,
  waiting: readonly LiveVersion[],
): Promise<{ readonly completed: readonly LiveVersion[]; readonly missing: ReadonlyMap<LiveVersion, Missing> }> {
  const completed: LiveVersion[] = [];
  const missing = new Map<LiveVersion, Missing>();
  for (const [live, lack] of await missingOf(deps, waiting)) {
    const isWhole = lack.nodes.length === 0 && lack.writers.length === 0;
    if (isWhole && (await deps.versions.complete(live))) completed.push(live);
    else missing.set(live, lack);
  }
  return { completed, missing };
}
