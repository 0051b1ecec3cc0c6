// A pipeline as written to its spec: a directed acyclic graph, checked.

import { Cron } from 'croner';
import { didYouMean, sha256Hex } from '../../core/index.ts';
import { authored, type AuthoredPipeline, type AuthoredStep } from '../authoring/authored.ts';
import type { Foreach, PipelineSpec, StepAction, StepSpec, UserFunction } from '../manifest.ts';
import { own } from '../own.ts';
import { expectKind } from './collect.ts';
import { duration } from './compile-source.ts';
import { compileAbout, compileFields } from './fields.ts';
import type { Mistakes } from './mistakes.ts';
import { dataMistake, identifierMistake, labelMistake } from './names.ts';

export function compilePipeline(
  pipeline: AuthoredPipeline,
  functions: Map<string, UserFunction>,
  mistakes: Mistakes,
): PipelineSpec {
  const nameMistake = labelMistake(pipeline.name);
  if (nameMistake !== undefined) mistakes.add(pipeline, nameMistake);
  checkSchedule(pipeline, mistakes);
  const steps = pipeline.steps.flatMap((value) => {
    const step = expectKind(value, 'step', pipeline, 'a step', mistakes);
    return step === undefined ? [] : [step];
  });
  if (steps.length === 0) mistakes.add(pipeline, "it has no steps: add one with .step('name', …)");
  const names = new Set<string>();
  for (const { name } of steps) {
    const stepMistake = labelMistake(name);
    if (stepMistake !== undefined) mistakes.add(pipeline, `step ${stepMistake}`);
    if (names.has(name)) mistakes.add(pipeline, `two steps are named "${name}". Rename one of them`);
    names.add(name);
  }
  const specs = steps.map((step) => compileStep(pipeline, step, steps, functions, mistakes));
  refuseStepCycles(pipeline, specs, mistakes);
  return {
    ...compileAbout(pipeline, pipeline.about, mistakes),
    name: pipeline.name,
    ...(pipeline.schedule === undefined ? {} : { schedule: pipeline.schedule }),
    ...(pipeline.timezone === undefined ? {} : { timezone: pipeline.timezone }),
    params: compileFields(pipeline.params, pipeline, 'parameter', identifierMistake, mistakes),
    steps: specs,
  };
}

function compileStep(
  pipeline: AuthoredPipeline,
  step: AuthoredStep,
  steps: readonly AuthoredStep[],
  functions: Map<string, UserFunction>,
  mistakes: Mistakes,
): StepSpec {
  const where = `step "${step.name}"`;
  const needs: Record<string, string> = {};
  for (const [name, value] of Object.entries(step.needs)) {
    const nameMistake = identifierMistake(name);
    if (nameMistake !== undefined) mistakes.add(pipeline, `${where}: need ${nameMistake}`);
    const needed = neededStep(pipeline, where, name, value, steps, mistakes);
    if (needed !== undefined) needs[name] = needed;
  }
  const foreach = compileForeach(pipeline, where, step, steps, needs, mistakes);
  if (!Number.isInteger(step.retry) || step.retry < 0 || step.retry > 100)
    mistakes.add(pipeline, `${where}: retry must be a whole number from 0 to 100, got ${String(step.retry)}`);
  const { cpu, memory } = step.resources;
  if (cpu !== undefined && !(cpu > 0))
    mistakes.add(pipeline, `${where}: resources.cpu must be above 0, got ${String(cpu)}`);
  if (memory !== undefined && !/^\d+(\.\d+)?\s*([KMGT]i?B?|B)?$/i.test(memory))
    mistakes.add(
      pipeline,
      `${where}: resources.memory ${JSON.stringify(memory)} is no size. Write it like '4Gi' or '512Mi'`,
    );
  return {
    name: step.name,
    action: compileAction(pipeline, step, functions, mistakes),
    needs,
    ...(foreach === undefined ? {} : { foreach }),
    retry: step.retry,
    timeoutMicros:
      step.timeout === undefined ? null : duration(pipeline, `${where}: timeout`, step.timeout, false, mistakes),
    resources: { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) },
  };
}

function neededStep(
  pipeline: AuthoredPipeline,
  where: string,
  name: string,
  value: unknown,
  steps: readonly AuthoredStep[],
  mistakes: Mistakes,
): string | undefined {
  const known = steps.map((step) => step.name);
  const object = authored(value);
  const stepName = typeof value === 'string' ? value : object?.kind === 'step' ? object.name : undefined;
  if (stepName === undefined) {
    mistakes.add(pipeline, `${where}: need "${name}" must be a step: what .step(…) gave`);
  } else if (!known.includes(stepName)) {
    mistakes.add(
      pipeline,
      `${where} needs "${stepName}", which is no step of this pipeline.${didYouMean(stepName, known)}`,
    );
  } else if (object?.kind === 'step' && !steps.includes(object)) {
    mistakes.add(
      pipeline,
      `${where}: need "${name}" is a step of pipeline "${object.pipeline}". Add a step to this pipeline`,
    );
  } else {
    return stepName;
  }
  return undefined;
}

// `needs` gets an entry for a step that is only named as `foreach`.
function compileForeach(
  pipeline: AuthoredPipeline,
  where: string,
  step: AuthoredStep,
  steps: readonly AuthoredStep[],
  needs: Record<string, string>,
  mistakes: Mistakes,
): Foreach | undefined {
  const { foreach } = step;
  if (foreach === undefined) return undefined;
  if (authored(foreach)?.kind === 'step') {
    const needed = neededStep(pipeline, where, 'foreach', foreach, steps, mistakes);
    if (needed === undefined) return undefined;
    const under = Object.entries(needs).find(([, name]) => name === needed)?.[0] ?? needed;
    const other = own(needs, under);
    if (other !== undefined && other !== needed) {
      mistakes.add(
        pipeline,
        `${where}: need "${under}" is step "${other}", and foreach takes that name for step "${needed}". Rename the need`,
      );
    }
    needs[under] = needed;
    return { kind: 'result', of: needed };
  }
  const given: Foreach | undefined = Array.isArray(foreach)
    ? { kind: 'items', items: foreach }
    : (foreach as { foreach?: Foreach } | null)?.foreach;
  refuseProto(pipeline, `${where}: foreach: `, given, mistakes);
  switch (given?.kind) {
    case 'items':
      checkItems(pipeline, where, given.items, mistakes);
      return given;
    case 'grid': {
      const axes = Object.entries(given.axes ?? {});
      if (axes.length === 0 || axes.some(([, values]) => !Array.isArray(values) || values.length === 0)) {
        mistakes.add(
          pipeline,
          `${where}: every axis of its grid needs at least one value: grid({ trees: [100, 200] })`,
        );
      }
      checkItems(
        pipeline,
        where,
        axes.flatMap(([, values]) => values),
        mistakes,
      );
      return given;
    }
    case 'range':
      if (!Number.isSafeInteger(given.start) || !Number.isSafeInteger(given.end) || given.end < given.start) {
        mistakes.add(
          pipeline,
          `${where}: its range ${given.start}..${given.end} must be of whole numbers, the end not below the start`,
        );
      }
      return given;
    default:
      mistakes.add(pipeline, `${where}: foreach must be an array, grid({ … }), range(n) or a step`);
      return undefined;
  }
}

function checkItems(pipeline: AuthoredPipeline, where: string, items: readonly unknown[], mistakes: Mistakes): void {
  const bad = items.find((item) => !isPlain(item));
  if (bad !== undefined)
    mistakes.add(pipeline, `${where}: the items of foreach must be plain JSON data, got ${typeof bad}`);
}

function refuseProto(pipeline: AuthoredPipeline, where: string, data: unknown, mistakes: Mistakes): void {
  const mistake = dataMistake(data);
  if (mistake !== undefined) mistakes.add(pipeline, `${where}${mistake}`);
}

function isPlain(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isPlain);
  return (
    typeof value === 'object' &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.values(value).every(isPlain)
  );
}

function compileAction(
  pipeline: AuthoredPipeline,
  step: AuthoredStep,
  functions: Map<string, UserFunction>,
  mistakes: Mistakes,
): StepAction {
  const { action } = step;
  const where = `step "${step.name}"`;
  switch (action?.kind) {
    case 'task': {
      const id = `pipeline/${pipeline.name}/${step.name}`;
      if (typeof action.run !== 'function') mistakes.add(pipeline, `${where}: task(…) needs a function`);
      functions.set(id, action.run);
      return { kind: 'task', function: { id, hash: sha256Hex(String(action.run)) } };
    }
    case 'python':
      if (typeof action.script !== 'string' || action.script === '')
        mistakes.add(pipeline, `${where}: python(…) needs the path of a script`);
      if (!isPlain(action.args)) mistakes.add(pipeline, `${where}: the args of python(…) must be plain JSON data`);
      refuseProto(pipeline, `${where}: args: `, action.args, mistakes);
      return {
        kind: 'python',
        script: action.script,
        ...(action.requirements === undefined ? {} : { requirements: action.requirements }),
        args: action.args,
      };
    case 'trainingSet': {
      const service = expectKind(action.service, 'service', pipeline, `${where}: service`, mistakes);
      if (typeof action.spine !== 'string' || action.spine === '')
        mistakes.add(pipeline, `${where}: trainingSet(…) needs \`spine\`: the path of a file`);
      if (action.boundary !== 'at' && action.boundary !== 'before')
        mistakes.add(pipeline, `${where}: boundary must be 'at' or 'before', got ${String(action.boundary)}`);
      return {
        kind: 'trainingSet',
        service: service?.name ?? '',
        spine: action.spine,
        ...(action.timestamp === undefined ? {} : { timestamp: action.timestamp }),
        labels: action.labels,
        boundary: action.boundary,
      };
    }
    case 'registerModel': {
      const model = expectKind(action.model, 'model', pipeline, `${where}: model`, mistakes);
      return {
        kind: 'registerModel',
        model: model?.name ?? '',
        ...(action.alias === undefined ? {} : { alias: action.alias }),
      };
    }
    default:
      mistakes.add(pipeline, `${where} must do something: task(…), python(…), trainingSet(…) or registerModel(…)`);
      return { kind: 'python', script: '', args: {} };
  }
}

function refuseStepCycles(pipeline: AuthoredPipeline, steps: readonly StepSpec[], mistakes: Mistakes): void {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const state = new Map<string, 'open' | 'done'>();
  const visit = (name: string, path: readonly string[]): void => {
    if (state.get(name) === 'done') return;
    if (state.get(name) === 'open') {
      mistakes.add(
        pipeline,
        `its steps need each other in a circle: ${[...path.slice(path.indexOf(name)), name].join(' → ')}. Take one of these needs out`,
      );
      return;
    }
    state.set(name, 'open');
    for (const needed of Object.values(byName.get(name)?.needs ?? {})) visit(needed, [...path, name]);
    state.set(name, 'done');
  };
  for (const { name } of steps) visit(name, []);
}

function checkSchedule(pipeline: AuthoredPipeline, mistakes: Mistakes): void {
  const { schedule, timezone } = pipeline;
  if (schedule !== undefined && !isCron(schedule)) {
    mistakes.add(
      pipeline,
      `schedule ${JSON.stringify(schedule)} is no cron expression: write five fields, '0 3 * * *' for every day at 03:00`,
    );
  }
  if (timezone === undefined) return;
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
  } catch {
    mistakes.add(
      pipeline,
      `timezone ${JSON.stringify(timezone)} is not known: use an IANA name such as 'Europe/Berlin'`,
    );
  }
}

function isCron(text: unknown): boolean {
  if (typeof text !== 'string') return false;
  try {
    new Cron(text, { paused: true });
    return true;
  } catch {
    return false;
  }
}
