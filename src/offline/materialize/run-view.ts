// One view's run: what it would write, or, once it has asked, all of it to its marks.

import { counted, HeadraceError, type Micros } from '../../core/index.ts';
import { isOpened, type OpenedRow, type RunCounts, type RunRow } from '../../online/index.ts';
import { warnOfUnconverted } from '../facts/unconverted.ts';
import type { AskedRun } from './ask-writers.ts';
import { failRun } from './fail-run.ts';
import { type PreparedRun, prepareRun } from './prepare-run.ts';
import { type MaterializedView, reportOf } from './report.ts';
import { countKeys, type TouchedKeys } from './touched-keys.ts';
import { type ViewRun, workOn } from './view-run.ts';
import { writeRun } from './write-run.ts';

/** Says what a run would write; nobody is asked and nothing is written, not even a row. */
export function rehearseView(run: ViewRun): Promise<MaterializedView> {
  const { deps, codec, request, snapshot, asOf } = run;
  const { runs, log } = deps;
  return workOn(run, async () => {
    const writers = (await log?.writers()) ?? [];
    // As if each answered with what it has shipped by now.
    const answered = new Set(writers.map(({ number }) => number));
    const rows = await runs.ofVersion(codec.version);
    const prepared = await prepareRun(run, rowOf(run), rows, { writers, answered });
    try {
      await snapshot.verify();
      if (prepared.isUpToDate) return reportOf(request.view, 'up-to-date', asOf, prepared);
      const keys = await countKeys(prepared.scope, prepared.touched);
      return { ...reportOf(request.view, 'dry-run', asOf, prepared), keys };
    } finally {
      await prepared.close();
    }
  });
}

/** A run that has asked, from its answers to its marks. Errors as `materialize`, MarkWentBack. */
export async function runAsked({ run, row, answers }: AskedRun): Promise<MaterializedView> {
  const { runs } = run.deps;
  try {
    return await workOn(run, async () => {
      const prepared = await prepareRun(run, row, await runs.ofVersion(run.codec.version), answers);
      try {
        return await writePrepared(run, row, prepared);
      } finally {
        await prepared.close();
      }
    });
  } catch (error) {
    throw await failRun(runs, row, error);
  }
}

async function writePrepared(run: ViewRun, row: RunRow, prepared: PreparedRun): Promise<MaterializedView> {
  const { deps, asOf } = run;
  const { runs, clock, logger } = deps;
  const { view } = run.request;
  await run.snapshot.verify();
  for (const { number, machine } of prepared.heldBy) {
    const what = 'the boundary stays where it was: the writer did not answer';
    logger.warn({ view, writer: number, machine }, what);
  }
  if (prepared.isUpToDate) {
    // It wrote nothing and did not fail: nothing is left of it but that it looked, and that the writers cut.
    await runs.noteLook(row.version, { at: clock.nowMicros(), lastRun: row.number });
    await runs.forget([row.number]);
    return reportOf(view, 'up-to-date', asOf, prepared);
  }
  const counts = await openAndWrite(run, row, prepared);
  if (!(await runs.finish(row.number, counts, clock.nowMicros()))) throw takenOver(row);
  if (counts.rowsIgnored > 0) {
    logger.warn({ view, rows: counts.rowsIgnored }, 'rows with a null key, event time or known time were left out');
  }
  const { newestMicros: _, unconverted = {}, ...told } = counts;
  warnOfUnconverted(logger, { view, source: run.codec.source.name }, unconverted);
  return { ...reportOf(view, 'finished', asOf, prepared), run: row.number, ...told, unconverted };
}

async function openAndWrite(run: ViewRun, row: RunRow, prepared: PreparedRun): Promise<RunCounts> {
  const { deps, codec, request, snapshot } = run;
  const { store, runs, schemas, lifetimeMs, retryMs, progress } = deps;
  const { plan, scope, touched, earlier } = prepared;
  const { rowsInRange, rowsIgnored, unconverted } = touched;
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
  progress.done(counted(done.written, 'record'));
  return { ...done, rowsInRange, rowsIgnored, unconverted, newestMicros };
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
