// How often a server asks whether its store is the one that runs filled: until it has seen what is expected, and no longer.

import { expect, it } from 'vitest';
import { HeadraceError, silentLogger } from '../../src/core/index.ts';
import type { RecordDirectory } from '../../src/online/index.ts';
import type { Snapshot } from '../../src/serving/snapshot.ts';
import { createStoreCheck } from '../../src/serving/store-check.ts';

const RUN: ReturnType<RecordDirectory['lastFinished']> = {
  coverage: { floor: 0, cuts: new Map() },
  boundary: 0,
  asOf: 0,
};

/** A server of versions, those that the registry says are filled, and those whose marks the store has. */
function server(filled: string[], marked: string[]) {
  const state = { now: 0, asked: 0, marksOf: [] as string[], isAway: false };
  const check = createStoreCheck(
    {
      store: {
        async marks(version) {
          state.marksOf.push(version);
          if (state.isAway) throw new HeadraceError('HR_ONLINE_UNAVAILABLE', 'away');
          return [{ node: 'lmdb', run: marked.includes(version) ? 1 : undefined }];
        },
      },
      storePlace: { project: 'shop', url: 'lmdb:here' },
      directory: { lastFinished: (version) => (filled.includes(version) ? RUN : undefined) },
      runs: {
        async filledVersions() {
          state.asked++;
          return new Set(filled);
        },
      },
      logger: silentLogger,
    },
    () => state.now,
  );
  return { state, check };
}

function snapshotOf(versions: readonly string[], epoch = 1): Snapshot {
  const served = versions.map((version) => ({ view: version.split('@')[0], version, epoch }));
  // As much of it as is looked at.
  return {
    definitions: { manifest: { project: 'shop' } },
    versions: served,
    complete: new Set(served),
    endpoints: new Map([['e', { plan: { versions } }]]),
    services: new Map(),
  } as unknown as Snapshot;
}

it('asks nothing for what only pushes have filled, until a run fills it', async () => {
  const [filled, marked]: [string[], string[]] = [['v@1'], ['v@1']];
  const { state, check } = server(filled, marked);
  const snapshot = snapshotOf(['v@1', 'pushed@1']);
  for (; state.now < 60_000; state.now += 300) await check.look(snapshot);
  expect(state).toMatchObject({ asked: 1, marksOf: ['v@1'] });
  expect(check.health()).toMatchObject({ views: [{ state: 'complete' }, { state: 'complete' }], otherStore: null });
  filled.push('pushed@1');
  await check.look(snapshot);
  expect(check.health().views).toMatchObject([{ state: 'complete' }, { view: 'pushed', state: 'absent' }]);
  marked.push('pushed@1');
  state.now += 1000;
  await check.look(snapshot);
  expect(check.health().views).toMatchObject([{ state: 'complete' }, { state: 'complete' }]);
  const { asked } = state;
  for (; state.now < 200_000; state.now += 300) await check.look(snapshot);
  expect(state.asked).toBe(asked);
});

it('asks once a second for what is expected and not there, and while the store is away', async () => {
  const { state, check } = server(['v@1'], []);
  const snapshot = snapshotOf(['v@1']);
  state.isAway = true;
  for (; state.now < 3000; state.now += 250) await check.look(snapshot);
  expect(state.asked).toBe(3);
  expect(check.health()).toMatchObject({ views: [{ state: 'unknown' }], otherStore: null });
  state.isAway = false;
  for (; state.now < 6000; state.now += 250) await check.look(snapshot);
  expect(state.asked).toBe(6);
  expect(check.health()).toMatchObject({
    views: [{ state: 'absent' }],
    otherStore: expect.stringContaining('no node of lmdb:here'),
  });
});

it('asks anew for a version that was not served meanwhile, or came back after it was removed', async () => {
  const { state, check } = server(['v@1', 'w@1'], ['v@1', 'w@1']);
  for (const snapshot of [snapshotOf(['v@1']), snapshotOf(['w@1']), snapshotOf(['v@1']), snapshotOf(['v@1'], 2)])
    await check.look(snapshot);
  expect(state.marksOf).toEqual(['v@1', 'w@1', 'v@1', 'v@1']);
});
