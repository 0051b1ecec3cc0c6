// The predict path: parse → assign → each arm's features and inference → sinks → answer. Rows are parsed by the columns of
// all arms; what fails before a row has an arm is the endpoint's, what fails after is the arm's.

import {
  checkRowLimit,
  type Clock,
  type ErrorDetail,
  HeadraceError,
  invalid,
  type Micros,
  type NextPredictionId,
  type PredictionMark,
  type Scope,
  toHeadraceError,
} from '../core/index.ts';
import type { Route } from '../rollouts/index.ts';
import type { AnsweredRow, Arm, ArmRow } from './arm.ts';
import { type ArmTiming, createArmTiming, type TimedArm } from './arm-timing.ts';
import type { Deadlines, Stage } from './deadlines.ts';
import type { EndpointPlan } from './endpoint-plan.ts';
import { forcedRoute } from './forced-route.ts';
import { failedRows, rowError } from './row-failures.ts';
import type { RequestRow } from './row-parser.ts';
import { openRows } from './sent-rows.ts';

export interface PredictDeps {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly limits: {
    readonly maxRows: number;
    /** A deadline that is shorter is the client's own. */
    readonly requestTimeoutMs: number;
  };
  readonly nextId: NextPredictionId;
}

export interface PredictOptions {
  /** Each row stands alone: one that fails leaves an error in its place. */
  readonly isPartial: boolean;
  /** Name of the arm that all rows go to, whatever they would be assigned: for whoever has the role `experiment`. */
  readonly forced?: string | undefined;
  /** The answer tells where its time went. */
  readonly returnsTimings?: boolean;
}

export type PredictionRow =
  | { readonly error?: undefined; readonly id: string; readonly arm: Arm; readonly row: AnsweredRow }
  | { readonly error: HeadraceError };

export interface PredictAnswer {
  readonly plan: EndpointPlan;
  readonly rows: readonly PredictionRow[];
  readonly answeredRows: number;
  /** Where the time went, by arm; for a request that asks for it. */
  readonly timings?: readonly TimedArm[];
}

/**
 * Predicts for `inputs` (JSON rows, or `SentRows`). Throws HR_FORBIDDEN, and HR_INVALID, for a forced arm first. Without `isPartial` one bad row fails all, before anything is done where that can be
 * told from the row: HR_INVALID with every wrong row and column, then what the stages throw, each with its row.
 */
export async function predict(
  deps: PredictDeps,
  plan: EndpointPlan,
  inputs: unknown,
  { isPartial, forced: asked, returnsTimings }: PredictOptions,
  scope: Scope,
): Promise<PredictAnswer> {
  const startMs = performance.now();
  const forced = asked === undefined ? undefined : forcedRoute(plan, asked, scope.actor);
  const parsed = parseInputs(plan, inputs, deps.limits.maxRows, isPartial);
  if (plan.arms.length === 0) {
    throw new HeadraceError(
      'HR_MODEL_NOT_READY',
      `endpoint "${plan.state.name}" has no version to serve. Register one with \`headrace models register ${plan.state.model} FILE.onnx\`.`,
    );
  }
  scope.check('the rows were read', parsed.length);
  const at = deps.clock.nowMicros();
  const groups = groupByArm(plan, parsed, scope.requestId, forced);
  const timings = returnsTimings === true ? groups.map(timedArm) : undefined;
  const work = runGroups(groups, scope, at, deps.deadlines, timings);
  const results = work instanceof Promise ? await work : work;
  const rows = new Array<PredictionRow>(parsed.length);
  let answeredRows = 0;
  for (let i = 0; i < parsed.length; i++) {
    const row = parsed[i] as ParsedRow;
    if (row instanceof HeadraceError) rows[i] = { error: row };
  }
  groups.forEach(({ arm, picked, routes, unitHashes }, at) => {
    const answered = results[at] as readonly ArmRow[];
    for (let i = 0; i < picked.length; i++) {
      const row = answered[i] as ArmRow;
      const place = picked[i] as number;
      if (row.error !== undefined) rows[place] = { error: rowError('inputs', place, row.error) };
      else {
        const { place: routed, via } = routes[i] as Route;
        const mark = plan.marks[routed] as PredictionMark;
        // What else decided is no part of the rollout's comparison, and neither is what becomes of it.
        const hash = via === 'rollout' || via === 'base' ? (unitHashes[i] as number) : 0;
        rows[place] = { id: deps.nextId(mark, hash), arm, row };
        answeredRows++;
      }
    }
  });
  const endMs = performance.now();
  const latencyMicros = Math.round((endMs - startMs) * 1000);
  // A moment has passed since the deadline was set.
  const isPatient = scope.deadlineMs - startMs >= deps.limits.requestTimeoutMs - PASSED_MS;
  const failed = failedRows(rows, isPartial);
  for (let group = 0; group < groups.length; group++) {
    const { arm, picked, requests, routes, unitHashes } = groups[group] as ArmGroup;
    const ids = picked.map((place) => (rows[place] as { readonly id?: string }).id ?? '');
    const batch = {
      scope,
      at,
      latencyMicros,
      requests,
      rows: results[group] as readonly ArmRow[],
      routes,
      unitHashes,
      revision: plan.state.revision,
      fallbackFrom: arm.fallbackFrom ?? null,
      ids,
      isAnswered: failed === undefined,
      isBroken: arm.brokenFor !== undefined,
      unitOf: plan.unitOf,
    };
    for (const sink of arm.sinks) sink(batch);
    arm.guard?.ended(endMs, batch.rows, batch.isAnswered, isPatient);
    arm.brokenFor?.stoodIn(endMs, requests, at);
  }
  if (failed !== undefined) throw failed;
  plan.meter.answered(latencyMicros, answeredRows);
  for (const row of parsed) if (row instanceof HeadraceError) plan.meter.rowFailed(row.code);
  return timings === undefined ? { plan, rows, answeredRows } : { plan, rows, answeredRows, timings };
}

const PASSED_MS = 50;

/** A row's values, or why it has none. */
type ParsedRow = RequestRow | HeadraceError;

function parseInputs(plan: EndpointPlan, inputs: unknown, maxRows: number, isPartial: boolean): readonly ParsedRow[] {
  const { requestColumns: columns, parseRow } = plan;
  const { count, parser } = openRows(inputs, { columns, parseRow, path: 'inputs' });
  if (count === 0) throw invalid([{ path: 'inputs', message: 'expected at least one row, got none' }]);
  checkRowLimit('inputs', { length: count }, maxRows, 'server.maxRows');
  const parse = parser();
  const rows = new Array<ParsedRow>(count);
  const mistakes: ErrorDetail[] = [];
  for (let i = 0; i < count; i++) {
    rows[i] = parse(i, mistakes);
    if (isPartial && mistakes.length > 0) rows[i] = invalid(mistakes.splice(0));
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  return rows;
}

interface ArmGroup {
  readonly arm: Arm;
  /** Places of its rows. */
  readonly picked: number[];
  readonly requests: RequestRow[];
  readonly routes: Route[];
  readonly unitHashes: number[];
}

function groupByArm(
  { routes, armAt }: EndpointPlan,
  rows: readonly ParsedRow[],
  requestId: string,
  forced: Route | undefined,
): readonly ArmGroup[] {
  const groups: ArmGroup[] = [];
  const byPlace = new Array<ArmGroup | undefined>(armAt.length);
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as ParsedRow;
    if (row instanceof HeadraceError) continue;
    const unit = routes.unitOf(row, requestId);
    const hash = routes.hashOf(unit);
    const route = forced ?? routes.of(row, requestId, unit, hash);
    let group = byPlace[route.place];
    if (group === undefined) {
      const own = armAt[route.place] as Arm;
      const arm = own.guard?.isOpen === true ? own.guard.standIn : own;
      groups.push((byPlace[route.place] = group = { arm, picked: [], requests: [], routes: [], unitHashes: [] }));
    }
    group.picked.push(place);
    group.requests.push(row);
    group.routes.push(route);
    group.unitHashes.push(hash);
  }
  return groups;
}

type Results = readonly (readonly ArmRow[])[];

/** All arms side by side: their features come in one round trip, since a turn's reads go out together. */
function runGroups(
  groups: readonly ArmGroup[],
  scope: Scope,
  at: Micros,
  deadlines: Deadlines,
  timings: readonly TimedArm[] | undefined,
): Results | Promise<Results> {
  const [first] = groups;
  if (first === undefined) return [];
  if (groups.length > 1)
    return Promise.all(
      groups.map(async (group, place) => runGroup(group, scope, at, deadlines, timings?.[place]?.timing)),
    );
  const run = runGroup(first, scope, at, deadlines, timings?.[0]?.timing);
  return run instanceof Promise ? run.then((rows) => [rows]) : [run];
}

function timedArm({ arm, requests }: ArmGroup): TimedArm {
  return { arm, rows: requests.length, timing: createArmTiming() };
}

/** What fails from here on is the arm's: one that is late keeps nobody else's rows. */
function runGroup(
  { arm, requests }: ArmGroup,
  scope: Scope,
  at: Micros,
  deadlines: Deadlines,
  timing: ArmTiming | undefined,
): readonly ArmRow[] | Promise<readonly ArmRow[]> {
  const failed = (thrown: unknown): readonly ArmRow[] => {
    const error = toHeadraceError(thrown);
    return requests.map(() => ({ error }));
  };
  const stage: Stage = { now: 'it waited for the model, or the model ran', rows: requests.length, timing };
  // The loop may have been busy since the deadline.
  const inTime = (rows: readonly ArmRow[]): readonly ArmRow[] => {
    scope.check(stage.now, stage.rows);
    return rows;
  };
  try {
    const run = arm.run(requests, scope, at, stage);
    return run instanceof Promise ? deadlines.race(run, scope, stage).then(inTime).catch(failed) : inTime(run);
  } catch (thrown) {
    return failed(thrown);
  }
}
