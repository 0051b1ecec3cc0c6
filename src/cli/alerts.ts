// `headrace alerts list | show | silence | unsilence`: what is wrong by the monitors, and what nobody needs to hear of.

import { counted, didYouMean, formatTimestamp, parseDuration, stringifyJson } from '../core/index.ts';
import type { Alert, Silence } from '../monitoring/index.ts';
import { checkAlertFeature } from './alert-features.ts';
import { type CommandOptions, defineCommand, defineGroup, textOption, usageError } from './command.ts';
import { visible } from './plan/visible.ts';
import { formatTable } from './table.ts';

const list = defineCommand({
  usage: 'list',
  summary: 'list what is open, and what was in the last 90 days; the newest first',
  example: 'headrace alerts list --state open',
  columns: {
    RULE: 'drift, quality, skew, rollout or monitor_stopped',
    FEATURE: 'a feature, output:NAME, a figure of quality, or a monitor that has stopped',
    SILENCED: 'until when nobody is sent a word of it',
  },
  options: (command) =>
    command
      .option('--state <state>', 'open or closed; both when left out')
      .option('--rule <rule>', 'only of this one')
      .option('--endpoint <endpoint>', 'only of this one'),
  async run(context, _args, options) {
    const state = readState(textOption(options, 'state'));
    const [rule, endpoint] = [textOption(options, 'rule'), textOption(options, 'endpoint')];
    const alerts = await (await context.app('read')).alerts();
    const { presentAlert } = await import('../monitoring/index.ts');
    const found = await alerts.list({
      ...(state === undefined ? {} : { state }),
      ...(rule === undefined ? {} : { rule }),
      ...(endpoint === undefined ? {} : { endpoint }),
    });
    const silences = await alerts.silences();
    const rows = found.map(describeRow);
    const table = formatTable(
      [['RULE', 'ENDPOINT', 'FEATURE', 'STATE', 'OPENED', 'CLOSED', 'SILENCED'], ...rows],
      'No alert.',
    );
    const told = silences.map(
      (one) =>
        `Silenced until ${formatTimestamp(one.untilMicros)}: ${nameOf(one)}, by ${visible(one.actor)}${one.reason === null ? '' : `: ${visible(one.reason)}`}`,
    );
    return {
      json: { alerts: found.map(presentAlert), silences: silences.map(presentSilence) },
      text: [table, ...told].join('\n'),
    };
  },
});

const show = defineCommand({
  usage: 'show <rule>',
  summary: 'show a rule’s alerts with their evidence',
  example: 'headrace alerts show drift --endpoint delay --feature distance',
  options: (command) => withPlace(command),
  async run(context, [rule = ''], options) {
    const { endpoint, feature } = placeOf(options);
    const alerts = await (await context.app('read')).alerts();
    const { presentAlert } = await import('../monitoring/index.ts');
    const found = (await alerts.list({ rule, ...(endpoint === null ? {} : { endpoint }) })).filter(
      (one) => feature === null || one.feature === feature,
    );
    const text = found.map(
      (one) =>
        `${describeRow(one)
          .filter((cell) => cell !== '')
          .join('  ')}\n${indent(stringifyJson(one.evidence, 2))}`,
    );
    return {
      json: { alerts: found.map(presentAlert) },
      text: text.length === 0 ? `No alert of rule ${visible(rule)}.` : text.join('\n\n'),
    };
  },
});

const silence = defineCommand({
  usage: 'silence <rule>',
  summary: 'send nobody a word of a rule’s alerts for a while; one that is open at its end is told then',
  example: "headrace alerts silence drift --endpoint delay --for 2h --reason 'a new airport'",
  options: (command) =>
    withPlace(command)
      .option('--for <duration>', 'for how long: 2h, 7d')
      .option('--reason <text>', 'why, for the audit log'),
  async run(context, [rule = ''], options) {
    const { endpoint, feature } = placeOf(options);
    const { ALERT_RULES } = await import('../monitoring/index.ts');
    if (!(ALERT_RULES as readonly string[]).includes(rule))
      throw usageError(
        `there is no rule "${rule}".${didYouMean(rule, ALERT_RULES)} The rules are ${ALERT_RULES.join(', ')}.`,
      );
    const length = parseDuration(textOption(options, 'for') ?? '');
    if (length === undefined || length === 0 || length > LONGEST_MICROS)
      throw usageError('--for takes for how long, such as 2h or 7d, and 90d at most.');
    const reason = textOption(options, 'reason') ?? null;
    const app = await context.app('write');
    // Throws where there is none: a silence of a misspelt endpoint keeps nothing back.
    if (endpoint !== null) await (await app.registry()).endpoints.get(endpoint);
    if (feature !== null) await checkAlertFeature(app, { rule, endpoint, feature });
    const actor = app.environment.actor;
    const untilMicros = app.clock.nowMicros() + length;
    const made = await (await app.alerts()).silence({ rule, endpoint, feature, untilMicros, actor, reason });
    await (await app.registry()).auditLog.record({
      actor,
      action: 'alerts.silence',
      object: `alert/${rule}`,
      before: null,
      after: { endpoint, feature, until: formatTimestamp(untilMicros) },
      ...(reason === null ? {} : { reason }),
    });
    return {
      json: presentSilence(made),
      text: `${nameOf(made)} is silent until ${formatTimestamp(untilMicros)}.`,
    };
  },
});

const unsilence = defineCommand({
  usage: 'unsilence <rule>',
  summary: 'end a silence that was made for the same rule, endpoint and feature',
  example: 'headrace alerts unsilence drift --endpoint delay',
  options: (command) => withPlace(command),
  async run(context, [rule = ''], options) {
    const place = { rule, ...placeOf(options) };
    const app = await context.app('write');
    const ended = await (await app.alerts()).unsilence(place);
    await (await app.registry()).auditLog.record({
      actor: app.environment.actor,
      action: 'alerts.unsilence',
      object: `alert/${rule}`,
      before: null,
      after: { endpoint: place.endpoint, feature: place.feature, ended },
    });
    return { json: { ...place, ended }, text: `${nameOf(place)}: ${counted(ended, 'silence')} ended.` };
  },
});

export const alertsCommand = defineGroup('alerts', 'list what is wrong by the monitors, silence what is known', [
  list,
  show,
  silence,
  unsilence,
]);

const LONGEST_MICROS = 90 * 86_400_000_000;

type Options = Parameters<NonNullable<Parameters<typeof defineCommand>[0]['options']>>[0];

function withPlace(command: Options): Options {
  return command
    .option('--endpoint <endpoint>', 'only of this one; of all when left out')
    .option('--feature <feature>', 'only of this one; of all when left out');
}

function placeOf(options: CommandOptions): { readonly endpoint: string | null; readonly feature: string | null } {
  return { endpoint: textOption(options, 'endpoint') ?? null, feature: textOption(options, 'feature') ?? null };
}

function readState(text: string | undefined): 'open' | 'closed' | undefined {
  if (text === undefined || text === 'open' || text === 'closed') return text;
  throw usageError(`--state takes open or closed, got "${text}".`);
}

function describeRow({ rule, endpoint, feature, state, openedMicros, closedMicros, silencedUntilMicros }: Alert) {
  const time = (at: number | null): string => (at === null ? '' : formatTimestamp(at));
  return [rule, endpoint, feature ?? '', state, time(openedMicros), time(closedMicros), time(silencedUntilMicros)].map(
    visible,
  );
}

function nameOf({ rule, endpoint, feature }: Pick<Silence, 'rule' | 'endpoint' | 'feature'>): string {
  const place = [endpoint, feature].filter((one) => one !== null).join(' ');
  return visible(place === '' ? rule : `${rule} of ${place}`);
}

function presentSilence({ id, rule, endpoint, feature, fromMicros, untilMicros, actor, reason }: Silence): object {
  const [from, until] = [formatTimestamp(fromMicros), formatTimestamp(untilMicros)];
  return { id, rule, endpoint, feature, from, until, actor, reason };
}

const indent = (text: string): string => text.replaceAll(/^/gm, '  ');
