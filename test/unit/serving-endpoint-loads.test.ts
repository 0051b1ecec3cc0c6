// Endpoints loaded beside what they serve: what hangs, fails or comes late, and what is tried again.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ErrorCode, HeadraceError, silentLogger } from '../../src/core/index.ts';
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
/** How often something was compiled. */
let tries: number;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  [retired, tries] = [[], 0];
  loads = createEndpointLoads({
    logger: silentLogger,
    nowMicros: () => Math.round(performance.now() * 1000),
    random: () => 0.5,
    onChange: () => {},
    limitMs: 60_000,
  });
});
afterEach(() => vi.useRealTimers());

const settle = () => vi.advanceTimersByTimeAsync(0);
type Compile = WantedEndpoint['compile'];
/** Wants this revision alone, and what stands behind it. */
async function want(revision: number, compile: Compile, next?: { revision: number; compile(): Promise<EndpointPlan> }) {
  const counted: Compile = (given) => {
    tries++;
    return compile(given);
  };
  const following = next === undefined ? undefined : { id: String(next.revision), ...next };
  loads.want([{ state: state(revision), id: String(revision), compile: counted, next: following }], true);
  await settle();
}
async function retryAfter(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  loads.retry();
  await settle();
}
const slot = () => loads.slots().get('e');
const good = (revision: number) => () => Promise.resolve(planOf(revision, retired));
const failing = (code: ErrorCode) => () => Promise.reject(new HeadraceError(code, 'so'));

describe('a load', () => {
  it('that fails for a while is tried again after 1 s, 2 s, 4 s, … and at once when something changed', async () => {
    const compile = failing('HR_STORAGE_UNAVAILABLE');
    await want(1, compile);
    expect(slot()?.failure).toMatchObject({ sinceMicros: expect.any(Number), retryMicros: expect.any(Number) });
    const at: number[] = [];
    for (let second = 1; second <= 8; second++) {
      const before = tries;
      await retryAfter(1000);
      if (tries > before) at.push(second);
    }
    expect(at).toEqual([1, 3, 7]);
    await want(1, compile);
    expect(tries).toBe(5);
  });

  it('that lacks a version answers by the others, and is whole once that can be had', async () => {
    const away = new HeadraceError('HR_STORAGE_UNAVAILABLE', 'away');
    let isAway = true;
    const asked: boolean[] = [];
    const compile: Compile = ({ mayLack }) => {
      asked.push(mayLack);
      const plan = { ...planOf(1, retired), lacking: isAway ? away : undefined };
      return isAway && !mayLack ? Promise.reject(away) : Promise.resolve(plan);
    };
    await want(1, compile);
    const partial = slot();
    expect(partial).toMatchObject({ isCurrent: false, plan: { lacking: away }, failure: { error: away } });
    await retryAfter(1000);
    // It is kept, and not made again.
    expect(slot()?.plan).toBe(partial?.plan);
    isAway = false;
    await retryAfter(2000);
    expect(asked).toEqual([true, false, false]);
    expect(slot()).toMatchObject({ isCurrent: true, plan: { lacking: undefined }, failure: undefined });
    expect(retired).toEqual([1]);
    // What answers is whole: another that lacks something does not take its place.
    isAway = true;
    await want(2, compile);
    expect(asked.at(-1)).toBe(false);
    expect(slot()).toMatchObject({ isCurrent: false, plan: { lacking: undefined }, failure: { error: away } });
  });

  it('that only another artifact mends is not', async () => {
    const compile = failing('HR_MODEL_UNREADABLE');
    await want(1, compile);
    expect(slot()?.failure?.retryMicros).toBe(null);
    await retryAfter(120_000);
    await want(1, compile);
    expect(tries).toBe(1);
    await want(2, good(2));
    expect(slot()).toMatchObject({ isCurrent: true, failure: undefined });
  });

  it.each(['HR_CODE_ALTERED', 'HR_CODE_MISSING', 'HR_VERSION_INCOMPLETE'] as const)(
    'that others mend is: %s',
    async (code) => {
      const compile = () => (tries === 1 ? failing(code) : good(1))();
      await want(1, compile);
      await want(1, compile);
      expect(slot()).toMatchObject({ isCurrent: true });
    },
  );

  it('that hangs is a failure, is begun again, and what it then gives is retired', async () => {
    const first = Promise.withResolvers<EndpointPlan>();
    await want(1, () => (tries === 1 ? first.promise : good(1)()));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(slot()?.failure?.error.code).toBe('HR_MODEL_NOT_READY');
    await retryAfter(2000);
    expect(slot()).toMatchObject({ isCurrent: true });
    first.resolve(planOf(7, retired));
    await settle();
    expect(retired).toEqual([7]);
  });

  it('leaves what was served until it is there, and retires that once', async () => {
    await want(1, good(1));
    const second = Promise.withResolvers<EndpointPlan>();
    await want(2, () => second.promise);
    expect(slot()).toMatchObject({ isCurrent: false, plan: { state: { revision: 1 } } });
    expect(retired).toEqual([]);
    second.resolve(planOf(2, retired));
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
    await want(1, good(1), next(2));
    expect(loads.prepared()).toEqual({ e: { revision: 2, failure: null } });
    const wanted = want(2, good(99));
    expect(slot()).toMatchObject({ isCurrent: true, plan: { state: { revision: 2 } } });
    await wanted;
    expect([compiled, retired]).toEqual([1, [1]]);
    await want(2, good(2), next(3));
    await want(2, good(2));
    expect(retired).toEqual([1, 3]);
    expect(loads.prepared()).toEqual({});
  });

  it('is retired with its endpoint, also when it ends later', async () => {
    const first = Promise.withResolvers<EndpointPlan>();
    await want(1, () => first.promise);
    loads.want([], true);
    first.resolve(planOf(1, retired));
    await settle();
    expect(retired).toEqual([1]);
    expect(loads.slots().size).toBe(0);
  });
});
