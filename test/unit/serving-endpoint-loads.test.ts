// Endpoints loaded beside what they serve: what hangs, fails or comes late, and what is tried again.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeadraceError, silentLogger } from '../../src/core/index.ts';
import { createEndpointLoads, type EndpointLoads, type WantedEndpoint } from '../../src/serving/endpoint-loads.ts';
import type { EndpointPlan } from '../../src/serving/endpoint-plan.ts';
import type { EndpointState } from '../../src/registry/index.ts';

// The loads look at nothing else of a state or a plan.
const state = (revision: number): EndpointState => ({ name: 'e', revision }) as unknown as EndpointState;
const planOf = (revision: number, retired: number[]): EndpointPlan =>
  ({
    state: state(revision),
    shadows: { lacking: undefined },
    retire: () => {
      retired.push(revision);
      return Promise.resolve();
    },
  }) as unknown as EndpointPlan;

let retired: number[];
let loads: EndpointLoads;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  retired = [];
  loads = createEndpointLoads({
    logger: silentLogger,
    nowMicros: () => Math.round(performance.now() * 1000),
    random: () => 0.5,
    onChange: () => {},
    limitMs: 60_000,
  });
});
afterEach(() => vi.useRealTimers());

const wanted = (
  revision: number,
  compile: WantedEndpoint['compile'],
  next?: { readonly revision: number; compile(): Promise<EndpointPlan> },
): WantedEndpoint => ({
  state: state(revision),
  id: String(revision),
  compile,
  next: next === undefined ? undefined : { id: String(next.revision), ...next },
});
const slot = () => loads.slots().get('e');
const good = (revision: number) => () => Promise.resolve(planOf(revision, retired));
const settle = () => vi.advanceTimersByTimeAsync(0);

describe('a load', () => {
  it('that fails for a while is tried again after 1 s, 2 s, 4 s, … and at once when something changed', async () => {
    let tries = 0;
    const compile = () => {
      tries++;
      return Promise.reject(new HeadraceError('HR_STORAGE_UNAVAILABLE', 'away'));
    };
    loads.want([wanted(1, compile)], true);
    await settle();
    expect(slot()?.failure).toMatchObject({ sinceMicros: expect.any(Number), retryMicros: expect.any(Number) });
    const at: number[] = [];
    for (let second = 1; second <= 8; second++) {
      await vi.advanceTimersByTimeAsync(1000);
      const before = tries;
      loads.retry();
      await settle();
      if (tries > before) at.push(second);
    }
    expect(at).toEqual([1, 3, 7]);
    const before = tries;
    loads.want([wanted(1, compile)], true);
    await settle();
    expect(tries).toBe(before + 1);
  });

  it('that lacks a version answers by the others, and is whole once that can be had', async () => {
    const away = new HeadraceError('HR_STORAGE_UNAVAILABLE', 'away');
    let isAway = true;
    const asked: boolean[] = [];
    const compile: WantedEndpoint['compile'] = ({ mayLack }) => {
      asked.push(mayLack);
      const plan = { ...planOf(1, retired), lacking: isAway ? away : undefined };
      return isAway && !mayLack ? Promise.reject(away) : Promise.resolve(plan);
    };
    loads.want([wanted(1, compile)], true);
    await settle();
    const partial = slot();
    expect(partial).toMatchObject({ isCurrent: false, plan: { lacking: away }, failure: { error: away } });
    await vi.advanceTimersByTimeAsync(1000);
    loads.retry();
    await settle();
    // It is kept, and not made again.
    expect(slot()?.plan).toBe(partial?.plan);
    isAway = false;
    await vi.advanceTimersByTimeAsync(2000);
    loads.retry();
    await settle();
    expect(asked).toEqual([true, false, false]);
    expect(slot()).toMatchObject({ isCurrent: true, plan: { lacking: undefined }, failure: undefined });
    expect(retired).toEqual([1]);
    // What answers is whole: another that lacks something does not take its place.
    isAway = true;
    loads.want([wanted(2, compile)], true);
    await settle();
    expect(asked.at(-1)).toBe(false);
    expect(slot()).toMatchObject({ isCurrent: false, plan: { lacking: undefined }, failure: { error: away } });
  });

  it('that only another artifact mends is not', async () => {
    let tries = 0;
    const compile = () => {
      tries++;
      return Promise.reject(new HeadraceError('HR_MODEL_UNREADABLE', 'no model'));
    };
    loads.want([wanted(1, compile)], true);
    await settle();
    expect(slot()?.failure?.retryMicros).toBe(null);
    await vi.advanceTimersByTimeAsync(120_000);
    loads.retry();
    loads.want([wanted(1, compile)], true);
    await settle();
    expect(tries).toBe(1);
    loads.want([wanted(2, good(2))], true);
    await settle();
    expect(slot()).toMatchObject({ isCurrent: true, failure: undefined });
  });

  it.each(['HR_CODE_ALTERED', 'HR_CODE_MISSING', 'HR_VERSION_INCOMPLETE'] as const)(
    'that others mend is: %s',
    async (code) => {
      let tries = 0;
      const compile = () => {
        tries++;
        return tries === 1 ? Promise.reject(new HeadraceError(code, 'not yet')) : good(1)();
      };
      loads.want([wanted(1, compile)], true);
      await settle();
      loads.want([wanted(1, compile)], true);
      await settle();
      expect(slot()).toMatchObject({ isCurrent: true });
    },
  );

  it('that hangs is a failure, is begun again, and what it then gives is retired', async () => {
    let release: (plan: EndpointPlan) => void = () => {};
    let tries = 0;
    const compile = (): Promise<EndpointPlan> => {
      tries++;
      return tries === 1 ? new Promise((resolve) => (release = resolve)) : good(1)();
    };
    loads.want([wanted(1, compile)], true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(slot()?.failure?.error.code).toBe('HR_MODEL_NOT_READY');
    await vi.advanceTimersByTimeAsync(2000);
    loads.retry();
    await settle();
    expect(slot()).toMatchObject({ isCurrent: true });
    release(planOf(7, retired));
    await settle();
    expect(retired).toEqual([7]);
  });

  it('leaves what was served until it is there, and retires that once', async () => {
    loads.want([wanted(1, good(1))], true);
    await settle();
    let release: (plan: EndpointPlan) => void = () => {};
    loads.want([wanted(2, () => new Promise((resolve) => (release = resolve)))], true);
    await settle();
    expect(slot()).toMatchObject({ isCurrent: false, plan: { state: { revision: 1 } } });
    expect(retired).toEqual([]);
    release(planOf(2, retired));
    await settle();
    expect(slot()).toMatchObject({ isCurrent: true, plan: { state: { revision: 2 } } });
    expect(retired).toEqual([1]);
  });

  it('of traffic that is asked for is told, becomes what is served without another, or goes with it', async () => {
    let compiled = 0;
    const next = (revision: number) => ({
      revision,
      compile: () => {
        compiled++;
        return good(revision)();
      },
    });
    loads.want([wanted(1, good(1), next(2))], true);
    await settle();
    expect(loads.prepared()).toEqual({ e: { revision: 2, failure: null } });
    loads.want([wanted(2, good(99))], true);
    expect(slot()).toMatchObject({ isCurrent: true, plan: { state: { revision: 2 } } });
    await settle();
    expect([compiled, retired]).toEqual([1, [1]]);
    loads.want([wanted(2, good(2), next(3))], true);
    await settle();
    loads.want([wanted(2, good(2))], true);
    await settle();
    expect(retired).toEqual([1, 3]);
    expect(loads.prepared()).toEqual({});
  });

  it('is retired with its endpoint, also when it ends later', async () => {
    let release: (plan: EndpointPlan) => void = () => {};
    loads.want([wanted(1, () => new Promise((resolve) => (release = resolve)))], true);
    await settle();
    loads.want([], true);
    release(planOf(1, retired));
    await settle();
    expect(retired).toEqual([1]);
    expect(loads.slots().size).toBe(0);
  });
});
