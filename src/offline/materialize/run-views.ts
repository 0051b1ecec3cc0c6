// The runs of several views, one after the other, over the same files. Each asks at its turn: a cut that is opened for one
// must not be the last that has the boundary before another's, or a late event would count there that no file will bring.
// Where no boundary moves that can't be, so the first one's answers do for all: views that nothing is new for ask nobody.

import { throwIfRefused } from '../../checks/index.ts';
import { tellFindings } from '../checks/tell-findings.ts';
import { askWriters } from './ask-writers.ts';
import { checkStanding } from './check-run.ts';
import { MarkWentBack } from './node-writer.ts';
import { type MaterializedView, standingReport } from './report.ts';
import { openRunSources, type RunSources } from './run-sources.ts';
import { rehearseView, runAsked } from './run-view.ts';
import { seeLog, seenLog, type SeenLog } from './seen-log.ts';
import { findStandingRun } from './standing-run.ts';
import { explained, openViewRun, type RunDeps, type ViewRun, workOn } from './view-run.ts';
import type { RunRequest } from './run-request.ts';

/** What came of one view. */
type ViewOutcome = { readonly report: MaterializedView } | { readonly error: unknown };

/** Each of another view; outcomes come in their order, as they are known. */
export async function* runViews(deps: RunDeps, requests: readonly RunRequest[]): AsyncGenerator<ViewOutcome> {
  const sources = openRunSources(deps, requests);
  try {
    const turn: Turn = { log: await seeLog(deps.log) };
    const views: (ViewOutcome | ViewRun)[] = [];
    for (const request of requests) {
      const view = await beginView(deps, request, sources, turn.log);
      views.push(view);
      if (!isRun(view)) await sources.leave(request);
    }
    const [first] = views.filter(isRun);
    for (const view of views) {
      if (!isRun(view)) {
        yield view;
        continue;
      }
      const outcome = await outcomeOf(() => runInTurn(deps, view, sources, turn, view === first));
      await sources.leave(view.request);
      yield outcome;
    }
  } finally {
    await sources.close();
  }
}

/** The same of what runs would write. */
export async function* rehearseViews(deps: RunDeps, requests: readonly RunRequest[]): AsyncGenerator<ViewOutcome> {
  const sources = openRunSources(deps, requests);
  try {
    for (const request of requests) {
      const outcome = await outcomeOf(async () =>
        rehearseView(await explained(request, () => openViewRun(deps, request, sources))),
      );
      await sources.leave(request);
      yield outcome;
    }
  } finally {
    await sources.close();
  }
}

/** A run that is to ask, unless there is nothing for it to do. */
async function beginView(
  deps: RunDeps,
  request: RunRequest,
  sources: RunSources,
  log: SeenLog,
): Promise<ViewRun | ViewOutcome> {
  try {
    const run = await explained(request, () => openViewRun(deps, request, sources));
    const standing = await standingOf(run, log);
    return standing === undefined ? run : { report: standing };
  } catch (error) {
    return { error };
  }
}

function standingOf(run: ViewRun, log: SeenLog): Promise<MaterializedView | undefined> {
  const { deps, codec, request, asOf } = run;
  return workOn(run, async () => {
    const rows = await deps.runs.inForce(codec.version);
    const standing = await findStandingRun(run, rows, log);
    if (standing === undefined) return undefined;
    // What becomes of one that asks is not known yet.
    const lastRun = rows.findLast(({ state }) => state !== 'asked')?.number ?? 0;
    const now = deps.clock.nowMicros();
    await deps.runs.noteLook(codec.version, { at: now, lastRun });
    const findings = checkStanding({ codec }, standing.counts?.newestMicros ?? null, now);
    tellFindings(deps.logger, findings);
    throwIfRefused(findings, 'the view is not taken to be up to date');
    return standingReport(request.view, asOf, standing, log.writers, findings);
  });
}

/** What the runs of a command come to know of the log, one after the other. */
interface Turn {
  log: SeenLog;
}

/** What was overwritten while it waited for others is read anew. */
async function runInTurn(
  deps: RunDeps,
  run: ViewRun,
  sources: RunSources,
  turn: Turn,
  isFirst: boolean,
): Promise<MaterializedView> {
  const runAnew = async () => {
    await sources.leave(run.request);
    return runAlone(deps, run.request);
  };
  if (!isFirst && !(await isUnchanged(run))) return runAnew();
  const standing = turn.log.hasAsked ? await standingOf(run, turn.log) : undefined;
  if (standing !== undefined) return standing;
  try {
    return await runNow(run, turn);
  } catch (error) {
    // The run that is due at once where a node lost what this one would build on.
    if (error instanceof MarkWentBack) return runAnew();
    throw error;
  }
}

function isUnchanged({ snapshot }: ViewRun): Promise<boolean> {
  return snapshot.verify().then(
    () => true,
    () => false,
  );
}

async function runNow(run: ViewRun, turn: Turn): Promise<MaterializedView> {
  const asked = await workOn(run, () => askWriters(run, turn.log));
  if (!turn.log.hasAsked) turn.log = seenLog(run.deps.log, asked.answers.writers, true);
  return runAsked(asked);
}

async function runAlone(deps: RunDeps, request: RunRequest): Promise<MaterializedView> {
  const sources = openRunSources(deps, [request]);
  try {
    const turn: Turn = { log: await seeLog(deps.log) };
    const run = await explained(request, () => openViewRun(deps, request, sources));
    const standing = await standingOf(run, turn.log);
    if (standing !== undefined) return standing;
    return await runNow(run, turn);
  } finally {
    await sources.close();
  }
}

async function outcomeOf(work: () => Promise<MaterializedView>): Promise<ViewOutcome> {
  try {
    return { report: await work() };
  } catch (error) {
    return { error };
  }
}

function isRun(view: ViewRun | ViewOutcome): view is ViewRun {
  return 'asks' in view;
}
