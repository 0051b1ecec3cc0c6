// `headrace rollout start | status | watch | pause | resume | promote | abort | list`.

import { formatTimestamp } from '../core/index.ts';
import type { Operator, Rollouts, ShownRollout, Verb } from '../rollouts/index.ts';
import {
  collect,
  type CommandContext,
  type CommandOptions,
  type CommandResult,
  defineCommand,
  defineGroup,
  textOption,
  usageError,
} from './command.ts';
import { watchRollout } from './rollout-watch.ts';
import { formatTable } from './table.ts';
import { wholeNumberOption } from './whole-number-option.ts';

const REASON = ['--reason <text>', 'why, for its history and the audit log'] as const;
const IF_MATCH = ['--if-match <version>', 'only while this is its version, as GET /v1/rollouts/{id} has it'] as const;
/** More than anybody waits for. */
const MOST_UNITS = 1_000_000_000;

const start = defineCommand({
  usage: 'start <endpoint>',
  summary: 'bring a version from a few percent to all traffic, as long as the guards hold',
  example: [
    "headrace rollout start checkout --candidate latest --steps 1,5,25,50,100 --hold 10m --guard 'error_rate<+20%'",
    "headrace rollout start checkout --candidate 3 --guard 'error_rate<0.01' --guard 'outcome>-5%' --reason 'retrained on June'",
  ].join('\n'),
  options: (command) =>
    command
      .option('--candidate <version>', 'by number, alias or latest')
      .option('--plan <name>', 'of the applied definitions; the endpoint’s own when left out')
      .option('--steps <percents>', 'of the traffic, rising (default: 1,5,25,50,100)')
      .option('--hold <duration>', 'how long each step is watched at least (default: 10m)')
      .option(
        '--guard <guard>',
        'error_rate<0.01 is a limit, error_rate<+20% is against stable; error_rate, slow_rate, null_rate, latency, outcome; may be given several times',
        collect,
      )
      .option('--warmup <duration>', 'what is left out after each change of the weights (default: 30s)')
      .option('--min-units <n>', 'units that the candidate must have had in a step (default: 200)')
      .option('--max-hold <duration>', 'a step that is not decided by then is paused (default: 24h)')
      .option('--on-blind <what>', 'hold or rollback, once a server has told nothing for 5 minutes (default: hold)')
      .option('--maturity <duration>', 'outcomes count of predictions so old, as known at that age (default: 0s)')
      .option('--watch <duration>', 'how long the guards go on after promotion (default: 0s)')
      .option('--bake <duration>', 'how long it has all traffic before it is promoted (default: as the hold)')
      .option(
        '--cooldown <duration>',
        'how long the version waits if it is rolled back, four times as long each time after (default: 1h)',
      )
      .option('--force', 'although the version was rolled back lately')
      .option(...REASON),
  async run(context, [endpoint = ''], options) {
    const candidate = textOption(options, 'candidate');
    if (candidate === undefined) throw usageError('--candidate names the version: a number, an alias or latest.');
    const { readAsked } = await import('../rollouts/index.ts');
    const onBlind = textOption(options, 'onBlind');
    if (onBlind !== undefined && onBlind !== 'hold' && onBlind !== 'rollback')
      throw usageError(`--on-blind takes hold or rollback, got "${onBlind}".`);
    const asked = readAsked({
      endpoint,
      candidate,
      plan: textOption(options, 'plan'),
      steps: readSteps(textOption(options, 'steps')),
      hold: textOption(options, 'hold'),
      warmup: textOption(options, 'warmup'),
      min_units: wholeNumberOption(options, 'min-units', 0, MOST_UNITS),
      max_hold: textOption(options, 'maxHold'),
      // `collect` gathers them.
      guards: options['guard'] as readonly string[] | undefined,
      on_blind: onBlind,
      maturity: textOption(options, 'maturity'),
      watch: textOption(options, 'watch'),
      bake: textOption(options, 'bake'),
      cooldown: textOption(options, 'cooldown'),
      force: options['force'] === true,
    });
    return tell(await (await rolloutsOf(context, 'write')).start(asked, operatorOf(context, options)));
  },
});

const status = defineCommand({
  usage: 'status [rollout]',
  summary: 'show where a rollout is, what its guardrails say and what happened; by id, or an endpoint’s newest',
  example: 'headrace rollout status checkout',
  async run(context, [idOrEndpoint]) {
    const rollouts = await rolloutsOf(context, 'read');
    return tell(idOrEndpoint === undefined ? await newest(rollouts) : await rollouts.get(idOrEndpoint));
  },
});

const watch = defineCommand({
  usage: 'watch [rollout]',
  summary:
    'follow a rollout to its end: a live line in a terminal, elsewhere a line for each change, and for what it waits for',
  example: 'headrace rollout watch checkout',
  exitCodes: {
    0: 'it was promoted',
    1: 'it was rolled back or aborted',
    2: 'wrong usage',
    3: 'it is paused: somebody has to decide',
  },
  async run(context, [idOrEndpoint]) {
    const rollouts = await rolloutsOf(context, 'read');
    const first = idOrEndpoint === undefined ? await newest(rollouts) : await rollouts.get(idOrEndpoint);
    const ended = await watchRollout(context, rollouts, first);
    return { ...(await tell(ended)), exitCode: EXIT_CODES[ended.rollout.state] ?? 1 };
  },
});

const EXIT_CODES: Readonly<Record<string, 0 | 1 | 3>> = { promoted: 0, paused: 3 };

const list = defineCommand({
  usage: 'list',
  summary: 'list rollouts, newest first',
  example: 'headrace rollout list --endpoint checkout',
  options: (command) => command.option('--endpoint <endpoint>', 'only of this one'),
  async run(context, _args, options) {
    const endpoint = textOption(options, 'endpoint');
    const rollouts = await rolloutsOf(context, 'read');
    const found = await rollouts.list(endpoint === undefined ? {} : { endpoint });
    const { presentRollout } = await import('../rollouts/index.ts');
    const rows = found.map(({ rollout: { id, endpoint: of, candidate, state, step, plan, createdMicros } }) => [
      id,
      of,
      String(candidate),
      state,
      step === 0 ? '-' : `${step} of ${plan.steps.length}`,
      formatTimestamp(createdMicros),
    ]);
    return {
      json: { rollouts: found.map(presentRollout) },
      text: formatTable(
        [['ID', 'ENDPOINT', 'VERSION', 'STATE', 'STEP', 'STARTED'], ...rows],
        'No rollouts. `headrace rollout start ENDPOINT --candidate VERSION` starts one.',
      ),
    };
  },
});

export const rolloutCommand = defineGroup('rollout', 'bring a version to all traffic step by step, or back by itself', [
  start,
  status,
  watch,
  verbCommand('pause', 'hold a rollout where it is, whatever its guards say', "--reason 'looking into the errors'"),
  verbCommand('resume', 'go on with a paused rollout'),
  verbCommand('promote', 'give the candidate all traffic now', "--reason 'the alert was ours'"),
  verbCommand('abort', 'give stable all traffic back now, and end the rollout', "--reason 'wrong version'"),
  list,
]);

function verbCommand(verb: Verb, summary: string, more = ''): ReturnType<typeof defineCommand> {
  return defineCommand({
    usage: `${verb} <rollout>`,
    summary,
    example: `headrace rollout ${verb} checkout ${more}`.trimEnd(),
    options: (command) => command.option(...REASON).option(...IF_MATCH),
    async run(context, [idOrEndpoint = ''], options) {
      const rollouts = await rolloutsOf(context, 'write');
      const { rollout } = await rollouts.get(idOrEndpoint);
      return tell(await rollouts[verb](rollout.id, operatorOf(context, options)));
    },
  });
}

async function rolloutsOf(context: CommandContext, access: 'read' | 'write'): Promise<Rollouts> {
  return (await context.app(access)).rollouts();
}

/** Whoever reaches the registry's database may do all that it takes. */
function operatorOf({ environment }: CommandContext, options: CommandOptions): Operator {
  const reason = textOption(options, 'reason');
  const ifMatch = textOption(options, 'ifMatch');
  return {
    actor: environment.actor,
    isAdmin: true,
    ...(reason === undefined ? {} : { reason }),
    ...(ifMatch === undefined ? {} : { ifMatch }),
  };
}

async function newest(rollouts: Rollouts): Promise<ShownRollout> {
  const [found] = await rollouts.list({ limit: 1 });
  if (found === undefined)
    throw usageError('there is no rollout; `headrace rollout start ENDPOINT --candidate VERSION` starts one.');
  return found;
}

async function tell(shown: ShownRollout): Promise<CommandResult> {
  const { describeRollout, presentRollout } = await import('../rollouts/index.ts');
  return { json: presentRollout(shown), text: describeRollout(shown) };
}

function readSteps(text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined;
  const steps = text.split(',').map((step) => (/^\s*\d+(\.\d+)?\s*$/.test(step) ? Number(step) : NaN));
  if (steps.some(Number.isNaN)) throw usageError(`--steps takes percents such as 1,5,25,50,100, got "${text}".`);
  return steps;
}
