// `headrace step`: runs tasks of a step anywhere, from the order that lies in the artifact store.

import { parseJson, stringifyJson, toHeadraceError } from '../core/index.ts';
import type { RanTasks, TaskEnd } from '../orchestrator/index.ts';
import { collect, type CommandContext, type CommandResult, defineCommand, textOption, usageError } from './command.ts';
import { untilInterrupted } from './run.ts';
import { wholeNumberOption } from './whole-number-option.ts';

const MOST_INDEX = 2 ** 31 - 1;

export const stepCommand = defineCommand({
  usage: 'step',
  summary: 'run tasks of a step from its order, with the artifact store alone',
  example: 'headrace step --spec blob:9f86d081884c7d65… --index 0 --index 1 --artifacts s3://team/headrace',
  exitCodes: {
    0: 'every task has its result',
    1: 'a task failed; it may be tried again',
    75: 'a task was lost: what ran it was stopped or died, or the artifact store is away; trying again costs no try',
    78: 'a task failed for good: trying again cannot help',
  },
  notes:
    'A task that has a result is not run again: the first attempt to put result.json has made it. Neither a registry nor a\nrepository is needed; steps of kinds such as trainingSet and registerModel run where headrace.config.ts is.',
  options: (command) =>
    command
      .requiredOption(
        '--spec <uri>',
        'the order of the step: blob:<SHA-256>, as a driver or a compiled pipeline wrote it',
      )
      .option('--index <n>', 'a task of the step; may come several times (default: all)', collect)
      .option('--attempt <n>', 'which attempt it is, for the task to see and for its log (default: 1)')
      .option(
        '--artifacts <url>',
        'where the artifact store lies (default: HEADRACE_ARTIFACTS_URL, or the configuration)',
      ),
  async run(context, _args, options) {
    const indexes = (options['index'] as readonly string[] | undefined)?.map(readIndex); // collected above
    const attempt = wholeNumberOption(options, 'attempt', 1, MOST_INDEX) ?? 1;
    const { exitCodeOfError } = await import('../orchestrator/index.ts');
    try {
      return await untilInterrupted((signal) =>
        runStep(context, textOption(options, 'artifacts'), {
          spec: textOption(options, 'spec') ?? '',
          ...(indexes === undefined ? {} : { indexes }),
          attempt,
          signal,
        }),
      );
    } catch (error) {
      const { code, message } = toHeadraceError(error);
      context.tell(`${code}: ${message}`);
      return { json: { error: { code, message } }, text: '', exitCode: exitCodeOfError(error) };
    }
  },
});

async function runStep(
  context: CommandContext,
  artifacts: string | undefined,
  request: { spec: string; indexes?: readonly number[]; attempt: number; signal: AbortSignal },
): Promise<CommandResult> {
  const { openTaskExecutor } = await import('../app/index.ts');
  const { exitCodeOf, newOwner, runTasks } = await import('../orchestrator/index.ts');
  const app = await context.app('write', { places: { 'artifacts.url': artifacts } });
  const executor = await openTaskExecutor(app, newOwner());
  try {
    const ran = await runTasks({ objects: await app.objects(), executor }, request);
    return {
      json: present(ran),
      text: ran.ends.map((end) => describe(ran, end)).join('\n'),
      exitCode: exitCodeOf(ran.ends),
    };
  } finally {
    await executor.close();
  }
}

function present({ order, ends }: RanTasks): object {
  const { run, step, scope } = order;
  return { run, step, scope, tasks: ends.map(presentEnd) };
}

function presentEnd(end: TaskEnd): object {
  if (end.kind !== 'succeeded') return { index: end.index, state: end.kind, reason: end.reason };
  const { index, attempt, output, files, wasThere } = end;
  const value = 'json' in output ? { result: parseJson(output.json) } : { result_blob: output.blob };
  return { index, state: 'succeeded', attempt, was_there: wasThere, ...value, files };
}

function describe({ order: { step, scope } }: RanTasks, end: TaskEnd): string {
  const place = `${step}[${scope === '' ? '' : `${scope}/`}${end.index}]`;
  if (end.kind !== 'succeeded') return `${place} ${end.kind}: ${end.reason}`;
  const told = 'json' in end.output ? end.output.json : `blob:${end.output.blob}`;
  return `${place} succeeded${end.wasThere ? ', by another attempt' : ''}: ${told.length > 100 ? `${told.slice(0, 99)}…` : told}`;
}

function readIndex(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value <= MOST_INDEX) return value;
  throw usageError(`--index takes a whole number from 0 to ${MOST_INDEX}, got ${stringifyJson(text)}.`);
}
