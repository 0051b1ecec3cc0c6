// Plan and apply on each database, the change token, the audit log.

import { describe, expect, it } from 'vitest';
import { contentHash } from '../../src/core/index.ts';
import type { Manifest } from '../../src/definitions/index.ts';
import {
  airportDelays,
  emptyManifest,
  flights1d,
  flightsManifest,
  flightsManifestWith,
  lastDelay,
  meanDelay7d,
} from '../support/manifests.ts';
import { artifact, MODEL, NOW, onEachRegistry } from '../support/registries.ts';

onEachRegistry('registry contract', (given) => {
  const { apply, register } = given;
  describe('plan and apply', () => {
    it('has nothing before the first apply', async () => {
      expect(await given.registry.definitions.current()).toBeUndefined();
      expect(await given.registry.definitions.history()).toEqual([]);
      await expect(register()).rejects.toMatchObject({ code: 'HR_NOTHING_APPLIED' });
    });

    it('gives back the manifest that was applied, by revision and by hash', async () => {
      const applied = await apply(flightsManifest);
      const hash = contentHash(flightsManifest);
      expect(applied).toMatchObject({ revision: 1, hash, appliedAtMicros: NOW, actor: 'ann' });
      expect(await given.registry.definitions.current()).toEqual({
        revision: 1,
        hash,
        appliedAtMicros: NOW,
        actor: 'ann',
        origin: {},
        manifest: flightsManifest,
      });
      expect(await given.registry.definitions.byHash(hash)).toEqual(flightsManifest);
      expect(await given.registry.definitions.byHash(artifact('0'))).toBeUndefined();
    });

    it('changes nothing when the current manifest is applied again', async () => {
      await apply(flightsManifest);
      const token = await given.registry.changeToken();
      expect(await apply(flightsManifest)).toMatchObject({ revision: 1, changes: [] });
      expect(await given.registry.changeToken()).toBe(token);
      expect(await given.registry.definitions.history()).toHaveLength(1);
    });

    it('refuses to remove a feature that a model version reads, unless told to', async () => {
      await apply(flightsManifestWith([lastDelay, meanDelay7d]));
      await register();
      const next = flightsManifestWith([lastDelay]);
      const plan = await given.registry.definitions.plan(next);
      expect(plan.breaking.map(({ object, name }) => `${object} ${name}`)).toEqual(['view airport_delays']);
      await expect(apply(next)).rejects.toMatchObject({
        code: 'HR_BREAKING_CHANGE',
        details: [{ path: 'view airport_delays' }],
      });
      expect((await given.registry.definitions.current())?.revision).toBe(1);
      expect((await apply(next, true)).revision).toBe(2);
    });

    it('takes the removal of a feature that a retired version alone reads', async () => {
      await apply(flightsManifestWith([lastDelay]));
      await register();
      await apply(flightsManifestWith([lastDelay, meanDelay7d]));
      await register('2');
      await given.registry.models.retire(MODEL, 2, 'ann');
      expect((await apply(flightsManifestWith([lastDelay]))).revision).toBe(3);
    });

    it('holds a change against what each version was registered with', async () => {
      await apply(flightsManifest);
      await register();
      const wider = flightsManifestWith([lastDelay, flights1d, { ...meanDelay7d, aggregation: lastDelay.aggregation }]);
      const reasons = async (manifest: Manifest) =>
        (await given.registry.definitions.plan(manifest)).breaking.map(
          ({ object, breaking }) => `${object}: ${breaking}`,
        );
      const changes = 'view: origin__mean_delay_7d changes meaning: model delay_classifier version';
      expect(await reasons(wider)).toEqual([
        `${changes} 1 (it goes on getting what it was registered with), endpoint delay`,
      ]);
      await apply(wider, true);
      expect(await reasons(flightsManifest)).toEqual([]);
      await register('2');
      expect(await reasons(flightsManifest)).toEqual([`${changes} 2 (it goes on getting what it was registered with)`]);
    });

    it('tells which views have to be filled, and which are kept and complete', async () => {
      await apply(flightsManifest);
      const shorter = { ...flightsManifest, views: { airport_delays: { ...airportDelays, ttlMicros: 1 } } };
      const [first] = await given.registry.versions.list();
      if (first === undefined) throw new Error('no version is kept');
      expect((await given.registry.definitions.plan(shorter)).views).toMatchObject([
        { view: 'airport_delays', before: first.version, needsRun: true, answersBefore: true },
      ]);
      await given.registry.versions.complete(first);
      await apply(shorter);
      expect((await given.registry.definitions.plan(flightsManifest)).views).toMatchObject([
        { after: first.version, needsRun: false },
      ]);
    });

    it('keeps the bundles that are applied where the code is the same', async () => {
      const departure = flightsManifest.onDemandViews['departure'];
      if (departure === undefined) throw new Error('flightsManifest has the view');
      const bundled = (hash: string, bundle: string): Manifest => ({
        ...flightsManifest,
        onDemandViews: { departure: { ...departure, transform: { ...departure.transform, hash, bundle } } },
      });
      await apply(bundled('a'.repeat(64), '1'.repeat(64)));
      expect(await apply(bundled('a'.repeat(64), '2'.repeat(64)))).toMatchObject({ revision: 1, changes: [] });
      // One that is lost is not kept.
      const lostBundles = new Set(['1'.repeat(64)]);
      expect(
        await given.registry.definitions.apply(bundled('a'.repeat(64), '3'.repeat(64)), { actor: 'ann', lostBundles }),
      ).toMatchObject({
        revision: 2,
        changes: [],
      });
      const [{ hash: now } = { hash: '' }] = await given.registry.definitions.history();
      expect((await given.registry.definitions.byHash(now))?.onDemandViews['departure']?.transform.bundle).toBe(
        '3'.repeat(64),
      );
      const applied = await apply(bundled('b'.repeat(64), '2'.repeat(64)));
      expect(applied.changes.map(({ detail }) => detail)).toEqual([['transform: aaaaaaaa → bbbbbbbb']]);
    });

    it('keeps an object under its new name when it is renamed, and ends the old one', async () => {
      await apply(flightsManifestWith([lastDelay]));
      const service = flightsManifest.services['delay_features'];
      const renamed: Manifest = {
        ...flightsManifest,
        views: {
          lateness: { ...airportDelays, features: [lastDelay], name: 'lateness', renamedFrom: 'airport_delays' },
        },
        services: {
          delay_features: {
            name: 'delay_features',
            members: (service?.members ?? []).map((member) =>
              member.kind === 'view' ? { ...member, view: 'lateness', features: ['last_delay'] } : member,
            ),
          },
        },
      };
      const { changes } = await apply(renamed);
      expect(changes.map(({ kind, name, former }) => [kind, name, former])).toEqual([
        ['rename', 'lateness', 'airport_delays'],
        ['change', 'delay_features', null],
      ]);
      expect((await given.registry.definitions.objectVersions('view', 'airport_delays')).at(-1)?.spec).toBeNull();
      expect((await given.registry.definitions.objectVersions('view', 'lateness')).at(-1)?.spec).toMatchObject({
        storedAs: 'airport_delays',
      });
    });

    it('keeps every version of every object, its removal and its return included', async () => {
      await apply(flightsManifestWith([lastDelay]));
      await apply(flightsManifestWith([lastDelay, meanDelay7d]));
      await apply(emptyManifest, true);
      await apply(flightsManifestWith([lastDelay]));
      const views = await given.registry.definitions.objectVersions('view', 'airport_delays');
      expect(views.map(({ version, revision }) => [version, revision])).toEqual([
        [1, 1],
        [2, 2],
        [3, 3],
        [4, 4],
      ]);
      expect(views[2]?.spec).toBeNull();
      expect(views[3]?.hash).toBe(views[0]?.hash);
      expect(await given.registry.definitions.objectVersions('entity', 'airport')).toHaveLength(3);
    });

    it('lets one of two applies from the same plan win, and tells the other', async () => {
      await apply(flightsManifestWith([lastDelay]));
      const { baseRevision } = await given.registry.definitions.plan(flightsManifest);
      const candidates = [flightsManifest, flightsManifestWith([lastDelay, meanDelay7d])];
      const results = await Promise.allSettled(
        candidates.map((manifest) =>
          given.registry.definitions.apply(manifest, { actor: 'ann', expectedRevision: baseRevision }),
        ),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({ code: 'HR_CONFLICT' });
      expect(await given.registry.definitions.history()).toHaveLength(2);
    });

    it('keeps whole numbers beyond 2^53 in a manifest', async () => {
      const big = { ...flights1d, default: 2n ** 60n };
      await apply(flightsManifestWith([big]));
      expect((await given.registry.definitions.current())?.manifest.views['airport_delays']?.features[0]?.default).toBe(
        2n ** 60n,
      );
    });
  });

  describe('the change token', () => {
    it('grows with every change and with nothing else', async () => {
      const tokens = [await given.registry.changeToken()];
      const note = async () => tokens.push(await given.registry.changeToken());
      await apply(flightsManifest);
      await note();
      await register();
      await note();
      await given.registry.models.setAlias(MODEL, 'champion', 1, 'ann');
      await note();
      await given.registry.endpoints.setTraffic(
        'delay',
        { variants: [{ name: 'v0', version: 1, weight: 100 }] },
        { actor: 'ann' },
      );
      await note();
      expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
      await given.registry.models.setAlias(MODEL, 'champion', 1, 'ann');
      await expect(register('1', { alias: '!' })).rejects.toThrow();
      expect(await given.registry.changeToken()).toBe(tokens.at(-1));
    });
  });

  it('keeps an audit record of others, newest first', async () => {
    await given.registry.auditLog.record({
      actor: 'ann',
      action: 'rollout.abort',
      object: 'endpoint/delay',
      before: { step: 2 },
    });
    await given.registry.auditLog.record({ actor: 'bob', action: 'rollout.start', object: 'endpoint/delay' });
    const entries = await given.registry.auditLog.list({ object: 'endpoint/delay', limit: 1 });
    expect(entries).toMatchObject([
      { actor: 'bob', action: 'rollout.start', atMicros: NOW, before: null, after: null },
    ]);
  });
});
