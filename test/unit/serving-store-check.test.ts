// How often a server asks whether its store is the one that runs filled: until it has seen what is expected, and no longer.

import { expect, it } from 'vitest';
import { HeadraceError, silentLogger } from '../../src/core/index.ts';
import type { Snapshot } from '../../src/serving/snapshot.ts';
import { createStoreCheck } from '../../src/serving/store-check.ts';

/** A server of versions, those that the registry says are filled, and those whose marks the store has. */
function server(filled: string[], marked: string[]) {
  const state = { now: 0, asked: 0, marksOf: [] as string[], isAway: false };
  const run = { coverage: { floor: 0, cuts: new Map() }, boundary: 0, asOf: 0 };
  const marks = async (version: string) => {
    state.marksOf.push(version);
    if (state.isAway) throw new HeadraceError('HR_ONLINE_UNAVAILABLE', 'away');
    return [{ node: 'lmdb', run: marked.includes(version) ? 1 : undefined }];
  };
  const filledVersions = async () => {
    state.asked++;
    return new Set(filled);
  };
  const deps = {
    store: { marks },
    storePlace: { project: 'shop', url: 'lmdb:here' },
    directory: { lastFinished: (version: string) => (filled.includes(version) ? run : undefined) },
    runs: { filledVersions },
    logger: silentLogger,
  };
  const check = createStoreCheck(deps, () => state.now);
  /** Looks each so many milliseconds until then. */
  const lookUntil = async (ms: number, every: number, snapshot: Snapshot) => {
    for (; state.now < ms; state.now += every) await check.look(snapshot);
  };
  return { state, check, lookUntil, views: () => check.health().views.map((view) => view.state) };
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
  const [filled, marked] = [['v@1'], ['v@1']];
  const { state, check, lookUntil, views } = server(filled, marked);
  const snapshot = snapshotOf(['v@1', 'pushed@1']);
  await lookUntil(60_000, 300, snapshot);
  expect(state).toMatchObject({ asked: 1, marksOf: ['v@1'] });
  expect([views(), check.health().otherStore]).toEqual([['complete', 'complete'], null]);
  filled.push('pushed@1');
  await check.look(snapshot);
  expect(views()).toEqual(['complete', 'absent']);
  expect(check.health().views[1]).toMatchObject({ view: 'pushed' });
  marked.push('pushed@1');
  state.now += 1000;
  await check.look(snapshot);
  expect(views()).toEqual(['complete', 'complete']);
  const { asked } = state;
  await lookUntil(200_000, 300, snapshot);
  expect(state.asked).toBe(asked);
});

it('asks once a second for what is expected and not there, and while the store is away', async () => {
  const { state, check, lookUntil, views } = server(['v@1'], []);
  state.isAway = true;
  await lookUntil(3000, 250, snapshotOf(['v@1']));
  expect([state.asked, views(), check.health().otherStore]).toEqual([3, ['unknown'], null]);
  state.isAway = false;
  await lookUntil(6000, 250, snapshotOf(['v@1']));
  const other = expect.stringContaining('no node of lmdb:here');
  expect([state.asked, views(), check.health().otherStore]).toEqual([6, ['absent'], other]);
});

it('asks anew for a version that was not served meanwhile, or came back after it was removed', async () => {
  const { state, check } = server(['v@1', 'w@1'], ['v@1', 'w@1']);
  for (const snapshot of [snapshotOf(['v@1']), snapshotOf(['w@1']), snapshotOf(['v@1']), snapshotOf(['v@1'], 2)])
    await check.look(snapshot);
  expect(state.marksOf).toEqual(['v@1', 'w@1', 'v@1', 'v@1']);
});
