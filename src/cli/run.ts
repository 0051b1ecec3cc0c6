// `headrace run`: runs a pipeline to its end.

import { formatTimestamp, stringifyJson } from '../core/index.ts';
import type { RunResult, RunSummary, ShownTask } from '../orchestrator/index.ts';
import { collect, type CommandContext, defineCommand, usageError } from './command.ts';
import { createRunView, type RunView } from './run-view.ts';

export const runCommand = defineCommand({
  usage: 'run <pipeline>',
  summary: 'run a pipeline',
  example: 'headrace run train_delay --param seed=11',
  options: (command) =>
    command
      .option('--param <name=value>', 'a parameter of the pipeline; may come several times', collect)
      .option('--keep-going', 'after a failure, go on with what does not need what failed'),
  async run(context, [pipeline = ''], options) {
    // Collected above: an array of texts, or not there.
    const params = readParams((options['param'] as readonly string[] | undefined) ?? []);
    const { openOrchestrator } = await import('../app/index.ts');
    const { runPipeline } = await import('../orchestrator/index.ts');
    const app = await context.app();
    return await untilInterrupted(async (signal) => {
      const view = watchRun(context);
      const deps = await openOrchestrator(app, { ...view, signal });
      const keepGoing = options['keepGoing'] === true;
      const started = runPipeline(deps, { pipeline, params, keepGoing, onStart: (id) => context.tell(`run ${id}`) });
      return resultOf(await started.finally(view.close));
    });
  },
});

/** A run as commands print it. */
export function resultOf(run: RunResult): { json: unknown; text: string; exitCode: 0 | 1 } {
  return { json: presentRun(run), text: describeRun(run), exitCode: run.state === 'succeeded' ? 0 : 1 };
}

export function presentRun(run: RunResult): object {
  const steps = run.steps.map(({ tasks, ...step }) => ({
    ...step,
    ...(tasks === undefined ? {} : { tasks: tasks.map(presentTask) }),
  }));
  return { ...presentSummary(run), params: run.params, steps };
}

function presentTask({ scope, index, state, attempt, output, error, startedAt, endedAt }: ShownTask): object {
  const [started, finished] = [formatOrNull(startedAt), formatOrNull(endedAt)];
  return { scope, index, state, attempt, output, error, started_at: started, finished_at: finished };
}

export function presentSummary({ id, pipeline, state, createdAtMicros, finishedAtMicros, error }: RunSummary): object {
  return {
    id,
    pipeline,
    state,
    created_at: formatTimestamp(createdAtMicros),
    finished_at: formatOrNull(finishedAtMicros),
    error,
  };
}

export function describeRun(run: RunResult): string {
  const lines = run.steps.map((step) => {
    const count = step.children === null ? '' : `${step.counts.succeeded}/${step.children}`;
    const result = step.result === undefined ? '' : shorten(stringifyJson(step.result));
    return `  ${step.name.padEnd(16)} ${step.state.padEnd(10)} ${count.padEnd(7)} ${result}`.trimEnd();
  });
  const error = run.error === null ? [] : [run.error];
  return [`run ${run.id} of ${run.pipeline}: ${run.state}`, ...lines, ...error].join('\n');
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
