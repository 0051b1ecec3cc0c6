// What a rollout sees of the traffic that it asked for.

import { describe, expect, it } from 'vitest';
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
  const state = {
    name: 'e',
    rollout: 'r',
    revision: 7,
    variants: [],
    change: change === undefined ? null : { revision: 7, actor: 'bob', reason: null, failures: [], ...change },
    ...endpoint,
  };
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

const server = (more: object = {}) => ({ machine: 'a', pid: 1, revision: 9, prepared: {}, endpoints: {}, ...more });

describe('the traffic of a rollout', () => {
  it('is active once it has its revision, and waits for servers that answer by another', async () => {
    expect(await seen({})).toMatchObject({ kind: 'active', waitsFor: [], asked: 'settle' });
    expect(await seen({ live: [server({ endpoints: { e: { revision: 7 } } })] })).toMatchObject({
      kind: 'active',
      waitsFor: [],
    });
    expect(await seen({ live: [server({ endpoints: { e: { revision: 6 } } })] })).toMatchObject({
      kind: 'active',
      waitsFor: ['a 1'],
    });
  });

  it('is left as it is, and waits for all, while every server is silent', async () => {
    const silent = [server()];
    expect(await seen({ silent })).toMatchObject({ kind: 'active', waitsFor: ['a 1'], asked: 'get' });
    expect(await seen({ silent, change: { state: 'preparing' } })).toMatchObject({
      kind: 'preparing',
      waitsFor: ['a 1'],
    });
    expect(await seen({ silent, live: [server({ endpoints: { e: { revision: 7 } } })] })).toMatchObject({
      waitsFor: [],
      asked: 'settle',
    });
  });

  it('is being prepared, has failed, or what somebody asked for beside it is being prepared', async () => {
    expect(await seen({ change: { state: 'preparing' }, live: [server()] })).toMatchObject({
      kind: 'preparing',
      waitsFor: ['a 1'],
    });
    const failures = [
      { server: 'a 1', reason: 'no memory' },
      { server: 'b 2', reason: 'no model' },
    ];
    expect(await seen({ change: { state: 'failed', failures } })).toMatchObject({
      kind: 'failed',
      reason: 'a 1: no memory; b 2: no model',
    });
    expect(await seen({ change: { state: 'preparing', revision: 8 } })).toMatchObject({ kind: 'beside' });
    expect(await seen({ change: { state: 'failed', revision: 8 } })).toMatchObject({ kind: 'active' });
  });

  it('was overridden where another revision is active under it', async () => {
    const variants = [
      { version: 1, weight: 70 },
      { version: 2, weight: 30 },
    ] as unknown as EndpointState['variants'];
    const endpoint = { revision: 8, variants };
    expect(await seen({ endpoint, change: { state: 'active', revision: 8, reason: 'on fire' } })).toMatchObject({
      kind: 'overridden',
      revision: 8,
      weight: 30,
      actor: 'bob',
      reason: 'on fire',
    });
    expect(await seen({ endpoint: { ...endpoint, variants: [] } })).toMatchObject({
      weight: 0,
      actor: 'somebody',
      reason: null,
    });
  });

  it('is lost where it is another’s, and where the endpoint is gone; what else fails is thrown', async () => {
    const other = { endpoint: { rollout: null } };
    expect(await seen({ ...other, change: { revision: 8, reason: 'on fire' } })).toMatchObject({
      kind: 'lost',
      reason: 'bob set the traffic: on fire',
    });
    expect(await seen({ ...other, change: { revision: 8 } })).toMatchObject({
      kind: 'lost',
      reason: 'bob set the traffic',
    });
    expect(await seen({ ...other, change: {} })).toMatchObject({
      kind: 'lost',
      reason: 'other definitions took the traffic from it',
    });
    expect(await seen(other)).toMatchObject({ kind: 'lost', reason: 'other definitions took the traffic from it' });
    expect(await seen({}, new HeadraceError('HR_UNKNOWN_ENDPOINT', 'no'))).toMatchObject({
      kind: 'lost',
      reason: 'endpoint "e" is gone',
    });
    await expect(seen({}, new HeadraceError('HR_STORAGE_UNAVAILABLE', 'away'))).rejects.toThrow('away');
  });

  it.each(['rolling_back', 'promoted'] as const)(
    'of one that is %s is its own without its name, until somebody sets another',
    async (state) => {
      const free = { rollout: { state }, endpoint: { rollout: null } };
      expect(await seen(free)).toMatchObject({ kind: 'active' });
      expect(await seen({ ...free, change: { state: 'preparing' } })).toMatchObject({ kind: 'preparing' });
      expect(await seen({ ...free, change: { state: 'preparing', revision: 8 } })).toMatchObject({ kind: 'lost' });
      expect(await seen({ rollout: { state }, endpoint: { rollout: null, revision: 8 } })).toMatchObject({
        kind: 'lost',
      });
    },
  );
});
