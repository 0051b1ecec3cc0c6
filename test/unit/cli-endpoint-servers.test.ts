// What `endpoints show` tells of the servers: one line each, exact in JSON.

import { describe, expect, it } from 'vitest';
import { describeEndpointServers, presentEndpointServer } from '../../src/cli/endpoint-servers.ts';
import type { ServedTraffic, ServerRow } from '../../src/registry/index.ts';

const server = (pid: number, more: Partial<ServerRow>): ServerRow => ({
  id: `id-${pid}`,
  machine: 'one',
  pid,
  startedMicros: 0,
  seenMicros: 0,
  revision: 3,
  failure: null,
  reads: [],
  folds: [],
  prepared: {},
  ...more,
});
const by = (told: Partial<ServedTraffic>): Pick<ServerRow, 'endpoints'> => ({
  endpoints: { checkout: { state: 'serving', revision: 4, versions: [1, 2], reason: null, ...told } },
});
const active = { name: 'checkout', revision: 4, change: null };
const preparing = { name: 'checkout', revision: 4, change: { revision: 5, state: 'preparing' } as const };

describe('the servers of an endpoint', () => {
  it('are told in a line each: state, versions, and why it is not what is wanted', () => {
    const servers = [
      server(11, by({})),
      server(12, by({ state: 'stale', versions: [1], reason: 'version 2 is\nunreadable' })),
      server(13, by({ state: 'failed', revision: null, versions: [], reason: 'it is being loaded' })),
      server(14, by({ revision: 3, versions: [1] })),
      server(15, { revision: null, failure: 'HR_CODE_MISSING: no bundle', endpoints: {} }),
      server(16, { endpoints: {} }),
      server(17, {}),
    ];
    expect(describeEndpointServers(active, servers)).toBe(
      [
        'SERVER  STATE    VERSIONS',
        'one 11  serving  1, 2',
        'one 12  stale    1         version 2 is unreadable',
        'one 13  failed             it is being loaded',
        'one 14  serving  1         has yet to take up revision 4: answers by 3',
        'one 15  -                  has loaded nothing: HR_CODE_MISSING: no bundle',
        'one 16  -                  has not heard of the endpoint',
        'one 17  -                  a build that does not tell',
      ].join('\n'),
    );
  });

  it('are told how far they are with a change that is being loaded', () => {
    const servers = [
      server(11, { ...by({}), prepared: { checkout: { revision: 5, failure: null } } }),
      server(12, { ...by({}), prepared: { checkout: { revision: 5, failure: 'HR_X: no' } } }),
      server(13, by({})),
    ];
    expect(describeEndpointServers(preparing, servers)).toBe(
      [
        'SERVER  STATE    VERSIONS',
        'one 11  serving  1, 2      has loaded revision 5',
        'one 12  serving  1, 2      can not load revision 5: HR_X: no',
        'one 13  serving  1, 2      is loading revision 5',
      ].join('\n'),
    );
  });

  it('are none where none runs', () => {
    expect(describeEndpointServers(active, [])).toBe('No server is live.');
  });

  it('are exact in JSON', () => {
    expect(presentEndpointServer('checkout', server(12, by({ state: 'stale', versions: [1], reason: 'no' })))).toEqual({
      id: 'id-12',
      machine: 'one',
      pid: 12,
      state: 'stale',
      revision: 4,
      versions: [1],
      reason: 'no',
      prepared: null,
    });
    const unknown = { state: null, revision: null, versions: null, prepared: null };
    expect(presentEndpointServer('checkout', server(17, { failure: 'HR_X: no' }))).toMatchObject({
      ...unknown,
      reason: 'HR_X: no',
    });
    expect(presentEndpointServer('constructor', server(11, by({})))).toMatchObject(unknown);
  });
});
