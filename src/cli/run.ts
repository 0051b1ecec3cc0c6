// `headrace run`: runs a pipeline to its end.

import { counted, formatTimestamp, type Micros, parseDuration, parseTimestamp, stringifyJson } from '../core/index.ts';
import type {
  Backfilled,
  OrchestratorDeps,
  RunResult,
  RunStep,
  RunSummary,
  RunTrigger,
  ShownTask,
} from '../orchestrator/index.ts';
import {
  collect,
  type CommandContext,
  type CommandOptions,
  type CommandResult,
  defineCommand,
  textOption,
  usageError,
} from './command.ts';
import { createRunView, describePoolWait, type RunView } from './run-view.ts';
import { describeTook, secondsOf, tookMicros } from './took.ts';

export const runCommand = defineCommand({
  usage: 'run <pipeline>',
  summary: 'run a pipeline, or its runs for a range of times that have not succeeded',
  example:
    'headrace run train_delay --param seed=11\nheadrace run train_delay --over 2026-11-01..2026-12-01 --every 1d',
  notes: `--over runs, one after the other, what has not succeeded of the times from its first on and before its second; without
--every, by the pipeline's schedule. A run's time is its parameter \`tick\`, where that is declared as a timestamp.

--elsewhere runs nothing: \`headrace step --spec\` runs the tasks of the orders that it prints, with the artifact store alone, and
\`headrace runs sync\` makes rows of their results and tells which orders come next.`,
  options: (command) =>
    command
      .option('--param <name=value>', 'a parameter of the pipeline; may come several times', collect)
      .option('--keep-going', 'after a failure, go on with what does not need what failed')
      .option(
        '--elsewhere [id]',
        'prepare it for another system to drive, and print where its orders lie; by this id, where one is given',
      )
      .option('--over <from..to>', 'a run for each time of this range')
      .option('--every <duration>', 'from one time to the next: 1h, 1d'),
  async run(context, [pipeline = ''], options) {
    // Collected above: an array of texts, or not there.
    const params = readParams((options['param'] as readonly string[] | undefined) ?? []);
    const range = readRange(options);
    const elsewhere = options['elsewhere'];
    if (elsewhere !== undefined) {
      if (range !== undefined) throw usageError('--elsewhere prepares a single run; with --over it has no meaning.');
      const { prepareForAnother } = await import('./sync-result.ts');
      const id = typeof elsewhere === 'string' ? elsewhere : undefined;
      return await prepareForAnother(context, { pipeline, params, id, keepGoing: options['keepGoing'] === true });
    }
    const { describeUnapplied, openOrchestrator } = await import('../app/index.ts');
    const { runPipeline } = await import('../orchestrator/index.ts');
    const app = await context.app();
    return await untilInterrupted(async (signal) => {
      const view = watchRun(context);
      const deps = await openOrchestrator(app, { ...view, signal });
      tellIfAny(context, describeUnapplied(deps.definitions, pipeline));
      if (range !== undefined) return await runRange(context, deps, { pipeline, params, ...range }).finally(view.close);
      const keepGoing = options['keepGoing'] === true;
      const started = runPipeline(deps, { pipeline, params, keepGoing, onStart: (id) => context.tell(`run ${id}`) });
      return resultOf(await started.finally(view.close));
    });
  },
});

export function tellIfAny({ tell }: Pick<CommandContext, 'tell'>, sentence: string | undefined): void {
  if (sentence !== undefined) tell(sentence);
}

async function runRange(
  context: CommandContext,
  deps: OrchestratorDeps,
  request: { pipeline: string; params: Record<string, string>; over: readonly [Micros, Micros]; every?: Micros },
): Promise<CommandResult> {
  const { backfill } = await import('../orchestrator/index.ts');
  const runs = await backfill(deps, {
    ...request,
    onStart: ({ id, tick }) => context.tell(`run ${id} for ${formatTimestamp(tick)}`),
  });
  const failed = runs.filter(({ state }) => state !== 'succeeded');
  const kept = runs.filter(({ isKept }) => isKept).length;
  return {
    json: { runs: runs.map(presentBackfilled) },
    text: [
      ...failed.map(({ tick, id, state, error }) => `${formatTimestamp(tick)}  run ${id} ${state}: ${error ?? ''}`),
      `${counted(runs.length, 'time')}: ${kept} had succeeded, ${runs.length - kept - failed.length} succeeded now, ${failed.length} did not.`,
    ].join('\n'),
    exitCode: failed.length === 0 ? 0 : 1,
  };
}

function presentBackfilled({ tick, id, state, isKept, error }: Backfilled): object {
  return { tick: formatTimestamp(tick), id, state, kept: isKept, error };
}

function readRange(options: CommandOptions): { over: readonly [Micros, Micros]; every?: Micros } | undefined {
  const [over, every] = [textOption(options, 'over'), textOption(options, 'every')];
  if (over === undefined) {
    if (every !== undefined) throw usageError('--every goes with --over, which says from when to when.');
    return undefined;
  }
  if (options['keepGoing'] === true)
    throw usageError('--keep-going is of a single run; with --over it has no meaning.');
  const [from, to, ...more] = over.split('..').map(parseTimestamp);
  if (from === undefined || to === undefined || more.length > 0 || from >= to)
    throw usageError(`--over takes two times, the earlier first, such as 2026-11-01..2026-12-01, got "${over}".`);
  if (every === undefined) return { over: [from, to] };
  const micros = parseDuration(every);
  if (micros === undefined || micros < 1000)
    throw usageError(`--every takes a duration such as 1h or 1d, got "${every}".`);
  return { over: [from, to], every: micros };
}

/** A run as commands print it. */
export function resultOf(run: RunResult): { json: unknown; text: string; exitCode: 0 | 1 } {
  return { json: presentRun(run), text: describeRun(run), exitCode: run.state === 'succeeded' ? 0 : 1 };
}

export function presentRun(run: RunResult): object {
  const steps = run.steps.map(({ tasks, waitsForPool, waitsFor, openedAtMicros, endedAtMicros, ...step }) => ({
    ...step,
    ...presentTimes(openedAtMicros, endedAtMicros),
    ...(waitsFor === undefined ? {} : { waits_for: waitsFor }),
    ...(waitsForPool === undefined ? {} : { waits_for_pool: presentWait(waitsForPool) }),
    ...(tasks === undefined ? {} : { tasks: tasks.map(presentTask) }),
  }));
  const edits = run.edits?.map(({ atMicros, ...edit }) => ({ at: formatTimestamp(atMicros), ...edit }));
  return { ...presentSummary(run), params: run.params, ...(edits === undefined ? {} : { edits }), steps };
}

function presentTimes(from: Micros | null, to: Micros | null): object {
  const seconds = secondsOf(tookMicros(from, to));
  return { started_at: formatOrNull(from), finished_at: formatOrNull(to), seconds };
}

function presentWait({ holders, ...wait }: NonNullable<RunStep['waitsForPool']>): object {
  return { ...wait, holders: holders.map(({ isDriven, ...holder }) => ({ ...holder, driven: isDriven })) };
}

function presentTask({
  scope,
  index,
  number,
  code,
  from,
  state,
  attempt,
  output,
  error,
  startedAt,
  endedAt,
}: ShownTask): object {
  const [started, finished] = [formatOrNull(startedAt), formatOrNull(endedAt)];
  const named = { scope, index, ...(number === index ? {} : { number }) };
  const times = { started_at: started, finished_at: finished };
  return { ...named, state, attempt, output, error, code, copied_from: from, ...times };
}

export function presentSummary({
  id,
  pipeline,
  state,
  tickMicros,
  createdAtMicros,
  startedAtMicros,
  finishedAtMicros,
  error,
  elsewhere,
  trigger,
}: RunSummary): object {
  return {
    id,
    pipeline,
    state,
    tick: formatOrNull(tickMicros),
    created_at: formatTimestamp(createdAtMicros),
    ...presentTimes(startedAtMicros, finishedAtMicros),
    error,
    ...(elsewhere === undefined ? {} : { elsewhere }),
    ...(trigger === undefined ? {} : { trigger }),
  };
}

/** So many edits are listed: each item of a group may have edits of its own. */
const MOST_EDITS = 20;

export function describeRun(run: RunResult): string {
  const lines = run.steps.map((step) => {
    const count = step.children === null ? '' : `${step.counts.succeeded}/${step.children}`;
    const took = describeTook(tookMicros(step.openedAtMicros, step.endedAtMicros));
    const result = step.result === undefined ? '' : shorten(stringifyJson(step.result));
    const words = [step.name.padEnd(16), step.state.padEnd(10), count.padEnd(7), took.padEnd(7), result];
    return `  ${words.join(' ')}${describeWait(step)}${describeCodes(step)}`.trimEnd();
  });
  const edits = (run.edits ?? []).map(({ atMicros, sentence }) => `  ${formatTimestamp(atMicros)}  ${sentence}`);
  const others = edits.length > MOST_EDITS ? [`  and ${edits.length - MOST_EDITS} more, in --json`] : [];
  const edited = edits.length === 0 ? [] : ['edited while it went on:', ...edits.slice(0, MOST_EDITS), ...others];
  const error = run.error === null ? [] : [run.error];
  const trigger = run.trigger === undefined ? [] : [describeTrigger(run.trigger)];
  const where = run.elsewhere === undefined ? '' : `, driven elsewhere, prepared by ${run.elsewhere}`;
  const took = describeTook(tookMicros(run.startedAtMicros, run.finishedAtMicros));
  const state = `${run.state}${took === '' ? '' : ` in ${took}`}`;
  return [`run ${run.id} of ${run.pipeline}: ${state}${where}`, ...trigger, ...lines, ...edited, ...error].join('\n');
}

/** `for pushed(orders): rows 121 to 150`. */
function describeTrigger({ kind, of, after, through }: RunTrigger): string {
  const what = `for ${kind}(${of})`;
  if (kind === 'pushed') return `${what}: rows ${after + 1} to ${through}`;
  return kind === 'drift' ? `${what}, found at ${formatTimestamp(through)}` : `${what}, by run ${through}`;
}

/** Where finished tasks were copied, or made by other code than the step's: `from run 2026…: 60 tasks by bundle:3f2a91c04b7d`. */
function describeCodes({ codes = [] }: RunStep): string {
  if (codes.length === 0) return '';
  const words = codes.map(({ code, from, tasks }) => {
    const by = code === null ? 'code that is not recorded' : shortCode(code);
    return `${counted(tasks, 'task')} by ${by}${from === null ? '' : ` copied from run ${from}, with the times of there`}`;
  });
  return `\n    ${words.join('; ')}`;
}

/** A hash by its first twelve digits; the name of an image whole. */
function shortCode(code: string): string {
  return code.startsWith('image:') ? code : code.replace(/(?<=:[0-9a-f]{12})[0-9a-f]+$/, '');
}

function describeWait({ waitsForPool: wait, waitsFor }: RunStep): string {
  if (wait === undefined) return waitsFor === undefined ? '' : `waits: ${waitsFor}`;
  return `${describePoolWait(wait)}, has ${wait.slots} of ${wait.size} slots`;
}

/** What is told of a run as it goes on, on stderr; `close` it before its result is printed. */
export function watchRun(context: Pick<CommandContext, 'tell' | 'paint'>): RunView {
  // What is no terminal has neither size.
  const { isTTY: isTerminal, columns, rows } = process.stderr;
  const screen = { isTerminal, columns, rows };
  return createRunView(context.tell, context.paint('stderr'), screen);
}

/** Ctrl-C stops what runs and lets the run go, so that it can be resumed. */
export async function untilInterrupted<R>(work: (signal: AbortSignal) => Promise<R>): Promise<R> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort();
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

export function readParams(written: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    written.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw usageError(`--param takes name=value, got "${text}".`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

function formatOrNull(micros: number | null): string | null {
  return micros === null ? null : formatTimestamp(micros);
}

function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
