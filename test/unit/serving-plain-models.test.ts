// Plain models that are loaded for who asks, and those that are kept: what is loaded too late is given back, and what fails
// is tried again where it may do. How long a load takes is the test's to say.

import { expect, it } from 'vitest';
import { HeadraceError, silentLogger } from '../../src/core/index.ts';
import type { LoadedModel, ModelLease, ModelRepository } from '../../src/models/index.ts';
import type { PlainModel, PlainVersion } from '../../src/registry/index.ts';
import { createDeadlines } from '../../src/serving/deadlines.ts';
import { createHeldVersion } from '../../src/serving/oip/held-version.ts';
import { createPlainModels } from '../../src/serving/oip/plain-models.ts';
import type { ObjectStore } from '../../src/storage/index.ts';
import { scopeOf } from '../support/model-works.ts';

const versionOf = (version: number): PlainVersion => ({
  model: 'spam',
  version,
  artifact: `file ${version}`,
  signature: { inputs: [], outputs: [] },
  metrics: {},
  aliases: [],
  isRetired: false,
  createdAtMicros: 0,
  actor: 'ann',
});

const counted = { rows: 0, runs: 0, busyMicros: 0, waitedRows: 0, waitMicros: 0, queuedRows: 0, runningRows: 0 };
// What is counted is all that is asked of it.
const model = { statistics: () => ({ ...counted, failures: 0, refused: {} }) } as unknown as LoadedModel;

/** Model `spam` of two versions, the newest of which is kept in memory. */
function openPlain(given: {
  readonly acquire: (artifact: string) => Promise<ModelLease>;
  readonly token: () => number;
}) {
  // What more a repository has is not asked for.
  const models = {
    acquire: given.acquire,
    unload: () => Promise.resolve(true),
    isReady: () => false,
    statistics: () => ({ models: [] }),
  } as unknown as ModelRepository;
  const listed: PlainModel[] = [{ name: 'spam', isUnloaded: false, versions: [versionOf(1), versionOf(2)] }];
  const deadlines = createDeadlines();
  const deps = {
    registry: { changeToken: async () => given.token(), plainModels: { list: async () => listed } },
    objects: {} as ObjectStore,
    models,
    providersOf: (_: string, declared: readonly string[]) => declared,
    logger: silentLogger,
    deadlines,
  };
  return { plain: createPlainModels(deps, () => false), deadlines };
}

it('a model that is loaded after the deadline of who asked for it is held by nobody', async () => {
  const late = Promise.withResolvers<ModelLease>();
  let released = 0;
  const lease = { model, release: () => void released++ };
  const { plain, deadlines } = openPlain({
    acquire: (artifact) => (artifact === 'file 1' ? late.promise : Promise.resolve({ model, release() {} })),
    token: () => 1,
  });
  await plain.catchUp();
  // The newest is kept in memory; the first is loaded for who asks.
  const asked = plain.find('spam', '1').use(scopeOf({ timeoutMs: 20 }), async () => 'an answer');
  await expect(asked).rejects.toThrow('the deadline passed while model "spam" was loaded');
  expect(released).toBe(0);
  late.resolve(lease);
  await late.promise;
  await expect.poll(() => released).toBe(1);
  await plain.close();
  deadlines.close();
});

it('a file that can not be loaded is read again where somebody asks for it, and not with each change of the registry', async () => {
  let [tries, token] = [0, 1];
  const { plain, deadlines } = openPlain({
    acquire() {
      tries++;
      return Promise.reject(new HeadraceError('HR_MODEL_UNREADABLE', 'it is cut'));
    },
    token: () => token++,
  });
  for (let look = 0; look < 3; look++) await plain.refresh();
  await plain.settled(1000);
  expect([plain.find('spam', undefined).state, tries]).toEqual([{ state: 'UNAVAILABLE', reason: 'it is cut' }, 1]);
  await plain.catchUp();
  expect(tries).toBe(2);
  await plain.close();
  deadlines.close();
});

it('a load that fails at once is tried again where it is asked for', async () => {
  let tries = 0;
  const held = createHeldVersion(versionOf(1), {
    acquire() {
      if (++tries === 1) throw new HeadraceError('HR_CONFIG', 'no such provider');
      return Promise.resolve({ model, release() {} });
    },
    logger: silentLogger,
    hold: () => () => {},
  });
  await held.settled();
  expect(held.state()).toEqual({ state: 'UNAVAILABLE', reason: 'no such provider' });
  held.retry(true);
  await held.settled();
  expect(held.state()).toEqual({ state: 'READY', reason: '' });
  held.release();
});
