// A pipeline as written to its spec: a directed acyclic graph, checked.

import { Cron } from 'croner';
import type { AuthoredPipeline, AuthoredStep } from '../authoring/authored.ts';
import { AUTHORED } from '../authoring/authored-mark.ts';
import type { PipelineSpec, StepSpec } from '../manifest.ts';
import { compileStep } from './compile-step.ts';
import { compileAbout, compileFields } from './fields.ts';
import type { FunctionTable } from './function-table.ts';
import type { Mistakes } from './mistakes.ts';
import { identifierMistake, labelMistake, showName } from './names.ts';

export function compilePipeline(
  pipeline: AuthoredPipeline,
  functions: FunctionTable,
  mistakes: Mistakes,
): PipelineSpec {
  const nameMistake = labelMistake(pipeline.name);
  if (nameMistake !== undefined) mistakes.add(pipeline, nameMistake, [0]);
  checkSchedule(pipeline, mistakes);
  const steps = pipeline.steps.flatMap(({ [AUTHORED]: step }) => {
    const stepMistake = labelMistake(step.name);
    if (stepMistake !== undefined) mistakes.add(pipeline, `step ${stepMistake}`, [0], step);
    return typeof step.name === 'string' ? [step] : [];
  });
  if (pipeline.steps.length === 0) mistakes.add(pipeline, "it has no steps: add one with .step('name', …)");
  const byName = new Map<string, AuthoredStep>();
  for (const step of steps) {
    const { name } = step;
    const other = byName.get(name);
    if (other !== undefined) {
      const where = mistakes.whereIs(other);
      mistakes.add(
        pipeline,
        `two steps are named "${name}"${where && `, the other${where}`}. Rename one of them`,
        [0],
        step,
      );
    }
    byName.set(name, step);
  }
  const specs = steps.map((step) => compileStep(pipeline, step, steps, functions, mistakes));
  refuseStepCycles(pipeline, specs, byName, mistakes);
  return {
    ...compileAbout(pipeline, pipeline.about, [1], mistakes),
    name: pipeline.name,
    ...(pipeline.schedule === undefined ? {} : { schedule: pipeline.schedule }),
    ...(pipeline.timezone === undefined ? {} : { timezone: pipeline.timezone }),
    params: compileFields(pipeline.params, pipeline, 'parameter', [1, 'params'], identifierMistake, mistakes),
    steps: specs,
  };
}

function refuseStepCycles(
  pipeline: AuthoredPipeline,
  steps: readonly StepSpec[],
  stepOf: ReadonlyMap<string, AuthoredStep>,
  mistakes: Mistakes,
): void {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const state = new Map<string, 'open' | 'done'>();
  const visit = (name: string, path: readonly string[]): void => {
    if (state.get(name) === 'done') return;
    if (state.get(name) === 'open') {
      mistakes.add(
        pipeline,
        `its steps need each other in a circle: ${[...path.slice(path.indexOf(name)), name].join(' → ')}. Take one of these needs out`,
        [2, 'needs'],
        stepOf.get(name),
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
      `schedule ${showName(schedule)} is no cron expression: write five fields, '0 3 * * *' for every day at 03:00`,
      [1, 'schedule'],
    );
  }
  if (timezone === undefined) return;
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
  } catch {
    mistakes.add(pipeline, `timezone ${showName(timezone)} is not known: use an IANA name such as 'Europe/Berlin'`, [
      1,
      'timezone',
    ]);
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
