// How many rows of a source were ever pushed, as whoever follows pushes is told: each once, whatever writers do.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, NOW, openIngestionWorld } from '../support/ingestion-world.ts';
import { numberedEvent } from '../support/numbered-events.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const definitions = eventDefinitions();
const events = (...numbers: readonly number[]) => numbers.map((number) => numberedEvent(number, NOW));

describe.each(onlineStoreKinds().slice(0, 1))('what was pushed, with $name', (kind) => {
  let world: IngestionWorld;
  beforeEach(async () => {
    world = await openIngestionWorld(kind);
  });
  afterEach(() => world.close());
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
