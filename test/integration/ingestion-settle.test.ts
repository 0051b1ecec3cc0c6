// What is left of a writer that is gone: keyed entries whose claims never counted are void, and a settled log is held until
// every node has what it holds. Writers that die at any step: crash-steps.test.ts.

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import { createViewCodec } from '../../src/online/index.ts';
import { eachWorld } from '../support/each-world.ts';
import { NOW, openIngestionWorld } from '../support/ingestion-world.ts';
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
  const world = eachWorld(() => openIngestionWorld(kind));

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

  it('a log whose object store is away is settled, counts, and is ended once that is back', async () => {
    const dead = await world.open({ definitions: () => definitions });
    await dead.ingestion.push('events', [numberedEvent(1, NOW)]);
    await dead.drop();
    // A file where the folder was: nothing can be put there.
    const away = `${world.places.objects}-away`;
    renameSync(world.places.objects, away);
    writeFileSync(world.places.objects, '');
    const said: string[] = [];
    const logger = { ...silentLogger, warn: (_: object, message: string) => void said.push(message) };
    const settler = await world.open({ definitions: () => definitions, settleEveryMs: 0, logger });
    expect(await settler.ingestion.settle()).toBe(1);
    expect(said).toContain('a settled log could not be ended yet; trying again');
    expect(await online([1])).toEqual([1]);
    const state = async () => (await settler.log.writers())[0]?.state;
    expect(await state()).toBe('open');
    rmSync(world.places.objects);
    renameSync(away, world.places.objects);
    await settler.ingestion.look();
    await expect.poll(state).toBe('ended');
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
    const asked = await world.ask(manifest);
    await world.runs.open(asked, {
      snapshot: [],
      boundary: -Infinity,
      coverage: { floor: 2, cuts: new Map() },
      isFull: true,
      since: 0,
    });
    const run = await world.store.run({
      version,
      run: asked.number,
      entity: 'thing',
      lifetimeMs: () => undefined,
      isOpen: async () => true,
    });
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

const events = (...numbers: readonly number[]) => numbers.map((number) => numberedEvent(number, NOW));

describe.each(onlineStoreKinds().slice(0, 1))('what was pushed, with $name', (kind) => {
  const world = eachWorld(() => openIngestionWorld(kind));
  const rows = (): Promise<number> => world.pushed.rows('events');
  const open = () => world.open({ definitions: () => definitions, settleEveryMs: 0 });
  /** Meanwhile the registry takes none of what is pushed. */
  const withoutTelling = async (work: () => Promise<unknown>): Promise<void> => {
    const { tell } = world.pushed;
    const away = { tell: () => Promise.reject(new Error('the registry is away')) };
    Object.assign(world.pushed, away);
    await work();
    Object.assign(world.pushed, { tell });
  };

  it('is told while the writer lives, a repeated key once, of all writers together', async () => {
    expect(await rows()).toBe(0);
    const [one, other] = [await open(), await open()];
    await one.ingestion.push('events', events(1, 2));
    await one.ingestion.push('events', events(3), 'key 3');
    await one.ingestion.push('events', events(3), 'key 3');
    await other.ingestion.push('events', events(3), 'key 3');
    await other.ingestion.push('events', events(4));
    for (const { ingestion } of [one, other]) await ingestion.look();
    await expect.poll(rows).toBe(4);
    await one.ingestion.push('events', events(5));
    await one.close();
    expect(await rows()).toBe(5);
  });

  it('is told of a writer that died before it could, by whoever settles it, and by the next one not again', async () => {
    const dead = await open();
    await dead.ingestion.push('events', events(1, 2), 'key');
    await dead.ingestion.look();
    await expect.poll(rows).toBe(2);
    await dead.ingestion.push('events', events(1, 2), 'key');
    await dead.ingestion.push('events', events(6, 7, 8));
    await withoutTelling(() => dead.drop());
    expect(await rows()).toBe(2);
    const settler = await open();
    expect(await settler.ingestion.settle()).toBe(1);
    expect(await rows()).toBe(5);
    await settler.drop();
    expect(await (await open()).ingestion.settle()).toBe(1);
    expect(await rows()).toBe(5);
  });

  it('goes on where the registry was away for a while', async () => {
    const process = await open();
    await process.ingestion.push('events', events(1));
    await withoutTelling(async () => {
      await process.ingestion.look();
      await process.ingestion.push('events', events(2));
    });
    await process.close();
    expect(await rows()).toBe(2);
  });

  it('stays where the log that it is of is removed', async () => {
    const process = await open();
    await process.ingestion.push('events', events(1, 2));
    await process.close();
    const next = await open();
    const [writer] = await next.log.writers();
    await next.log.remove(new Map([[writer?.number ?? 0, writer?.shipped ?? 0]]));
    expect((await Array.fromAsync(next.log.read(writer?.number ?? 0, 1, Infinity))).length).toBe(0);
    expect(await rows()).toBe(2);
  });
});
