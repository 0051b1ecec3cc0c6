// A step of a pipeline as written to its spec.

import type { ActionContext } from '../actions/action-kind.ts';
import { ACTION_KINDS, type StepAction } from '../actions/action-kinds.ts';
import { functionOfTask, readsIndex } from '../actions/task.ts';
import type { AuthoredPipeline, AuthoredStep } from '../authoring/authored.ts';
import { describeResult } from '../calling/user-value.ts';
import type { StepSpec } from '../pipeline-spec.ts';
import { expectKind } from './collect.ts';
import { compileNeeds } from './compile-needs.ts';
import { duration } from './duration.ts';
import { expectText } from './fields.ts';
import type { FunctionTable } from './function-table.ts';
import type { Mistakes } from './mistakes.ts';
import { labelMistake } from './names.ts';
import { type PipelineMembers, type Report, titleOfMember } from './pipeline-members.ts';
import { compilePlace } from './step-place.ts';
import { compileRetry } from './step-retry.ts';
import type { TakenAlong } from './taken-along.ts';

export interface StepDeps {
  readonly functions: FunctionTable;
  readonly takenAlong: TakenAlong;
  readonly mistakes: Mistakes;
}

export function compileStep(
  pipeline: AuthoredPipeline,
  step: AuthoredStep,
  members: PipelineMembers,
  deps: StepDeps,
): StepSpec {
  const { mistakes } = deps;
  const where = titleOfMember(step);
  const report: Report = (message, path) => mistakes.add(pipeline, `${where}${message}`, path, step);
  mistakes.addSlips(pipeline, step.call.slips, [], `${where}: `, step);
  const { needs, ...edges } = compileNeeds(pipeline, step, members, report, mistakes);
  const { timeout } = step.options;
  const atTimeout = [2, 'timeout'];
  return {
    name: step.name,
    action: compileAction(pipeline, step, edges.foreach, report, deps),
    needs,
    ...edges,
    ...(step.in === undefined ? {} : { in: step.in.name }),
    ...compileRetry(pipeline, step, report, mistakes),
    ...compileWays(step, report),
    timeoutMicros:
      timeout === undefined ? null : duration(pipeline, `${where}: timeout`, timeout, false, atTimeout, mistakes, step),
    ...compilePlace(pipeline, step, report, mistakes),
  };
}

type Ways = Pick<StepSpec, 'after' | 'catch' | 'cache' | 'index' | 'isolate' | 'parallel' | 'pool'>;

/** How its tasks run. */
function compileWays({ options, action }: AuthoredStep, report: Report): Ways {
  const { after, cache, parallel, pool } = options;
  if (after !== undefined && after !== 'end')
    report(`: after must be 'end', got ${describeResult(after)}`, [2, 'after']);
  const flag = <K extends 'catch' | 'cache' | 'index' | 'isolate'>(name: K): { readonly [Name in K]?: true } => {
    const value = options[name];
    if (value !== undefined && typeof value !== 'boolean')
      report(`: ${name} must be true or false, got ${describeResult(value)}`, [2, name]);
    // One name, as K is.
    return (value === true ? { [name]: true } : {}) as { readonly [Name in K]?: true };
  };
  if (cache === true && action !== undefined && ACTION_KINDS.get(action.kind)?.isEffect === true) {
    const why = 'what it does lies outside of the run, and a result of before would not do it';
    report(`: cache is not for ${action.kind}(…): ${why}. Take it out`, [2, 'cache']);
  }
  const fn = functionOfTask(action);
  if (cache === true && options.index !== true && fn !== undefined && readsIndex(fn)) {
    const why = 'a cached step goes by its items, wherever they stand in the list';
    report(`: task(…) reads \`index\`, and ${why}. Put what it needs into the item, or write index: true`, [1, 0]);
  }
  if (parallel !== undefined && !(typeof parallel === 'number' && Number.isSafeInteger(parallel) && parallel >= 1))
    report(`: parallel must be a whole number of 1 or more, got ${describeResult(parallel)}`, [2, 'parallel']);
  const index = flag('index');
  const poolMistake = pool === undefined ? undefined : labelMistake(pool);
  if (poolMistake !== undefined) report(`: pool: ${poolMistake}`, [2, 'pool']);
  return {
    ...(after === 'end' ? { after } : {}),
    ...flag('catch'),
    ...flag('cache'),
    // Without a cache a task is given its index anyway.
    ...(cache === true ? index : {}),
    ...flag('isolate'),
    ...(typeof parallel === 'number' ? { parallel } : {}),
    ...(typeof pool === 'string' ? { pool } : {}),
  };
}

function compileAction(
  pipeline: AuthoredPipeline,
  step: AuthoredStep,
  foreach: StepSpec['foreach'],
  report: Report,
  { functions, takenAlong, mistakes }: StepDeps,
): StepAction {
  const { action } = step;
  const where = titleOfMember(step);
  const kind = action === undefined ? undefined : ACTION_KINDS.get(action.kind);
  if (action === undefined || kind === undefined) {
    const all = [...ACTION_KINDS.keys()].map((name) => `${name}(…)`).join(', ');
    report(` must do something: one of ${all}`, [1]);
    return { kind: 'shell', command: '' };
  }
  mistakes.addSlips(pipeline, action.slips, [1], `${where}: `, step);
  const context: ActionContext = {
    pipeline: pipeline.name,
    step: step.name,
    foreach,
    report,
    text: (what, value, at) => expectText(pipeline, `${where}: ${what}`, value, at, mistakes, step),
    object: (what, value, of, at) => expectKind(value, of, pipeline, `${where}: ${what}`, at, mistakes, step),
    addFunction: (id, fn) => functions.add(id, fn),
    takeAlong: (paths) => takenAlong.add(pipeline.name, step.name, paths),
  };
  // What was given came by the kind's own authoring function.
  return kind.compile(action.given as never, context);
}
