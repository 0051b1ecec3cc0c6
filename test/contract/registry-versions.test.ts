// Versions of views in the registry: which may be read, by which definitions each service is served, when one may go, and
// what servers tell of themselves.

import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/definitions/index.ts';
import type { ViewVersionRow } from '../../src/registry/index.ts';
import { airportDelays, flightsManifest } from '../support/manifests.ts';
import { refused } from '../support/refused.ts';
import { onEachRegistry, serverState } from '../support/registries.ts';

const SERVICE = 'delay_features';
const VIEW = 'airport_delays';
const MINUTE = 60_000_000;

onEachRegistry('versions of views', (given) => {
  const { later, register } = given;
  const apply = (manifest: Manifest, isRestored = false) =>
    given.definitions.apply(manifest, { actor: 'ann', allowBreaking: true, isRestored });
  const goBackTo = async (revision: number) => {
    const found = (await given.definitions.history()).find((one) => one.revision === revision);
    return apply((await given.definitions.byHash(found?.hash ?? '')) as Manifest, true);
  };
  const kept = async (view = VIEW): Promise<ViewVersionRow> => {
    const row = (await given.versions.list()).findLast((one) => one.view === view);
    if (row === undefined) throw new Error(`no version of ${view} is kept`);
    return row;
  };
  /** Applies, and fills the view's version. */
  const fill = async (manifest: Manifest): Promise<ViewVersionRow> => {
    await apply(manifest);
    const row = await kept();
    await given.versions.complete(row);
    return row;
  };
  const served = async () => (await given.versions.servedServices()).find(({ service }) => service === SERVICE);
  const remove = (row: ViewVersionRow) => given.versions.remove(row, 'ann');

  const ttl = (micros: number): Manifest => ({
    ...flightsManifest,
    views: { airport_delays: { ...airportDelays, ttlMicros: micros } },
  });
  const members = flightsManifest.services[SERVICE]?.members ?? [];
  const named = (view: string, renamedFrom?: string): Manifest => ({
    ...flightsManifest,
    models: {},
    endpoints: {},
    views: { [view]: { ...airportDelays, name: view, ...(renamedFrom === undefined ? {} : { renamedFrom }) } },
    services: {
      [SERVICE]: { name: SERVICE, members: members.map((one) => (one.kind === 'view' ? { ...one, view } : one)) },
    },
  });

  describe('a service', () => {
    it('goes on by earlier definitions until what it reads is complete, then moves at once', async () => {
      await fill(flightsManifest);
      await apply(ttl(MINUTE));
      const next = await kept();
      expect(await served()).toMatchObject({ revision: 1, state: 'waiting', waitsFor: [next.version] });
      await given.versions.complete(next);
      expect(await served()).toMatchObject({ revision: 2, state: 'current', waitsFor: [] });
    });

    it('that no run ever filled answers with what there is, and says so', async () => {
      await apply(flightsManifest);
      expect(await served()).toMatchObject({ revision: 1, state: 'unfilled' });
    });

    it('that was filled goes on by that while another view, empty, takes the place of one', async () => {
      await fill(named(VIEW));
      await apply(named('lateness'));
      expect(await served()).toMatchObject({ revision: 1, state: 'waiting' });
    });

    it('waits however many applies come meanwhile', async () => {
      const old = await fill(flightsManifest);
      // More than are looked at together.
      const applies = given.database.kind === 'sqlite' ? 130 : 3;
      for (let micros = 1; micros <= applies; micros++) await apply(ttl(micros));
      expect(await served()).toMatchObject({ revision: 1, state: 'waiting' });
      const needs = await given.versions.needs();
      expect(needs.get(old.version)).toMatchObject([{ by: 'service', service: SERVICE }]);
    });
  });

  describe('going back', () => {
    it('takes a view by the name under which its data lay then, renamed or not', async () => {
      await fill(named(VIEW));
      await apply(named('lateness', VIEW));
      // That a rename was applied may stay written, or not.
      await apply(named('lateness'));
      const { version } = await kept('lateness');
      await goBackTo(1);
      await goBackTo(3);
      expect(await served()).toMatchObject({ state: 'current', revision: 5 });
      expect((await kept('lateness')).version).toBe(version);
    });

    it('over renames whose source is gone is going back all the same', async () => {
      await apply(named(VIEW));
      await apply(named('lateness', VIEW));
      await apply(named('punctuality', 'lateness'));
      await apply(named('other'));
      await goBackTo(2);
      const current = await given.definitions.current();
      expect(current?.manifest.views['lateness']).toMatchObject({ storedAs: VIEW });
    });
  });

  describe('removing one', () => {
    it('is refused while it is applied, served or read by a model version', async () => {
      await apply(flightsManifest);
      await register();
      const old = await kept();
      await given.versions.complete(old);
      await expect(remove(old)).rejects.toThrow(/it is what is applied/);
      await apply(ttl(MINUTE));
      await expect(remove(old)).rejects.toThrow(/service "delay_features" is served by it/);
      await given.versions.complete(await kept());
      await refused(remove(old), 'HR_CONFLICT', 'headrace models retire delay_classifier 1');
    });

    it('is not done to one that came to be read since it was looked at', async () => {
      await fill(flightsManifest);
      await fill(ttl(MINUTE));
      await given.versions.noteRead(() => false);
      const seen = (await given.versions.list()).find(({ unreadSinceMicros }) => unreadSinceMicros !== null);
      if (seen === undefined) throw new Error('both versions are unread');
      await goBackTo(1);
      await apply(ttl(MINUTE));
      later(MINUTE);
      await given.versions.noteRead(() => true);
      expect(await remove(seen)).toBe(false);
    });

    it('takes it from readers until it came back and was filled', async () => {
      const old = await fill(flightsManifest);
      await fill(ttl(MINUTE));
      expect(await remove(old)).toBe(true);
      expect((await given.versions.removed()).map(({ version }) => version)).toEqual([old.version]);
      const back = await given.versions.bringBack(old.version, 'ann');
      expect(back).toMatchObject({ epoch: old.epoch + 1, completedMicros: null });
      expect(await remove(old)).toBe(false);
      await apply(flightsManifest);
      expect(await served()).toMatchObject({ revision: 2, state: 'waiting' });
      await given.versions.complete(back);
      expect(await served()).toMatchObject({ revision: 3, state: 'current' });
    });
  });

  it('remembers the first cut of each writer that has a version, until it is removed', async () => {
    await apply(flightsManifest);
    const version = await kept();
    for (const [writer, cut] of [
      [7, 3],
      [7, 4],
      [8, 1],
    ] as const)
      await given.versions.noteFirstCuts(writer, cut, [version]);
    expect(Object.fromEntries(await given.versions.firstCuts(version))).toEqual({ 7: 3, 8: 1 });
    expect(await given.versions.firstCuts({ ...version, epoch: version.epoch + 1 })).toEqual(new Map());
  });

  it('servers are those that told of themselves lately; the silent ones may only be stopped', async () => {
    const { servers } = given;
    const list = async (isAll = false) =>
      (await servers.list(isAll)).map(({ id, revision, failure }) => `${id} ${revision} ${failure}`);
    await servers.report('one', serverState());
    await servers.report('two', serverState({ failure: 'lost' }));
    later(10_000_000);
    await servers.report('one', serverState({ revision: 2 }));
    expect(await list()).toEqual(['one 2 null', 'two 1 lost']);
    later(10_000_000);
    expect(await list()).toEqual(['one 2 null']);
    expect(await list(true)).toEqual(['one 2 null', 'two 1 lost']);
    await servers.leave('one');
    expect(await list()).toEqual([]);
  });
});
