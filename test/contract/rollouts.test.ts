// Rollouts on each database: a controller that looks once a second, servers and requests that are simulated by the second.

import { describe, expect, it, vi } from 'vitest';
import { type MaturedOutcomes, presentRollout } from '../../src/rollouts/index.ts';
import { databasesByTier } from '../support/databases.ts';
import { flightsManifest } from '../support/manifests.ts';
import { refused } from '../support/refused.ts';
import { MODEL } from '../support/registries.ts';
import { expectConsistent } from '../support/rollout-invariants.ts';
import { ANN, ENDPOINT, inRolloutWorlds, type RolloutWorld, SECOND, type Sent } from '../support/rollout-world.ts';

/** So many outcomes of a version, of which `events` are true, each of a unit of its own. */
function maturedOf(version: number, revision: number, n: number, events: number): MaturedOutcomes {
  const group = (of: number): number[] =>
    Array.from({ length: 64 }, (_, g) => Math.floor(of / 64) + (g < of % 64 ? 1 : 0));
  const minute = 1_795_000_020_000_000;
  const units = Array.from({ length: events }, (_, i) => ({ unitHash: version * 1_000_000 + i, minute }));
  return { version, revision, n: group(n), sum: group(events), squares: group(events), events: units };
}

const DROPPED = { stable: { outcome: 0.3 }, candidate: { outcome: 0.15 } };
const DROP = { guards: ['outcome>-10%'], steps: [50, 100], holdMicros: 600 * SECOND };
/** Longer than a server that says nothing is taken for live. */
const AWAY = 60 * SECOND;
const HEALTHY = { units: 200, stable: { error: 0.004 }, candidate: { error: 0.004 } } as const;

describe.each(databasesByTier('rollouts'))('a rollout on $name', (databases) => {
  let world: RolloutWorld;
  inRolloutWorlds(databases, (opened) => (world = opened));

  const begin = async (plan: Parameters<typeof world.start>[0] = {}) => {
    const { rollout } = await world.start(plan);
    await world.run(6, HEALTHY);
    return rollout;
  };
  const goesBack = async (sent: Sent, seconds = 60) => {
    const shown = await world.run(seconds, sent, ({ rollout }) => rollout.endedMicros !== null);
    expect(shown.rollout.state).toBe('rolled_back');
    return shown;
  };
  const harmful = (error: number) => ({ ...HEALTHY, candidate: { error } });
  const current = async () => (await world.shown()).rollout;

  it('goes through its steps to all traffic, and says how', async () => {
    await world.start({ minUnits: 100 }, { ...ANN, reason: 'retrained' });
    await world.serve();
    const shown = await world.run(120, HEALTHY, ({ rollout }) => rollout.endedMicros !== null);
    const status = presentRollout(shown);
    const step = 'preparing settling';
    const states = `pending ${step} watching ${step} watching ${step} baking promoted`.split(' ');
    expect(status.history.map(({ to }) => to)).toEqual(states);
    const end = { endpoint: ENDPOINT, candidate: 2, state: 'promoted', step: 3, weights: { stable: 100 } };
    expect(status).toMatchObject(end);
    expect(await world.weights()).toEqual({ 'stable 2': 100 });
    expect((await world.registry.endpoints.get(ENDPOINT)).rollout).toBeNull();
    const audit = await world.registry.auditLog.list({ object: `rollout/${status.id}` });
    expect(audit.map(({ action }) => action).toReversed()).toEqual([
      'rollout.start',
      ...status.history.slice(1).map(({ to }) => `rollout.${to}`),
    ]);
    // A step is counted from when it is asked for.
    const steps = audit
      .toReversed()
      .map(({ before, after }) => [before, after].map((one) => Object(one).step).join('-'));
    expect(steps.slice(1)).toEqual('0-1 1-1 1-1 1-2 2-2 2-2 2-3 3-3 3-3 3-3'.split(' '));
  });

  it('is rolled back within five seconds of evidence that suffices, which is kept', async () => {
    await begin();
    expect((await current()).state).toBe('watching');
    let breachedAt = 0;
    const shown = await world.run(60, harmful(0.3), ({ rollout: { guardrails, state } }) => {
      if (breachedAt === 0 && guardrails.some(({ verdict }) => verdict === 'breached')) breachedAt = world.now();
      return state === 'rolled_back';
    });
    expect(shown.rollout.state).toBe('rolled_back');
    expect(world.now() - breachedAt).toBeLessThanOrEqual(5 * SECOND);
    expect(await world.weights()).toEqual({ 'stable 1': 100 });
    const { guardrails, reason } = presentRollout(shown);
    expect(reason).toMatch(/error_rate is \+\d+%, allowed \+20%/);
    const breached = guardrails.find(({ metric }) => metric === 'error_rate');
    expect(breached).toMatchObject({ verdict: 'breached', limit: '+20%' });
    expect(breached?.evidence['e']).toBeGreaterThan(60);
  });

  it('ends with the reason where a server can not load the candidate', async () => {
    await world.start();
    await world.serve();
    await world.look();
    // On one of the two.
    await world.serve({ b: 'HR_MODEL_UNREADABLE: truncated' });
    await world.look();
    await world.run(2);
    const rollout = await current();
    expect(rollout.state).toBe('rolled_back');
    expect(rollout.reason).toBe('version 2 can not be served: host 98: HR_MODEL_UNREADABLE: truncated');
    expect(await world.weights()).toEqual({ 'stable 1': 100 });
  });

  it.each([
    ['the candidate has no traffic and stable has', {}, { reach: 0 }, /^srm/],
    ['outcomes drop past what is allowed', DROP, DROPPED, /^outcome is -\d+/],
    ['requests are slow', {}, { candidate: { slow: 0.3 } }, /^slow_rate/],
  ] as const)('goes back where %s', async (_what, plan, sent, reason) => {
    await world.start(plan);
    expect((await goesBack({ ...HEALTHY, ...sent })).rollout.reason).toMatch(reason);
  });

  it('breaches where a breaker opened', async () => {
    await begin();
    await world.openBreaker();
    await world.run(3, HEALTHY);
    expect(await current()).toMatchObject({ state: 'rolled_back' });
  });

  it.each([
    ['hold', 'watching'],
    ['rollback', 'rolled_back'],
  ] as const)('holds while a server tells nothing, and then does as it was told: %s', async (onBlind, state) => {
    await begin({ onBlind });
    world.late.add('a');
    for (let i = 0; i < 31; i++) {
      await world.run(1, HEALTHY);
      world.later(9 * SECOND);
    }
    await world.run(3, HEALTHY);
    const rollout = await current();
    expect(rollout).toMatchObject({ state, step: 1 });
    expect(rollout.guardrails.find(({ metric }) => metric === 'servers')?.verdict).toBe('blind');
    if (onBlind === 'rollback') return;
    world.late.clear();
    const shown = await world.run(20, HEALTHY, ({ rollout: { step } }) => step === 2);
    expect(shown.rollout.step).toBe(2);
  });

  it('tells servers what is slow while it goes on, and no longer', async () => {
    await begin();
    expect(world.slow).toEqual(new Map([[ENDPOINT, 50_000]]));
    await world.rollouts.abort((await current()).id, ANN);
    await world.run(1);
    expect(world.slow).toEqual(new Map());
  });

  it('waits for outcomes that do not come', async () => {
    await world.start({ guards: ['outcome>-10%'] });
    const shown = await world.run(40, HEALTHY);
    expect(shown.rollout).toMatchObject({ state: 'watching', step: 1 });
    expect(presentRollout(shown).reason).toBe('waits: no outcomes of the candidate yet');
    expect(shown.rollout.guardrails[0]?.evidence).toMatchObject({ outcomes_from: 'servers' });
  });

  it('says of outcomes that are told of units that they are not counted, or counts them with the log', async () => {
    await world.start({ guards: ['outcome>-10%'] });
    for (let minute = 0; minute < 4; minute++) {
      world.later(60 * SECOND);
      world.tellOfUnits(20);
      await world.run(6, HEALTHY);
    }
    const status = presentRollout(await world.shown());
    expect(status.reason).toBe(
      'waits: no outcomes of the candidate yet; 80 that were told of units are not counted without maturity',
    );
    expect(status.guardrails[0]).toMatchObject({ verdict: 'undecided', evidence: { not_counted: 80 } });
    await world.rollouts.abort(status.id, ANN);

    await world.start({ guards: ['outcome>-10%'], maturityMicros: 60 * SECOND });
    world.tellOfUnits(20);
    await world.run(6, HEALTHY);
    const { guardrails } = presentRollout(await world.shown());
    expect(guardrails[0]?.evidence).toMatchObject({ outcomes_from: 'log' });
    expect(guardrails[0]?.evidence).not.toHaveProperty('not_counted');
  });

  it('is not moved on by a clock that jumps', async () => {
    await begin({ holdMicros: 3600 * SECOND });
    world.jump(7200 * SECOND);
    await world.run(3, HEALTHY);
    world.jump(-14_400 * SECOND);
    const shown = await world.run(3, HEALTHY);
    expect(shown.rollout).toMatchObject({ state: 'watching', step: 1 });
    expect(shown.rollout.heldMicros).toBeLessThan(20 * SECOND);
    // And it is no less watched.
    await goesBack(harmful(0.5), 10);
  });

  it('leaves what happens in the warm-up out', async () => {
    await world.start({ warmupMicros: 10 * SECOND });
    await world.run(4, HEALTHY);
    // Cold caches.
    await world.run(6, { ...HEALTHY, units: 50, candidate: { error: 0.5 } });
    const shown = await world.run(8, HEALTHY);
    expect(shown.rollout).toMatchObject({ state: 'watching', step: 1 });
    expect(shown.rollout.phases[0]?.warm?.error.length).toBeGreaterThan(5);
  });

  it('goes on by the row alone when another controller takes over, and the former one writes nothing', async () => {
    await begin();
    const former = world.held();
    const next = await world.takeOver();
    const before = await world.shown();
    await world.look(former);
    expect(await world.shown()).toEqual(before);
    const other = await world.newController();
    await world.look(next, other);
    world.later(SECOND);
    await world.look(next, other);
    const after = await world.shown();
    expect(after.rollout.leaseEpoch).toBe(next.epoch);
    await world.look(former);
    expect(await world.shown()).toEqual(after);
  });

  it('holds through an hour without its database, which counts for nothing', async () => {
    await begin({ holdMicros: 60 * SECOND });
    const faults = { diesAt: 0, steps: 0, isAway: false };
    const controller = await world.newController(faults);
    await world.look(undefined, controller);
    faults.isAway = true;
    const away = { code: 'HR_STORAGE_UNAVAILABLE' };
    for (let minute = 0; minute < 60; minute++) {
      world.later(60 * SECOND);
      await expect(world.look(undefined, controller)).rejects.toMatchObject(away);
    }
    faults.isAway = false;
    await world.serve();
    await world.send(HEALTHY);
    await world.look(undefined, controller);
    const rollout = await current();
    expect(rollout).toMatchObject({ state: 'watching', step: 1 });
    expect(rollout.heldMicros).toBeLessThan(30 * SECOND);
    expect((await world.run(120, HEALTHY, ({ rollout: { step } }) => step === 2)).rollout.step).toBe(2);
  });

  it('keeps what it uses from an apply, which never sets weights', async () => {
    const { definitions } = world.registry;
    await begin();
    const before = await world.weights();
    const without = (sections: object): Promise<unknown> =>
      definitions.apply({ ...flightsManifest, ...sections }, { actor: 'bob', allowBreaking: true });
    await refused(without({ endpoints: {} }), 'HR_ROLLOUT_UNDERWAY', 'headrace rollout abort');
    expect((await definitions.plan({ ...flightsManifest, endpoints: {} })).refused).toMatchObject([
      { code: 'HR_ROLLOUT_UNDERWAY' },
    ]);
    await refused(without({ endpoints: {}, models: {} }), 'HR_ROLLOUT_UNDERWAY', 'headrace rollout abort');
    await refused(
      without({ endpoints: {}, models: {}, services: {} }),
      'HR_ROLLOUT_UNDERWAY',
      'headrace rollout abort',
    );
    await refused(world.registry.models.retire(MODEL, 2, 'bob'), 'HR_CONFLICT');
    const { flights } = flightsManifest.sources;
    await without({ sources: { ...flightsManifest.sources, flights: { ...flights, description: 'all' } } });
    expect(await world.weights()).toEqual(before);
    expect((await world.run(3, HEALTHY)).rollout.state).toBe('watching');
    await world.rollouts.abort((await current()).id, ANN);
    await without({ endpoints: {} });
  });

  it('watches on after promotion, and goes back where the traffic is still as it left it', async () => {
    await world.start({ watchMicros: 3600 * SECOND, guards: ['error_rate<0.05'], steps: [50, 100] });
    const promoted = await world.run(60, HEALTHY, ({ rollout }) => rollout.state === 'promoted');
    expect(promoted.rollout).toMatchObject({ state: 'promoted', endedMicros: null });
    // Under stable's name by now.
    const { rollout } = await goesBack(harmful(0.5));
    expect(rollout.reason).toMatch(/^after promotion: error_rate is 0\.\d+, allowed 0\.05/);
    expect(await world.weights()).toEqual({ 'stable 1': 100 });
  });

  it('alerts where the traffic is another by then', async () => {
    const guards = ['outcome<+10%'];
    await world.start({ watchMicros: 3600 * SECOND, guards, maturityMicros: SECOND, steps: [50, 100] });
    const { phases } = (await world.run(8, HEALTHY)).rollout;
    await world.rollouts.promote((await current()).id, ANN);
    const traffic = { variants: [{ name: 'stable', version: 3, weight: 100 }] };
    await world.registry.endpoints.setTraffic(ENDPOINT, traffic, { actor: 'bob', waitMs: 0 });
    // What became of them is known now.
    const revision = phases[0]?.revision ?? 0;
    world.matured.push(maturedOf(1, revision, 1000, 50), maturedOf(2, revision, 1000, 500));
    world.later(60 * SECOND);
    const { rollout } = await world.run(2);
    expect(rollout.state).toBe('promoted');
    expect(rollout.reason).toMatch(/^after promotion, with other traffic/);
    const evidence = { reason: rollout.reason, guard: 'outcome' };
    expect(await world.alerts.list()).toMatchObject([{ rule: 'rollout', endpoint: ENDPOINT, state: 'open', evidence }]);
    expect(await world.weights()).toEqual({ 'stable 3': 100 });
  });

  describe('by people', () => {
    it('is paused, whatever its guards say, and goes on', async () => {
      const rollout = await begin();
      await world.rollouts.pause(rollout.id, { ...ANN, reason: 'looking' });
      const bad = harmful(0.3);
      const paused = await world.run(20, bad);
      expect(paused.rollout).toMatchObject({ state: 'paused', reason: 'looking', pausedFrom: 'watching' });
      expect(paused.rollout.guardrails[0]?.verdict).toBe('breached');
      await refused(world.rollouts.promote(rollout.id, { actor: 'bob', isAdmin: false }), 'HR_FORBIDDEN');
      await world.rollouts.resume(rollout.id, ANN);
      expect((await world.run(3, bad)).rollout.state).toBe('rolled_back');
    });

    it('is promoted past a breach by an admin, or aborted, without any controller', async () => {
      const rollout = await begin();
      const promoted = await world.rollouts.promote(rollout.id, { ...ANN, reason: 'it is fine' });
      expect(promoted.rollout.state).toBe('promoted');
      expect(await world.weights()).toEqual({ 'stable 2': 100 });
      const back = await world.start({ candidate: 1 });
      expect((await world.rollouts.abort(back.rollout.id, ANN)).rollout.state).toBe('aborted');
      expect(await world.weights()).toEqual({ 'stable 2': 100 });
    });

    it('is changed by the one of two who saw how it stands', async () => {
      const { rollout } = await world.start();
      const seen = `"s${rollout.stateVersion}"`;
      await world.rollouts.pause(rollout.id, { ...ANN, ifMatch: seen });
      await refused(
        world.rollouts.abort(rollout.id, { actor: 'bob', isAdmin: true, ifMatch: seen }),
        'HR_CONFLICT',
        'another changed it',
      );
    });

    it('is refused: a second one, an unknown version, one that is served, a bad plan', async () => {
      await refused(world.start({ candidate: 9 }), 'HR_UNKNOWN_MODEL');
      await refused(world.start({ candidate: 1 }), 'HR_CONFLICT');
      await refused(world.start({ steps: [5, 5], guards: ['eror_rate<0.01'] }), 'HR_INVALID', {
        details: [
          { path: 'steps[1]', message: 'expected more than the step before, 5, got 5' },
          { path: 'guards[0]', message: expect.stringContaining('Did you mean "error_rate"') },
        ],
      });
      await refused(world.start({ plan: 'careful' }), 'HR_UNKNOWN_PLAN');
      const { rollout } = await world.start();
      // Whatever the weights are by then.
      await world.run(6, HEALTHY);
      for (const candidate of [2, 3])
        await refused(world.start({ candidate }), 'HR_ROLLOUT_UNDERWAY', `rollout "${rollout.id}" of endpoint`);
    });

    it('is refused while servers load what somebody else asked for, with a word of that', async () => {
      await world.serve();
      const { variants } = await world.registry.endpoints.get(ENDPOINT);
      const beside = { variants, shadows: [{ version: 3, percent: 10 }] };
      const asked = await world.registry.endpoints.setTraffic(ENDPOINT, beside, { actor: 'bob', waitMs: 0 });
      expect(asked.change.state).toBe('preparing');
      await refused(world.start(), 'HR_CONFLICT', {
        message: `servers still load revision ${asked.change.revision} of endpoint "delay", which bob asked for; start the rollout once it is active`,
      });
      await world.serve();
      await world.registry.endpoints.settleTraffic(ENDPOINT);
      expect((await world.start()).rollout.state).toBe('pending');
    });

    it('is refused beside a change of the same moment, with a word of that', async () => {
      const { get } = world.registry.endpoints;
      const { variants } = await get(ENDPOINT);
      const changed = vi.spyOn(world.registry.endpoints, 'get').mockImplementationOnce(async (name) => {
        const seen = await get(name);
        await world.registry.endpoints.setTraffic(name, { variants }, { actor: 'bob' });
        return seen;
      });
      await refused(world.start(), 'HR_CONFLICT', {
        message:
          'somebody changed the traffic of endpoint "delay" at the same moment; see what it is now, and start the rollout again',
      });
      changed.mockRestore();
      expect((await world.start()).rollout.state).toBe('pending');
    });

    it('starts a version that was rolled back after an hour, then four, or by force', async () => {
      const goBack = async (force: boolean): Promise<void> => {
        await world.start({ force });
        await goesBack(harmful(0.5));
      };
      await goBack(false);
      await refused(world.start(), 'HR_CONFLICT');
      world.later(3601 * SECOND);
      await goBack(false);
      world.later(3601 * SECOND);
      await expect(world.start()).rejects.toMatchObject({ message: expect.stringContaining('--force') });
      await goBack(true);
    });

    it('says when no server runs the controller', async () => {
      const shown = await world.start();
      expect(presentRollout(shown).reason).toContain('no server runs the controller');
      await world.run(2);
      expect((await world.shown()).stopped).toBeNull();
      world.later(60 * SECOND);
      expect((await world.shown()).stopped).toContain('no server runs the controller');
    });

    it('is decided by one of two operators at the same moment, beside a look: the other is told', async () => {
      for (let round = 0; round < 6; round++) {
        const stable = (await world.registry.endpoints.get('delay')).variants[0]?.version;
        const { rollout } = await world.start({ candidate: stable === 2 ? 3 : 2, force: true });
        await world.run(5, { units: 60 });
        const verbs = round % 2 === 0 ? (['promote', 'abort'] as const) : (['abort', 'promote'] as const);
        const looking = world.look();
        const done = await Promise.allSettled(
          verbs.map((verb) => world.rollouts[verb](rollout.id, { ...ANN, actor: verb, reason: 'at once' })),
        );
        await looking;
        const lost = done.filter((one) => one.status === 'rejected');
        expect(lost).toHaveLength(1);
        expect(lost[0]?.reason).toMatchObject({ code: 'HR_CONFLICT' });
        const { state } = (await world.shown()).rollout;
        expect(['promoted', 'aborted']).toContain(state);
        const actors = (await world.shown()).events.map(({ actor }) => actor);
        expect(actors.filter((actor) => actor === 'promote' || actor === 'abort')).toEqual([
          state === 'promoted' ? 'promote' : 'abort',
        ]);
        await expectConsistent(world);
      }
    });
  });

  describe('after a silence: nobody’s word is no consent', () => {
    const state = async (): Promise<string> => (await current()).state;
    const look = async (): Promise<string> => {
      await world.look();
      world.later(SECOND);
      return state();
    };

    it('leaves preparing only once servers say that they have loaded the candidate', async () => {
      await world.start();
      await world.serve();
      expect(await look()).toBe('preparing');
      world.later(AWAY);
      expect(await look()).toBe('preparing');
      expect(await world.weights()).toEqual({ 'stable 1': 100 });
      await world.serve();
      expect(await look()).toBe('settling');
    });

    it('leaves settling only once servers say that they answer by it', async () => {
      await world.start();
      await world.serve();
      await look();
      await world.serve();
      expect(await look()).toBe('settling');
      world.later(AWAY);
      expect(await look()).toBe('settling');
      expect(await look()).toBe('settling');
      await world.serve();
      expect(await look()).toBe('watching');
    });
  });
});
