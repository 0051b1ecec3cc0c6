// A push from row to read: seen when it is answered, counted once under its key wherever it is repeated, refused whole
// when a row is wrong, and never dearer for what came before it.

import { beforeEach, describe, expect, it } from 'vitest';
import {
  formatTimestamp,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  sha256Hex,
} from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { createViewCodec } from '../../src/online/index.ts';
import { eachWorld } from '../support/each-world.ts';
import { definitionsOf, eventDefinitions, eventManifest } from '../support/event-definitions.ts';
import {
  NOW,
  openIngestionWorld,
  type ProcessOptions,
  type PushProcess,
  writersOf,
} from '../support/ingestion-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const definitions = eventDefinitions();
const { manifest } = definitions;
const at = (micros: number): string => formatTimestamp(micros);
const ago = (minutes: number): string => at(NOW - minutes * MICROS_PER_MINUTE);
/** JSON of an event; `seq` keeps all digits as a bigint. */
const event = (k: string | null, minutesAgo: number, more: object = {}) => ({ k, happened: ago(minutesAgo), ...more });

describe.each(onlineStoreKinds())('a push on $name', (kind) => {
  const world = eachWorld(() => openIngestionWorld(kind));
  let server: PushProcess;
  beforeEach(async () => {
    server = await world.open({ definitions: () => definitions });
  });
  const push = (rows: unknown, key?: string, by = server) => by.ingestion.push('events', rows, key);
  const another = (more: Partial<ProcessOptions> = {}): Promise<PushProcess> =>
    world.open({ definitions: () => definitions, machine: 'b', ...more });

  it('is seen by whoever reads once it is answered', async () => {
    const result = await push([event('a', 3, { x: 1, s: 'one' }), event('a', 2, { x: 2, n: 5 }), event('b', 1)]);
    expect(result).toEqual({
      accepted: 3,
      duplicate: false,
      views: [{ view: 'v', written: 2, covered: 0, ignored: 0 }],
      durable: { disk: true, replicas: 0 },
    });
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ last_x: 2, rows: 2n, xs: 2n, sum_n: 5n, mean_x: 1.5 });
    expect(await world.valuesOf(manifest, 'b')).toMatchObject({ rows: 1n, xs: 0n });
  });

  it('counts rows with a null key as ignored, and shows them nowhere', async () => {
    const { views } = await push([event(null, 3, { x: 1 }), event('a', 2, { x: 2 })]);
    expect(views).toEqual([{ view: 'v', written: 1, covered: 0, ignored: 1 }]);
    expect((await world.read(manifest, [null]))[0]?.statuses).toContain('NOT_FOUND');
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 1n });
  });

  it('ends what came before for its key with a tombstone, and leaves the windows their history', async () => {
    await push([event('a', 5, { x: 1 })]);
    await push([event('a', 3, { gone: true })]);
    await push([event('a', 4, { x: 7 })]);
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ last_x: null, rows: 2n, xs: 2n });
    await push([event('a', 2, { x: 9 })]);
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ last_x: 9, rows: 3n });
  });

  it('has a column called constructor', async () => {
    const source = manifest.sources['events'] as SourceSpec;
    const column = { name: 'constructor', type: { kind: 'float64' } } as const;
    const made = { name: 'made', type: column.type, aggregation: { op: 'latest', column: 'constructor' } } as const;
    const odd = definitionsOf({
      ...eventManifest({ features: [made] }),
      sources: { events: { ...source, columns: [...source.columns, column] } },
    });
    const other = await world.open({ definitions: () => odd });
    await push([event('a', 3, { constructor: 4 }), event('b', 3, { x: 1 })], undefined, other);
    expect(await world.valuesOf(odd.manifest, 'a')).toEqual({ made: 4 });
    expect(await world.valuesOf(odd.manifest, 'b')).toEqual({ made: null });
  });

  describe('with an Idempotency-Key', () => {
    const rows = [event('a', 3, { x: 1 })];

    it('is answered by the first result when it is repeated: here, later, elsewhere', async () => {
      const first = await push(rows, 'k');
      expect(first.duplicate).toBe(false);
      expect(await push(rows, 'k')).toEqual({ ...first, duplicate: true });
      const elsewhere = await another();
      expect(await push(rows, 'k', elsewhere)).toEqual({ ...first, duplicate: true });
      await server.close();
      const again = await world.open({ definitions: () => definitions });
      expect(await push(rows, 'k', again)).toEqual({ ...first, duplicate: true });
      expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 1n });
    });

    it('gives the FIRST result, whatever the answer would be by now', async () => {
      const first = await push(rows, 'k');
      // A later run's boundary would have the same event answered as covered.
      await world.ask(manifest, { proposed: NOW });
      const elsewhere = await another();
      expect(await push(rows, 'k', elsewhere)).toEqual({ ...first, duplicate: true });
    });

    it('counts once when it comes many times at once, from several processes', async () => {
      const other = await another();
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => push(rows, 'k', i % 2 === 0 ? server : other)),
      );
      const answers = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      for (const one of results) {
        if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'HR_PUSH_UNDER_WAY' });
      }
      expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 1n });
    });

    it('is refused when the key comes again with other rows, here and elsewhere', async () => {
      await push(rows, 'k');
      const others = [event('a', 3, { x: 2 })];
      await expect(push(others, 'k')).rejects.toMatchObject({ code: 'HR_IDEMPOTENCY' });
      const elsewhere = await another();
      await expect(push(others, 'k', elsewhere)).rejects.toMatchObject({ code: 'HR_IDEMPOTENCY' });
      const both = await Promise.allSettled([push(rows, 'new'), push(others, 'new')]);
      expect(both[1]).toMatchObject({ status: 'rejected', reason: { code: 'HR_IDEMPOTENCY' } });
      expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 2n, last_x: 1 });
    });

    it('is told to come again while the first of its key is under way', async () => {
      const elsewhere = await another();
      // A first that claimed and came no further.
      const link = { writer: 99, holder: 1, lifetimeMs: () => undefined, onNode() {} };
      await push(rows, 'probe');
      const [id, probe] = ['k', 'probe'].map((key) => sha256Hex(JSON.stringify(['events', key]))) as [string, string];
      const writer = await world.store.writer(link);
      const payloadHash = (await writer.claims([probe]))[0]?.payloadHash as string;
      await writer.claim([{ id, writer: 99, offset: 0, payloadHash }]);
      await expect(push(rows, 'k', elsewhere)).rejects.toMatchObject({ code: 'HR_PUSH_UNDER_WAY' });
      await writer.finish([{ id, writer: 99, offset: 0, payloadHash, result: '{"accepted":7,"views":[]}' }]);
      expect(await push(rows, 'k', elsewhere)).toMatchObject({ accepted: 7, duplicate: true, views: [] });
      await writer.close();
    });

    it('is told for good that nobody can know, once the machine that holds its key was given up', async () => {
      // It comes as far as its parts, and dies before it has kept the answer.
      const lost = await another({
        machine: 'a',
        limits: { timeoutMs: 200 },
        between: writersOf(() => ({ finish: () => new Promise(() => {}) })),
      });
      await expect(push(rows, 'k', lost)).rejects.toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
      const holder = lost.ingestion.status().writer?.writer as number;
      const elsewhere = await another();
      await expect(push(rows, 'k', elsewhere)).rejects.toMatchObject({ code: 'HR_PUSH_UNDER_WAY' });
      await elsewhere.log.forget(holder);
      for (const again of [elsewhere, elsewhere, await another({ machine: 'c' })]) {
        await expect(push(rows, 'k', again)).rejects.toMatchObject({
          code: 'HR_PUSH_LOST',
          message: expect.stringMatching(new RegExp(`"k".* writer ${holder} .*new key`)),
        });
      }
      await expect(push([event('a', 3, { x: 2 })], 'k', elsewhere)).rejects.toMatchObject({ code: 'HR_IDEMPOTENCY' });
      expect(await push(rows, 'new', elsewhere)).toMatchObject({ accepted: 1, duplicate: false });
    });

    it('is remembered for as long as its cut is open, then for its retention, and then it is new', async () => {
      const brief = await another({ limits: { claimRetentionMs: 200 } });
      await push(rows, 'k', brief);
      world.clock.now = NOW + 30 * MICROS_PER_DAY;
      expect(await push(rows, 'k', brief)).toMatchObject({ duplicate: true });
      await brief.close();
      world.clock.now += MICROS_PER_MINUTE;
      // Redis goes by a clock of its own.
      await expect.poll(async () => (await push(rows, 'k')).duplicate, { timeout: 5000 }).toBe(false);
    });

    it('is another under another source', async () => {
      const events = manifest.sources['events'] as SourceSpec;
      const two = definitionsOf({ ...manifest, sources: { ...manifest.sources, more: { ...events, name: 'more' } } });
      const other = await world.open({ definitions: () => two });
      expect(await other.ingestion.push('events', rows, 'k')).toMatchObject({ duplicate: false });
      expect(await other.ingestion.push('more', [event('a', 3, { x: 2 })], 'k')).toMatchObject({ duplicate: false });
    });
  });

  describe('is refused whole, and nothing of it is logged,', () => {
    const later = at(NOW + MICROS_PER_DAY + 1);
    it.each([
      ['for a known time past 2^53 microseconds', { happened: ago(1), known: '9999-12-31T00:00:00Z' }, 'known'],
      ['for a known time further ahead than may be', { happened: ago(1), known: later }, 'known'],
      ['for an event that happens further ahead than may be', { happened: later }, 'happened'],
      ['for an event time past 2^53 microseconds', { happened: '9999-12-31T00:00:00Z' }, 'happened'],
      ['for a row without an event time', { x: 1 }, 'happened'],
      ['for a known time before the event', { happened: ago(1), known: ago(2) }, 'known'],
      ['for a wrong type', { happened: ago(1), x: '1' }, 'x'],
      ['for a name that is a typo', { happened: ago(1), xs: 1 }, 'xs'],
    ])('%s', async (_, bad, column) => {
      await expect(push([event('a', 3, { x: 1 }), { k: 'a', ...bad }])).rejects.toMatchObject({
        code: 'HR_INVALID',
        details: [expect.objectContaining({ path: `rows[1].${column}` })],
      });
      await server.drop();
      const next = await world.open({ definitions: () => definitions });
      await next.ingestion.settle();
      expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 0n });
    });

    it('for more rows than may come at once', async () => {
      const small = await world.open({ definitions: () => definitions, limits: { maxRows: 1 } });
      await expect(push([event('a', 3), event('a', 3)], undefined, small)).rejects.toMatchObject({
        code: 'HR_TOO_LARGE',
      });
      expect(() => small.ingestion.check('events', [event('a', 3), event('a', 3)])).not.toThrow();
    });

    it('for a source that is not there, by the name that was meant', async () => {
      await expect(server.ingestion.push('event', [])).rejects.toMatchObject({
        code: 'HR_UNKNOWN_SOURCE',
        message: expect.stringContaining('events'),
      });
      await expect(server.ingestion.push('constructor', [])).rejects.toMatchObject({ code: 'HR_UNKNOWN_SOURCE' });
    });
  });

  it('known ahead is counted when the clock gets there, without a write', async () => {
    await push([event('a', 3, { x: 1 })]);
    await push([
      event('a', 2, { x: 2, known: at(NOW + MICROS_PER_HOUR) }),
      event('b', 2, { x: 2, known: at(NOW + 1) }),
    ]);
    await push([{ k: 'a', happened: at(NOW + 2 * MICROS_PER_HOUR), x: 3 }]);
    await server.close();
    expect(await world.valuesOf(manifest, 'a')).toMatchObject({ rows: 1n, last_x: 1 });
    expect(await world.valuesOf(manifest, 'b')).toMatchObject({ rows: 0n, last_x: null });
    expect(await world.valuesOf(manifest, 'b', NOW + 1)).toMatchObject({ rows: 1n, last_x: 2 });
    expect(await world.valuesOf(manifest, 'a', NOW + MICROS_PER_HOUR - 1)).toMatchObject({ rows: 1n, last_x: 1 });
    expect(await world.valuesOf(manifest, 'a', NOW + MICROS_PER_HOUR)).toMatchObject({ rows: 2n, last_x: 2 });
    expect(await world.valuesOf(manifest, 'a', NOW + 2 * MICROS_PER_HOUR)).toMatchObject({ rows: 3n, last_x: 3 });
  });

  it('to a hot key loses nothing, however many came before and are known ahead', async () => {
    // Under way together, then one after the other; every third is known up to an hour ahead of the clock.
    const rows = Array.from({ length: 300 }, (_, i) =>
      event('hot', 1 + (i % 200) / 100, {
        n: 1,
        seq: i,
        ...(i % 3 === 0 ? { known: at(NOW + ((i % 60) + 1) * MICROS_PER_MINUTE) } : {}),
      }),
    );
    await Promise.all(rows.slice(0, 250).map((row) => push([row])));
    for (const row of rows.slice(250)) await push([row]);
    expect(await world.valuesOf(manifest, 'hot')).toMatchObject({ rows: 200n, sum_n: 200n });
    world.clock.now = NOW + MICROS_PER_HOUR;
    expect(await world.valuesOf(manifest, 'hot')).toMatchObject({ rows: 300n, sum_n: 300n });
    // What waited is folded by the next push, and counts on.
    await push([event('hot', 0.5, { n: 1, seq: 300 })]);
    expect(await world.valuesOf(manifest, 'hot')).toMatchObject({ rows: 301n, sum_n: 301n });
  });

  it('writes its part and not the history: the 900th to one key as many bytes as the 300th', async () => {
    const written: number[] = [];
    const counting = await another({
      between: writersOf((writer) => ({
        putParts(parts) {
          written.push(parts.reduce((sum, { fold }) => sum + fold.length, 0));
          return writer.putParts(parts);
        },
      })),
    });
    // 300 tiles stand by the 300th push.
    for (let i = 0; i < 900; i++)
      await push([event('hot', (i % 300) + 1, { x: 1, s: `s${i % 5}` })], undefined, counting);
    expect(written).toHaveLength(900);
    expect(Math.max(...written.slice(-100))).toBeLessThan(1.2 * Math.max(...written.slice(250, 350)));
    expect(await world.valuesOf(manifest, 'hot')).toMatchObject({ sum_n: null, kinds: 5n });
  });

  it('below all boundaries of its view is covered: the files hold it', async () => {
    const { version } = createViewCodec(manifest, 'v');
    const until = definitionsOf(eventManifest({ pushes: 'until-materialized' }));
    expect(createViewCodec(until.manifest, 'v').version).not.toBe(version);
    const run = await world.ask(until.manifest, { proposed: NOW - MICROS_PER_HOUR });
    const row = {
      snapshot: [],
      boundary: NOW - MICROS_PER_HOUR,
      coverage: { floor: 1, cuts: new Map() },
      isFull: true,
      since: 0,
    };
    await world.runs.open(run, row);
    const counts = { keys: 0, written: 0, rowsInRange: 0, rowsIgnored: 0 };
    await world.runs.finish(run, counts, NOW);
    const other = await world.open({ definitions: () => until });
    const rows = [event('a', 60, { x: 1 }), event('a', 90, { x: 1 }), event('a', 59, { x: 2 })];
    const result = await push(rows, undefined, other);
    expect(result.views).toEqual([{ view: 'v', written: 1, covered: 2, ignored: 0 }]);
    expect(await world.valuesOf(until.manifest, 'a')).toMatchObject({ rows: 1n, last_x: 2 });
  });
});
