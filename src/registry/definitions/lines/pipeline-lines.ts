// How a pipeline differs from what it was, and which text files travel with the steps of one that comes: what a script names
// goes to the artifact store, a secret too.

import type { PipelineSpec, StepSpec } from '../../../definitions/index.ts';
import { describeDifference } from '../difference.ts';
import { type ChangeLine, line } from './change-line.ts';
import { restLines } from './rest-lines.ts';

/** Steps in whatever depth they differ: by their paths. */
export function pipelineLines(was: PipelineSpec, is: PipelineSpec): ChangeLine[] {
  const told = (spec: PipelineSpec): object => ({
    schedule: spec.schedule,
    timezone: spec.timezone,
    params: spec.params,
    steps: spec.steps.map(withFilesByPath),
  });
  const lines = describeDifference(told(was), told(is)).map((text) =>
    line(/: code [0-9a-f]{8} → code [0-9a-f]{8}$/.test(text) ? 'code' : 'meaning', text),
  );
  return [...lines, ...restLines(was, is, ['schedule', 'timezone', 'params', 'steps'])];
}

/** `step "fit" takes along fit/params.json`: of one that comes. */
export function travelLines({ steps }: PipelineSpec): ChangeLine[] {
  return steps.flatMap(({ name, action }) => {
    if (action.kind !== 'python') return [];
    const { script, requirements, files = [] } = action;
    const isOwn = (path: string): boolean => path.endsWith('.py') || path === script || path === requirements;
    const texts = files.map(({ path }) => path).filter((path) => !isOwn(path));
    return texts.length === 0 ? [] : [line('about', `step "${name}" takes along ${texts.join(', ')}`)];
  });
}

/** Each file as code by its path. */
function withFilesByPath(step: StepSpec): object {
  if (step.action.kind !== 'python' || step.action.files === undefined) return step;
  const files = Object.fromEntries(step.action.files.map(({ path, hash }) => [path, { id: '', hash }]));
  return { ...step, action: { ...step.action, files } };
}
