// One view's run, from its row to its marks.

import { HeadraceError, type Micros } from '../../core/index.ts';
import { isOpened, type OpenedRow, type RunCounts, type RunRow } from '../../online/index.ts';
import { queryWork } from '../sources/source-errors.ts';
import { failRun } from './fail-run.ts';
import { MarkWentBack } from './node-writer.ts';
import { type PreparedRun, prepareRun } from './prepare-run.ts';
import { type MaterializedView, reportOf, standingReport } from './report.ts';
import { findStandingRun } from './standing-run.ts';
import { countKeys, type TouchedKeys } from './touched-keys.ts';
import { openViewRun, type RunDeps, type RunRequest, type ViewRun } from './view-run.ts';
import { waitForWriters } from './wait-for-writers.ts';
import { writeRun } from './write-run.ts';

/** Materializes a view. Errors as `materialize`. */
export async function runView(deps: RunDeps, request: RunRequest): Promise<MaterializedView> {
  try {
    return await withViewRun(deps, request, materializeOnce);
  } catch (error) {
    // The run that is due at once where a node lost what this one would build on.
    if (error instanceof MarkWentBack) return withViewRun(deps, request, materializeOnce);
    throw error;
  }
}

/** Says what a run would write; nobody is asked and nothing is written, not even a row. */
export function rehearseView(deps: RunDeps, request: RunRequest): Promise<MaterializedView> {
  return withViewRun(deps, request, async (run) => {
    const { runs, log } = deps;
    const writers = (await log?.writers()) ?? [];
    // As if each answered with what it has shipped by now.
    const answered = new Set(writers.map(({ number }) => number));
    const rows = await runs.ofVersion(run.codec.version);
    const prepared = await prepareRun(run, rowOf(run), rows, { writers, answered });
    try {
      await run.snapshot.verify();
      if (prepared.isUpToDate) return reportOf(request.view, 'up-to-date', run.asOf, prepared);
      const keys = await countKeys(prepared.scope, prepared.touched);
      return { ...reportOf(request.view, 'dry-run', run.asOf, prepared), keys };
    } finally {
      await prepared.close();
    }
  });
}

async function withViewRun<T>(deps: RunDeps, request: RunRequest, work: (run: ViewRun) => Promise<T>): Promise<T> {
  return queryWork(`view "${request.view}" cannot be materialized`, 'HR_SOURCE_UNREADABLE', async () => {
    const run = await openViewRun(deps, request);
    try {
      return await work(run);
    } catch (error) {
      // What was overwritten under the reader explains best why it could not be read.
      await run.snapshot.verify();
      throw error;
    } finally {
      await run.close();
    }
  });
}

async function materializeOnce(run: ViewRun): Promise<MaterializedView> {
  const { deps, codec, request, asOf } = run;
  const { runs, log, clock, logger } = deps;
  const { view } = request;
  const standing = await findStandingRun(run, await runs.ofVersion(codec.version));
  if (standing !== undefined) return standingReport(view, asOf, standing, (await log?.writers()) ?? []);
  const row = await runs.ask(run.asks);
  try {
    const answers = await waitForWriters(log, runs, row.number, deps.askTimeoutMs);
    const prepared = await prepareRun(run, row, await runs.ofVersion(codec.version), answers);
    try {
      await run.snapshot.verify();
      for (const { number, machine } of prepared.heldBy) {
        const what = 'the boundary stays where it was: the writer did not answer';
        logger.warn({ view, writer: number, machine }, what);
      }
      if (prepared.isUpToDate) {
        // It wrote nothing and did not fail: nothing is left of it but that the writers cut.
        await runs.forget([row.number]);
        return reportOf(view, 'up-to-date', asOf, prepared);
      }
      const counts = await openAndWrite(run, row, prepared);
      if (!(await runs.finish(row.number, counts, clock.nowMicros()))) throw takenOver(row);
      if (counts.rowsIgnored > 0) {
        logger.warn({ view, rows: counts.rowsIgnored }, 'rows with a null key, event time or known time were left out');
      }
      const { newestMicros: _, ...told } = counts;
      return { ...reportOf(view, 'finished', asOf, prepared), run: row.number, ...told };
    } finally {
      await prepared.close();
    }
  } catch (error) {
    throw await failRun(runs, row, error);
  }
}

async function openAndWrite(run: ViewRun, row: RunRow, prepared: PreparedRun): Promise<RunCounts> {
  const { deps, codec, request, snapshot } = run;
  const { store, runs, schemas, lifetimeMs, retryMs, progress } = deps;
  const { plan, scope, touched, earlier } = prepared;
  const { rowsInRange, rowsIgnored } = touched;
  const newestMicros = newestOf(plan.isFull ? undefined : scope.finished, touched);
  // A base must never be without what it is read by.
  await schemas.publish([codec.rowCodec.schema, codec.eventCodec.schema]);
  const { boundary, coverage, isFull, since } = plan;
  const opened = await runs.open(row.number, { boundary, coverage, isFull, since });
  if (opened === undefined || !isOpened(opened)) throw takenOver(row);
  progress.start(`materialize ${request.view}`, undefined, 'keys');
  const own: OpenedRow = opened;
  const done = await writeRun({
    scope,
    store,
    runs,
    row: own,
    earlier,
    touched,
    snapshot,
    lifetimeMs,
    retryMs,
    progress,
  });
  progress.done(`${done.written} records`);
  return { ...done, rowsInRange, rowsIgnored, newestMicros };
}

/** Of all facts: an incremental run looks only at those that changed since the one it builds on. */
function newestOf(before: RunRow | undefined, { newestMicros }: TouchedKeys): Micros | null {
  const earlier = before?.counts?.newestMicros ?? null;
  return newestMicros === null || earlier === null ? (newestMicros ?? earlier) : Math.max(newestMicros, earlier);
}

function takenOver({ number, view }: RunRow): HeadraceError {
  return new HeadraceError(
    'HR_MATERIALIZE_BUSY',
    `run ${number} of view "${view}" was ended by another. Run it again.`,
  );
}

/** The row of a run that never asks. */
function rowOf({ asks }: ViewRun): RunRow {
  return {
    ...asks,
    number: Infinity,
    state: 'asked',
    boundary: null,
    coverage: null,
    isFull: false,
    since: 0,
    finishedMicros: null,
    counts: null,
    error: null,
  };
}
