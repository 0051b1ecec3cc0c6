// `headrace runs list | show | logs | diff | sync | resume | rerun | cancel`.

import { counted, formatTimestamp, stringifyJson } from '../core/index.ts';
import type { CancelledRun, RunDifference, RunSummary, TaskLog, WhyStep } from '../orchestrator/index.ts';
import { collect, defineCommand, defineGroup, textOption } from './command.ts';
import {
  describeRun,
  presentRun,
  presentSummary,
  readParams,
  resultOf,
  tellIfAny,
  untilInterrupted,
  watchRun,
} from './run.ts';
import { cardsOf, describeCards, writeCards } from './run-cards.ts';
import { sync } from './runs-sync.ts';
import { formatTable } from './table.ts';
import { describeTook, tookMicros } from './took.ts';

const list = defineCommand({
  usage: 'list',
  summary: 'list runs, newest first',
  example: 'headrace runs list --pipeline train_delay',
  columns: {
    TOOK: 'from when a driver first took it to its end: of one that was resumed, what lay between with it',
    FOR: 'the time of its schedule, or of a range, or what it answers; `by hand` otherwise',
  },
  options: (command) => command.option('--pipeline <name>', 'only of this pipeline'),
  async run(context, _args, options) {
    const { openRuns } = await import('../app/index.ts');
    const { listRuns } = await import('../orchestrator/index.ts');
    const pipeline = textOption(options, 'pipeline');
    const runs = await listRuns(await openRuns(await context.app('read')), pipeline === undefined ? {} : { pipeline });
    const rows = runs.map((run) => [
      run.id,
      run.pipeline,
      shownState(run),
      formatTimestamp(run.createdAtMicros),
      describeTook(tookMicros(run.startedAtMicros, run.finishedAtMicros)),
      causeOf(run),
    ]);
    return {
      json: { runs: runs.map(presentSummary) },
      text: formatTable(
        [['ID', 'PIPELINE', 'STATE', 'STARTED', 'TOOK', 'FOR'], ...rows],
        'No runs. `headrace run PIPELINE` starts one.',
      ),
    };
  },
});

function causeOf({ tickMicros, trigger }: RunSummary): string {
  if (trigger !== undefined) return `${trigger.kind}(${trigger.of})`;
  return tickMicros === null ? 'by hand' : formatTimestamp(tickMicros);
}

const show = defineCommand({
  usage: 'show <id>',
  summary: 'show a run: its steps and results, and the pages that they left',
  example: 'headrace runs show 20261125-031500-9f3a61 --tasks --json',
  options: (command) =>
    command
      .option('--tasks', 'in JSON, each step’s tasks, too: at most 1,000 of each')
      .option('--why <step>', 'why that step did its work, or took it from an earlier run')
      .option('--cards <folder>', 'writes the pages that its steps left (HTML, Markdown) there, by step'),
  async run(context, [id = ''], options) {
    const { openRuns } = await import('../app/index.ts');
    const { getRun } = await import('../orchestrator/index.ts');
    const why = textOption(options, 'why');
    if (why !== undefined) {
      const { whyStep } = await import('../orchestrator/index.ts');
      const found = await whyStep(await openRuns(await context.app('read')), id, why);
      return { json: found, text: describeWhy(found) };
    }
    const hasTasks = options['tasks'] === true;
    const deps = await openRuns(await context.app('read'));
    const run = await getRun(deps, id, { hasTasks });
    const cards = cardsOf(run);
    const json = { ...presentRun(run), cards };
    const folder = textOption(options, 'cards');
    if (folder === undefined) {
      const named = describeCards(cards);
      return { json, text: [describeRun(run), ...(named === undefined ? [] : [named])].join('\n') };
    }
    const { getBlob } = await import('../storage/index.ts');
    await writeCards(cards, context.path(folder), (sha256) => getBlob(deps.objects, sha256));
    return { json, text: `${describeRun(run)}\n${counted(cards.length, 'card')} in ${context.path(folder)}` };
  },
});

function shownState({ state, elsewhere }: RunSummary): string {
  return elsewhere !== undefined && (state === 'running' || state === 'queued') ? `${state} elsewhere` : state;
}

function headOf({ step, scope, index, attempt }: TaskLog): string {
  return `── ${step}[${scope === '' ? '' : `${scope}/`}${index}], attempt ${attempt}`;
}

function describeWhy({ step, copied, children, comparedWith, differences, reason }: WhyStep): string {
  const did = `step ${step}: ${copied} of ${children} tasks were taken from earlier runs`;
  if (comparedWith === null) return `${did}\nNo run before has that step.`;
  const why = reason === undefined ? [] : [reason];
  if (differences.length === 0) return [did, `It went by what run ${comparedWith} went by.`, ...why].join('\n');
  const lines = differences.map(({ part, was, is }) => `  ${part}: ${was} → ${is}`);
  return [`${did}\nOther than in run ${comparedWith}:`, ...lines, ...why].join('\n');
}

const logs = defineCommand({
  usage: 'logs <id>',
  summary: 'show what a run’s steps printed',
  example: 'headrace runs logs 20261125-031500-9f3a61 --step fit -f',
  options: (command) =>
    command
      .option('--step <name>', 'only of this step')
      .option('-f, --follow', 'go on until the run has ended, as it is printed; in JSON a document each piece'),
  async run(context, [id = ''], options) {
    const { openRuns } = await import('../app/index.ts');
    const { runLogs } = await import('../orchestrator/index.ts');
    const step = textOption(options, 'step');
    const deps = await openRuns(await context.app('read'));
    if (options['follow'] === true) {
      const { followLogs } = await import('../orchestrator/index.ts');
      return await untilInterrupted(async (signal) => {
        let last = '';
        for await (const piece of followLogs(deps, id, { signal, ...(step === undefined ? {} : { step }) })) {
          const head = headOf(piece);
          const text = piece.text.replace(/\n$/, '');
          context.announce({ json: piece, text: head === last ? text : `${head}\n${text}` });
          last = head;
        }
        return { json: {}, text: '' };
      });
    }
    const shown = await Array.fromAsync(runLogs(deps, id, step === undefined ? {} : { step }));
    const text = shown.map((log) => `${headOf(log)}\n${log.text.trimEnd()}`).join('\n');
    return { json: { logs: shown }, text };
  },
});

const diff = defineCommand({
  usage: 'diff <a> <b>',
  summary: 'what is other in one run than in another: parameters, code, states and results',
  example: 'headrace runs diff 20261125-031500-9f3a61 20261126-031500-77c0de',
  async run(context, [a = '', b = '']) {
    const { openRuns } = await import('../app/index.ts');
    const { diffRuns } = await import('../orchestrator/index.ts');
    const found = await diffRuns(await openRuns(await context.app('read')), a, b);
    const rows = found.differences.map(({ path, ...sides }) => [path, shownSide(sides.a), shownSide(sides.b)]);
    return { json: found, text: formatTable([['WHAT', a, b], ...rows], 'The two are alike.') };
  },
});

function shownSide(value: RunDifference['a']): string {
  const text = stringifyJson(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

const resume = defineCommand({
  usage: 'resume <id>',
  summary:
    'go on with a run that failed, was cancelled or was killed, by the code of now; what finished is not repeated',
  example: 'headrace runs resume 20261125-031500-9f3a61',
  async run(context, [id = '']) {
    const { describeUnapplied, openOrchestrator } = await import('../app/index.ts');
    const { resumeRun } = await import('../orchestrator/index.ts');
    const app = await context.app('join');
    return await untilInterrupted(async (signal) => {
      const view = watchRun(context);
      const deps = await openOrchestrator(app, { ...view, onWait: context.tell, onEdited: context.tell, signal });
      const onFound = (pipeline: string): void => tellIfAny(context, describeUnapplied(deps.definitions, pipeline));
      const onChanged = (steps: readonly string[]): void =>
        context.tell(`finished by other code than now, and kept: ${steps.join(', ')}`);
      return resultOf(await resumeRun(deps, id, { onFound, onChanged }).finally(view.close));
    });
  },
});

const rerun = defineCommand({
  usage: 'rerun <id>',
  summary: 'repeat a run from one of its steps on, as a new run by the code of now; what came before is taken over',
  example: 'headrace runs rerun 20261125-031500-9f3a61 --from fit --param seed=8',
  options: (command) =>
    command
      .requiredOption('--from <step>', 'the step to begin with; one in a group repeats the group')
      .option('--param <name=value>', 'a parameter that is another this time; may come several times', collect),
  async run(context, [id = ''], options) {
    // Collected above: an array of texts, or not there.
    const params = readParams((options['param'] as readonly string[] | undefined) ?? []);
    const from = textOption(options, 'from') ?? '';
    const { openOrchestrator } = await import('../app/index.ts');
    const { rerunFrom } = await import('../orchestrator/index.ts');
    const app = await context.app('join');
    return await untilInterrupted(async (signal) => {
      const view = watchRun(context);
      const deps = await openOrchestrator(app, { ...view, signal });
      const onStart = (made: string, kept: readonly string[]): void =>
        context.tell(`run ${made}${kept.length === 0 ? '' : `; of run ${id}: ${kept.join(', ')}`}`);
      return resultOf(await rerunFrom(deps, id, { from, params, onStart }).finally(view.close));
    });
  },
});

const cancel = defineCommand({
  usage: 'cancel <id>',
  summary: 'stop a run; it can be resumed later',
  example: 'headrace runs cancel 20261125-031500-9f3a61',
  async run(context, [id = '']) {
    const { openRuns } = await import('../app/index.ts');
    const { cancelRun } = await import('../orchestrator/index.ts');
    const cancelled = await cancelRun(await openRuns(await context.app('join')), id);
    const { wasRunning, state, driver, endedProcesses, mayRunAt } = cancelled;
    return {
      json: { id, was_running: wasRunning, state, driver, ended_processes: endedProcesses, may_run_at: mayRunAt },
      text: describeCancelled(id, cancelled),
    };
  },
});

function describeCancelled(
  id: string,
  { wasRunning, state, driver, elsewhere, endedProcesses, mayRunAt }: CancelledRun,
): string {
  const isOver = state !== 'queued' && state !== 'running';
  const ended = wasRunning ? `run ${id} is cancelled` : `run ${id} had ended: ${state}`;
  const going =
    driver === null
      ? `run ${id} is asked to stop, and nobody drives it: what it has on a fleet or a cluster goes on until a scheduler takes it up, or until it is resumed and cancelled then`
      : `run ${id} is being stopped by its driver, ${driver}`;
  const lines = [isOver ? ended : going];
  if (wasRunning && elsewhere !== null)
    lines.push('the system that drives it elsewhere does not hear of it: stop it there, too');
  if (endedProcesses > 0)
    lines.push(
      `${endedProcesses === 1 ? 'a process' : `${endedProcesses} processes`} that a driver had left on this host: ended`,
    );
  for (const host of mayRunAt)
    lines.push(
      `processes of it may still run at ${host}, where it was driven last: \`headrace runs cancel ${id}\` or \`headrace runs resume ${id}\` ends them there`,
    );
  return lines.join('\n');
}

export const runsCommand = defineGroup('runs', 'list, show, compare, sync, resume, repeat and cancel runs', [
  list,
  show,
  logs,
  diff,
  sync,
  resume,
  rerun,
  cancel,
]);
