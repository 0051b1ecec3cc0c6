// What a driver keeps of the orders of cached steps while it drives a run.

import { expect, it } from 'vitest';
import { createOutputCache, MOST_ORDERS } from '../../src/orchestrator/driver/output-cache.ts';
import { graphOf } from '../../src/orchestrator/engine/graph.ts';
import { openObjectStore, putBlob } from '../../src/storage/index.ts';
import { folderOfTest } from '../support/new-folder.ts';
import { pipeline } from '../support/run-rows.ts';
import { orderOf } from '../support/step-order.ts';

it('the orders of a step in a group of many items are held up to a bound, those that were used last', async () => {
  const objects = openObjectStore(`file:${folderOfTest()}`);
  const read: string[] = [];
  const counted: typeof objects = {
    ...objects,
    get: async (key) => {
      read.push(key);
      return await objects.get(key);
    },
  };
  const store = { cached: async () => new Map() };
  const cache = createOutputCache(
    { store, objects: counted, cacheReads: async () => ({ reads: {} }) },
    { graph: graphOf(pipeline) },
  );
  const lookUp = async (item: number): Promise<void> => {
    const order = orderOf({ kind: 'shell', command: 'true' }, { scope: String(item) });
    const hash = await putBlob(objects, Buffer.from(JSON.stringify(order)));
    await cache.lookUp({ kind: 'look up', step: 's', scope: String(item), order: `blob:${hash}`, from: 0, count: 1 });
  };
  for (let item = 0; item < MOST_ORDERS; item++) await lookUp(item);
  await lookUp(0);
  expect(read).toHaveLength(MOST_ORDERS);
  // In the place of the one that was used the longest ago, which is not 0.
  await lookUp(MOST_ORDERS);
  await lookUp(0);
  expect(read).toHaveLength(MOST_ORDERS + 1);
  await lookUp(1);
  expect(read).toHaveLength(MOST_ORDERS + 2);
});
