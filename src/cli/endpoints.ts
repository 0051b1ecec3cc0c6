// `headrace endpoints list | show | traffic | shadows`.

import { type Traffic, trafficWaitsFor } from '../registry/index.ts';
import { collect, type CommandOptions, defineCommand, defineGroup, textOption, usageError } from './command.ts';
import { describeChange, describeOwners, describeTraffic, presentEndpoint } from './describe-endpoint.ts';
import { describeEndpointServers, presentEndpointServer } from './endpoint-servers.ts';
import { endpointShadowsCommand } from './endpoint-shadows.ts';
import { formatTable } from './table.ts';
import { type AskedVariant, trafficResult } from './traffic-result.ts';

const list = defineCommand({
  usage: 'list',
  summary: 'list endpoints and their traffic',
  example: 'headrace endpoints list',
  async run(context) {
    const endpoints = await (await (await context.app('read')).registry()).endpoints.list();
    const rows = endpoints.map((endpoint) => [endpoint.name, endpoint.model, describeTraffic(endpoint)]);
    return {
      json: { endpoints: endpoints.map(presentEndpoint) },
      text: formatTable(
        [['ENDPOINT', 'MODEL', 'TRAFFIC'], ...rows],
        'No endpoints. Define one with endpoint(…) and run `headrace apply`.',
      ),
    };
  },
});

const show = defineCommand({
  usage: 'show <name>',
  summary: 'show an endpoint, and what each live server makes of it',
  example: 'headrace endpoints show delay',
  columns: {
    SERVER: 'machine and process, of each worker',
    STATE:
      'serving; stale, by earlier versions or some of those that are wanted; failed, nothing is answered; empty, no traffic yet',
    VERSIONS: 'of the model, that answer',
  },
  async run(context, [name = '']) {
    const registry = await (await context.app('read')).registry();
    const endpoint = await registry.endpoints.get(name);
    const servers = await registry.servers.list();
    const lines = [
      `${name}: model ${endpoint.model}, unit ${endpoint.unit.length === 0 ? 'each request' : endpoint.unit.join(', ')}`,
      describeTraffic(endpoint),
      ...describeOwners(endpoint),
      `ETag ${endpoint.etag}`,
      describeChange(endpoint),
      '',
      describeEndpointServers(endpoint, servers),
    ];
    return {
      json: {
        ...presentEndpoint(endpoint),
        waitsFor: trafficWaitsFor(endpoint, servers),
        servers: servers.map((server) => presentEndpointServer(name, server)),
      },
      text: lines.filter((line) => line !== undefined).join('\n'),
    };
  },
});

/** Longer than a server that was killed counts as live, so that somebody settles the change where no other does. */
const WAIT_MS = 20_000;

const traffic = defineCommand({
  usage: 'traffic <name> [variants...]',
  summary: 'split the traffic: variant=version:weight, the version by number, alias or latest; weights sum to 100',
  example: [
    'headrace endpoints traffic delay stable=1:90 candidate=2:10',
    'headrace endpoints traffic delay stable=champion:90 candidate=latest:10',
    "headrace endpoints traffic delay stable=1:100 --reason 'version 2 was slower' --if-match r4",
    'headrace endpoints traffic delay --shadow latest:25',
    'headrace endpoints traffic delay --no-shadows',
  ].join('\n'),
  exitCodes: {
    0: 'it is active',
    1: 'it was refused, could not be loaded, or gave way to another: nothing has changed',
    2: 'wrong usage',
    3: 'the servers are still loading it',
  },
  notes:
    'Without variants they stay as they are, and so do shadows where neither of their options is given; --shadow names all that there are to be.',
  options: (command) =>
    command
      .option(
        '--shadow <version:percent>',
        'give copies of so many percent of the units to it; may be repeated',
        collect,
      )
      .option('--no-shadows', 'end all shadows')
      .option('--reason <text>', 'why, for the audit log')
      .option(
        '--override',
        'although a rollout is under way, which goes on over its two variants, or ends; with --reason',
      )
      .option('--if-match <etag>', 'only while this is the endpoint’s ETag, as show has it'),
  async run(context, [name = '', ...written], options) {
    const given = written.map(readVariant);
    const shadows = readShadows(options);
    if (given.length === 0 && shadows === undefined)
      throw usageError('name the variants, such as stable=1:100, or shadows: --shadow 2:25, --no-shadows.');
    const registry = await (await context.app()).registry();
    const variants = given.length === 0 ? (await registry.endpoints.get(name)).variants : given;
    const reason = textOption(options, 'reason');
    const ifMatch = textOption(options, 'ifMatch');
    const endpoint = await registry.endpoints.setTraffic(
      name,
      { variants, ...(shadows === undefined ? {} : { shadows }) },
      {
        actor: context.environment.actor,
        waitMs: WAIT_MS,
        onWait: (waitsFor) =>
          context.tell(`waiting for ${waitsFor.join(', ')} to load it, ${WAIT_MS / 1000} s in all at most …`),
        override: options['override'] === true,
        ...(reason === undefined ? {} : { reason }),
        ...(ifMatch === undefined ? {} : { ifMatch }),
      },
    );
    // It is asked for, whether or not they can be told after that.
    const servers = await registry.servers.list().catch(() => undefined);
    return trafficResult(
      endpoint,
      given,
      servers && { servers: servers.length, waitsFor: trafficWaitsFor(endpoint, servers) },
    );
  },
});

export const endpointsCommand = defineGroup(
  'endpoints',
  'list and show endpoints, split their traffic, compare shadows',
  [list, show, traffic, endpointShadowsCommand],
);

/** All that there are to be; undefined where nothing is said of them. */
function readShadows(options: CommandOptions): NonNullable<Traffic['shadows']> | undefined {
  const written = options['shadow'];
  if (!Array.isArray(written)) return options['shadows'] === false ? [] : undefined;
  if (options['shadows'] === false) throw usageError('--shadow and --no-shadows say different things; leave one out.');
  return written.map((text: unknown) => {
    const [, version, percent] = /^([\w.-]+):(\d+(?:\.\d+)?)$/.exec(String(text)) ?? [];
    if (version === undefined)
      throw usageError(`a shadow is written version:percent, such as 2:25 or latest:100, got "${String(text)}".`);
    return { version, percent: Number(percent) };
  });
}

function readVariant(text: string): AskedVariant {
  const [, name = '', version, weight] = /^([^=]+)=([\w.-]+):(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (version === undefined) {
    throw usageError(
      `a variant is written name=version:weight, such as stable=1:90 or stable=champion:90, got "${text}".`,
    );
  }
  return { name, version, weight: Number(weight) };
}
