// Which finished tasks of a step a run that goes on can keep.

import { describe, expect, it } from 'vitest';
import { placeBegun } from '../../src/orchestrator/driver/recorded-items.ts';
import type { StepOrder } from '../../src/orchestrator/step/order.ts';
import { openObjectStore, putBlob } from '../../src/storage/index.ts';
import { folderOfTest } from '../support/new-folder.ts';

/** Of a step that predicts in so many slices. */
function orderOf(slices: number): StepOrder {
  const action = { kind: 'predict', endpoint: 'e', input: 'i', timestamp: 't', onError: 'fail', format: 'csv', slices };
  // What of an order is looked at.
  return { action, needs: {}, foreach: { kind: 'range', start: 0, end: slices } } as unknown as StepOrder;
}

describe('a step that predicts in slices', () => {
  it.each([
    [4, 0, null],
    [6, 4, 'it runs anew: its rows are cut into 6 slices since, into 4 before'],
  ])('of four, which are %i by now, makes %i anew of the first four', async (slices, dropped, words) => {
    const objects = openObjectStore(`file:${folderOfTest()}`);
    const order = `blob:${await putBlob(objects, Buffer.from(JSON.stringify(orderOf(4))))}`;
    const row = { nextIndex: 4, order, list: null, placement: null };
    const now = orderOf(slices);
    const placed = await placeBegun(objects, row, { foreach: now.foreach }, now);
    const ranges = placed?.anew.dropped ?? [];
    expect(ranges.reduce((sum, [, count]) => sum + count, 0)).toBe(dropped);
    expect(placed?.anew.words).toBe(words);
  });
});
