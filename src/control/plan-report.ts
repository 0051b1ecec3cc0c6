// What an apply would change, asked across the registry, the runs and the training sets: which views a run has to fill, with
// how many keys and for how long by what their last runs took, and who is touched. All of it lies in the registry's database.

import { type Micros, MICROS_PER_SECOND } from '../core/index.ts';
import type { Manifest } from '../definitions/index.ts';
import type { Runs } from '../online/index.ts';
import {
  mergeTouched,
  type Plan,
  type PlanChange,
  type PlanOptions,
  type Refusal,
  type Registry,
  type Touched,
} from '../registry/index.ts';
import type { TrainingSetRecord } from '../offline/index.ts';

export interface PlanReport {
  readonly baseRevision: number;
  readonly changes: readonly PlanChange[];
  /** Those of `changes` that break something in use. */
  readonly breaking: readonly PlanChange[];
  /** Why apply would refuse it, whoever says yes, as things stand. */
  readonly refused: readonly Refusal[];
  /** Views that get another version. */
  readonly views: readonly PlannedView[];
  /** What fills all that have to be filled, once it is applied; null where nothing has to. */
  readonly command: string | null;
  /** Everyone who is touched, by all changes together. */
  readonly touched: readonly Touched[];
}

export interface PlannedView {
  readonly view: string;
  /** Null for a new view. */
  readonly old_version: string | null;
  readonly new_version: string;
  /** False where it is kept and complete already. */
  readonly needs_run: boolean;
  /** Whether readers may take the old version until the new one is complete. */
  readonly old_answers: boolean;
  /** Services that wait for it. */
  readonly services: readonly string[];
  /** Model versions that the old version stays for. */
  readonly kept_for: readonly { readonly model: string; readonly versions: readonly number[] }[];
  /** What fills it, once it is applied; null where nothing has to. */
  readonly command: string | null;
  /** About what that is, by the old version's last run; null where there was none. */
  readonly estimate: RunEstimate | null;
}

export interface RunEstimate {
  readonly keys: number;
  readonly seconds: number;
  /** The run that it is taken from. */
  readonly run: number;
}

export interface PlanReportDeps {
  readonly registry: { readonly definitions: Pick<Registry['definitions'], 'plan'> };
  readonly runs: Pick<Runs, 'lastFinished' | 'ofVersion'>;
  readonly trainingSets: readonly Pick<TrainingSetRecord, 'id' | 'name' | 'manifestHash' | 'service'>[];
}

/** Throws HR_DEFINITION for renames that can't be. */
export async function planReport(
  { registry, runs, trainingSets }: PlanReportDeps,
  manifest: Manifest,
  options?: PlanOptions,
): Promise<PlanReport> {
  const planned = await registry.definitions.plan(manifest, trainingSets, options);
  const { baseRevision, changes, breaking, refused, views } = planned;
  const estimates = await estimateRuns(runs, views);
  const waiting = views.flatMap(({ view, needsRun }) => (needsRun ? [view] : []));
  const isEach = waiting.length > MOST_NAMED && waiting.length === Object.keys(manifest.views).length;
  return {
    baseRevision,
    changes,
    breaking,
    refused,
    views: views.map(({ view, before, after, needsRun, answersBefore, services, keptFor }) => ({
      view,
      old_version: before,
      new_version: after,
      needs_run: needsRun,
      old_answers: answersBefore,
      services,
      kept_for: keptFor,
      command: needsRun ? fillCommand([view]) : null,
      estimate: before === null || !needsRun ? null : (estimates.get(before) ?? null),
    })),
    command: waiting.length === 0 ? null : fillCommand(isEach ? [] : waiting),
    touched: mergeTouched(changes.flatMap(({ touched }) => touched)),
  };
}

/** Every view of a repository is not named one by one where they are more. */
const MOST_NAMED = 20;

/** None: all views. */
function fillCommand(views: readonly string[]): string {
  return ['headrace materialize --incremental', ...(views.length === 0 ? [] : [`--views ${views.join(',')}`])].join(
    ' ',
  );
}

/** By version. A run that wrote every key tells more than one that wrote what had changed. */
async function estimateRuns(
  runs: PlanReportDeps['runs'],
  views: Plan['views'],
): Promise<ReadonlyMap<string, RunEstimate>> {
  const wanted = new Set(views.flatMap(({ before, needsRun }) => (needsRun && before !== null ? [before] : [])));
  const estimates = new Map<string, RunEstimate>();
  if (wanted.size === 0) return estimates;
  for (const last of await runs.lastFinished()) {
    if (!wanted.has(last.version)) continue;
    const rows = last.isFull ? [last] : await runs.ofVersion(last.version);
    const whole = rows.findLast(({ state, isFull }) => state === 'finished' && isFull);
    const { counts, askedMicros, finishedMicros, number } = whole ?? last;
    if (counts === null || finishedMicros === null) continue;
    const seconds = secondsBetween(askedMicros, finishedMicros);
    estimates.set(last.version, { keys: counts.keys, seconds, run: number });
  }
  return estimates;
}

// Clocks of two machines may have told them.
function secondsBetween(asked: Micros, finished: Micros): number {
  return Math.max(0, Math.round((finished - asked) / (MICROS_PER_SECOND / 10)) / 10);
}
