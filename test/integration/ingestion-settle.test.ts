// What is left of a writer that is gone: keyed entries whose claims never counted are void, and a settled log is held until
// every node has what it holds. Writers that die at any step: crash-steps.test.ts.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createViewCodec } from '../../src/online/index.ts';
import { type IngestionWorld, NOW, openIngestionWorld } from '../support/ingestion-world.ts';
import {
  countedInLogs,
  countedOnline,
  definitions,
  numberedEvent,
  recordOf,
  source,
} from '../support/numbered-events.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const { manifest } = definitions;

describe.each(onlineStoreKinds())('on $name', (kind) => {
  let world: IngestionWorld;
  beforeEach(async () => {
    world = await openIngestionWorld(kind);
  });
  afterEach(() => world.close());

  const online = (numbers: readonly number[]) => countedOnline(world, numbers);

  it('a keyed entry whose claim never counted is void, and a later retry counts', async () => {
    const dead = await world.open({ definitions: () => definitions });
    await dead.ingestion.push('events', [numberedEvent(1, NOW)]);
    await dead.drop();
    // As if killed between the log and the claim: the entry is there, the claim is not.
    const [adopted] = await (await world.open({ definitions: () => definitions })).log.adopt();
    const key = { key: 'key 3', hash: 'of other rows' };
    await adopted?.append({ source, rows: [{ row: { k: recordOf(3), happened: NOW, n: 3n }, knownMicros: NOW }], key });
    await adopted?.close();
    const settler = await world.open({ definitions: () => definitions });
    expect(await settler.ingestion.settle()).toBe(1);
    expect(await online([1, 3])).toEqual([1, 0]);
    expect(await settler.ingestion.push('events', [numberedEvent(3, NOW)], 'key 3')).toMatchObject({
      duplicate: false,
    });
    expect(await online([1, 3])).toEqual([1, 1]);
    expect(await countedInLogs(settler.log)).toEqual(new Map([[1, 1]]));
  });

  it('a settled log is held until a mark of every node covers it, and then removed', async () => {
    const dead = await world.open({ definitions: () => definitions });
    await dead.ingestion.push('events', [numberedEvent(1, NOW)]);
    await dead.drop();
    const settler = await world.open({ definitions: () => definitions, settleEveryMs: 0 });
    await settler.ingestion.look();
    expect(settler.ingestion.status().settled).toEqual([1]);
    const other = await world.open({ definitions: () => definitions });
    expect(await other.ingestion.settle()).toBe(0);
    // The settler dies too: the next one settles again.
    await settler.drop();
    expect(await other.ingestion.settle()).toBe(1);
    expect(await online([1])).toEqual([1]);
    const { version } = createViewCodec(manifest, 'v');
    const { number } = await world.ask(manifest);
    await world.runs.open(number, {
      boundary: -Infinity,
      coverage: { floor: 2, cuts: new Map() },
      isFull: true,
      since: 0,
    });
    const run = await world.store.run({ version, run: number, lifetimeMs: () => undefined, isOpen: async () => true });
    for (const node of run.nodes) {
      await run.begin(node);
      await run.mark(node);
    }
    await run.close();
    const last = await world.open({ definitions: () => definitions, settleEveryMs: 0 });
    await other.close();
    await last.ingestion.look();
    expect(last.ingestion.status().settled).toEqual([]);
    expect(await last.log.adopt()).toEqual([]);
  });
});
