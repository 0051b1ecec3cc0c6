// Traffic that is changed in two phases: asked for, loaded by every live server, then active everywhere or nowhere.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readTrafficWaits, trafficWaitsFor } from '../../src/registry/index.ts';
import { databasesByTier } from '../support/databases.ts';
import { flightsManifest } from '../support/manifests.ts';
import { NOW, onEachRegistry } from '../support/registries.ts';

/** A net: nothing waits for it. */
const LONG = { timeout: 60_000 };

/** The steady clock, which goes on by `stepMs` at each look alone; `later` sets it on. */
function stepTime(stepMs: number): { later(ms: number): void } {
  let nowMs = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += stepMs));
  return { later: (ms) => void (nowMs += ms) };
}

onEachRegistry(
  'a change of traffic',
  (given) => {
    afterEach(() => void vi.restoreAllMocks());

    const to = (version: number) => ({ variants: [{ name: 'stable', version, weight: 100 }] });
    const endpoints = () => given.registry.endpoints;
    const set = (version: number, waitMs: number, more: { readonly ifMatch?: string } = {}) =>
      endpoints().setTraffic('delay', to(version), { actor: 'bob', waitMs, ...more });
    const served = async () => (await endpoints().get('delay')).variants.map(({ version }) => version);

    /** A server tells that it is there, and what it has loaded of the endpoint's traffic. */
    const tell = (
      id: string,
      prepared: { readonly revision: number; readonly failure: string | null } | undefined,
      serving?: number,
    ) =>
      given.registry.servers.report(id, {
        machine: 'host',
        pid: id === 'a' ? 1 : 2,
        startedMicros: 0,
        revision: 1,
        failure: null,
        reads: [],
        folds: [],
        prepared: prepared === undefined ? {} : { delay: prepared },
        ...(serving === undefined
          ? {}
          : { endpoints: { delay: { state: 'serving', revision: serving, versions: [], reason: null } } }),
      });

    /** Resolves with the revision that is asked for, once it is. */
    const asked = async (): Promise<number> => {
      for (;;) {
        const { change } = await endpoints().get('delay');
        if (change?.state === 'preparing') return change.revision;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };

    describe('with two servers', () => {
      beforeEach(async () => {
        await given.apply(flightsManifest);
        await given.register();
        await given.register('2');
        await tell('a', undefined);
        await tell('b', undefined);
      });

      it('is active once both have loaded it, and not before', async () => {
        const setting = set(2, 5000);
        const revision = await asked();
        await tell('a', { revision, failure: null });
        expect((await endpoints().settleTraffic('delay')).change?.state).toBe('preparing');
        expect(await served()).toEqual([1]);
        await tell('b', { revision, failure: null });
        const state = await setting;
        expect(state).toMatchObject({ revision, etag: `"r${revision}"`, change: { state: 'active' } });
        expect(await served()).toEqual([2]);
      });

      it('is answered once both serve it, where they tell what they serve', async () => {
        let isAnswered = false;
        const setting = set(2, 5000).then((state) => {
          isAnswered = true;
          return state;
        });
        const revision = await asked();
        const loaded = { revision, failure: null };
        await tell('a', loaded, revision - 1);
        await tell('b', loaded, revision - 1);
        expect(await endpoints().settleTraffic('delay')).toMatchObject({ revision });
        await tell('a', undefined, revision);
        await new Promise((resolve) => setTimeout(resolve, 200));
        expect(isAnswered).toBe(false);
        const state = await endpoints().get('delay');
        expect(trafficWaitsFor(state, await given.registry.servers.list())).toEqual(['host 2']);
        expect((await endpoints().trafficRevision('delay', revision)).waitsFor).toEqual(['host 2']);
        await tell('b', undefined, revision);
        expect(await setting).toMatchObject({ revision, change: { state: 'active' } });
        expect(trafficWaitsFor(state, await given.registry.servers.list())).toEqual([]);
      });

      it('is answered though one stops before it serves it, which is told', async () => {
        const setting = set(2, 5000);
        const revision = await asked();
        const loaded = { revision, failure: null };
        await tell('a', loaded, revision - 1);
        await tell('b', loaded, revision - 1);
        await endpoints().settleTraffic('delay');
        await tell('a', undefined, revision);
        const beganMs = performance.now();
        const state = await setting;
        expect(performance.now() - beganMs).toBeLessThan(2500);
        expect(state).toMatchObject({ revision, change: { state: 'active' } });
        expect(trafficWaitsFor(state, await given.registry.servers.list())).toEqual(['host 2']);
      });

      it('that is being loaded tells which servers have yet to load it', async () => {
        const { change } = await set(2, 0);
        const revision = change?.revision as number;
        await tell('a', { revision, failure: null });
        expect(await endpoints().trafficRevision('delay', revision)).toMatchObject({
          state: 'preparing',
          waitsFor: ['host 2'],
        });
        expect((await endpoints().trafficRevision('delay', revision - 1)).waitsFor).toEqual([]);
      });

      it('that one cannot load changes nothing, and tells why', async () => {
        const setting = set(2, 5000);
        const revision = await asked();
        await tell('a', { revision, failure: null });
        await tell('b', { revision, failure: 'HR_MODEL_UNREADABLE: no such file' });
        await expect(setting).rejects.toMatchObject({
          code: 'HR_NOT_PREPARED',
          message: expect.stringContaining('host 2: HR_MODEL_UNREADABLE: no such file'),
          details: [{ path: 'host 2', message: 'HR_MODEL_UNREADABLE: no such file' }],
        });
        expect(await served()).toEqual([1]);
        const [entry] = await given.registry.auditLog.list({ object: 'endpoint/delay' });
        expect(entry).toMatchObject({ action: 'endpoint.traffic.failed', actor: 'bob' });
      });

      it('that takes long is given as preparing, and becomes active later by whoever looks', async () => {
        const state = await set(2, 0);
        const revision = state.change?.revision as number;
        expect(state).toMatchObject({ revision: revision - 1, change: { state: 'preparing' } });
        expect(await served()).toEqual([1]);
        await tell('a', { revision, failure: null });
        await tell('b', { revision, failure: null });
        const both = await Promise.all([endpoints().settleTraffic('delay'), endpoints().settleTraffic('delay')]);
        expect(both.map(({ change }) => change?.state)).toEqual(['active', 'active']);
        expect(await served()).toEqual([2]);
        const active = (await given.registry.auditLog.list({ object: 'endpoint/delay' })).filter(
          ({ action }) => action === 'endpoint.traffic',
        );
        // The model's first version, and this.
        expect(active).toHaveLength(2);
      });

      it('gives way to one that is asked for later, and says so', async () => {
        const first = set(2, 5000);
        const revision = await asked();
        const second = await set(1, 0);
        expect(second.change?.revision).toBe(revision + 1);
        await expect(first).rejects.toMatchObject({
          code: 'HR_CONFLICT',
          message: expect.stringContaining('after it'),
        });
      });

      it('that somebody else prepares is not overwritten by an ETag from before it', async () => {
        const { etag } = await endpoints().get('delay');
        await set(2, 0);
        await expect(set(1, 0, { ifMatch: etag })).rejects.toMatchObject({ code: 'HR_PRECONDITION' });
      });

      it('goes with the definitions that it was asked under', async () => {
        const setting = set(2, 5000);
        await asked();
        await given.apply({ ...flightsManifest, endpoints: {} }, true);
        await expect(setting).rejects.toMatchObject({ code: 'HR_UNKNOWN_ENDPOINT' });
      });

      it('waits for no server that has loaded nothing: it answers nobody', async () => {
        await given.registry.servers.report('b', {
          machine: 'host',
          pid: 2,
          startedMicros: 0,
          revision: null,
          failure: 'HR_CODE_MISSING: no bundle',
          reads: [],
          folds: [],
          prepared: {},
        });
        const setting = set(2, 5000);
        const revision = await asked();
        await tell('a', { revision, failure: null });
        expect((await setting).change?.state).toBe('active');
      });

      it('that was active is told as such, though another was asked for right after', async () => {
        const setting = set(2, 5000);
        const revision = await asked();
        await tell('a', { revision, failure: null });
        await tell('b', { revision, failure: null });
        // Before the one that waits looks again.
        await endpoints().settleTraffic('delay');
        const later = await set(1, 0);
        expect(later).toMatchObject({ revision, change: { revision: revision + 1, state: 'preparing' } });
        expect(await setting).toMatchObject({
          revision,
          etag: `"r${revision}"`,
          variants: [{ version: 2 }],
          change: { revision, state: 'active', actor: 'bob' },
        });
        expect(await served()).toEqual([2]);
      });

      it('that was active is told as such, though another is by then', async () => {
        const setting = set(2, 5000);
        const revision = await asked();
        await given.registry.servers.leave('a');
        await given.registry.servers.leave('b');
        // Before the one that waits looks again.
        await endpoints().settleTraffic('delay');
        const later = await set(1, 0);
        expect(later).toMatchObject({ revision: revision + 1, variants: [{ version: 1 }] });
        expect(await setting).toMatchObject({
          name: 'delay',
          model: 'delay_classifier',
          salt: later.salt,
          revision,
          etag: `"r${revision}"`,
          variants: [{ version: 2 }],
          change: { revision, state: 'active' },
        });
      });

      it('that is active does not fail where the servers can not be asked any more', async () => {
        const list = vi.spyOn(given.registry.servers, 'list');
        const away = () => Promise.reject(new Error('the registry is away'));
        try {
          list.mockResolvedValueOnce([]).mockImplementation(away);
          const state = await set(2, 300);
          expect(state).toMatchObject({ variants: [{ version: 2 }], change: { state: 'active' } });
          expect(await readTrafficWaits(state, given.registry.servers)).toBeNull();
        } finally {
          list.mockRestore();
        }
        expect(await served()).toEqual([2]);
      });

      it('waits for no server that has left', async () => {
        const setting = set(2, 5000);
        const revision = await asked();
        await tell('a', { revision, failure: null });
        await given.registry.servers.leave('b');
        expect((await setting).change?.state).toBe('active');
      });

      it('keeps the version that it asks for from being retired', async () => {
        await set(2, 0);
        await expect(given.registry.models.retire('delay_classifier', 2, 'ann')).rejects.toMatchObject({
          code: 'HR_CONFLICT',
        });
      });
    });

    describe('of a revision long after', () => {
      const of = (revision: number) => endpoints().trafficRevision('delay', revision);
      const MINUTE = 60_000_000;

      beforeEach(async () => {
        await given.apply(flightsManifest);
        await given.register();
        await given.register('2');
      });

      it('tells from when to when it was active', async () => {
        given.later(MINUTE);
        await set(2, 0);
        given.later(MINUTE);
        await set(1, 0);
        expect((await endpoints().get('delay')).revision).toBe(4);
        expect(await of(2)).toMatchObject({
          state: 'superseded',
          variants: [{ name: 'stable', version: 1 }],
          askedMicros: null,
          activeFromMicros: NOW,
          activeUntilMicros: NOW + MINUTE,
        });
        expect(await of(3)).toMatchObject({
          state: 'superseded',
          variants: [{ name: 'stable', version: 2 }],
          askedMicros: NOW + MINUTE,
          activeFromMicros: NOW + MINUTE,
          activeUntilMicros: NOW + 2 * MINUTE,
        });
        expect(await of(4)).toMatchObject({
          state: 'active',
          askedMicros: NOW + 2 * MINUTE,
          activeFromMicros: NOW + 2 * MINUTE,
          activeUntilMicros: null,
        });
        // It had no traffic.
        expect(await of(1)).toMatchObject({ state: 'superseded', variants: [], activeFromMicros: NOW });
      });

      it('tells that it never was active: overtaken, or not loaded and why', async () => {
        await tell('a', undefined);
        const overtaken = (await set(2, 0)).change?.revision as number;
        const failing = set(2, 5000).catch(() => undefined);
        const failed = overtaken + 1;
        await expect.poll(async () => (await endpoints().get('delay')).change?.revision).toBe(failed);
        await tell('a', { revision: failed, failure: 'HR_MODEL_UNREADABLE: no such file' });
        await failing;
        const last = (await set(2, 0)).change?.revision as number;
        const never = { activeFromMicros: null, activeUntilMicros: null, variants: [{ version: 2 }] };
        expect(await of(overtaken)).toMatchObject({ state: 'superseded', askedMicros: NOW, ...never });
        expect(await of(failed)).toMatchObject({
          state: 'failed',
          failures: [{ server: 'host 1', reason: 'HR_MODEL_UNREADABLE: no such file' }],
          ...never,
        });
        expect(await of(last)).toMatchObject({ state: 'preparing', ...never });
        expect(await of(2)).toMatchObject({ state: 'active', activeFromMicros: NOW, activeUntilMicros: null });
      });

      it('is not told by what was refused, whatever that asked for', async () => {
        await set(2, 0);
        await given.registry.auditLog.record({
          actor: 'eve',
          action: 'endpoint.traffic',
          object: 'endpoint/delay',
          after: { refused: 'HR_FORBIDDEN', revision: 3, variants: [], state: 'failed' },
        });
        await expect(set(9, 0)).rejects.toMatchObject({ code: 'HR_UNKNOWN_MODEL' });
        given.later(MINUTE);
        await set(1, 0);
        expect(await of(3)).toMatchObject({
          variants: [{ version: 2 }],
          activeFromMicros: NOW,
          activeUntilMicros: NOW + MINUTE,
        });
      });

      it('that is not there is an error', async () => {
        await expect(of(9)).rejects.toMatchObject({ code: 'HR_UNKNOWN_REVISION' });
        await expect(of(0)).rejects.toMatchObject({ code: 'HR_UNKNOWN_REVISION' });
      });
    });

    it('tells whom it waits for once it takes long, and again when those are others', async () => {
      await given.apply(flightsManifest);
      await given.register();
      await given.register('2');
      for (const id of ['a', 'b']) await tell(id, undefined);
      const time = stepTime(0);
      const heard: (readonly string[])[] = [];
      const onWait = (waitsFor: readonly string[]): void => void heard.push(waitsFor);
      const setting = endpoints().setTraffic('delay', to(2), { actor: 'bob', waitMs: 1e9, onWait });
      const revision = await asked();
      const list = vi.spyOn(given.registry.servers, 'list');
      time.later(1999);
      await vi.waitUntil(() => list.mock.calls.length >= 2, LONG);
      expect(heard).toEqual([]);
      time.later(1);
      await vi.waitUntil(() => heard.length === 1, LONG);
      await tell('a', { revision, failure: null }, revision);
      await vi.waitUntil(() => heard.length === 2, LONG);
      await tell('b', { revision, failure: null }, revision);
      expect((await setting).revision).toBe(revision);
      expect(heard).toEqual([['host 1', 'host 2'], ['host 2']]);
    });

    describe('in the audit log', () => {
      const log = async (name = 'delay') => await given.registry.auditLog.list({ object: `endpoint/${name}` });
      const why = (version: number, waitMs: number, more: { readonly ifMatch?: string } = {}) =>
        endpoints().setTraffic('delay', to(version), { actor: 'bob', reason: 'a try', waitMs, ...more });

      beforeEach(async () => {
        await given.apply(flightsManifest);
        await given.register();
        await given.register('2');
      });

      it('has before, after and why, as it is asked for and as it fails', async () => {
        await tell('a', undefined);
        const { revision: served } = await endpoints().get('delay');
        const setting = why(2, 5000);
        const revision = await asked();
        await tell('a', { revision, failure: 'HR_MODEL_UNREADABLE: no such file' });
        await expect(setting).rejects.toMatchObject({ code: 'HR_NOT_PREPARED' });
        const told = { actor: 'bob', reason: 'a try', before: { revision: served, variants: [{ version: 1 }] } };
        expect((await log()).slice(0, 2)).toMatchObject([
          {
            ...told,
            action: 'endpoint.traffic.failed',
            after: { revision, state: 'failed', failures: [{ reason: 'HR_MODEL_UNREADABLE: no such file' }] },
          },
          {
            ...told,
            action: 'endpoint.traffic.ask',
            after: { revision, state: 'preparing', variants: [{ version: 2 }] },
          },
        ]);
        expect((await log()).filter(({ after }) => JSON.stringify(after).includes('refused'))).toEqual([]);
      });

      it.each([
        ['a version that is not there', 9, {}, 'HR_UNKNOWN_MODEL'],
        ['an ETag that has passed', 2, { ifMatch: '"r0"' }, 'HR_PRECONDITION'],
      ])('has it once where it is refused: %s', async (_what, version, more, code) => {
        const before = await log();
        const { revision } = await endpoints().get('delay');
        const error = await why(version, 0, more).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code });
        const now = await log();
        expect(now).toHaveLength(before.length + 1);
        expect(now[0]).toMatchObject({
          actor: 'bob',
          action: 'endpoint.traffic',
          reason: 'a try',
          before: { revision, variants: [{ version: 1 }] },
          after: { refused: code, detail: (error as Error).message, asked: to(version) },
        });
      });

      it('has it where there is no such endpoint, and without what is too large to keep', async () => {
        const many = { variants: Array.from({ length: 500 }, (_, at) => ({ name: `v${at}`, version: 1, weight: 0 })) };
        await expect(endpoints().setTraffic('dealy', many, { actor: 'bob' })).rejects.toMatchObject({
          code: 'HR_UNKNOWN_ENDPOINT',
        });
        const entries = await log('dealy');
        expect(entries).toMatchObject([{ actor: 'bob', before: null, after: { refused: 'HR_UNKNOWN_ENDPOINT' } }]);
        expect(entries[0]?.after).not.toHaveProperty('asked');
      });

      it('has one that gave way to another, and which that was', async () => {
        await tell('a', undefined);
        const first = why(2, 5000);
        const revision = await asked();
        await set(1, 0);
        await expect(first).rejects.toMatchObject({ code: 'HR_CONFLICT' });
        expect((await log()).slice(0, 2)).toMatchObject([
          { action: 'endpoint.traffic', reason: 'a try', after: { refused: 'HR_CONFLICT' } },
          { action: 'endpoint.traffic.ask', before: { change: { revision, state: 'preparing' } } },
        ]);
      });

      it('that was active is found behind any number that were refused', async () => {
        await tell('a', undefined);
        const first = why(2, 5000);
        const revision = await asked();
        await tell('a', { revision, failure: null });
        await endpoints().settleTraffic('delay');
        for (let at = 0; at < 12; at++) await why(9, 0).catch(() => {});
        await set(1, 0);
        await expect(first).resolves.toBeDefined();
      });
    });

    it('is active at once where no server is', async () => {
      await given.apply(flightsManifest);
      await given.register();
      await given.register('2');
      expect((await set(2, 0)).variants).toMatchObject([{ version: 2 }]);
    });
  },
  databasesByTier,
);
