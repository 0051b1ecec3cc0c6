// What `endpoints traffic` says of the change that it asked for: active, or still being loaded. All else is an error.

import type { EndpointState, Traffic } from '../registry/index.ts';
import type { CommandResult } from './command.ts';
import { describeTraffic, presentEndpoint } from './describe-endpoint.ts';

export type AskedVariant = Traffic['variants'][number];

/** How far the live servers are. */
export interface TrafficServers {
  /** How many are live. */
  readonly servers: number;
  /** Those that have yet to load it, or to answer by it. */
  readonly waitsFor: readonly string[];
}

/** `told`: undefined where the registry can't tell it any more. */
export function trafficResult(
  endpoint: EndpointState,
  asked: readonly AskedVariant[],
  told: TrafficServers | undefined,
): CommandResult {
  const { name, change } = endpoint;
  const { servers, waitsFor } = told ?? { servers: null, waitsFor: null };
  const json = { ...presentEndpoint(endpoint), waitsFor, servers };
  const traffic = describeTraffic(endpoint);
  if (change?.state === 'preparing') {
    const by = waitsFor === null || waitsFor.length === 0 ? 'the servers' : waitsFor.join(', ');
    const text = `${name}: revision ${change.revision} is being loaded by ${by}, and is active once all have it; until then ${traffic} goes on.${endingOf(change)} See \`headrace endpoints show ${name}\`.`;
    return { json, text, exitCode: 3 };
  }
  const lines = [
    `${name}: ${traffic}`,
    describeAliases(asked, endpoint),
    describeRollout(endpoint),
    servers === 0 ? UNTRIED : describeWaiting(waitsFor),
  ];
  return { json, text: lines.filter((line) => line !== undefined).join('\n') };
}

/** What became of the rollout that was overridden, or is. */
function describeRollout({ rollout, change }: EndpointState): string | undefined {
  const ended = change?.endsRollout;
  if (rollout !== null) return `Rollout ${rollout} is still under way, and guards its candidate.`;
  if (ended === undefined) return undefined;
  return `Rollout ${ended} has ended: the base now has what its candidate had, or was to get beside other versions.`;
}

/** With nobody to load it, nobody could refuse it. */
const UNTRIED =
  'No server is live, so nothing has loaded it yet: the next one to start does. `headrace doctor` checks that its artifact is there.';

function endingOf({ endsRollout }: NonNullable<EndpointState['change']>): string {
  return endsRollout === undefined ? '' : ` Rollout ${endsRollout} guards that, and ends then.`;
}

function describeAliases(asked: readonly AskedVariant[], { variants }: EndpointState): string | undefined {
  const meant = asked.flatMap(({ name, version }) => {
    const found = variants.find((variant) => variant.name === name)?.version;
    // One that an override left nothing is told of with the rollout.
    return found === undefined || String(found) === String(version) ? [] : [`${version} is version ${found}`];
  });
  return meant.length === 0 ? undefined : [...new Set(meant)].join(', ');
}

function describeWaiting(waitsFor: readonly string[] | null): string | undefined {
  if (waitsFor === null)
    return 'It is active. Which servers answer by it already is not known: the registry could not be asked.';
  if (waitsFor.length === 0) return undefined;
  return `It is active. These have not told yet that they answer by it: ${waitsFor.join(', ')}.`;
}
