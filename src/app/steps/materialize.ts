// A materialization as a step.

import { HeadraceError, silentProgress, toHeadraceError } from '../../core/index.ts';
import type { StepAction } from '../../definitions/index.ts';
import type { BuiltInTaskContext } from '../../orchestrator/index.ts';
import { fillOnline } from '../fill-online.ts';
import { appOfRevision } from '../app-of-revision.ts';
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
 * The views that a run fills. One of an earlier revision than what is applied fills the versions of its own revision's views, which
 * something may still read: not those that have come since. Where the action names none, versions that are not kept any more are left out.
 */
async function viewsOfRun(
  app: App,
  views: readonly string[] | undefined,
  manifestHash: string | undefined,
  log: (line: string) => void,
): Promise<readonly string[] | undefined> {
  const own = await appOfRevision(app, manifestHash);
  if (own === app) return views;
  const { viewVersion } = await import('../../definitions/index.ts');
  const { manifest } = await own.applied();
  const versionOf = (view: string): string =>
    Object.hasOwn(manifest.views, view) ? viewVersion(manifest, view) : view;
  if (views !== undefined) return views.map(versionOf);
  const kept = new Set((await app.versions()).map(({ version }) => version));
  const all = Object.keys(manifest.views).map(versionOf);
  const gone = all.filter((version) => !kept.has(version));
  if (gone.length > 0) log(`not kept any more, as nothing reads them: ${gone.join(', ')}`);
  return all.filter((version) => kept.has(version));
}

/**
 * Brings views up to date, those of all kept versions where the action names none; repeating it finds nothing new. Gives
 * `{ views: { [view]: … } }`. Throws HR_STEP_FAILED with each view that failed and is read, once the others are done; else
 * as `materializeEach`.
 */
export async function runMaterialize(
  app: App,
  { views }: Extract<StepAction, { kind: 'materialize' }>,
  { log, order }: BuiltInTaskContext,
): Promise<{ readonly views: Readonly<Record<string, MaterializedViewResult>> }> {
  const named = await viewsOfRun(app, views, order.definitions, log);
  const request = { incremental: true, dryRun: false, ...(named === undefined ? {} : { views: named }) };
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
