// What is told of the models in memory: each for as long as it is held, and after that until it has nothing left to count.

import { expect, it } from 'vitest';
import type { LoadedModel } from '../../src/models/index.ts';
import { createModelHolders } from '../../src/serving/model-statistics.ts';

function open() {
  const counts = { rows: 0, queuedRows: 0, runningRows: 0 };
  const statistics = () => ({ runs: 0, failures: 0, refused: {}, threadsReplaced: 0, busyMicros: 0, ...counts });
  const loaded = { memoryBytes: 10, statistics } as unknown as LoadedModel;
  const holders = createModelHolders();
  const told = () => holders.statistics().map(({ model, version, rows }) => [model, version, rows]);
  return { counts, told, hold: (version = 1) => holders.hold(loaded, 'delays', version) };
}

it('tells a model once, whoever holds it, and a last time after it was released', () => {
  const { counts, told, hold } = open();
  const [first, second] = [hold(), hold()];
  counts.rows = 5;
  expect(told()).toEqual([['delays', 1, 5]]);
  first();
  expect(told()).toEqual([['delays', 1, 5]]);
  counts.rows = 7;
  second();
  expect(told()).toEqual([['delays', 1, 7]]);
  expect(told()).toEqual([]);
});

it('tells a released model until nothing waits or runs in it', () => {
  const { counts, told, hold } = open();
  const release = hold();
  counts.runningRows = 2;
  release();
  expect(told()).toEqual([['delays', 1, 0]]);
  Object.assign(counts, { rows: 2, runningRows: 0 });
  expect(told()).toEqual([['delays', 1, 2]]);
  expect(told()).toEqual([]);
});

it('tells a model that two versions are made of by the one that holds it', () => {
  const { told, hold } = open();
  const first = hold(1);
  hold(2);
  expect(told()).toEqual([['delays', 1, 0]]);
  first();
  expect(told()).toEqual([['delays', 2, 0]]);
});
