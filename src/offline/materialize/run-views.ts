// The runs of several views: all ask together, so that each writer cuts once for them and is waited for once; then one
// after the other writes.

import { type AskedRun, askWriters } from './ask-writers.ts';
import { MarkWentBack } from './node-writer.ts';
import { type MaterializedView, standingReport } from './report.ts';
import { openRunSources, type RunSources } from './run-sources.ts';
import { rehearseView, runAsked } from './run-view.ts';
import { findStandingRun } from './standing-run.ts';
import { explained, openViewRun, type RunDeps, type RunRequest, type ViewRun, workOn } from './view-run.ts';

/** What came of one view. */
type ViewOutcome = { readonly report: MaterializedView } | { readonly error: unknown };

/** Each of another view; outcomes come in their order, as they are known. Throws where the runs could not ask at all. */
export async function* runViews(deps: RunDeps, requests: readonly RunRequest[]): AsyncGenerator<ViewOutcome> {
  const sources = openRunSources(deps, requests);
  try {
    const views: (ViewOutcome | ViewRun)[] = [];
    for (const request of requests) {
      const view = await beginView(deps, request, sources);
      views.push(view);
      if (!isRun(view)) await sources.leave(request);
    }
    const asked = await askWriters(deps, views.filter(isRun));
    const asks = new Map(asked.map((one) => [one.run, one]));
    let isFirst = true;
    for (const view of views) {
      const one = isRun(view) ? asks.get(view) : undefined;
      if (isRun(view) && one !== undefined) {
        const outcome = await outcomeOf(() => runInTurn(deps, one, sources, isFirst));
        await sources.leave(view.request);
        yield outcome;
      } else if (!isRun(view)) yield view;
      isFirst &&= one === undefined;
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
async function beginView(deps: RunDeps, request: RunRequest, sources: RunSources): Promise<ViewRun | ViewOutcome> {
  try {
    const run = await explained(request, () => openViewRun(deps, request, sources));
    const standing = await standingOf(run);
    return standing === undefined ? run : { report: standing };
  } catch (error) {
    return { error };
  }
}

function standingOf(run: ViewRun): Promise<MaterializedView | undefined> {
  const { deps, codec, request, asOf } = run;
  return workOn(run, async () => {
    const rows = await deps.runs.ofVersion(codec.version);
    const standing = await findStandingRun(run, rows);
    if (standing === undefined) return undefined;
    // What becomes of one that asks is not known yet.
    const lastRun = rows.findLast(({ state }) => state !== 'asked')?.number ?? 0;
    await deps.runs.noteLook(codec.version, { at: deps.clock.nowMicros(), lastRun });
    return standingReport(request.view, asOf, standing, (await deps.log?.writers()) ?? []);
  });
}

/** What has waited for others may be out of date by now: then it asks anew, as if it had not yet. */
async function runInTurn(
  deps: RunDeps,
  asked: AskedRun,
  sources: RunSources,
  isFirst: boolean,
): Promise<MaterializedView> {
  const { run, row } = asked;
  const runAnew = async () => {
    await sources.leave(run.request);
    return runAlone(deps, run.request);
  };
  if (!isFirst && !(await mayGoOn(asked))) {
    // It never opened.
    await deps.runs.forget([row.number]);
    return runAnew();
  }
  try {
    return await runAsked(asked);
  } catch (error) {
    // The run that is due at once where a node lost what this one would build on.
    if (error instanceof MarkWentBack) return runAnew();
    throw error;
  }
}

/** Whether nobody has taken it over, nor overwritten what it is to read. */
async function mayGoOn({ run, row }: AskedRun): Promise<boolean> {
  const now = await run.deps.runs.row(row.number);
  if (now?.state !== 'asked') return false;
  return run.snapshot.verify().then(
    () => true,
    () => false,
  );
}

async function runAlone(deps: RunDeps, request: RunRequest): Promise<MaterializedView> {
  const sources = openRunSources(deps, [request]);
  try {
    const run = await explained(request, () => openViewRun(deps, request, sources));
    const standing = await standingOf(run);
    if (standing !== undefined) return standing;
    const [asked] = await workOn(run, () => askWriters(deps, [run]));
    return await runAsked(asked as AskedRun); // One asked.
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
