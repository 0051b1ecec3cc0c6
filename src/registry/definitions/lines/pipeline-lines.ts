// How a pipeline differs from what it was, and which text files travel with the steps of one that comes: what a script names
// goes to the artifact store, a secret too.

import { formatDuration } from '../../../core/index.ts';
import type { PipelineSpec, RetryDelay, StepSpec, TriggerSpec } from '../../../definitions/index.ts';
import { describeDifference } from '../difference.ts';
import { type ChangeLine, line } from './change-line.ts';
import { restLines } from './rest-lines.ts';

/** Steps in whatever depth they differ: by their paths. */
export function pipelineLines(was: PipelineSpec, is: PipelineSpec): ChangeLine[] {
  const told = (spec: PipelineSpec): object => ({
    schedule: spec.schedule,
    timezone: spec.timezone,
    catchUp: spec.catchUp,
    concurrency: spec.concurrency,
    overlap: spec.overlap,
    on: (spec.on ?? []).map(showTrigger),
    params: spec.params,
    groups: spec.groups ?? [],
    steps: spec.steps.map(toldStep),
  });
  const lines = describeDifference(told(was), told(is)).map((text) =>
    line(/: code [0-9a-f]{8} → code [0-9a-f]{8}$/.test(text) ? 'code' : 'meaning', text),
  );
  return [...lines, ...restLines(was, is, Object.keys(told(is)))];
}

/** `step "fit" takes along fit/params.json`: of one that comes, with why all of a script's folder does, where it does. */
export function travelLines({ steps }: PipelineSpec): ChangeLine[] {
  return steps.flatMap(({ name, action }) => {
    if (!('files' in action)) return [];
    const { files = [] } = action;
    const own = 'script' in action ? [action.script, action.requirements] : [];
    const isOwn = (path: string): boolean => path.endsWith('.py') || own.includes(path);
    const texts = files.map(({ path }) => path).filter((path) => !isOwn(path));
    const whole = 'whole' in action ? action.whole : undefined;
    return [
      ...(texts.length === 0 ? [] : [line('about', `step "${name}" takes along ${texts.join(', ')}`)]),
      ...(whole === undefined
        ? []
        : [line('about', `step "${name}" takes along all Python files of its script's folder: ${whole}`)]),
    ];
  });
}

/** A step with each of its files as code by its path, and its wait in words. */
function toldStep(step: StepSpec): object {
  const { action, delay } = step;
  const told = { ...step, ...(delay === undefined ? {} : { delay: showDelay(delay) }) };
  if (!('files' in action) || action.files === undefined) return told;
  const files = Object.fromEntries(action.files.map(({ path, hash }) => [path, { id: '', hash }]));
  return { ...told, action: { ...action, files } };
}

/** `5s, times 3, up to 2m, 10 % random`. */
function showDelay({ delayMicros, factor, maxMicros, jitter }: RetryDelay): string {
  const [first, most] = [formatDuration(delayMicros), formatDuration(maxMicros)];
  return `${first}, times ${factor}, up to ${most}, ${jitter * 100} % random`;
}

/** `materialized delays`. */
function showTrigger(trigger: TriggerSpec): string {
  switch (trigger.kind) {
    case 'materialized':
      return `materialized ${trigger.view}`;
    case 'pushed':
      return `pushed ${trigger.source}${trigger.everyMicros === undefined ? '' : `, every ${formatDuration(trigger.everyMicros)}`}`;
    case 'drift':
      return `drift ${trigger.endpoint}`;
  }
}
