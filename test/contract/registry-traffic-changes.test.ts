// Traffic that is changed in two phases: asked for, loaded by every live server, then active everywhere or nowhere.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readTrafficWaits, trafficWaitsFor } from '../../src/registry/index.ts';
import { databasesByTier } from '../support/databases.ts';
import { flightsManifest } from '../support/manifests.ts';
import { refused } from '../support/refused.ts';
import { MODEL, NOW, onEachRegistry, serverState, traffic } from '../support/registries.ts';

/** A net: nothing waits for it. */
const LONG = { timeout: 60_000 };
const UNREADABLE = 'HR_MODEL_UNREADABLE: no such file';
const MINUTE = 60_000_000;

/** The steady clock stands; `later` sets it on. */
function stopTime(): { later(ms: number): void } {
  let nowMs = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  return { later: (ms) => void (nowMs += ms) };
}

onEachRegistry(
  'a change of traffic',
  (given) => {
    beforeEach(() => given.prepare(2));
    afterEach(() => void vi.restoreAllMocks());

    const to = (version: number) => traffic(`stable ${version} 100`);
    const set = (version: number, waitMs: number, more: { readonly ifMatch?: string; readonly reason?: string } = {}) =>
      given.endpoints.setTraffic('delay', to(version), { actor: 'bob', waitMs, ...more });
    const get = () => given.endpoints.get('delay');
    const settle = () => given.endpoints.settleTraffic('delay');
    const served = async () => (await get()).variants.map(({ version }) => version);
    const log = (name = 'delay') => given.auditLog.list({ object: `endpoint/${name}` });
    const waitsFor = async () => trafficWaitsFor(await get(), await given.servers.list());

    /** A server tells that it is there, which revision of the endpoint's traffic it has loaded, and by which it answers. */
    const tell = (id: string, loaded?: number, serving?: number, failure: string | null = null) =>
      given.servers.report(
        id,
        serverState({
          pid: id === 'a' ? 1 : 2,
          prepared: loaded === undefined ? {} : { delay: { revision: loaded, failure } },
          ...(serving && { endpoints: { delay: { state: 'serving', revision: serving, versions: [], reason: null } } }),
        }),
      );
    const both = async (...told: [loaded: number, serving?: number]) => {
      for (const id of ['a', 'b']) await tell(id, ...told);
    };
    /** Version 2 is asked for; resolves once it is. */
    const asking = async (more: { readonly reason?: string } = {}) => {
      const setting = set(2, 5000, more);
      setting.catch(() => {});
      for (;;) {
        const { change } = await get();
        if (change?.state === 'preparing') return { setting, revision: change.revision };
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };

    describe('with two servers', () => {
      beforeEach(async () => {
        for (const id of ['a', 'b']) await tell(id);
      });

      it('is active once both have loaded it, and not before', async () => {
        const { setting, revision } = await asking();
        await tell('a', revision);
        expect((await settle()).change?.state).toBe('preparing');
        expect(await served()).toEqual([1]);
        await tell('b', revision);
        expect(await setting).toMatchObject({ revision, etag: `"r${revision}"`, change: { state: 'active' } });
        expect(await served()).toEqual([2]);
      });

      it('is answered once both serve it, where they tell what they serve', async () => {
        const { setting, revision } = await asking();
        let isAnswered = false;
        void setting.then(() => (isAnswered = true));
        await both(revision, revision - 1);
        expect(await settle()).toMatchObject({ revision });
        await tell('a', undefined, revision);
        const list = vi.spyOn(given.servers, 'list');
        await vi.waitUntil(() => list.mock.calls.length >= 4, LONG);
        expect(isAnswered).toBe(false);
        expect(await waitsFor()).toEqual(['host 2']);
        expect((await given.endpoints.trafficRevision('delay', revision)).waitsFor).toEqual(['host 2']);
        await tell('b', undefined, revision);
        expect(await setting).toMatchObject({ revision, change: { state: 'active' } });
        expect(await waitsFor()).toEqual([]);
      });

      it('is answered after a second though one stops before it serves it, and says so', async () => {
        const time = stopTime();
        const { setting, revision } = await asking();
        let isAnswered = false;
        void setting.then(() => (isAnswered = true));
        await both(revision, revision - 1);
        await settle();
        await tell('a', undefined, revision);
        const list = vi.spyOn(given.servers, 'list');
        await vi.waitUntil(() => list.mock.calls.length >= 4, LONG);
        expect(isAnswered).toBe(false);
        time.later(1000);
        const state = await setting;
        expect(state).toMatchObject({ revision, change: { state: 'active' } });
        expect(trafficWaitsFor(state, await given.servers.list())).toEqual(['host 2']);
      });

      it('that one cannot load changes nothing, and tells why', async () => {
        const { setting, revision } = await asking();
        await tell('a', revision);
        await tell('b', revision, undefined, UNREADABLE);
        await refused(setting, 'HR_NOT_PREPARED', `host 2: ${UNREADABLE}`);
        await refused(setting, 'HR_NOT_PREPARED', { details: [{ path: 'host 2', message: UNREADABLE }] });
        expect(await served()).toEqual([1]);
        expect((await log())[0]).toMatchObject({ action: 'endpoint.traffic.failed', actor: 'bob' });
      });

      it('that takes long is given as preparing, tells who has yet to load it, and becomes active by whoever looks', async () => {
        const state = await set(2, 0);
        const revision = state.change?.revision as number;
        expect(state).toMatchObject({ revision: revision - 1, change: { state: 'preparing' } });
        expect(await served()).toEqual([1]);
        await tell('a', revision);
        const told = { state: 'preparing', waitsFor: ['host 2'] };
        expect(await given.endpoints.trafficRevision('delay', revision)).toMatchObject(told);
        expect((await given.endpoints.trafficRevision('delay', revision - 1)).waitsFor).toEqual([]);
        await tell('b', revision);
        const settled = await Promise.all([settle(), settle()]);
        expect(settled.map(({ change }) => change?.state)).toEqual(['active', 'active']);
        expect(await served()).toEqual([2]);
        // The model's first version, and this.
        expect((await log()).filter(({ action }) => action === 'endpoint.traffic')).toHaveLength(2);
      });

      it('gives way to one that is asked for later, and says so', async () => {
        const { setting, revision } = await asking();
        expect((await set(1, 0)).change?.revision).toBe(revision + 1);
        await refused(setting, 'HR_CONFLICT', 'after it');
        const [last, ask] = await log();
        expect(last).toMatchObject({ action: 'endpoint.traffic', after: { refused: 'HR_CONFLICT' } });
        const before = { change: { revision, state: 'preparing' } };
        expect(ask).toMatchObject({ action: 'endpoint.traffic.ask', before });
      });

      it('that somebody else prepares is not overwritten by an ETag from before it', async () => {
        const { etag } = await get();
        await set(2, 0);
        await refused(set(1, 0, { ifMatch: etag }), 'HR_PRECONDITION');
      });

      it('goes with the definitions that it was asked under', async () => {
        const { setting } = await asking();
        await given.apply({ ...flightsManifest, endpoints: {} }, true);
        await refused(setting, 'HR_UNKNOWN_ENDPOINT');
      });

      it.each([
        ['another was asked for right after', false],
        ['another is by then', true],
      ])('that was active is told as such, though %s', async (_what, isOver) => {
        const { setting, revision } = await asking();
        await both(revision);
        if (isOver) for (const id of ['a', 'b']) await given.servers.leave(id);
        // Before the one that waits looks again.
        await settle();
        const later = await set(1, 0);
        if (isOver) expect(later).toMatchObject({ revision: revision + 1, variants: [{ version: 1 }] });
        else expect(later).toMatchObject({ revision, change: { revision: revision + 1, state: 'preparing' } });
        const own = { name: 'delay', model: MODEL, salt: later.salt, revision, etag: `"r${revision}"` };
        const change = { revision, state: 'active', actor: 'bob' };
        expect(await setting).toMatchObject({ ...own, variants: [{ version: 2 }], change });
        expect(await served()).toEqual([isOver ? 1 : 2]);
      });

      it('that is active does not fail where the servers can not be asked any more', async () => {
        const list = vi.spyOn(given.servers, 'list');
        list.mockResolvedValueOnce([]).mockRejectedValue(new Error('the registry is away'));
        const state = await set(2, 300);
        expect(state).toMatchObject({ variants: [{ version: 2 }], change: { state: 'active' } });
        expect(await readTrafficWaits(state, given.servers)).toBeNull();
        list.mockRestore();
        expect(await served()).toEqual([2]);
      });

      it('waits for no server that has left', async () => {
        const { setting, revision } = await asking();
        await tell('a', revision);
        await given.servers.leave('b');
        expect((await setting).change?.state).toBe('active');
      });

      it('keeps the version that it asks for from being retired', async () => {
        await set(2, 0);
        await refused(given.models.retire(MODEL, 2, 'ann'), 'HR_CONFLICT');
      });

      it('tells whom it waits for once it takes long, and again when those are others', async () => {
        const time = stopTime();
        const heard: (readonly string[])[] = [];
        const onWait = (servers: readonly string[]): void => void heard.push(servers);
        const list = vi.spyOn(given.servers, 'list');
        const setting = given.endpoints.setTraffic('delay', to(2), { actor: 'bob', waitMs: 1e9, onWait });
        // Its wait has begun once it looks at the servers.
        await vi.waitUntil(() => list.mock.calls.length > 0, LONG);
        const revision = (await get()).change?.revision;
        time.later(1999);
        const looks = list.mock.calls.length;
        await vi.waitUntil(() => list.mock.calls.length >= looks + 2, LONG);
        expect(heard).toEqual([]);
        time.later(1);
        await vi.waitUntil(() => heard.length === 1, LONG);
        await tell('a', revision, revision);
        await vi.waitUntil(() => heard.length === 2, LONG);
        await tell('b', revision, revision);
        expect((await setting).revision).toBe(revision);
        expect(heard).toEqual([['host 1', 'host 2'], ['host 2']]);
      });
    });

    describe('of a revision long after', () => {
      const of = (revision: number) => given.endpoints.trafficRevision('delay', revision);
      const told = (version: number, state: string, asked: number | null, from: number, until: number | null) => {
        const times = { askedMicros: asked, activeFromMicros: from, activeUntilMicros: until };
        return { state, variants: [{ name: 'stable', version }], ...times };
      };

      it('tells from when to when it was active', async () => {
        given.later(MINUTE);
        await set(2, 0);
        given.later(MINUTE);
        await set(1, 0);
        expect((await get()).revision).toBe(4);
        const [first, second] = [NOW + MINUTE, NOW + 2 * MINUTE];
        expect(await of(2)).toMatchObject(told(1, 'superseded', null, NOW, first));
        expect(await of(3)).toMatchObject(told(2, 'superseded', first, first, second));
        expect(await of(4)).toMatchObject(told(1, 'active', second, second, null));
        // It had no traffic.
        expect(await of(1)).toMatchObject({ state: 'superseded', variants: [], activeFromMicros: NOW });
      });

      it('tells that it never was active: overtaken, or not loaded and why', async () => {
        await tell('a');
        const overtaken = (await set(2, 0)).change?.revision as number;
        const failing = set(2, 5000).catch(() => undefined);
        const failed = overtaken + 1;
        await expect.poll(async () => (await get()).change?.revision).toBe(failed);
        await tell('a', failed, undefined, UNREADABLE);
        await failing;
        const last = (await set(2, 0)).change?.revision as number;
        const never = { activeFromMicros: null, activeUntilMicros: null, variants: [{ version: 2 }] };
        expect(await of(overtaken)).toMatchObject({ state: 'superseded', askedMicros: NOW, ...never });
        const failures = [{ server: 'host 1', reason: UNREADABLE }];
        expect(await of(failed)).toMatchObject({ state: 'failed', failures, ...never });
        expect(await of(last)).toMatchObject({ state: 'preparing', ...never });
        expect(await of(2)).toMatchObject({ state: 'active', activeFromMicros: NOW, activeUntilMicros: null });
      });

      it('is not told by what was refused, whatever that asked for', async () => {
        await set(2, 0);
        const after = { refused: 'HR_FORBIDDEN', revision: 3, variants: [], state: 'failed' };
        await given.auditLog.record({ actor: 'eve', action: 'endpoint.traffic', object: 'endpoint/delay', after });
        await refused(set(9, 0), 'HR_UNKNOWN_MODEL');
        given.later(MINUTE);
        await set(1, 0);
        expect(await of(3)).toMatchObject(told(2, 'superseded', NOW, NOW, NOW + MINUTE));
      });

      it('that is not there is an error', async () => {
        for (const revision of [9, 0]) await refused(of(revision), 'HR_UNKNOWN_REVISION');
      });
    });

    describe('in the audit log', () => {
      const reason = 'a try';

      it('has before, after and why, as it is asked for and as it fails', async () => {
        await tell('a');
        const before = { revision: (await get()).revision, variants: [{ version: 1 }] };
        const { setting, revision } = await asking({ reason });
        await tell('a', revision, undefined, UNREADABLE);
        await refused(setting, 'HR_NOT_PREPARED');
        const told = { actor: 'bob', reason, before };
        const [failed, ask] = await log();
        expect(failed).toMatchObject({ ...told, action: 'endpoint.traffic.failed' });
        expect(failed?.after).toMatchObject({ revision, state: 'failed', failures: [{ reason: UNREADABLE }] });
        expect(ask).toMatchObject({ ...told, action: 'endpoint.traffic.ask' });
        expect(ask?.after).toMatchObject({ revision, state: 'preparing', variants: [{ version: 2 }] });
        expect((await log()).filter(({ after }) => JSON.stringify(after).includes('refused'))).toEqual([]);
      });

      it.each([
        ['a version that is not there', 9, {}, 'HR_UNKNOWN_MODEL'],
        ['an ETag that has passed', 2, { ifMatch: '"r0"' }, 'HR_PRECONDITION'],
      ])('has it once where it is refused: %s', async (_what, version, more, code) => {
        const before = await log();
        const { revision } = await get();
        const error = (await set(version, 0, { reason, ...more }).catch((thrown: unknown) => thrown)) as Error;
        expect(error).toMatchObject({ code });
        const now = await log();
        expect(now).toHaveLength(before.length + 1);
        const after = { refused: code, detail: error.message, asked: to(version) };
        const told = { before: { revision, variants: [{ version: 1 }] }, after };
        expect(now[0]).toMatchObject({ actor: 'bob', action: 'endpoint.traffic', reason, ...told });
      });

      it('has it where there is no such endpoint, and without what is too large to keep', async () => {
        const many = { variants: Array.from({ length: 500 }, (_, at) => ({ name: `v${at}`, version: 1, weight: 0 })) };
        await refused(given.endpoints.setTraffic('dealy', many, { actor: 'bob' }), 'HR_UNKNOWN_ENDPOINT');
        const entries = await log('dealy');
        expect(entries).toMatchObject([{ actor: 'bob', before: null, after: { refused: 'HR_UNKNOWN_ENDPOINT' } }]);
        expect(entries[0]?.after).not.toHaveProperty('asked');
      });

      it('that was active is found behind any number that were refused', async () => {
        await tell('a');
        const { setting, revision } = await asking();
        await tell('a', revision);
        await settle();
        for (let at = 0; at < 12; at++) await set(9, 0).catch(() => {});
        await set(1, 0);
        expect(await setting).toMatchObject({ revision, change: { state: 'active' } });
      });
    });
  },
  databasesByTier,
);
