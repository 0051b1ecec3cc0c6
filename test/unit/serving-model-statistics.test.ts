// What is told of the models in memory: each for as long as it is held, and after that until it has nothing left to count.

import { expect, it } from 'vitest';
import type { LoadedModel } from '../../src/models/index.ts';
import { createModelHolders } from '../../src/serving/model-statistics.ts';

interface Counted {
  readonly loaded: LoadedModel;
  readonly counts: { rows: number; queuedRows: number; runningRows: number };
}

function modelOf(): Counted {
  const counts = { rows: 0, queuedRows: 0, runningRows: 0 };
  const statistics = () => ({ runs: 0, failures: 0, refused: {}, threadsReplaced: 0, busyMicros: 0, ...counts });
  return { loaded: { memoryBytes: 10, statistics } as unknown as LoadedModel, counts };
}

it('tells a model once, whoever holds it, and a last time after it was released', () => {
  const holders = createModelHolders();
  const { loaded, counts } = modelOf();
  const releases = [holders.hold(loaded, 'delays', 1), holders.hold(loaded, 'delays', 1)];
  const told = () => holders.statistics().map(({ model, version, rows }) => [model, version, rows]);
  counts.rows = 5;
  expect(told()).toEqual([['delays', 1, 5]]);
  releases[0]?.();
  expect(told()).toEqual([['delays', 1, 5]]);
  counts.rows = 7;
  releases[1]?.();
  expect(told()).toEqual([['delays', 1, 7]]);
  expect(told()).toEqual([]);
});

it('tells a released model until nothing waits or runs in it', () => {
  const holders = createModelHolders();
  const { loaded, counts } = modelOf();
  const release = holders.hold(loaded, 'delays', 1);
  counts.runningRows = 2;
  release();
  expect(holders.statistics()).toMatchObject([{ rows: 0 }]);
  Object.assign(counts, { rows: 2, runningRows: 0 });
  expect(holders.statistics()).toMatchObject([{ rows: 2 }]);
  expect(holders.statistics()).toEqual([]);
});

it('tells a model that two versions are made of by the one that holds it', () => {
  const holders = createModelHolders();
  const { loaded } = modelOf();
  const first = holders.hold(loaded, 'delays', 1);
  holders.hold(loaded, 'delays', 2);
  expect(holders.statistics()).toMatchObject([{ version: 1 }]);
  first();
  expect(holders.statistics()).toMatchObject([{ version: 2 }]);
});
