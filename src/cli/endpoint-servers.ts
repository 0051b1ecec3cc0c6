// What the live servers make of an endpoint, as each told the registry: for `endpoints show`.

import type { EndpointState, PreparedTraffic, ServedTraffic, ServerRow } from '../registry/index.ts';
import { formatTable } from './table.ts';

/** `state`, `revision` (of the traffic) and `versions` are null where it does not tell. */
export function presentEndpointServer(endpoint: string, server: ServerRow): object {
  const { id, machine, pid, failure } = server;
  const { state = null, revision = null, versions = null, reason = failure } = servedBy(server, endpoint) ?? {};
  return { id, machine, pid, state, revision, versions, reason, prepared: preparedBy(server, endpoint) ?? null };
}

export function describeEndpointServers(endpoint: ShownEndpoint, servers: readonly ServerRow[]): string {
  if (servers.length === 0) return 'No server is live.';
  const rows = servers.map((server) => {
    const told = servedBy(server, endpoint.name);
    const note = [describeServed(endpoint, server, told), describeLoading(endpoint, server)].filter(Boolean).join('; ');
    // One line each, whatever an error says.
    const oneLine = note.replaceAll(/\s+/g, ' ');
    return [`${server.machine} ${server.pid}`, told?.state ?? '-', told?.versions.join(', ') ?? '', oneLine];
  });
  return formatTable([['SERVER', 'STATE', 'VERSIONS', ''], ...rows]);
}

export interface ShownEndpoint extends Pick<EndpointState, 'name' | 'revision'> {
  readonly change: Pick<NonNullable<EndpointState['change']>, 'revision' | 'state'> | null;
}

function describeServed({ revision }: ShownEndpoint, server: ServerRow, told: ServedTraffic | undefined): string {
  if (server.revision === null) return `has loaded nothing${server.failure === null ? '' : `: ${server.failure}`}`;
  if (server.endpoints === undefined) return 'a build that does not tell';
  if (told === undefined) return 'has not heard of the endpoint';
  if (told.reason !== null) return told.reason;
  const isBehind = told.revision !== null && told.revision < revision;
  return isBehind ? `has yet to take up revision ${revision}: answers by ${told.revision}` : '';
}

function describeLoading({ name, change }: ShownEndpoint, server: ServerRow): string {
  if (change?.state !== 'preparing' || server.revision === null || server.prepared === undefined) return '';
  const prepared = preparedBy(server, name);
  if (prepared?.revision !== change.revision) return `is loading revision ${change.revision}`;
  const { failure } = prepared;
  return failure === null
    ? `has loaded revision ${change.revision}`
    : `can not load revision ${change.revision}: ${failure}`;
}

function servedBy({ endpoints = {} }: ServerRow, name: string): ServedTraffic | undefined {
  return Object.hasOwn(endpoints, name) ? endpoints[name] : undefined;
}

function preparedBy({ prepared = {} }: ServerRow, name: string): PreparedTraffic | undefined {
  return Object.hasOwn(prepared, name) ? prepared[name] : undefined;
}
