// Plain models that are loaded for who asks, and those that are kept: what is loaded too late is given back, and what fails
// is tried again where it may do. How long a load takes is the test's to say.

import { expect, it, onTestFinished } from 'vitest';
import { HeadraceError, silentLogger } from '../../src/core/index.ts';
import type { LoadedModel, ModelLease, ModelRepository } from '../../src/models/index.ts';
import type { PlainVersion } from '../../src/registry/index.ts';
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
  batch: null,
  rowsVerdict: null,
  isRetired: false,
  createdAtMicros: 0,
  actor: 'ann',
});

const counted = { rows: 0, runs: 0, busyMicros: 0, waitedRows: 0, waitMicros: 0, queuedRows: 0, runningRows: 0 };
// What is counted is all that is asked of it.
const model = { statistics: () => ({ ...counted, failures: 0, refused: {} }) } as unknown as LoadedModel;

/** A load that ends when the test says, and how often what it gives was given back. */
function lateLoad() {
  const { promise, resolve } = Promise.withResolvers<ModelLease>();
  let released = 0;
  return { promise, comes: () => resolve({ model, release: () => void released++ }), released: () => released };
}

/** Model `spam` of two versions, the newest of which is kept in memory. */
function openPlain(acquire: (artifact: string) => Promise<ModelLease>, token = () => 1) {
  const unload = () => Promise.resolve(true);
  // What more a repository has is not asked for.
  const repository = { acquire, unload, isReady: () => false, statistics: () => ({ models: [] }) };
  const versions = [versionOf(1), versionOf(2)];
  const deadlines = createDeadlines();
  const deps = {
    registry: {
      changeToken: async () => token(),
      plainModels: { list: async () => [{ name: 'spam', isUnloaded: false, versions }] },
    },
    objects: {} as ObjectStore,
    models: repository as unknown as ModelRepository,
    providersOf: (_: string, declared: readonly string[]) => declared,
    logger: silentLogger,
    deadlines,
  };
  const plain = createPlainModels(deps, () => false);
  onTestFinished(async () => {
    await plain.close();
    deadlines.close();
  });
  return plain;
}
const HELD = { logger: silentLogger, hold: () => () => {} };

it('a model that is loaded after the deadline of who asked for it is held by nobody', async () => {
  const late = lateLoad();
  const plain = openPlain(async (artifact) => (artifact === 'file 1' ? late.promise : { model, release() {} }));
  await plain.catchUp();
  // The newest is kept in memory; the first is loaded for who asks.
  const asked = plain.find('spam', '1').use(scopeOf({ timeoutMs: 20 }), async () => 'an answer');
  await expect(asked).rejects.toThrow('the deadline passed while model "spam" was loaded');
  expect(late.released()).toBe(0);
  late.comes();
  await expect.poll(late.released).toBe(1);
});

it('a file that can not be loaded is read again where somebody asks for it, and not with each change of the registry', async () => {
  let [tries, token] = [0, 1];
  const acquire = () => {
    tries++;
    return Promise.reject(new HeadraceError('HR_MODEL_UNREADABLE', 'it is cut'));
  };
  const plain = openPlain(acquire, () => token++);
  for (let look = 0; look < 3; look++) await plain.refresh();
  await plain.settled(1000);
  expect([plain.find('spam', undefined).state, tries]).toEqual([{ state: 'UNAVAILABLE', reason: 'it is cut' }, 1]);
  await plain.catchUp();
  expect(tries).toBe(2);
});

it('a load that fails at once is tried again where it is asked for', async () => {
  let tries = 0;
  const acquire = async () => {
    if (++tries === 1) throw new HeadraceError('HR_CONFIG', 'no such provider');
    return { model, release() {} };
  };
  const held = createHeldVersion(versionOf(1), { ...HELD, acquire });
  await held.settled();
  expect(held.state()).toEqual({ state: 'UNAVAILABLE', reason: 'no such provider' });
  held.retry(true);
  await held.settled();
  expect(held.state()).toEqual({ state: 'READY', reason: '' });
  held.release();
});

it('a load that hangs is one that failed, and what comes of it late is given back', async () => {
  const late = lateLoad();
  const held = createHeldVersion(versionOf(1), { ...HELD, acquire: () => late.promise, limitMs: 20 });
  await held.settled();
  expect(held.state()).toEqual({ state: 'UNAVAILABLE', reason: 'it was not loaded within 0.02 s' });
  late.comes();
  await expect.poll(late.released).toBe(1);
  held.release();
});
