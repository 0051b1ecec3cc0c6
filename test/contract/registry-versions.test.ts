// Versions of views in the registry: which may be read, by which definitions each service is served, when one may go, and
// what servers tell of themselves.

import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/definitions/index.ts';
import type { Registry, ViewVersionRow } from '../../src/registry/index.ts';
import { airportDelays, flightsManifest, flightsManifestWith, lastDelay, meanDelay7d } from '../support/manifests.ts';
import { MODEL, onEachRegistry } from '../support/registries.ts';

const SERVICE = 'delay_features';
const MINUTE = 60_000_000;

onEachRegistry('versions of views', (given) => {
  const { later, register } = given;
  const apply = (manifest: Manifest, isRestored = false) =>
    given.registry.definitions.apply(manifest, { actor: 'ann', allowBreaking: true, isRestored });
  const goBackTo = async (revision: number) => {
    const { definitions } = given.registry;
    const found = (await definitions.history()).find((one) => one.revision === revision);
    return apply((await definitions.byHash(found?.hash ?? '')) as Manifest, true);
  };
  const kept = async (view: string): Promise<ViewVersionRow> => {
    const row = (await given.registry.versions.list()).findLast((one) => one.view === view);
    if (row === undefined) throw new Error(`no version of ${view} is kept`);
    return row;
  };
  const served = async () =>
    (await given.registry.versions.servedServices()).find(({ service }) => service === SERVICE);

  const ttl = (micros: number): Manifest => ({
    ...flightsManifest,
    views: { airport_delays: { ...airportDelays, ttlMicros: micros } },
  });
  const named = (view: string, renamedFrom?: string): Manifest => ({
    ...flightsManifest,
    models: {},
    endpoints: {},
    views: { [view]: { ...airportDelays, name: view, ...(renamedFrom === undefined ? {} : { renamedFrom }) } },
    services: {
      [SERVICE]: {
        name: SERVICE,
        members: (flightsManifest.services[SERVICE]?.members ?? []).map((member) =>
          member.kind === 'view' ? { ...member, view } : member,
        ),
      },
    },
  });

  describe('a service', () => {
    it('goes on by earlier definitions until what it reads is complete, then moves at once', async () => {
      await apply(flightsManifest);
      await given.registry.versions.complete(await kept('airport_delays'));
      await apply(ttl(MINUTE));
      const next = await kept('airport_delays');
      expect(await served()).toMatchObject({ revision: 1, state: 'waiting', waitsFor: [next.version] });
      await given.registry.versions.complete(next);
      expect(await served()).toMatchObject({ revision: 2, state: 'current', waitsFor: [] });
    });

    it('that no run ever filled answers with what there is, and says so', async () => {
      await apply(flightsManifest);
      expect(await served()).toMatchObject({ revision: 1, state: 'unfilled' });
    });

    it('that was filled goes on by that while another view, empty, takes the place of one', async () => {
      await apply(named('airport_delays'));
      await given.registry.versions.complete(await kept('airport_delays'));
      await apply(named('lateness'));
      expect(await served()).toMatchObject({ revision: 1, state: 'waiting' });
    });

    it('waits however many applies come meanwhile', async () => {
      await apply(flightsManifest);
      await given.registry.versions.complete(await kept('airport_delays'));
      const old = await kept('airport_delays');
      // More than are looked at together.
      const applies = given.database.kind === 'sqlite' ? 130 : 3;
      for (let micros = 1; micros <= applies; micros++) await apply(ttl(micros));
      expect(await served()).toMatchObject({ revision: 1, state: 'waiting' });
      expect((await given.registry.versions.needs()).get(old.version)).toMatchObject([
        { by: 'service', service: SERVICE },
      ]);
    });
  });

  describe('going back', () => {
    it('takes a view by the name under which its data lay then, renamed or not', async () => {
      await apply(named('airport_delays'));
      await given.registry.versions.complete(await kept('airport_delays'));
      await apply(named('lateness', 'airport_delays'));
      // That a rename was applied may stay written, or not.
      await apply(named('lateness'));
      const version = (await kept('lateness')).version;
      await goBackTo(1);
      await goBackTo(3);
      expect(await served()).toMatchObject({ state: 'current', revision: 5 });
      expect((await kept('lateness')).version).toBe(version);
    });

    it('over renames whose source is gone is going back all the same', async () => {
      await apply(named('airport_delays'));
      await apply(named('lateness', 'airport_delays'));
      await apply(named('punctuality', 'lateness'));
      await apply(named('other'));
      await goBackTo(2);
      expect((await given.registry.definitions.current())?.manifest.views['lateness']).toMatchObject({
        storedAs: 'airport_delays',
      });
    });
  });

  describe('removing one', () => {
    it('is refused while it is applied, served or read by a model version', async () => {
      await apply(flightsManifest);
      await register();
      const old = await kept('airport_delays');
      await given.registry.versions.complete(old);
      await expect(given.registry.versions.remove(old, 'ann')).rejects.toThrow(/it is what is applied/);
      await apply(ttl(MINUTE));
      await expect(given.registry.versions.remove(old, 'ann')).rejects.toThrow(
        /service "delay_features" is served by it/,
      );
      await given.registry.versions.complete(await kept('airport_delays'));
      await expect(given.registry.versions.remove(old, 'ann')).rejects.toMatchObject({
        code: 'HR_CONFLICT',
        message: expect.stringContaining('headrace models retire delay_classifier 1'),
      });
    });

    it('is not done to one that came to be read since it was looked at', async () => {
      await apply(flightsManifest);
      await given.registry.versions.complete(await kept('airport_delays'));
      await apply(ttl(MINUTE));
      await given.registry.versions.complete(await kept('airport_delays'));
      await given.registry.versions.noteRead(() => false);
      const [seen] = (await given.registry.versions.list()).filter(
        ({ unreadSinceMicros }) => unreadSinceMicros !== null,
      );
      if (seen === undefined) throw new Error('both versions are unread');
      await goBackTo(1);
      await apply(ttl(MINUTE));
      later(MINUTE);
      await given.registry.versions.noteRead(() => true);
      expect(await given.registry.versions.remove(seen, 'ann')).toBe(false);
    });

    it('takes it from readers until it came back and was filled', async () => {
      await apply(flightsManifest);
      const old = await kept('airport_delays');
      await given.registry.versions.complete(old);
      await apply(ttl(MINUTE));
      await given.registry.versions.complete(await kept('airport_delays'));
      expect(await given.registry.versions.remove(old, 'ann')).toBe(true);
      expect((await given.registry.versions.removed()).map(({ version }) => version)).toEqual([old.version]);
      const back = await given.registry.versions.bringBack(old.version, 'ann');
      expect(back).toMatchObject({ epoch: old.epoch + 1, completedMicros: null });
      expect(await given.registry.versions.remove(old, 'ann')).toBe(false);
      await apply(flightsManifest);
      expect(await served()).toMatchObject({ revision: 2, state: 'waiting' });
      await given.registry.versions.complete(back);
      expect(await served()).toMatchObject({ revision: 3, state: 'current' });
    });
  });

  it('remembers the first cut of each writer that has a version, until it is removed', async () => {
    await apply(flightsManifest);
    const version = await kept('airport_delays');
    await given.registry.versions.noteFirstCuts(7, 3, [version]);
    await given.registry.versions.noteFirstCuts(7, 4, [version]);
    await given.registry.versions.noteFirstCuts(8, 1, [version]);
    expect(await given.registry.versions.firstCuts(version)).toEqual(
      new Map([
        [7, 3],
        [8, 1],
      ]),
    );
    expect(await given.registry.versions.firstCuts({ ...version, epoch: version.epoch + 1 })).toEqual(new Map());
  });

  it('refuses traffic to a retired version; latest is the newest that is not', async () => {
    await apply(flightsManifestWith([lastDelay, meanDelay7d]));
    await register('1');
    await register('2');
    await given.registry.models.retire(MODEL, 2, 'ann');
    const to = (traffic: Parameters<Registry['endpoints']['setTraffic']>[1]) =>
      given.registry.endpoints.setTraffic('delay', traffic, { actor: 'ann' });
    await expect(to({ variants: [{ name: 'stable', version: 2, weight: 100 }] })).rejects.toThrow(/retired/);
    expect(await given.registry.models.resolve(MODEL, 'latest')).toMatchObject({ version: 1 });
  });

  it('gives a resumed run another version where that which it made is retired', async () => {
    await apply(flightsManifest);
    await register('1');
    await register('2', { runId: 'run-1' });
    await given.registry.models.retire(MODEL, 2, 'ann');
    expect(await register('2', { runId: 'run-1' })).toMatchObject({ version: 3, isRetired: false });
  });

  describe('servers', () => {
    const state = {
      machine: 'one',
      pid: 1,
      startedMicros: 0,
      revision: 1,
      failure: null,
      reads: ['a@1'],
      folds: ['a@1', 'b@1'],
    };

    it('are those that told of themselves lately; the silent ones may only be stopped', async () => {
      await given.registry.servers.report('one', state);
      await given.registry.servers.report('two', { ...state, failure: 'its code is lost' });
      later(10_000_000);
      await given.registry.servers.report('one', { ...state, revision: 2 });
      expect((await given.registry.servers.list()).map(({ id, revision, failure }) => [id, revision, failure])).toEqual(
        [
          ['one', 2, null],
          ['two', 1, 'its code is lost'],
        ],
      );
      later(10_000_000);
      expect((await given.registry.servers.list()).map(({ id }) => id)).toEqual(['one']);
      expect((await given.registry.servers.list(true)).map(({ id }) => id)).toEqual(['one', 'two']);
      await given.registry.servers.leave('one');
      expect(await given.registry.servers.list()).toEqual([]);
    });
  });
});
