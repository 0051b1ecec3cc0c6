// A registry of an earlier version of Headrace, with rows: what was kept is kept, and reads as what it means today.

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { fixedClock } from '../../src/core/index.ts';
import { viewVersion } from '../../src/definitions/index.ts';
import { openRegistry, type Registry } from '../../src/registry/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { makeOldRegistry, OLD_HASHES, OLD_MANIFESTS } from '../support/old-registry.ts';

const NOW = 1_795_000_000_000_000;
const MODEL = 'delay_classifier';
const [trainedOn, applied] = OLD_MANIFESTS.map((manifest) => viewVersion(manifest, 'airport_delays'));

describe.each(testDatabases('migrations of the registry'))('an earlier registry on $name', (databases) => {
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());

  const withOld = async (look: (registry: Registry) => Promise<void>): Promise<void> => {
    const url = await databases.newUrl();
    await makeOldRegistry(url);
    const database = await openDatabase(url);
    onTestFinished(() => database.close());
    await look(await openRegistry(database, fixedClock(NOW)));
  };

  it('keeps what was applied, and its objects', () =>
    withOld(async ({ definitions, changeToken }) => {
      expect(await changeToken()).toBe(7);
      const applied = { revision: 2, hash: OLD_HASHES[1], appliedAtMicros: 11, actor: 'ann', origin: {} };
      expect(await definitions.current()).toEqual({ ...applied, manifest: OLD_MANIFESTS[1] });
      const history = (await definitions.history()).map(({ revision, origin }) => ({ revision, origin }));
      expect(history).toEqual([2, 1].map((revision) => ({ revision, origin: {} })));
      const views = await definitions.objectVersions('view', 'airport_delays');
      expect(views.map(({ version }) => version)).toEqual([1, 2]);
      expect((await definitions.plan(OLD_MANIFESTS[1])).changes).toEqual([]);
    }));

  it('keeps model versions, none of them retired, with their aliases and endpoints', () =>
    withOld(async ({ models, endpoints, auditLog }) => {
      const versions = await models.versions(MODEL);
      expect(versions).toMatchObject([
        {
          version: 1,
          manifestHash: OLD_HASHES[0],
          aliases: ['champion'],
          spec: null,
          rowsVerdict: null,
          isRetired: false,
        },
        { version: 2, manifestHash: OLD_HASHES[1], aliases: [], metrics: { auc: 0.75 }, trainingSet: null },
      ]);
      expect(await endpoints.list()).toMatchObject([
        {
          name: 'delay',
          salt: '0011223344556677',
          revision: 3,
          // Laid out alike by whoever reads them.
          variants: [
            { version: 1, weight: 90, ranges: [[0, 9000]] },
            { version: 2, weight: 10, ranges: [[9000, 10_000]] },
          ],
          experiments: [],
          rollout: null,
        },
      ]);
      expect(await auditLog.list({})).toHaveLength(2);
    }));

  it('keeps the view versions that are applied and those that model versions were trained on, to be filled', () =>
    withOld(async ({ versions }) => {
      const kept = await versions.list();
      expect(kept.map(({ version, manifestHash }) => [version, manifestHash])).toEqual([
        [applied, OLD_HASHES[1]],
        [trainedOn, OLD_HASHES[0]],
      ]);
      for (const row of kept) expect(row).toMatchObject({ epoch: 1, completedMicros: null, unreadSinceMicros: null });
      expect((await versions.needs()).get(trainedOn ?? '')).toEqual([{ by: 'model', model: MODEL, version: 1 }]);
      // As before: what is applied answers with what there is.
      expect(await versions.servedServices()).toMatchObject([{ service: 'delay_features', state: 'unfilled' }]);
    }));

  it('goes on: a version is complete, a model version goes, traffic moves', () =>
    withOld(async ({ versions, endpoints, models }) => {
      for (const { version, epoch } of await versions.list()) await versions.complete({ version, epoch });
      expect(await versions.servedServices()).toMatchObject([{ state: 'current', manifestHash: OLD_HASHES[1] }]);
      await endpoints.setTraffic('delay', { variants: [{ name: 'new', version: 2, weight: 100 }] }, { actor: 'ann' });
      await models.removeAlias(MODEL, 'champion', 'ann');
      await models.retire(MODEL, 1, 'ann');
      expect(await versions.remove({ version: trainedOn ?? '', epoch: 1 }, 'ann')).toBe(true);
    }));
});
