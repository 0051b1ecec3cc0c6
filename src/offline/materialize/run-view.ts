// One view's run: what it would write, or, once it has asked, all of it to its marks.

import { type Finding, throwIfRefused } from '../../checks/index.ts';
import { counted, HeadraceError, messageOf } from '../../core/index.ts';
import { isOpened, type OpenedRow, type RunCounts, type RunRow } from '../../online/index.ts';
import { tellFindings } from '../checks/tell-findings.ts';
import { warnOfUnconverted } from '../facts/unconverted.ts';
import { saveRunProfile } from '../profiles/profile-table.ts';
import type { AskedRun } from './ask-writers.ts';
import { computeBases } from './compute-bases.ts';
import { failRun } from './fail-run.ts';
import { type PreparedRun, prepareRun } from './prepare-run.ts';
import { type MaterializedView, reportOf } from './report.ts';
import { createRunProfile, type RunProfile } from './run-profile.ts';
import { countKeys } from './touched-keys.ts';
import { createValueWatch, valueChecksOf, type ValueWatch } from './value-watch.ts';
import { type ViewRun, workOn } from './view-run.ts';
import { writeRun } from './write-run.ts';

/** Says what a run would write; nobody is asked and nothing is written, not even a row. */
export function rehearseView(run: ViewRun): Promise<MaterializedView> {
  const { deps, request, snapshot, asOf } = run;
  const { log } = deps;
  return workOn(run, async () => {
    const writers = (await log?.writers()) ?? [];
    // As if each answered with what it has shipped by now.
    const answered = new Set(writers.map(({ number }) => number));
    const prepared = await prepareRun(run, rowOf(run), { writers, answered });
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
      const prepared = await prepareRun(run, row, answers);
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
  tellFindings(logger, prepared.findings);
  throwIfRefused(prepared.findings, 'nothing of the run is written');
  if (prepared.isUpToDate) {
    // It wrote nothing and did not fail: nothing is left of it but that it looked, and that the writers cut.
    await runs.noteLook(row.version, { at: clock.nowMicros(), lastRun: row.number });
    await runs.forget([row]);
    return reportOf(view, 'up-to-date', asOf, prepared);
  }
  const seen = await checkBefore(run, row, prepared);
  const { counts, watch, profile } = await openAndWrite(run, row, prepared, seen);
  if (!(await runs.finish(row, counts, clock.nowMicros()))) throw takenOver(row);
  const ofValues = seen ?? watch?.findings() ?? [];
  if (seen === undefined) tellFindings(logger, ofValues);
  await keepProfile(run, row, profile);
  if (counts.rowsIgnored > 0) {
    logger.warn({ view, rows: counts.rowsIgnored }, 'rows with a null key, event time or known time were left out');
  }
  const { newestMicros: _, unconverted = {}, ...told } = counts;
  warnOfUnconverted(logger, { view, source: run.codec.source.name }, unconverted);
  const checks = [...prepared.findings, ...ofValues];
  return { ...reportOf(view, 'finished', asOf, prepared), run: row.number, ...told, unconverted, checks };
}

/**
 * Where a rule of the view's values says `fail`, they are computed once before anything is written: what was found of all its
 * rules; undefined where they are looked at as they are written. Throws HR_EXPECTATION.
 */
async function checkBefore(
  { deps, codec, asOf }: ViewRun,
  { number }: RunRow,
  { scope, touched }: PreparedRun,
): Promise<readonly Finding[] | undefined> {
  const checks = valueChecksOf(codec);
  if (!checks.some(({ onFail }) => onFail === 'fail')) return undefined;
  const watch = createValueWatch(codec, asOf, checks);
  const bases = await computeBases(scope, number, touched, watch);
  try {
    await bases.each(async () => {});
  } finally {
    await bases.close();
  }
  const findings = watch?.findings() ?? [];
  tellFindings(deps.logger, findings);
  throwIfRefused(findings, 'nothing of the run is written');
  return findings;
}

/** The run has finished: that its profile is lost is no reason to call it failed. */
async function keepProfile(
  { deps }: ViewRun,
  { number, version }: RunRow,
  profile: RunProfile | undefined,
): Promise<void> {
  const { database, clock, logger } = deps;
  if (profile === undefined) return;
  try {
    await saveRunProfile(database, { version, run: number }, profile.profile(), clock.nowMicros());
  } catch (error) {
    logger.warn({ run: number, reason: messageOf(error) }, 'the profile of a run could not be kept');
  }
}

interface Written {
  readonly counts: RunCounts;
  readonly watch: ValueWatch | undefined;
  readonly profile: RunProfile | undefined;
}

async function openAndWrite(
  run: ViewRun,
  row: RunRow,
  prepared: PreparedRun,
  seen: readonly Finding[] | undefined,
): Promise<Written> {
  const { deps, codec, request, snapshot } = run;
  const { store, runs, schemas, lifetimeMs, retryMs, progress } = deps;
  const { plan, scope, touched, earlier, newestMicros } = prepared;
  const { rowsInRange, rowsIgnored, unconverted } = touched;
  // A base must never be without what it is read by.
  await schemas.publish([codec.rowCodec.schema, codec.eventCodec.schema]);
  const { boundary, coverage, isFull, since } = plan;
  const opened = await runs.open(row, { snapshot: snapshot.files, boundary, coverage, isFull, since });
  if (opened === undefined || !isOpened(opened)) throw takenOver(row);
  progress.start(`materialize ${request.view}`, undefined, 'keys');
  const own: OpenedRow = opened;
  const watch = createValueWatch(codec, own.asOf, seen === undefined ? valueChecksOf(codec) : []);
  const profile = deps.keepsProfiles ? createRunProfile(codec, own) : undefined;
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
    profile,
    watch,
  });
  progress.done(counted(done.written, 'record'));
  return { counts: { ...done, rowsInRange, rowsIgnored, unconverted, newestMicros }, watch, profile };
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
    token: '',
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
