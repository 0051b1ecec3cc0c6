// A feed counts each of its events once, and sets each apart once: whoever reads it, with whatever batches, and wherever a reader dies.

import { beforeEach, describe, expect, it } from 'vitest';
import { openQuarantine, type Quarantine } from '../../src/checks/index.ts';
import { formatTimestamp, MICROS_PER_MINUTE } from '../../src/core/index.ts';
import type { Definitions } from '../../src/definitions/index.ts';
import type { Feed, Ingestion } from '../../src/ingestion/index.ts';
import { eachWorld } from '../support/each-world.ts';
import { createRandom } from '../support/chance.ts';
import { checkedEvents } from '../support/checked-events.ts';
import { definitionsOf, eventDefinitions } from '../support/event-definitions.ts';
import { NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const definitions = eventDefinitions();
const { manifest } = definitions;
const ID = { source: 'events', feed: 'place/0' };
/** What lies at a position of the feed. */
const eventAt = (position: number) => ({ k: 'a', happened: formatTimestamp(NOW - MICROS_PER_MINUTE), n: position });
const rowsOf = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => eventAt(from + i));
const sumTo = (end: number): bigint => (BigInt(end) * BigInt(end - 1)) / 2n;

describe.each(onlineStoreKinds())('a feed on $name', (kind) => {
  const world = eachWorld(() => openIngestionWorld(kind));
  const open = (machine: string, more = {}): Promise<PushProcess> =>
    world.open({ definitions: () => definitions, machine, ...more });
  const push = (feed: Feed, from: number, to: number) => feed.push(rowsOf(from, to), from, to);

  it('stands nowhere, then where it began, then where its last batch ended', async () => {
    const { ingestion } = await open('a');
    const feed = ingestion.feed(ID);
    expect(await feed.position()).toBeUndefined();
    expect(await feed.begin(5)).toBe(5);
    expect(await feed.begin(9)).toBe(5);
    expect(await push(feed, 5, 8)).toMatchObject({ accepted: 3, duplicate: false });
    expect(await feed.push([], 8, 12)).toMatchObject({
      accepted: 0,
      duplicate: false,
      views: [{ view: 'v', written: 0 }],
    });
    expect(await feed.position()).toBe(12);
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 3n, sum_n: 18n });
  });

  it('keeps the batch that came first, and tells a later one of other borders where to go on', async () => {
    const [one, other] = [await open('a'), await open('b')];
    const [a, b] = [one.ingestion.feed(ID), other.ingestion.feed(ID)];
    await a.begin(0);
    await push(a, 0, 10);
    expect(await push(b, 0, 25)).toMatchObject({ accepted: 0, duplicate: true, views: [], until: 10 });
    expect(await push(b, 0, 10)).toMatchObject({ duplicate: true, until: 10 });
    expect(await push(b, 10, 25)).toMatchObject({ accepted: 15, duplicate: false });
    expect(await a.position()).toBe(25);
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 25n, sum_n: sumTo(25) });
  });

  it('stands past what a dead reader pushed, even once its claims are forgotten', async () => {
    const brief = { limits: { claimRetentionMs: 150 } };
    const dead = await open('a', brief);
    const feed = dead.ingestion.feed(ID);
    await feed.begin(0);
    await push(feed, 0, 10);
    await push(feed, 10, 20);
    // It comes to no more: where the feed stands was kept before any of it.
    await dead.drop();
    const heir = await open('a', brief);
    expect(await heir.ingestion.settle()).toBe(1);
    world.clock.now += MICROS_PER_MINUTE;
    await new Promise((done) => setTimeout(done, 400));
    await heir.close();
    const later = (await open('c', brief)).ingestion.feed(ID);
    expect(await later.position()).toBe(20);
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 20n, sum_n: sumTo(20) });
  });

  it.runIf(kind.name === 'redis')('counts what a dead reader pushed, though the store was emptied since', async () => {
    const dead = await open('a');
    const feed = dead.ingestion.feed(ID);
    await feed.begin(0);
    await push(feed, 0, 10);
    await push(feed, 10, 20);
    await feed.keep(20);
    await dead.drop();
    await world.place.server?.command('FLUSHALL');
    const heir = await open('a');
    expect(await heir.ingestion.settle()).toBe(1);
    const again = heir.ingestion.feed(ID);
    const at = (await again.position()) as number;
    expect(await push(again, at, at + 5)).toMatchObject({ accepted: 5 });
    expect(await push(again, 10, 25)).toMatchObject({ accepted: 0, until: 20 });
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 25n, sum_n: sumTo(25) });
  });

  it.runIf(kind.name === 'redis')('counts no batch of a dead reader whose place another’s sealed one had', async () => {
    const brief = { limits: { claimRetentionMs: 100 } };
    const [one, other] = [await open('a', brief), await open('b', brief)];
    await one.ingestion.feed(ID).begin(0);
    await push(one.ingestion.feed(ID), 0, 10);
    // It comes second, and dies.
    expect(await push(other.ingestion.feed(ID), 0, 10)).toMatchObject({ until: 10 });
    await one.close();
    await other.drop();
    await new Promise((done) => setTimeout(done, 300));
    const heir = await open('b', brief);
    expect(await heir.ingestion.settle()).toBe(1);
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 10n, sum_n: sumTo(10) });
  });

  it('stands past what was pushed once the cut is sealed, its claims forgotten or not', async () => {
    const one = await open('a', { limits: { claimRetentionMs: 150 } });
    const feed = one.ingestion.feed(ID);
    await feed.begin(0);
    await push(feed, 0, 10);
    await one.close();
    world.clock.now += MICROS_PER_MINUTE;
    await new Promise((done) => setTimeout(done, 400));
    expect(await (await open('b')).ingestion.feed(ID).position()).toBe(10);
  });

  it('tells which rows are refused, and takes the others', async () => {
    const { ingestion } = await open('a');
    const feed = ingestion.feed(ID);
    await feed.begin(0);
    const rows = [
      eventAt(0),
      { ...eventAt(1), n: 'one' },
      eventAt(2),
      7,
      { ...eventAt(4), happened: '2999-01-01T00:00:00Z' },
    ];
    await expect(feed.push(rows, 0, 5)).rejects.toMatchObject({ code: 'HR_INVALID' });
    const refused = await ingestion.sift('events', rows);
    expect([...refused.keys()]).toEqual([1, 3, 4]);
    expect(refused.get(1)).toMatch(/^n .*"one"/);
    expect(refused.get(4)).toMatch(/^happened /);
    await feed.push([rows[0], rows[2]], 0, 5);
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 2n, sum_n: 2n });
  });

  it.each([1, 2, 3])(
    'counts each event once through readers that race, die and come back (%i)',
    { timeout: 60_000 },
    async (seed) => {
      const draw = createRandom(seed);
      const END = 120;
      const machines = ['a', 'b', 'c'];
      const live = new Map<string, { process: PushProcess; feed: Feed; at: number | undefined }>();
      const join = async (machine: string): Promise<void> => {
        const process = await open(machine);
        await process.ingestion.settle().catch(() => 0);
        const feed = process.ingestion.feed(ID);
        live.set(machine, { process, feed, at: undefined });
        await feed.begin(0);
      };
      /** Pushes what comes next for a reader, who may be behind others, and may die over it. False once there is no more. */
      const turn = async (machine: string): Promise<boolean> => {
        const reader = live.get(machine);
        if (reader === undefined) {
          await join(machine);
          return true;
        }
        // A reader may believe in a place that others are past by now.
        if (reader.at === undefined || draw.below(4) === 0) reader.at = await reader.feed.position();
        const from = reader.at as number;
        if (from >= END) return false;
        const to = Math.min(END, from + 1 + draw.below(7));
        const pushing = push(reader.feed, from, to);
        if (draw.below(12) === 0) {
          live.delete(machine);
          await Promise.allSettled([reader.process.drop(), pushing]);
          return true;
        }
        reader.at = (await pushing).until ?? to;
        return true;
      };
      let isDone = false;
      for (let step = 0; step < 300 && !isDone; step++) {
        const [one, other] = draw.shuffled(machines) as [string, string, string];
        const turns = draw.below(2) === 0 ? [turn(one), turn(other)] : [turn(one)];
        isDone = (await Promise.all(turns)).includes(false);
      }
      expect(isDone).toBe(true);
      for (const machine of machines) {
        if (!live.has(machine)) await join(machine);
      }
      expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: BigInt(END), sum_n: sumTo(END) });
    },
  );
});

const happened = formatTimestamp(NOW - MICROS_PER_MINUTE);
/** Of five one is set apart. */
const checkedRows = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => from + i).map((n) => ({ k: 'a', happened, x: n % 5 === 0 ? -1 - n : n }));
const strict = definitionsOf(checkedEvents());
const [kind] = onlineStoreKinds();

describe('rows of a feed that are set apart', () => {
  const world = eachWorld(() => openIngestionWorld(kind as NonNullable<typeof kind>));
  let quarantine: Quarantine;
  beforeEach(async () => {
    quarantine = await openQuarantine(world.database, { maxBytes: 1e9 });
  });

  const open = (machine: string, own = quarantine, definitions: Definitions = strict): Promise<PushProcess> =>
    world.open({ machine, definitions: () => definitions, quarantine: async () => own });
  const push = (feed: Feed, from: number, to: number) => feed.push(checkedRows(from, to), from, to);
  const held = async (): Promise<number[]> =>
    (await quarantine.rows('events')).map(({ row }) => -1 - (JSON.parse(row) as { x: number }).x).sort((a, b) => a - b);
  const counted = async ({ manifest } = strict) => (await world.valuesOf(manifest, 'a'))['rows'];

  /** What a process leaves that dies once it has held rows. */
  const dieAfterHolding = async (act: (ingestion: Ingestion) => Promise<unknown>): Promise<void> => {
    const dies = (): never => {
      throw new Error('it died');
    };
    const dead = await open('dead', { ...quarantine, hold: (rows) => quarantine.hold(rows).then(dies) });
    await expect(act(dead.ingestion)).rejects.toThrow('it died');
    await dead.drop();
  };
  const readerDies = (from: number, to: number): Promise<void> =>
    dieAfterHolding(async (ingestion) => {
      const feed = ingestion.feed(ID);
      await feed.begin(from);
      await push(feed, from, to);
    });

  it('of a push under a key, too, are there once where its first process died before it counted', async () => {
    const keyed = ({ push }: Ingestion) => push('events', checkedRows(0, 12), 'key');
    await dieAfterHolding(keyed);
    expect(await held()).toEqual([0, 5, 10]);
    const counts = { accepted: 9, quarantined: 3, duplicate: false };
    expect(await keyed((await open('heir')).ingestion)).toMatchObject(counts);
    expect(await held()).toEqual([0, 5, 10]);
    expect(await counted()).toBe(9n);
  });

  it('are there once where the reader that held them first died before its batch counted', async () => {
    await readerDies(0, 12);
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
    await readerDies(0, 12);
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
    const rows = places.map((place) => checkedRows(place, place + 1)[0] as object);
    const feed = (await open('a')).ingestion.feed(ID);
    await feed.begin(0);
    await feed.push(rows, 0, 12, { places });
    expect(await held()).toEqual([5, 10]);
    await readerDies(12, 20);
    expect(await held()).toEqual([5, 10, 15]);
  });
});
