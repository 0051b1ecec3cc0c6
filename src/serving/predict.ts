// The predict path: parse → assign → features in one round trip → tensors → inference → log → answer. One bad input
// rejects the request before anything is done.

import {
  describe,
  type ErrorDetail,
  HeadraceError,
  invalid,
  type Micros,
  type Span,
  toHeadraceError,
  type Value,
} from '../core/index.ts';
import { bindInputs, bindOutputs, type Tensor } from '../models/index.ts';
import { assign } from '../rollouts/index.ts';
import type { EndpointPlan, VariantPlan } from './endpoint-plan.ts';
import { CLOCK_SKEW_MICROS, type FeaturePlan, type FeatureRow } from './feature-plan.ts';
import { beforeDeadline, checkDeadline, type DeadlineMs } from './in-flight.ts';
import type { RequestRow } from './row-parser.ts';
import type { Caller, ServingDeps } from './serving-deps.ts';

export interface PredictionRow {
  readonly id: string;
  readonly variant: VariantPlan;
  /** In the order of the model's outputs. */
  readonly outputs: readonly Value[];
  readonly features: FeatureRow;
}

export interface PredictAnswer {
  readonly plan: EndpointPlan;
  readonly rows: readonly PredictionRow[];
}

/** Predicts for `inputs` (JSON rows). Throws HR_INVALID with each wrong row and column, and what the stages throw. */
export async function predict(
  deps: ServingDeps,
  plan: EndpointPlan,
  inputs: unknown,
  caller: Caller,
  nextId: () => string,
): Promise<PredictAnswer> {
  const startMs = performance.now();
  const deadlineMs = startMs + (caller.timeoutMs ?? deps.limits.requestTimeoutMs);
  const rows = parseInputs(plan, inputs, deps.limits.maxRows);
  if (plan.variants.length === 0) {
    throw new HeadraceError(
      'HR_MODEL_NOT_READY',
      `endpoint "${plan.state.name}" has no version to serve. Register one with \`headrace models register ${plan.state.model} FILE.onnx\`.`,
    );
  }
  const atMicros = deps.clock.nowMicros();
  const groups = groupByVariant(plan, rows);
  const read = readCounted(caller.span, plan, groups, rows, atMicros, deadlineMs);
  const features = read instanceof Promise ? await read : read;
  const answered = new Array<PredictionRow>(rows.length);
  const [only] = groups;
  if (groups.length === 1 && only !== undefined)
    await inferCounted(caller.span, only, features, answered, deadlineMs, nextId);
  else
    await Promise.all(groups.map((group) => inferCounted(caller.span, group, features, answered, deadlineMs, nextId)));
  checkDeadline(deadlineMs, 'the model ran');
  const latencyMicros = Math.round((performance.now() - startMs) * 1000);
  plan.meter.answered(latencyMicros, rows.length);
  for (const { variant, picked } of groups) variant.meter.answered(latencyMicros, picked.length);
  for (let i = 0; i < rows.length; i++) {
    const { id, variant, outputs, features: own } = answered[i] as PredictionRow;
    variant.meter.statuses(own.statuses);
    deps.predictionLog.append({
      predictionId: id,
      requestId: caller.requestId,
      traceId: caller.traceId ?? null,
      atMicros,
      latencyMicros,
      endpoint: plan.state.name,
      model: plan.model.name,
      version: variant.version,
      variant: variant.name,
      unit: plan.unitOf(rows[i] as RequestRow),
      requestFields: plan.requestColumns,
      request: rows[i] as RequestRow,
      featureFields: variant.features.service.features,
      features: own.values,
      statuses: own.statuses,
      outputFields: variant.model.spec.outputs,
      outputs,
    });
  }
  return { plan, rows: answered };
}

function parseInputs({ parseRow }: EndpointPlan, inputs: unknown, maxRows: number): RequestRow[] {
  if (!Array.isArray(inputs))
    throw invalid([{ path: 'inputs', message: `expected an array of rows, got ${describe(inputs)}` }]);
  if (inputs.length === 0) throw invalid([{ path: 'inputs', message: 'expected at least one row, got none' }]);
  if (inputs.length > maxRows)
    throw new HeadraceError(
      'HR_TOO_LARGE',
      `inputs has ${inputs.length} rows, the limit is ${maxRows} (server.maxRows). Send them in parts.`,
    );
  const mistakes: ErrorDetail[] = [];
  const rows = new Array<RequestRow>(inputs.length);
  for (let i = 0; i < inputs.length; i++) rows[i] = parseRow(inputs[i], i, mistakes);
  if (mistakes.length > 0) throw invalid(mistakes);
  return rows;
}

// The endpoint's policy decides what a store that is down means: an error, or answers from declared defaults.
function readWithPolicy(
  plan: EndpointPlan,
  features: FeaturePlan,
  rows: readonly RequestRow[],
  at: Micros,
  deadlineMs: DeadlineMs,
): FeatureRow[] | Promise<FeatureRow[]> {
  const orDefaults = (thrown: unknown): FeatureRow[] => {
    const isDown = thrown instanceof HeadraceError && thrown.code === 'HR_ONLINE_UNAVAILABLE';
    if (!isDown || plan.spec.whenStoreDown !== 'defaults') throw thrown;
    return features.defaults(rows);
  };
  try {
    const read = features.read(rows, at, CLOCK_SKEW_MICROS);
    return read instanceof Promise ? beforeDeadline(read, deadlineMs, 'features were read').catch(orDefaults) : read;
  } catch (thrown) {
    return orDefaults(thrown);
  }
}

// All rows in one read where their variants read alike; those of versions that were trained on other definitions apart.
function readFeatures(
  plan: EndpointPlan,
  groups: readonly VariantGroup[],
  rows: readonly RequestRow[],
  at: Micros,
  deadlineMs: DeadlineMs,
): FeatureRow[] | Promise<FeatureRow[]> {
  const features = groups[0]?.variant.features as FeaturePlan;
  if (groups.every(({ variant }) => variant.features === features))
    return readWithPolicy(plan, features, rows, at, deadlineMs);
  return readApart(plan, groups, rows, at, deadlineMs);
}

async function readApart(
  plan: EndpointPlan,
  groups: readonly VariantGroup[],
  rows: readonly RequestRow[],
  at: Micros,
  deadlineMs: DeadlineMs,
): Promise<FeatureRow[]> {
  const features = new Array<FeatureRow>(rows.length);
  await Promise.all(
    groups.map(async ({ variant, picked }) => {
      const own = picked.map((index) => rows[index] as RequestRow);
      const read = await readWithPolicy(plan, variant.features, own, at, deadlineMs);
      picked.forEach((index, place) => (features[index] = read[place] as FeatureRow));
    }),
  );
  return features;
}

interface VariantGroup {
  readonly variant: VariantPlan;
  /** Indexes of its rows. */
  readonly picked: readonly number[];
}

function groupByVariant(plan: EndpointPlan, rows: readonly RequestRow[]): VariantGroup[] {
  const [first] = plan.variants;
  if (plan.variants.length === 1 && first !== undefined)
    return [{ variant: first, picked: rows.map((_, index) => index) }];
  const groups = new Map<VariantPlan, number[]>();
  rows.forEach((row, index) => {
    const variant = plan.variants[assign(plan.state, plan.unitOf(row))] as VariantPlan;
    const group = groups.get(variant);
    if (group === undefined) groups.set(variant, [index]);
    else group.push(index);
  });
  return [...groups].map(([variant, picked]) => ({ variant, picked }));
}

/** Models slower than this wait in a queue of their own, where the deadline can pass. */
const QUICK_MODEL_MICROS = 1000;

// What fails from here on is the variants' own.
function readCounted(
  parent: Span | undefined,
  plan: EndpointPlan,
  groups: readonly VariantGroup[],
  ...rest: Tail<Tail<Parameters<typeof readFeatures>>>
): FeatureRow[] | Promise<FeatureRow[]> {
  const span = parent?.child('features.read');
  const count = (thrown: unknown): never => {
    span?.end(thrown);
    for (const { variant, picked } of groups) variant.meter.failed(toHeadraceError(thrown).code, picked.length);
    throw thrown;
  };
  try {
    const read = readFeatures(plan, groups, ...rest);
    if (!(read instanceof Promise)) {
      span?.end();
      return read;
    }
    if (span === undefined) return read.catch(count);
    return read.then((answered) => {
      span.end();
      return answered;
    }, count);
  } catch (thrown) {
    return count(thrown);
  }
}

async function inferCounted(
  parent: Span | undefined,
  group: VariantGroup,
  ...rest: Tail<Parameters<typeof inferGroup>>
): Promise<void> {
  const span = parent?.child('model.run');
  span?.set('headrace.variant', group.variant.name);
  span?.set('headrace.version', group.variant.version);
  span?.set('headrace.rows', group.picked.length);
  try {
    await inferGroup(group, ...rest);
    span?.end();
  } catch (thrown) {
    span?.end(thrown);
    group.variant.meter.failed(toHeadraceError(thrown).code, group.picked.length);
    throw thrown;
  }
}

type Tail<List extends readonly unknown[]> = List extends readonly [unknown, ...infer Rest] ? Rest : never;

async function inferGroup(
  { variant, picked }: VariantGroup,
  features: readonly FeatureRow[],
  answered: PredictionRow[],
  deadlineMs: DeadlineMs,
  nextId: () => string,
): Promise<void> {
  checkDeadline(deadlineMs, 'features were read');
  const { loaded, binding, spec } = variant.model;
  const tensors = bindInputs(
    binding,
    picked.map((index) => (features[index] as FeatureRow).values),
  );
  const running = loaded.infer(tensors);
  const isQuick = loaded.warmMicros < QUICK_MODEL_MICROS;
  const outputs: Readonly<Record<string, Tensor>> = isQuick
    ? await running
    : await beforeDeadline(running, deadlineMs, 'the model ran');
  for (let at = 0; at < picked.length; at++) {
    const index = picked[at] as number;
    const named = bindOutputs(binding, outputs, at);
    answered[index] = {
      id: nextId(),
      variant,
      features: features[index] as FeatureRow,
      outputs: spec.outputs.map((output) => named[output.name] ?? null),
    };
  }
}
