// A batch prediction as a step.

import { isAbsolute, join } from 'node:path';
import { fewAtOnce, HeadraceError, silentProgress } from '../../core/index.ts';
import type { StepAction } from '../../definitions/index.ts';
import type { BuiltInTaskContext } from '../../orchestrator/index.ts';
import { predictInBatch } from '../open-batch.ts';
import type { App } from '../open-app.ts';

type PredictAction = Extract<StepAction, { kind: 'predict' }>;

/** Each takes all cores and the memory of offline work: slices on one machine go one after another. */
const inTurn = fewAtOnce(1);

/**
 * Gives `{ path, parts, rows, failed, endpoint, model, version, variant, boundary, slice }`. A task that is tried again goes on with the
 * parts that are there. Throws HR_STEP_FAILED for an item that is no slice and a parameter that the run has not; else as
 * `predictInBatch`.
 */
export async function runPredict(app: App, action: PredictAction, context: BuiltInTaskContext): Promise<unknown> {
  const slice = sliceOf(action, context.item);
  const placed = (path: string): string => {
    const named = withParams(path, context);
    return isAbsolute(named) || /^[a-z0-9]+:\/\//i.test(named) ? named : join(context.directory, named);
  };
  const scope = context.order.scope === '' ? '' : `-${context.order.scope.replaceAll('/', '-')}`;
  const own = join(app.config.values['offline.path'], 'predictions', `${context.runId}-${context.step}${scope}`);
  const folder = action.out === undefined ? own : placed(action.out);
  const { boundary, variant, version, columns } = action;
  const result = await inTurn(() =>
    predictInBatch(
      app,
      {
        endpoint: action.endpoint,
        input: { path: placed(action.input), directory: context.directory, ...(slice === undefined ? {} : { slice }) },
        timestamp: action.timestamp,
        out: slice === undefined ? folder : `${folder}/slice-${String(slice.index).padStart(5, '0')}`,
        hasFeatures: action.features === true,
        badRows: action.onError === 'fail' ? 'fail' : 'mark',
        format: action.format,
        overwrites: false,
        signal: context.signal,
        ...(boundary === undefined ? {} : { boundary }),
        ...(columns === undefined ? {} : { columns }),
        ...(variant === undefined ? {} : { variant }),
        ...(version === undefined ? {} : { version }),
      },
      silentProgress,
    ),
  );
  const { out, rows, failed, parts, resumed, endpoint, model } = result;
  const before = resumed === 0 ? '' : `, ${resumed} of them there before`;
  context.log(
    `${rows} rows by ${model} version ${result.version}, features by boundary ${result.boundary}, ${parts.length} parts${before}: ${out}`,
  );
  if (failed > 0) context.log(`warning: ${failed} rows have no prediction; the column "error" says why`);
  return {
    path: out,
    parts: parts.map(({ name }) => name),
    rows,
    failed,
    endpoint,
    model,
    version: result.version,
    variant: result.variant,
    boundary: result.boundary,
    slice: slice ?? null,
  };
}

function sliceOf({ slices }: PredictAction, item: unknown): { index: number; of: number } | undefined {
  if (slices === undefined) return undefined;
  if (typeof item === 'number' && Number.isInteger(item) && item >= 0 && item < slices)
    return { index: item, of: slices };
  const sentence = `predict({ slices: ${slices} }) goes with foreach: range(${slices}), whose items are the slices from 0 on; got the item ${JSON.stringify(item)}`;
  throw new HeadraceError('HR_STEP_FAILED', sentence);
}

function withParams(path: string, { params, runId }: BuiltInTaskContext): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    if (name === 'run') return runId;
    const value = params[name];
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return String(value);
    const known = ['run', ...Object.keys(params)].map((one) => `{${one}}`).join(', ');
    throw new HeadraceError(
      'HR_STEP_FAILED',
      `"${path}" names {${name}}, which is no text or number of this run; it has ${known}`,
    );
  });
}
