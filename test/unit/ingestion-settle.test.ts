// A dead writer's log while it is being settled: a node that is connected anew is written what it may have lost.

import { expect, it } from 'vitest';
import type { StoreWriter } from '../../src/online/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { NOW, openIngestionWorld } from '../support/ingestion-world.ts';
import { numberedEvent } from '../support/numbered-events.ts';
import { lmdb } from '../support/online-stores.ts';

const definitions = () => eventDefinitions();

it('writes the parts of a cut again that is not sealed yet', async () => {
  const world = await openIngestionWorld(lmdb);
  try {
    const dead = await world.open({ definitions });
    await dead.ingestion.push('events', [numberedEvent(1, NOW)], 'key');
    await dead.drop();
    let link = (_node: string): void => {};
    const written: number[] = [];
    const finishing = Promise.withResolvers<void>();
    const sealing = Promise.withResolvers<void>();
    const settler = await world.open({
      definitions,
      between: (store) => ({
        ...store,
        async writer(given) {
          link = given.onNode;
          const writer = await store.writer(given);
          const watched: StoreWriter = {
            ...writer,
            async putParts(parts) {
              await writer.putParts(parts);
              written.push(parts.length);
            },
            // Once its parts are written, and before its cut is sealed.
            async finish(claims) {
              finishing.resolve();
              await sealing.promise;
              await writer.finish(claims);
            },
          };
          return watched;
        },
      }),
    });
    const settled = settler.ingestion.settle();
    await finishing.promise;
    expect(written).toEqual([1]);
    link('lmdb');
    await expect.poll(() => written, { timeout: 10_000, interval: 5 }).toEqual([1, 1]);
    sealing.resolve();
    expect(await settled).toBe(1);
  } finally {
    await world.close();
  }
});
