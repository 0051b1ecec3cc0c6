// `headrace endpoints list | show | traffic`.

import type { EndpointState, Traffic } from '../registry/index.ts';
import { defineCommand, defineGroup, textOption, usageError } from './command.ts';
import { formatTable } from './table.ts';

const list = defineCommand({
  usage: 'list',
  summary: 'list endpoints and their traffic',
  example: 'headrace endpoints list',
  async run(context) {
    const endpoints = await (await (await context.app('read')).registry()).endpoints.list();
    const rows = endpoints.map((endpoint) => [endpoint.name, endpoint.model, describeTraffic(endpoint)]);
    return {
      json: { endpoints: endpoints.map(present) },
      text: formatTable(
        [['ENDPOINT', 'MODEL', 'TRAFFIC'], ...rows],
        'No endpoints. Define one with endpoint(…) and run `headrace apply`.',
      ),
    };
  },
});

const show = defineCommand({
  usage: 'show <name>',
  summary: 'show an endpoint',
  example: 'headrace endpoints show delay',
  async run(context, [name = '']) {
    const endpoint = await (await (await context.app('read')).registry()).endpoints.get(name);
    const text = `${endpoint.name}: model ${endpoint.model}, unit ${endpoint.unit.join(', ')}\n${describeTraffic(endpoint)}\nETag ${endpoint.etag}${describeChange(endpoint)}`;
    return { json: present(endpoint), text };
  },
});

/** Longer than a server that was killed counts as live, so that somebody settles the change where no other does. */
const WAIT_MS = 20_000;

const traffic = defineCommand({
  usage: 'traffic <name> <variants...>',
  summary: 'split the traffic: variant=version:weight, the version by number, alias or latest; weights sum to 100',
  example:
    'headrace endpoints traffic delay stable=1:90 candidate=2:10\nheadrace endpoints traffic delay stable=champion:90 candidate=latest:10',
  options: (command) => command.option('--reason <text>', 'why, for the audit log'),
  async run(context, [name = '', ...written], options) {
    const variants = written.map(readVariant);
    const registry = await (await context.app()).registry();
    const reason = textOption(options, 'reason');
    const endpoint = await registry.endpoints.setTraffic(
      name,
      { variants },
      { actor: context.environment.actor, waitMs: WAIT_MS, ...(reason === undefined ? {} : { reason }) },
    );
    const { change } = endpoint;
    if (change?.state === 'preparing') {
      const text = `${name}: revision ${change.revision} is being loaded by the servers, and is active once all have it. See \`headrace endpoints show ${name}\`.`;
      return { json: present(endpoint), text };
    }
    return {
      json: present(endpoint),
      text: `${name}: ${describeTraffic(endpoint)}${describeAliases(variants, endpoint)}`,
    };
  },
});

export const endpointsCommand = defineGroup('endpoints', 'list and show endpoints, split their traffic', [
  list,
  show,
  traffic,
]);

type AskedVariant = Traffic['variants'][number];

function readVariant(text: string): AskedVariant {
  const [, name = '', version, weight] = /^([^=]+)=([\w.-]+):(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (version === undefined) {
    throw usageError(
      `a variant is written name=version:weight, such as stable=1:90 or stable=champion:90, got "${text}".`,
    );
  }
  return { name, version, weight: Number(weight) };
}

function describeAliases(asked: readonly AskedVariant[], { variants }: EndpointState): string {
  const meant = asked.flatMap(({ name, version }) => {
    const found = variants.find((variant) => variant.name === name)?.version;
    return String(found) === version ? [] : [`${version} is version ${found}`];
  });
  return meant.length === 0 ? '' : `\n${[...new Set(meant)].join(', ')}`;
}

function present({ name, model, unit, variants, shadows, revision, etag, change }: EndpointState): object {
  return { name, model, unit, variants, shadows, revision, etag, change: change?.state === 'active' ? null : change };
}

function describeChange({ change }: EndpointState): string {
  if (change === null || change.state === 'active') return '';
  const asked = change.variants.map(({ name, version, weight }) => `${name}=${version}:${weight}`).join(' ');
  if (change.state === 'preparing') return `\nRevision ${change.revision} is being loaded: ${asked}`;
  const reasons = change.failures.map(({ server, reason }) => `\n  ${server}: ${reason}`).join('');
  return `\nRevision ${change.revision} could not be loaded: ${asked}${reasons}`;
}

function describeTraffic({ variants }: EndpointState): string {
  return variants.length === 0
    ? 'no version yet'
    : variants.map(({ name, version, weight }) => `${name}=${version}:${weight}`).join(' ');
}
