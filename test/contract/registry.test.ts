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
import { refused } from '../support/refused.ts';
import { artifact, MODEL, NOW, onEachRegistry, traffic } from '../support/registries.ts';

onEachRegistry('registry contract', (given) => {
  const { apply, register } = given;
  const plan = (manifest: Manifest) => given.definitions.plan(manifest);
  const viewVersions = (name: string) => given.definitions.objectVersions('view', name);

  describe('plan and apply', () => {
    it('has nothing before the first apply', async () => {
      expect(await given.definitions.current()).toBeUndefined();
      expect(await given.definitions.history()).toEqual([]);
      await refused(register(), 'HR_NOTHING_APPLIED');
    });

    it('gives back the manifest that was applied, by revision and by hash', async () => {
      const hash = contentHash(flightsManifest);
      const applied = { revision: 1, hash, appliedAtMicros: NOW, actor: 'ann' };
      expect(await apply(flightsManifest)).toMatchObject(applied);
      expect(await given.definitions.current()).toEqual({ ...applied, origin: {}, manifest: flightsManifest });
      expect(await given.definitions.byHash(hash)).toEqual(flightsManifest);
      expect(await given.definitions.byHash(artifact('0'))).toBeUndefined();
    });

    it('changes nothing when the current manifest is applied again', async () => {
      await apply(flightsManifest);
      const token = await given.changeToken();
      expect(await apply(flightsManifest)).toMatchObject({ revision: 1, changes: [] });
      expect(await given.changeToken()).toBe(token);
      expect(await given.definitions.history()).toHaveLength(1);
    });

    it('refuses to remove a feature that a model version reads, unless told to', async () => {
      await apply(flightsManifestWith([lastDelay, meanDelay7d]));
      await register();
      const next = flightsManifestWith([lastDelay]);
      const { breaking } = await plan(next);
      expect(breaking.map(({ object, name }) => `${object} ${name}`)).toEqual(['view airport_delays']);
      await refused(apply(next), 'HR_BREAKING_CHANGE', { details: [{ path: 'view airport_delays' }] });
      expect((await given.definitions.current())?.revision).toBe(1);
      expect((await apply(next, true)).revision).toBe(2);
    });

    it('takes the removal of a feature that a retired version alone reads', async () => {
      await apply(flightsManifestWith([lastDelay]));
      await register();
      await apply(flightsManifestWith([lastDelay, meanDelay7d]));
      await register('2');
      await given.models.retire(MODEL, 2, 'ann');
      expect((await apply(flightsManifestWith([lastDelay]))).revision).toBe(3);
    });

    it('holds a change against what each version was registered with', async () => {
      await apply(flightsManifest);
      await register();
      const wider = flightsManifestWith([lastDelay, flights1d, { ...meanDelay7d, aggregation: lastDelay.aggregation }]);
      const reasons = async (manifest: Manifest) =>
        (await plan(manifest)).breaking.map(({ object, breaking }) => `${object}: ${breaking}`);
      const changes = (version: number) =>
        `view: origin__mean_delay_7d changes meaning: model delay_classifier version ${version} (it goes on getting what it was registered with)`;
      expect(await reasons(wider)).toEqual([`${changes(1)}, endpoint delay`]);
      await apply(wider, true);
      expect(await reasons(flightsManifest)).toEqual([]);
      await register('2');
      expect(await reasons(flightsManifest)).toEqual([changes(2)]);
    });

    it('tells which views have to be filled, and which are kept and complete', async () => {
      await apply(flightsManifest);
      const shorter = { ...flightsManifest, views: { airport_delays: { ...airportDelays, ttlMicros: 1 } } };
      const [first] = await given.versions.list();
      if (first === undefined) throw new Error('no version is kept');
      const { views } = await plan(shorter);
      const filled = { view: 'airport_delays', before: first.version, needsRun: true, answersBefore: true };
      expect(views).toMatchObject([filled]);
      await given.versions.complete(first);
      await apply(shorter);
      expect((await plan(flightsManifest)).views).toMatchObject([{ after: first.version, needsRun: false }]);
    });

    it('keeps the bundles that are applied where the code is the same', async () => {
      const departure = flightsManifest.onDemandViews['departure'];
      if (departure === undefined) throw new Error('flightsManifest has the view');
      const applyCode = (code: string, bundle: string, lost: readonly string[] = []) => {
        const transform = { ...departure.transform, hash: code.repeat(64), bundle: bundle.repeat(64) };
        const manifest = { ...flightsManifest, onDemandViews: { departure: { ...departure, transform } } };
        const lostBundles = new Set(lost.map((one) => one.repeat(64)));
        return given.definitions.apply(manifest, { actor: 'ann', lostBundles });
      };
      await applyCode('a', '1');
      expect(await applyCode('a', '2')).toMatchObject({ revision: 1, changes: [] });
      // One that is lost is not kept.
      expect(await applyCode('a', '3', ['1'])).toMatchObject({ revision: 2, changes: [] });
      const kept = (await given.definitions.current())?.manifest.onDemandViews['departure'];
      expect(kept?.transform.bundle).toBe('3'.repeat(64));
      const { changes } = await applyCode('b', '2');
      expect(changes.map(({ detail }) => detail)).toEqual([['transform: aaaaaaaa → bbbbbbbb']]);
    });

    it('keeps an object under its new name when it is renamed, and ends the old one', async () => {
      await apply(flightsManifestWith([lastDelay]));
      const members = (flightsManifest.services['delay_features']?.members ?? []).map((member) =>
        member.kind === 'view' ? { ...member, view: 'lateness', features: ['last_delay'] } : member,
      );
      const lateness = { ...airportDelays, features: [lastDelay], name: 'lateness', renamedFrom: 'airport_delays' };
      const services = { delay_features: { name: 'delay_features', members } };
      const { changes } = await apply({ ...flightsManifest, views: { lateness }, services });
      const told = ['rename lateness airport_delays', 'change delay_features null'];
      expect(changes.map(({ kind, name, former }) => `${kind} ${name} ${former}`)).toEqual(told);
      expect((await viewVersions('airport_delays')).at(-1)?.spec).toBeNull();
      expect((await viewVersions('lateness')).at(-1)?.spec).toMatchObject({ storedAs: 'airport_delays' });
    });

    it('keeps every version of every object, its removal and its return included', async () => {
      await apply(flightsManifestWith([lastDelay]));
      await apply(flightsManifestWith([lastDelay, meanDelay7d]));
      await apply(emptyManifest, true);
      await apply(flightsManifestWith([lastDelay]));
      const views = await viewVersions('airport_delays');
      expect(views.map(({ version, revision }) => `${version} ${revision}`)).toEqual(['1 1', '2 2', '3 3', '4 4']);
      expect(views[2]?.spec).toBeNull();
      expect(views[3]?.hash).toBe(views[0]?.hash);
      expect(await given.definitions.objectVersions('entity', 'airport')).toHaveLength(3);
    });

    it('lets one of two applies from the same plan win, and tells the other', async () => {
      await apply(flightsManifestWith([lastDelay]));
      const { baseRevision } = await plan(flightsManifest);
      const options = { actor: 'ann', expectedRevision: baseRevision };
      const results = await Promise.allSettled(
        [flightsManifest, flightsManifestWith([lastDelay, meanDelay7d])].map((manifest) =>
          given.definitions.apply(manifest, options),
        ),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({ code: 'HR_CONFLICT' });
      expect(await given.definitions.history()).toHaveLength(2);
    });

    it('keeps whole numbers beyond 2^53 in a manifest', async () => {
      await apply(flightsManifestWith([{ ...flights1d, default: 2n ** 60n }]));
      const view = (await given.definitions.current())?.manifest.views['airport_delays'];
      expect(view?.features[0]?.default).toBe(2n ** 60n);
    });
  });

  it('the change token grows with every change and with nothing else', async () => {
    const tokens = [await given.changeToken()];
    const setAlias = () => given.models.setAlias(MODEL, 'champion', 1, 'ann');
    const setTraffic = () => given.endpoints.setTraffic('delay', traffic('v0 1 100'), { actor: 'ann' });
    for (const change of [() => apply(flightsManifest), register, setAlias, setTraffic]) {
      await change();
      tokens.push(await given.changeToken());
    }
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
    await setAlias();
    await refused(register('1', { alias: '!' }), 'HR_INVALID');
    expect(await given.changeToken()).toBe(tokens.at(-1));
  });

  it('keeps an audit record of others, newest first', async () => {
    const of = { object: 'endpoint/delay' };
    await given.auditLog.record({ ...of, actor: 'ann', action: 'rollout.abort', before: { step: 2 } });
    await given.auditLog.record({ ...of, actor: 'bob', action: 'rollout.start' });
    const newest = { actor: 'bob', action: 'rollout.start', atMicros: NOW, before: null, after: null };
    expect(await given.auditLog.list({ ...of, limit: 1 })).toMatchObject([newest]);
  });
});
