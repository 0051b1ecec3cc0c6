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
    75: 'a task was lost: what ran it was stopped or died, or the artifact store was away for a minute; trying again costs no try',
    78: 'a task failed for good: trying again cannot help',
  },
  notes:
    'A task that has a result is not run again: the first attempt to put result.json has made it. Neither a registry nor a\nrepository is needed; steps of kinds such as trainingSet and registerModel run where headrace.config.ts is.',
  options: (command) =>
    command
      .option('--spec <uri>', 'the order of the step: blob:<SHA-256>, as a driver or a compiled pipeline wrote it')
      .option('--slice <key>', 'in place of --spec: the document of a slice, as a driver stored it for its containers')
      .option(
        '--part <n>',
        'which part of the slice (default: as JOB_COMPLETION_INDEX or AWS_BATCH_JOB_ARRAY_INDEX says, else 0)',
      )
      .option('--index <n>', 'a task of the step; may come several times (default: all)', collect)
      .option('--attempt <n>', 'which attempt it is, for the task to see and for its log (default: 1)')
      .option(
        '--artifacts <url>',
        'where the artifact store lies (default: HEADRACE_ARTIFACTS_URL, or the configuration)',
      ),
  async run(context, _args, options) {
    const wanted = readWanted(options, context.environment.variables);
    const { exitCodeOfError } = await import('../orchestrator/index.ts');
    try {
      return await untilInterrupted((signal) => runStep(context, textOption(options, 'artifacts'), wanted, signal));
    } catch (error) {
      const { code, message } = toHeadraceError(error);
      context.tell(`${code}: ${message}`);
      return { json: { error: { code, message } }, text: '', exitCode: exitCodeOfError(error) };
    }
  },
});

/** Tasks of an order by their indexes, or those of a part of a slice. */
type Wanted =
  | { readonly spec: string; readonly indexes?: readonly number[]; readonly attempt: number }
  | { readonly slice: string; readonly part: number };

/** Each tells a container which of its job's it is. */
const PART_VARIABLES = ['JOB_COMPLETION_INDEX', 'AWS_BATCH_JOB_ARRAY_INDEX'];

function readWanted(
  options: Readonly<Record<string, unknown>>,
  variables: Readonly<Record<string, string | undefined>>,
): Wanted {
  const [spec, slice] = [textOption(options, 'spec'), textOption(options, 'slice')];
  const indexes = (options['index'] as readonly string[] | undefined)?.map((text) => readNumber('--index', text)); // collected above
  const attempt = wholeNumberOption(options, 'attempt', 1, MOST_INDEX);
  const part = wholeNumberOption(options, 'part', 0, MOST_INDEX);
  if ((spec === undefined) === (slice === undefined))
    throw usageError('Give --spec, the order of a step, or --slice, a part of which is run; one of them.');
  if (spec !== undefined) {
    if (part !== undefined) throw usageError('--part is one of a --slice; with --spec, tasks are named by --index.');
    return { spec, ...(indexes === undefined ? {} : { indexes }), attempt: attempt ?? 1 };
  }
  if (indexes !== undefined || attempt !== undefined)
    throw usageError('A --slice has its tasks and their attempts in it; --index and --attempt go with --spec.');
  const told = PART_VARIABLES.find((name) => (variables[name] ?? '') !== '');
  return { slice: slice ?? '', part: part ?? (told === undefined ? 0 : readNumber(told, variables[told] ?? '')) };
}

async function runStep(
  context: CommandContext,
  artifacts: string | undefined,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<CommandResult> {
  const { openTaskExecutor } = await import('../app/index.ts');
  const { exitCodeOf, newOwner, patientObjects, readOrder, readSlicePart, runTasks } = await import(
    '../orchestrator/index.ts'
  );
  const app = await context.app('write', { places: { 'artifacts.url': artifacts } });
  const objects = patientObjects(await app.objects(), signal);
  let request: Parameters<typeof runTasks>[1];
  let cpus: number | undefined;
  if ('slice' in wanted) {
    const { order, tasks } = await readSlicePart(objects, wanted.slice, wanted.part);
    const attempts = new Map(tasks.map(({ index, attempt }) => [index, attempt]));
    request = { spec: order, indexes: [...attempts.keys()], attempt: (index) => attempts.get(index) ?? 1, signal };
    // What the container has is one task's, whatever its node has.
    cpus = Math.max(1, Math.ceil((await readOrder(objects, order)).resources.cpu ?? 1));
  } else {
    request = { ...wanted, signal };
  }
  const executor = await openTaskExecutor(app, newOwner(), cpus);
  try {
    const ran = await runTasks({ objects, executor }, request);
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

function readNumber(name: string, text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value <= MOST_INDEX) return value;
  throw usageError(`${name} takes a whole number from 0 to ${MOST_INDEX}, got ${stringifyJson(text)}.`);
}
