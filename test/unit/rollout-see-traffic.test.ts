// What a rollout sees of the traffic that it asked for.

import { expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import type { EndpointState, Registry, TrafficChange } from '../../src/registry/index.ts';
import type { Rollout } from '../../src/rollouts/controller/rollout.ts';
import { see } from '../../src/rollouts/controller/see-traffic.ts';

const ROLLOUT = { id: 'r', endpoint: 'e', revision: 7, state: 'watching', candidate: 2 } as Rollout; // what it looks at

interface Given {
  readonly rollout?: Partial<Rollout>;
  readonly endpoint?: Partial<Omit<EndpointState, 'change'>>;
  readonly change?: Partial<TrafficChange>;
  readonly live?: readonly object[];
  readonly silent?: readonly object[];
}

async function seen({ rollout, endpoint, change, live = [], silent = [] }: Given, thrown?: Error) {
  const asked: string[] = [];
  const told = change === undefined ? null : { revision: 7, actor: 'bob', reason: null, failures: [], ...change };
  const state = { name: 'e', rollout: 'r', revision: 7, variants: [], change: told, ...endpoint };
  const answer = (how: string) => async () => {
    asked.push(how);
    if (thrown !== undefined) throw thrown;
    return state;
  };
  const registry = {
    endpoints: { get: answer('get'), settleTraffic: answer('settle') },
    servers: { heard: async () => ({ live, silent }), list: async () => live },
  } as unknown as Pick<Registry, 'endpoints' | 'servers'>;
  return { ...(await see({ ...ROLLOUT, ...rollout }, registry)), asked: asked[0] };
}

/** A server that answers by a revision, or says nothing of one. */
const server = (revision?: number) => {
  const endpoints = revision === undefined ? {} : { e: { revision } };
  return { machine: 'a', pid: 1, revision: 9, prepared: {}, endpoints };
};
const silent = [server()];
const failures = ['no memory', 'no model'].map((reason, at) => ({ server: `${'ab'[at]} ${at + 1}`, reason }));
const split = [70, 30].map((weight, at) => ({ version: at + 1, weight })) as unknown as EndpointState['variants'];
const overridden = { revision: 8, variants: split };
const other = { endpoint: { rollout: null } };
const preparing = { state: 'preparing' } as const;
const TAKEN = 'other definitions took the traffic from it';

it.each<[string, Given, object]>([
  ['active with its revision', {}, { kind: 'active', waitsFor: [], asked: 'settle' }],
  ['active, a server answers by it', { live: [server(7)] }, { kind: 'active', waitsFor: [] }],
  ['active, a server answers by another', { live: [server(6)] }, { kind: 'active', waitsFor: ['a 1'] }],
  ['left as it is, all are silent', { silent }, { kind: 'active', waitsFor: ['a 1'], asked: 'get' }],
  ['left preparing, all are silent', { silent, change: preparing }, { kind: 'preparing', waitsFor: ['a 1'] }],
  ['settled, one is not silent', { silent, live: [server(7)] }, { waitsFor: [], asked: 'settle' }],
  ['being prepared', { change: preparing, live: [server()] }, { kind: 'preparing', waitsFor: ['a 1'] }],
  ['failed', { change: { state: 'failed', failures } }, { kind: 'failed', reason: 'a 1: no memory; b 2: no model' }],
  ['beside another that is prepared', { change: { ...preparing, revision: 8 } }, { kind: 'beside' }],
  ['active beside another that failed', { change: { state: 'failed', revision: 8 } }, { kind: 'active' }],
  [
    'overridden where another revision is active under it',
    { endpoint: overridden, change: { state: 'active', revision: 8, reason: 'on fire' } },
    { kind: 'overridden', revision: 8, weight: 30, actor: 'bob', reason: 'on fire' },
  ],
  [
    'overridden by nobody who is known, and the candidate has nothing',
    { endpoint: { ...overridden, variants: [] } },
    { kind: 'overridden', weight: 0, actor: 'somebody', reason: null },
  ],
  [
    'lost, another set it and said why',
    { ...other, change: { revision: 8, reason: 'on fire' } },
    { kind: 'lost', reason: 'bob set the traffic: on fire' },
  ],
  ['lost, another set it', { ...other, change: { revision: 8 } }, { kind: 'lost', reason: 'bob set the traffic' }],
  ['lost to definitions', { ...other, change: {} }, { kind: 'lost', reason: TAKEN }],
  ['lost, nothing is told of it', other, { kind: 'lost', reason: TAKEN }],
])('the traffic of a rollout is %s', async (_what, given, told) => {
  expect(await seen(given)).toMatchObject(told);
});

it('the traffic is lost where its endpoint is gone; what else fails is thrown', async () => {
  const gone = await seen({}, new HeadraceError('HR_UNKNOWN_ENDPOINT', 'no'));
  expect(gone).toMatchObject({ kind: 'lost', reason: 'endpoint "e" is gone' });
  await expect(seen({}, new HeadraceError('HR_STORAGE_UNAVAILABLE', 'away'))).rejects.toThrow('away');
});

it.each(['rolling_back', 'promoted'] as const)(
  'the traffic of one that is %s is its own without its name, until somebody sets another',
  async (state) => {
    const free = { rollout: { state }, endpoint: { rollout: null } };
    expect(await seen(free)).toMatchObject({ kind: 'active' });
    expect(await seen({ ...free, change: preparing })).toMatchObject({ kind: 'preparing' });
    expect(await seen({ ...free, change: { ...preparing, revision: 8 } })).toMatchObject({ kind: 'lost' });
    expect(await seen({ ...free, endpoint: { rollout: null, revision: 8 } })).toMatchObject({ kind: 'lost' });
  },
);
