// A step of a pipeline as written to its spec.

import type { AuthoredPipeline, AuthoredStep } from '../authoring/authored.ts';
import { findSlips, type Path } from '../authoring/call.ts';
import { RESOURCE_OPTIONS } from '../authoring/pipeline.ts';
import { describeResult } from '../calling/user-value.ts';
import { taskId } from '../function-id.ts';
import type { StepAction, StepSpec } from '../manifest.ts';
import { expectKind } from './collect.ts';
import { compileForeach, neededStep, type Report } from './compile-needs.ts';
import { duration } from './duration.ts';
import { expectRecord, expectText } from './fields.ts';
import type { FunctionTable } from './function-table.ts';
import type { Mistakes } from './mistakes.ts';
import { dataMistake, identifierMistake, showName } from './names.ts';
import { isPlain } from './plain-data.ts';

export function compileStep(
  pipeline: AuthoredPipeline,
  step: AuthoredStep,
  steps: readonly AuthoredStep[],
  functions: FunctionTable,
  mistakes: Mistakes,
): StepSpec {
  const where = `step "${step.name}"`;
  const report: Report = (message, path) => mistakes.add(pipeline, `${where}${message}`, path, step);
  mistakes.addSlips(pipeline, step.call.slips, [], `${where}: `, step);
  const needs: Record<string, string> = {};
  const isRecord = expectRecord(pipeline, `${where}: needs`, step.needs, [2, 'needs'], mistakes, step);
  for (const [name, value] of Object.entries(isRecord ? step.needs : {})) {
    const at = [2, 'needs', name];
    const nameMistake = identifierMistake(name);
    if (nameMistake !== undefined) report(`: need ${nameMistake}`, at);
    const needed = neededStep(name, value, at, steps, report);
    if (needed !== undefined) needs[name] = needed;
  }
  const foreach = compileForeach(step, steps, needs, report);
  if (!Number.isInteger(step.retry) || step.retry < 0 || step.retry > 100)
    report(`: retry must be a whole number from 0 to 100, got ${describeResult(step.retry)}`, [2, 'retry']);
  const { timeout } = step;
  const atTimeout = [2, 'timeout'];
  return {
    name: step.name,
    action: compileAction(pipeline, step, functions, report, mistakes),
    needs,
    ...(foreach === undefined ? {} : { foreach }),
    retry: step.retry,
    timeoutMicros:
      timeout === undefined ? null : duration(pipeline, `${where}: timeout`, timeout, false, atTimeout, mistakes, step),
    resources: compileResources(step, report),
  };
}

function compileResources(step: AuthoredStep, report: Report): StepSpec['resources'] {
  const at = [2, 'resources'];
  for (const slip of findSlips(step.resources, RESOURCE_OPTIONS, at, 'resources'))
    report(`: ${slip.message}`, slip.path);
  const { cpu, memory }: { readonly cpu?: unknown; readonly memory?: unknown } = step.resources;
  if (cpu !== undefined && !(typeof cpu === 'number' && cpu > 0 && Number.isFinite(cpu)))
    report(`: resources.cpu must be a number above 0, got ${describeResult(cpu)}`, [...at, 'cpu']);
  if (memory !== undefined && !(typeof memory === 'string' && /^\d+(\.\d+)?\s*([KMGT]i?B?|B)?$/i.test(memory)))
    report(`: resources.memory ${showName(memory)} is no size. Write it like '4Gi' or '512Mi'`, [...at, 'memory']);
  return {
    ...(typeof cpu === 'number' ? { cpu } : {}),
    ...(typeof memory === 'string' ? { memory } : {}),
  };
}

function compileAction(
  pipeline: AuthoredPipeline,
  step: AuthoredStep,
  functions: FunctionTable,
  report: Report,
  mistakes: Mistakes,
): StepAction {
  const { action } = step;
  const where = `step "${step.name}"`;
  const text = (what: string, value: unknown, at: Path): void =>
    expectText(pipeline, `${where}: ${what}`, value, at, mistakes, step);
  if (action !== undefined && 'slips' in action) mistakes.addSlips(pipeline, action.slips, [1], `${where}: `, step);
  switch (action?.kind) {
    case 'task': {
      const id = taskId(pipeline.name, step.name);
      const isFunction = typeof action.run === 'function';
      if (!isFunction) report(': task(…) needs a function', [1, 0]);
      return { kind: 'task', function: isFunction ? functions.add(id, action.run) : { id, hash: '' } };
    }
    case 'python': {
      if (typeof action.script !== 'string' || action.script === '')
        report(': python(…) needs the path of a script', [1, 0]);
      const atArgs = [1, 1, 'args'];
      const mistake = dataMistake(action.args);
      if (mistake !== undefined) report(`: args: ${mistake}`, atArgs);
      else if (!isPlain(action.args) || Array.isArray(action.args))
        report(': the args of python(…) must be an object of plain JSON data', atArgs);
      if (action.requirements !== undefined) text('requirements', action.requirements, [1, 1, 'requirements']);
      return {
        kind: 'python',
        script: action.script,
        ...(action.requirements === undefined ? {} : { requirements: action.requirements }),
        args: action.args,
      };
    }
    case 'trainingSet': {
      const at = [1, 0];
      const service = expectKind(
        action.service,
        'service',
        pipeline,
        `${where}: service`,
        [...at, 'service'],
        mistakes,
        step,
      );
      if (typeof action.spine !== 'string' || action.spine === '')
        report(': trainingSet(…) needs `spine`: the path of a file', at);
      if (action.boundary !== 'at' && action.boundary !== 'before')
        report(`: boundary must be 'at' or 'before', got ${describeResult(action.boundary)}`, [...at, 'boundary']);
      if (action.timestamp !== undefined) text('timestamp', action.timestamp, [...at, 'timestamp']);
      for (const label of action.labels) text('a label', label, at);
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
      const model = expectKind(action.model, 'model', pipeline, `${where}: model`, [1, 0], mistakes, step);
      if (action.alias !== undefined) text('alias', action.alias, [1, 1, 'alias']);
      return {
        kind: 'registerModel',
        model: model?.name ?? '',
        ...(action.alias === undefined ? {} : { alias: action.alias }),
      };
    }
    default:
      report(' must do something: task(…), python(…), trainingSet(…) or registerModel(…)', [1]);
      return { kind: 'python', script: '', args: {} };
  }
}
