// `headrace keys create | list | rotate | revoke`.

import { formatTimestamp, type Micros, parseDuration, type Role, ROLES } from '../core/index.ts';
import type { AccessKey, KeyChange, MadeKey } from '../registry/index.ts';
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
import { formatTable } from './table.ts';

const REASON = ['--reason <text>', 'why, for the audit log'] as const;

const ONLY_KEY = 'The key alone goes to stdout, what there is to say of it to stderr.';

const create = defineCommand({
  usage: 'create <name>',
  summary: 'make an API key; it is shown once',
  example: 'headrace keys create checkout-service --role predict --endpoint checkout --expires 90d',
  options: (command) =>
    command
      .option('--role <role>', `what it may do: ${ROLES.join(', ')}; may be given several times`, collect)
      .option(
        '--endpoint <name>',
        'an endpoint that it may use, all when left out; may be given several times',
        collect,
      )
      .option('--expires <duration>', 'how long it lives, such as 90d; for ever when left out')
      .option(...REASON),
  notes: ONLY_KEY,
  async run(context, [name = ''], options) {
    const lifeMicros = readDuration(options, 'expires');
    const { keys } = await (await context.app()).registry();
    // Checked there: a role is one of a few words.
    const roles = (options['role'] ?? []) as readonly Role[];
    const endpoints = options['endpoint'] as readonly string[] | undefined;
    const isFirst = (await keys.list()).length === 0;
    const made = await keys.create({ name, roles, endpoints, lifeMicros }, changeBy(context, options));
    const closes = 'It is the first key: servers that were open let nobody in without a key or a token from now on.';
    return tellMade(context, presentMade(made), [made.token, describeMade(made), ...(isFirst ? [closes] : [])]);
  },
});

const list = defineCommand({
  usage: 'list',
  summary: 'list API keys, those that ended too',
  example: 'headrace keys list',
  columns: {
    ENDPOINTS: 'those that it may use',
    'LAST USED': 'as servers told it, each once a minute and when it stops: a use is seen up to a minute later',
  },
  async run(context) {
    const app = await context.app('read');
    const now = app.clock.nowMicros();
    const keys = await (await app.registry()).keys.list();
    const rows = keys.map((key) => [
      key.name,
      `hr_${key.id}`,
      key.roles.join(','),
      key.endpoints?.join(',') ?? 'all',
      stateOf(key, now),
      key.usedMicros === null ? '-' : formatTimestamp(key.usedMicros),
    ]);
    return {
      json: { keys: keys.map((key) => ({ ...present(key), state: stateOf(key, now).split(' ')[0] })) },
      text: formatTable(
        [['NAME', 'ID', 'ROLES', 'ENDPOINTS', 'STATE', 'LAST USED'], ...rows],
        'No keys. Servers on loopback are open, others do not start. `headrace keys create NAME --role predict` makes one.',
      ),
    };
  },
});

const rotate = defineCommand({
  usage: 'rotate <name>',
  summary: 'make a second key like the one of that name or id, which ends after a grace',
  example: 'headrace keys rotate checkout-service --grace 7d',
  notes: ONLY_KEY,
  options: (command) =>
    command
      .option('--grace <duration>', 'how long the former one still works: time to hand out the new one', '1d')
      .option(...REASON),
  async run(context, [name = ''], options) {
    const grace = readDuration(options, 'grace') ?? 0;
    const { keys } = await (await context.app()).registry();
    const made = await keys.rotate(name, grace, changeBy(context, options));
    const { former } = made;
    const ends = former.expiresMicros === null ? '' : ` ends at ${formatTimestamp(former.expiresMicros)}`;
    const json = { ...presentMade(made), former: present(former) };
    return tellMade(context, json, [made.token, describeMade(made), `The former one, hr_${former.id},${ends}.`]);
  },
});

const revoke = defineCommand({
  usage: 'revoke <name>',
  summary: 'end keys by their name, or one by its id; servers refuse them within a second',
  example: 'headrace keys revoke checkout-service\nheadrace keys revoke hr_4k2j9x0qzt --reason "found in a log"',
  options: (command) => command.option(...REASON),
  async run(context, [name = ''], options) {
    const { keys } = await (await context.app()).registry();
    const revoked = await keys.revoke(name, changeBy(context, options));
    return {
      json: { revoked: revoked.map(present) },
      text: revoked.map((key) => `Revoked hr_${key.id} (${key.name}). Servers refuse it within a second.`).join('\n'),
    };
  },
});

export const keysCommand = defineGroup('keys', 'make, list, rotate and revoke API keys', [
  create,
  list,
  rotate,
  revoke,
]);

function changeBy({ environment }: CommandContext, options: CommandOptions): KeyChange {
  return { actor: environment.actor, reason: textOption(options, 'reason') };
}

function readDuration(options: CommandOptions, name: string): Micros | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const micros = parseDuration(text);
  if (micros === undefined || (micros === 0 && name === 'expires'))
    throw usageError(`--${name} takes a duration such as 90d or 12h, got "${text}".`);
  return micros;
}

/** For people: `active until …`, `expired …`, `revoked …`. */
function stateOf({ expiresMicros, revokedMicros }: AccessKey, now: Micros): string {
  if (revokedMicros !== null) return `revoked ${formatTimestamp(revokedMicros)}`;
  if (expiresMicros === null) return 'active';
  return `${expiresMicros > now ? 'active until' : 'expired'} ${formatTimestamp(expiresMicros)}`;
}

function present(key: AccessKey): object {
  const time = (micros: Micros | null): string | null => (micros === null ? null : formatTimestamp(micros));
  return {
    id: key.id,
    name: key.name,
    roles: key.roles,
    endpoints: key.endpoints,
    created_at: formatTimestamp(key.createdMicros),
    created_by: key.createdBy,
    expires_at: time(key.expiresMicros),
    revoked_at: time(key.revokedMicros),
    last_used_at: time(key.usedMicros),
  };
}

function presentMade({ key, token }: MadeKey): object {
  return { key: token, ...present(key) };
}

/** The key on stdout, where a script takes it from; the rest on stderr. */
function tellMade(context: CommandContext, json: object, [token = '', ...says]: readonly string[]): CommandResult {
  const result = { json, text: token };
  context.announce(result);
  if (!context.isJson) for (const line of says) context.tell(line);
  return result;
}

function describeMade({ key }: MadeKey): string {
  const ends = key.expiresMicros === null ? 'never ends' : `ends at ${formatTimestamp(key.expiresMicros)}`;
  return [
    `This is shown once: keep it where secrets are kept. Key "${key.name}" may ${key.roles.join(', ')} on ${
      key.endpoints === null ? 'all endpoints' : key.endpoints.join(', ')
    } and ${ends}.`,
    'Send it as `Authorization: Bearer …` or `x-api-key: …`. Servers know it within a second.',
  ].join('\n');
}
