// A materialization as a step.

import { HeadraceError, silentProgress, toHeadraceError } from '../../core/index.ts';
import type { StepAction } from '../../definitions/index.ts';
import type { BuiltInTaskContext } from '../../orchestrator/index.ts';
import { fillOnline } from '../fill-online.ts';
import type { App } from '../open-app.ts';

interface MaterializedViewResult {
  readonly state: string;
  /** The run of materialize; null where nothing was new. */
  readonly run: number | null;
  /** Records written, keys computed, and rows by which these were found. */
  readonly written: number;
  readonly keys: number;
  readonly rows: number;
  /** RFC 3339: what was known by then counts. */
  readonly watermark: string;
  /** RFC 3339: event time up to which files count, and past which pushes do; null where both count whole. */
  readonly boundary: string | null;
}

/**
 * Brings views up to date, those of all kept versions where the action names none; repeating it finds nothing new. Gives
 * `{ views: { [view]: … } }`. Throws HR_STEP_FAILED with each view that failed and is read, once the others are done; else
 * as `materializeEach`.
 */
export async function runMaterialize(
  app: App,
  { views }: Extract<StepAction, { kind: 'materialize' }>,
  { log }: BuiltInTaskContext,
): Promise<{ readonly views: Readonly<Record<string, MaterializedViewResult>> }> {
  const request = { incremental: true, dryRun: false, ...(views === undefined ? {} : { views }) };
  const filled = await fillOnline(app, request, { progress: silentProgress, tell: log });
  for (const { view, state, written, to } of filled.views) log(`${view}: ${state}, ${written} records, as of ${to}`);
  const sentences = filled.failed.map(({ view, error, isRead }) => {
    const { code, message } = toHeadraceError(error);
    if (!isRead) log(`${view} failed, and nothing reads it any more (${code}: ${message})`);
    return { isRead, sentence: `${view} (${code}: ${message})` };
  });
  const failed = sentences.filter(({ isRead }) => isRead).map(({ sentence }) => sentence);
  if (failed.length > 0) {
    const done = filled.views.length === 0 ? '' : `; ${filled.views.map(({ view }) => view).join(', ')} are up to date`;
    throw new HeadraceError('HR_STEP_FAILED', `could not be materialized: ${failed.join('; ')}${done}`);
  }
  const told = filled.views.map((one): readonly [string, MaterializedViewResult] => {
    const { view, state, run, written, keys, rowsInRange, to, boundary } = one;
    return [view, { state, run, written, keys, rows: rowsInRange, watermark: to, boundary }];
  });
  return { views: Object.fromEntries(told) };
}
