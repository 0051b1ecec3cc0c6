// What is other in one run than in another: what they were given, their code, how their steps went and what those gave.

import { type Json, stringifyJson } from '../core/index.ts';
import type { StepAction } from '../definitions/index.ts';
import { actionParts } from './action-parts.ts';
import type { RunsDeps } from './orchestrator-deps.ts';
import { openRunStore } from './rows/open-run-store.ts';
import { getRun, type RunStep } from './shown-runs.ts';

export interface RunDifference {
  /** 'state', 'params.seed', 'steps.fit.code.files.fit.py', 'steps.fit.result.auc'. */
  readonly path: string;
  readonly a: Json;
  readonly b: Json;
}

export interface DiffedRuns {
  readonly a: string;
  readonly b: string;
  readonly differences: readonly RunDifference[];
}

/** Results are compared member by member, as far as they are shown with a run. Throws HR_UNKNOWN_RUN. */
export async function diffRuns(deps: RunsDeps, a: string, b: string): Promise<DiffedRuns> {
  const store = await openRunStore(deps.database, deps.clock);
  const [one, other] = [await partsOf(a), await partsOf(b)];
  const differences = [...new Set([...one.keys(), ...other.keys()])].flatMap((path): RunDifference[] => {
    const [was, is] = [one.get(path) ?? null, other.get(path) ?? null];
    return stringifyJson(was) === stringifyJson(is) ? [] : [{ path, a: was, b: is }];
  });
  return { a, b, differences };

  async function partsOf(id: string): Promise<ReadonlyMap<string, Json>> {
    const [{ run }, shown] = [await store.get(id), await getRun(deps, id)];
    const parts = new Map<string, Json>([
      ['pipeline', run.pipeline],
      ['state', shown.state],
    ]);
    addLeaves(parts, 'params', run.params);
    const actions = new Map(run.spec.steps.map(({ name, action }) => [name, action]));
    for (const step of shown.steps) addStep(parts, step, actions.get(step.name));
    return parts;
  }
}

function addStep(parts: Map<string, Json>, step: RunStep, action: StepAction | undefined): void {
  const at = `steps.${step.name}`;
  parts.set(`${at}.state`, step.state);
  for (const [part, value] of action === undefined ? [] : actionParts(action)) parts.set(`${at}.code.${part}`, value);
  // The parts of the step's own code are above; of other code that finished some of its tasks its name is kept.
  const others = new Map<string, number>();
  for (const { code, tasks } of step.codes ?? [])
    if (code !== null && code !== step.code) others.set(code, (others.get(code) ?? 0) + tasks);
  for (const [code, tasks] of others) parts.set(`${at}.tasks_by.${code}`, tasks);
  if (step.children !== null) parts.set(`${at}.children`, step.children);
  if (step.result !== undefined) addLeaves(parts, `${at}.result`, step.result);
}

function addLeaves(parts: Map<string, Json>, path: string, value: Json): void {
  if (value === null || typeof value !== 'object') {
    parts.set(path, value);
    return;
  }
  const members = Array.isArray(value)
    ? value.map((item, at) => [`${path}[${at}]`, item] as const)
    : Object.entries(value).map(([name, member]) => [`${path}.${name}`, member] as const);
  if (members.length === 0) parts.set(path, value);
  for (const [at, member] of members) addLeaves(parts, at, member);
}
