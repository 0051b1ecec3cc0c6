// What a feed sets apart is in quarantine once, whichever reader held it first, and however far that one came.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openQuarantine, type Quarantine } from '../../src/checks/index.ts';
import { formatTimestamp, MICROS_PER_MINUTE } from '../../src/core/index.ts';
import type { Definitions } from '../../src/definitions/index.ts';
import type { Feed } from '../../src/ingestion/index.ts';
import { checkedEvents } from '../support/checked-events.ts';
import { definitionsOf, eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const ID = { source: 'events', feed: 'place/0' };
const happened = formatTimestamp(NOW - MICROS_PER_MINUTE);
/** Of five one is set apart. */
const rowsOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({
    k: 'a',
    happened,
    x: (from + i) % 5 === 0 ? -1 - from - i : from + i,
  }));
const strict = definitionsOf(checkedEvents());
const [kind] = onlineStoreKinds();

describe('rows of a feed that are set apart', () => {
  let world: IngestionWorld;
  let quarantine: Quarantine;
  beforeEach(async () => {
    world = await openIngestionWorld(kind as NonNullable<typeof kind>);
    quarantine = await openQuarantine(world.database, { maxBytes: 1e9 });
  });
  afterEach(() => world.close());

  const open = (machine: string, own = quarantine, definitions: Definitions = strict): Promise<PushProcess> =>
    world.open({ machine, definitions: () => definitions, quarantine: async () => own });
  const push = (feed: Feed, from: number, to: number) => feed.push(rowsOf(from, to), from, to);
  const held = async (): Promise<number[]> =>
    (await quarantine.rows('events')).map(({ row }) => -1 - (JSON.parse(row) as { x: number }).x).sort((a, b) => a - b);
  const counted = async ({ manifest } = strict) => (await world.valuesOf(manifest, 'a'))['rows'];

  /** What a reader leaves that dies once it has held rows. */
  const dieAfterHolding = async (from: number, to: number): Promise<void> => {
    const dying: Quarantine = {
      ...quarantine,
      async hold(rows) {
        await quarantine.hold(rows);
        throw new Error('it died');
      },
    };
    const dead = await open('dead', dying);
    const feed = dead.ingestion.feed(ID);
    await feed.begin(from);
    await expect(push(feed, from, to)).rejects.toThrow('it died');
    await dead.drop();
  };

  it('are there once where the reader that held them first died before its batch counted', async () => {
    await dieAfterHolding(0, 12);
    expect(await held()).toEqual([0, 5, 10]);
    const feed = (await open('heir')).ingestion.feed(ID);
    await push(feed, 0, 7);
    await push(feed, 7, 20);
    expect(await held()).toEqual([0, 5, 10, 15]);
    expect(await counted()).toBe(16n);
  });

  it('stay where another batch was first, that relies on them', async () => {
    const winner = (await open('winner')).ingestion.feed(ID);
    await winner.begin(0);
    const overtaken: Quarantine = {
      ...quarantine,
      async hold(rows) {
        const ids = await quarantine.hold(rows);
        if (rows.length === 4) await push(winner, 0, 8);
        return ids;
      },
    };
    const loser = (await open('loser', overtaken)).ingestion.feed(ID);
    expect(await push(loser, 0, 20)).toMatchObject({ accepted: 0, until: 8 });
    await push(loser, 8, 20);
    expect(await held()).toEqual([0, 5, 10, 15]);
    expect(await counted()).toBe(16n);
  });

  it('are not held any more where the batch that counts has them', async () => {
    await dieAfterHolding(0, 12);
    const later = eventDefinitions();
    const loose = (await open('heir', quarantine, later)).ingestion.feed(ID);
    await push(loose, 0, 7);
    expect(await held()).toEqual([10]);
    await push(loose, 7, 12);
    expect(await held()).toEqual([]);
    expect(await counted(later)).toBe(12n);
  });

  it('are told by their own places, where others of the batch are left out', async () => {
    const places = [3, 5, 10];
    const rows = places.map((place) => rowsOf(place, place + 1)[0] as object);
    const feed = (await open('a')).ingestion.feed(ID);
    await feed.begin(0);
    await feed.push(rows, 0, 12, { places });
    expect(await held()).toEqual([5, 10]);
    await dieAfterHolding(12, 20);
    expect(await held()).toEqual([5, 10, 15]);
  });
});
