// A run that another system drives, as commands print it: what was taken of it, what can be run next, and what is wrong with it.

import { counted } from '../core/index.ts';
import type { SyncedRun } from '../orchestrator/index.ts';
import type { CommandContext, CommandResult } from './command.ts';

export async function prepareForAnother(
  context: CommandContext,
  request: {
    readonly pipeline: string;
    readonly params: Readonly<Record<string, string>>;
    readonly id: string | undefined;
    readonly keepGoing: boolean;
  },
): Promise<CommandResult> {
  const { id, ...more } = request;
  const { openSync } = await import('../app/index.ts');
  const { prepareElsewhere } = await import('../orchestrator/index.ts');
  const app = await context.app();
  const deps = { ...(await openSync(app, { onWait: context.tell })), definitions: await app.applied() };
  const by = context.environment.actor;
  const run = await prepareElsewhere(deps, { ...more, by, ...(id === undefined ? {} : { id }) });
  return { json: presentSynced(run), text: describeSynced(run), exitCode: exitCodeOfSync(run) };
}

export function presentSynced(run: SyncedRun): object {
  const { id, pipeline, state, error, isNew, taken, open, models, problems, problemCount } = run;
  return {
    id,
    pipeline,
    state,
    error,
    new: isNew,
    taken,
    open,
    models: models.map(({ model, version, isNew: isNewHere }) => ({ model, version, new: isNewHere })),
    problems,
    problem_count: problemCount,
  };
}

export function exitCodeOfSync({ problemCount }: SyncedRun): 0 | 1 {
  return problemCount === 0 ? 0 : 1;
}

export function describeSynced(run: SyncedRun): string {
  const { id, pipeline, state, error, taken, open, models, problems, problemCount } = run;
  const failed = taken.failed === 0 ? '' : `, ${taken.failed} failed`;
  const lines = open
    .slice(0, MOST_SHOWN)
    .map(
      ({ step, scope, spec, tasks, left }) =>
        `  ${step}${scope === '' ? '' : `[${scope}]`}  ${left} of ${tasks} left  ${spec}`,
    );
  return [
    `run ${id} of ${pipeline}: ${state}; ${counted(taken.succeeded, 'result')} taken${failed}`,
    ...lines,
    ...(open.length > MOST_SHOWN ? [`  and ${open.length - MOST_SHOWN} more, as --json tells`] : []),
    ...models.map(
      ({ model, version, isNew }) => `  ${model} version ${version}${isNew ? ', registered here now' : ''}`,
    ),
    ...(error === null ? [] : [error]),
    ...problems.map(({ key, reason }) => `problem: ${reason.startsWith(key) ? '' : `${key}: `}${reason}`),
    ...(problemCount > problems.length ? [`and ${problemCount - problems.length} more problems`] : []),
  ].join('\n');
}

const MOST_SHOWN = 20;
