// `headrace experiments list | show | start | weights | stop | report`: who is in which arm, and what it came to.

import type { App } from '../app/index.ts';
import { formatTimestamp, parseTimestamp } from '../core/index.ts';
import type { PresentedExperiment } from '../rollouts/index.ts';
import {
  type CommandContext,
  type CommandOptions,
  defineCommand,
  defineGroup,
  textOption,
  usageError,
} from './command.ts';
import { checkOutputFile, writeOutputFile } from './output-file.ts';
import { visible } from './plan/visible.ts';
import { formatTable } from './table.ts';

const list = defineCommand({
  usage: 'list',
  summary: 'list experiments: those that are defined, and those that ever ran',
  example: 'headrace experiments list',
  async run(context) {
    const experiments = await (await context.app('read')).experiments();
    const { presentExperiment } = await import('../rollouts/index.ts');
    const found = (await experiments.list()).map(presentExperiment);
    const rows = found.map(({ name, state, phase, arms, endpoints }) => [
      name,
      state,
      phase === null ? '' : String(phase),
      arms.map((arm) => `${arm.name} ${arm.weight} %`).join(', '),
      endpoints.map(({ endpoint }) => endpoint).join(', '),
    ]);
    return {
      json: { experiments: found },
      text: formatTable(
        [['EXPERIMENT', 'STATE', 'PHASE', 'ARMS', 'ENDPOINTS'], ...rows],
        'No experiments. Define one with experiment(…) and run `headrace apply`.',
      ),
    };
  },
});

const show = defineCommand({
  usage: 'show <name>',
  summary: 'show an experiment: its arms, its phases, and the reports that were made',
  example: 'headrace experiments show ranking',
  async run(context, [name = '']) {
    const experiments = await (await context.app('read')).experiments();
    const { presentExperiment } = await import('../rollouts/index.ts');
    const found = presentExperiment(await experiments.get(name));
    const made = (found.reports ?? []).map(({ phase, snapshot, made_at: at, decision }) => [
      at,
      phase,
      snapshot,
      decision,
    ]);
    return {
      json: found,
      text: [
        describe(found),
        ...(made.length === 0 ? [] : ['', formatTable([['MADE', 'PHASE', 'SNAPSHOT', 'DECISION'], ...made])]),
      ].join('\n'),
    };
  },
});

const start = defineCommand({
  usage: 'start <name>',
  summary: 'start an experiment: from now on its units get their arms',
  example: "headrace experiments start ranking --reason 'does version 2 sell more?'",
  options: (command) => withReason(command),
  run: (context, [name = ''], options) =>
    changed(context, options, (experiments, change) => experiments.start(name, change)),
});

const weights = defineCommand({
  usage: 'weights <name> <arms...>',
  summary: 'change the weights of arms (percent of all units): the next phase begins, and is analysed apart',
  example: 'headrace experiments weights ranking control=50 treatment=50',
  options: (command) => withReason(command),
  async run(context, [name = '', ...written], options) {
    const asked = Object.fromEntries(written.map(readWeight));
    if (Object.keys(asked).length < written.length) throw usageError('an arm is named twice.');
    return changed(context, options, (experiments, change) => experiments.reweigh(name, asked, change));
  },
});

const stop = defineCommand({
  usage: 'stop <name>',
  summary: 'stop an experiment: its units get what the endpoint’s traffic says again',
  example: "headrace experiments stop ranking --reason 'decided for version 2'",
  options: (command) => withReason(command),
  run: (context, [name = ''], options) =>
    changed(context, options, (experiments, change) => experiments.stop(name, change)),
});

const report = defineCommand({
  usage: 'report <name>',
  summary: 'what an experiment came to, by what the log and the sources have by now',
  example: [
    'headrace experiments report ranking',
    'headrace experiments report ranking --html ranking.html',
    'headrace experiments report ranking --phase 1 --json',
  ].join('\n'),
  columns: {
    'ALWAYS VALID': 'the interval that holds at every look at once',
    'ONE LOOK': 'the interval of one look, at a time that was fixed before',
    P: 'of one look; of a goal corrected over all goals and arms',
    RELATIVE: 'the difference in parts of the control’s value',
    VERDICT: 'by the always-valid interval of the difference',
  },
  options: (command) =>
    command
      .option('--phase <phase>', 'a number, or all: each a stratum; the last one when left out')
      .option('--html <file>', 'write it as one HTML file')
      .option('--snapshot <id>', 'a report that was made before, as show lists them'),
  async run(context, [name = ''], options) {
    const phase = readPhase(textOption(options, 'phase'));
    const snapshot = textOption(options, 'snapshot');
    const file = textOption(options, 'html');
    const path = file === undefined ? undefined : context.path(file);
    if (path !== undefined) await checkOutputFile(path);
    const app = await context.app();
    const { reportHtml, reportText } = await import('../rollouts/index.ts');
    const { experimentReport } = await import('../app/index.ts');
    const found =
      snapshot === undefined ? await experimentReport(app, name, phase) : await keptReport(app, name, snapshot);
    if (path !== undefined) await writeOutputFile(path, reportHtml(found));
    const text = reportText(found);
    return {
      json: found,
      text: [
        text.head,
        '',
        text.decision,
        '',
        formatTable(text.arms),
        text.split,
        '',
        formatTable(text.metrics),
        ...(text.notes.length === 0 ? [] : ['', ...text.notes]),
        '',
        `Snapshot ${found.snapshot}${file === undefined ? '' : `, written to ${file}`}`,
      ].join('\n'),
    };
  },
});

export const experimentsCommand = defineGroup('experiments', 'start, reweigh, stop and read experiments', [
  list,
  show,
  start,
  weights,
  stop,
  report,
]);

type Experiments = Awaited<ReturnType<App['experiments']>>;
type Change = Parameters<Experiments['start']>[1];
type Command = Parameters<NonNullable<Parameters<typeof defineCommand>[0]['options']>>[0];

/** Longer than a server that was killed counts as live. */
const WAIT_MS = 20_000;

async function changed(
  context: CommandContext,
  options: CommandOptions,
  make: (experiments: Experiments, change: Change) => ReturnType<Experiments['start']>,
) {
  const { presentExperiment } = await import('../rollouts/index.ts');
  const reason = textOption(options, 'reason');
  const state = await make(await (await context.app()).experiments(), {
    actor: context.environment.actor,
    waitMs: WAIT_MS,
    onWait: (waitsFor) => context.tell(`waiting for ${waitsFor.join(', ')} to load it …`),
    ...(reason === undefined ? {} : { reason }),
    ...(options['override'] === true ? { override: true } : {}),
  });
  const found = presentExperiment(state);
  return { json: found, text: describe(found) };
}

function withReason(command: Command): Command {
  return command
    .option('--reason <text>', 'why, for the audit log')
    .option('--override', 'although a rollout is under way on an endpoint, which goes on: needs a reason');
}

async function keptReport(app: App, name: string, snapshot: string) {
  const found = await (await app.experiments()).report(name, snapshot);
  if (found === undefined)
    throw usageError(
      `experiment "${name}" has no report of snapshot "${snapshot}"; \`experiments show ${name}\` lists them.`,
    );
  return found;
}

function readWeight(text: string): readonly [string, number] {
  const [, name = '', weight] = /^([^=]+)=(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (weight === undefined)
    throw usageError(`an arm's weight is written arm=percent, such as control=50, got "${text}".`);
  return [name, Number(weight)];
}

function readPhase(text: string | undefined): number | 'all' | undefined {
  if (text === undefined || text === 'all') return text;
  if (!/^[1-9]\d{0,6}$/.test(text)) throw usageError(`--phase takes a number or all, got "${text}".`);
  return Number(text);
}

function describe({ name, state, unit, arms, endpoints, metrics, phases, control }: PresentedExperiment): string {
  const bound = endpoints.map((one) => (state === 'running' ? `${one.endpoint} (${one.state})` : one.endpoint));
  const rows = phases.map((phase) => [
    String(phase.phase),
    phase.state,
    phase.arms.map((arm) => `${arm.name} ${arm.weight} %`).join(', '),
    timeText(phase.started_at),
    phase.ended_at === null ? '' : timeText(phase.ended_at),
    visible([phase.actor, phase.reason].filter((part) => part !== null).join(': ')),
  ]);
  const roles = Object.entries(metrics).filter(([, names]) => names.length > 0);
  return [
    `${name}: ${state}, unit ${unit.join(', ')}, at ${bound.join(', ')}`,
    `arms ${arms.map((arm) => `${arm.name} ${arm.weight} %${arm.name === control ? ' (control)' : ''}`).join(', ')}`,
    roles.map(([role, names]) => `${role} ${names.join(', ')}`).join('; '),
    ...(rows.length === 0 ? [] : ['', formatTable([['PHASE', 'STATE', 'ARMS', 'STARTED', 'ENDED', 'BY'], ...rows])]),
  ].join('\n');
}

function timeText(text: string): string {
  const at = parseTimestamp(text);
  return at === undefined ? text : formatTimestamp(at).slice(0, 19);
}
