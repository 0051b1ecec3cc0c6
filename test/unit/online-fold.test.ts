// Parts folded of events, and records read from them: what is not known yet waits, and a base is read by its own run's row or
// not at all. That any order gives the same: test/property/online-equals-oracle.test.ts.

import { describe, expect, it } from 'vitest';
import {
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  MICROS_PER_SECOND,
  type Micros,
  type Row,
} from '../../src/core/index.ts';
import type { ViewSpec } from '../../src/definitions/index.ts';
import {
  createPartFolder,
  createRecordReader,
  createViewCodec,
  lifetimesOf,
  openRecordDirectory,
  type ReadView,
  type StoredPart,
  type StoredRecord,
  type ViewEvent,
} from '../../src/online/index.ts';
import { EVENT_FEATURES, eventManifest } from '../support/event-definitions.ts';
import { baseOf, directoryOf, eventOf, recordOf, runRow } from '../support/fold-world.ts';

const NOW = 1_790_000_000_000_000;
const manifest = eventManifest();
const codec = createViewCodec(manifest, 'v');
const folder = createPartFolder(codec);
const reader = createRecordReader(codec, directoryOf([]));
let offset = 0;
const event = (minutesAgo: number, more: Row = {}, writer = 1): ViewEvent => {
  const happened = NOW - minutesAgo * MICROS_PER_MINUTE;
  return eventOf(codec, { happened, seq: null, x: 1, n: 1n, s: 's', ...more }, { writer, offset: offset++ });
};
const part = (fold: Uint8Array, id: Partial<StoredPart> = {}): StoredPart => ({
  writer: 1,
  cut: 1,
  boundary: -Infinity,
  fold,
  ...id,
});
const read = (record: Partial<StoredRecord>, at = NOW, by = reader): ReadView =>
  by.read(recordOf(record), at) as ReadView;
const valueOf = (view: ReadView, name: string) => view.values[EVENT_FEATURES.findIndex((one) => one.name === name)];
const rowsOf = (record: Partial<StoredRecord>, at = NOW, by = reader) => valueOf(read(record, at, by), 'rows');

describe('a part', () => {
  it('keeps what is known ahead apart, and folds it once its time has come', () => {
    const early = folder.fold(undefined, [event(5), event(4, { known: NOW + 10 })], NOW);
    expect(rowsOf({ parts: [part(early)] })).toBe(1n);
    expect(rowsOf({ parts: [part(early)] }, NOW + 9)).toBe(1n);
    expect(rowsOf({ parts: [part(early)] }, NOW + 10)).toBe(2n);
    const later = folder.fold(early, [event(3)], NOW + 10);
    expect(rowsOf({ parts: [part(later)] }, NOW + 10)).toBe(3n);
    // Folded by now: no longer in the list, which is all that a read before its known time could tell it by.
    expect(later.length).toBeLessThan(early.length + 10);
  });

  it('of a tombstone alone is a record without a row, whose windows are empty', () => {
    const view = read({ parts: [part(folder.fold(undefined, [event(5, { gone: true })], NOW))] });
    expect([valueOf(view, 'last_x'), valueOf(view, 'rows')]).toEqual([null, 0n]);
    expect(view.statuses[0]).toBe('NOT_FOUND');
  });

  it('that no run covers stays bounded, and loses nothing that two of its longest windows can see', () => {
    let fold: Uint8Array | undefined;
    const sizes: number[] = [];
    for (let hour = 24 * 40; hour >= 0; hour--) {
      fold = folder.fold(fold, [event(hour * 60)], NOW - hour * MICROS_PER_HOUR);
      sizes.push(fold.length);
    }
    // It grows for some days, and no more in the weeks after.
    expect(Math.max(...sizes.slice(24 * 25))).toBeLessThanOrEqual(Math.max(...sizes.slice(0, 24 * 25)));
    for (const ago of [0, 5, 24]) {
      const view = read({ parts: [part(fold as Uint8Array)] }, NOW - ago * MICROS_PER_HOUR);
      expect(valueOf(view, 'sum_n')).toBe(25n);
    }
  });

  it('takes every value there is, so that no push is folded into some of its parts and fails at the next', () => {
    const [most, least] = [2n ** 63n - 1n, -(2n ** 63n)];
    const rows: readonly Row[] = [
      { n: most, x: Number.MAX_VALUE, s: '\u0000' },
      { n: least, x: -Number.MAX_VALUE, s: 'a'.repeat(100_000) },
      { n: most, x: Number.NaN, s: '' },
      { n: least, x: 5e-324, s: '\u{10FFFF}\uFFFF\uFEFF' },
      { n: most, x: -0, s: null },
      { n: least, x: Number.MAX_VALUE, s: 'é' },
      { n: null, x: null, s: null },
    ];
    const times = [Number.MIN_SAFE_INTEGER, 0, NOW, NOW - 1, Number.MAX_SAFE_INTEGER];
    let fold: Uint8Array | undefined;
    for (const happened of times)
      for (const row of rows) fold = folder.fold(fold, [event(0, { happened, ...row })], NOW);
    const view = read({ parts: [part(fold as Uint8Array)] });
    expect(['rows', 'sum_n'].map((name) => valueOf(view, name))).toEqual([14n, -6n]);
  });

  it('does not lose its tiles to one event that a wrong clock put far ahead', () => {
    let fold: Uint8Array | undefined;
    for (let hour = 200; hour >= 0; hour--) fold = folder.fold(fold, [event(hour * 60)], NOW);
    fold = folder.fold(fold, [event(-400 * 24 * 60)], NOW + 400 * MICROS_PER_DAY);
    expect(valueOf(read({ parts: [part(fold)] }), 'sum_n')).toBe(25n);
  });
});

describe('a record', () => {
  const coverage = { floor: 2, cuts: new Map([[3, 2]]) };
  const run = runRow(5, { coverage, boundary: NOW - MICROS_PER_HOUR });
  const by = createRecordReader(codec, directoryOf([run]));
  const one = (minutesAgo = 5) => folder.fold(undefined, [event(minutesAgo)], NOW);

  it('without a base is all of its parts', () => {
    const parts = [part(one()), part(one(), { cut: 2 }), part(one(), { writer: 7, boundary: NOW - 9 })];
    expect(rowsOf({ parts })).toBe(3n);
  });

  it('with a base is read beside the parts that its run does not cover, of its boundary or a later one', () => {
    const base = baseOf(codec, 5, NOW, [event(10), event(11)]);
    expect(rowsOf({ base }, NOW, by)).toBe(2n);
    const boundary = run.boundary;
    const counted: [Partial<StoredPart>, bigint][] = [
      [{ writer: 1, cut: 9, boundary }, 2n],
      [{ writer: 3, cut: 2, boundary }, 2n],
      [{ writer: 3, cut: 3, boundary }, 3n],
      [{ writer: 3, cut: 3, boundary: boundary + 1 }, 3n],
      [{ writer: 3, cut: 3, boundary: boundary - 1 }, 2n],
      [{ writer: 3, cut: 3, boundary: -Infinity }, 2n],
      [{ writer: 2, cut: 1, boundary }, 3n],
      [{ writer: 4, cut: 1, boundary }, 3n],
    ];
    for (const [id, rows] of counted) {
      expect({ id, rows: rowsOf({ base, parts: [part(one(), id)] }, NOW, by) }).toEqual({ id, rows });
    }
  });

  it('whose base is empty, because its facts are gone, is what was pushed since', () => {
    const base = baseOf(codec, 5, NOW, []);
    expect(read({ base }, NOW, by)).toEqual(by.absent(false));
    const parts = [part(one(), { writer: 3, cut: 3, boundary: run.boundary })];
    expect(rowsOf({ base, parts }, NOW, by)).toBe(1n);
  });

  it('whose base carries what was not known yet counts it when its time comes', () => {
    const base = baseOf(codec, 5, NOW, [event(10), event(9, { known: NOW + 10, x: 8 })]);
    expect([rowsOf({ base }, NOW, by), rowsOf({ base }, NOW + 10, by)]).toEqual([1n, 2n]);
    expect(valueOf(read({ base }, NOW + 10, by), 'last_x')).toBe(8);
  });

  it('whose base’s run has no row is INVALID, never guessed', () => {
    const base = baseOf(codec, 6, NOW, [event(10)]);
    const view = read({ base, parts: [part(one(), { writer: 9 })] }, NOW, by);
    expect(new Set(view.statuses)).toEqual(new Set(['INVALID']));
    expect(new Set(view.values)).toEqual(new Set([null]));
  });

  it('in a layout of another time is INVALID', () => {
    const fold = one();
    fold[0] = 1;
    expect(new Set(read({ parts: [part(fold)] }).statuses)).toEqual(new Set(['INVALID']));
    const base = baseOf(codec, 5, NOW, [event(10)]);
    base[8] = 9;
    expect(new Set(read({ base }, NOW, by).statuses)).toEqual(new Set(['INVALID']));
  });

  it('of a run that the reader never met is read once the directory has loaded its row, which it asks for once', async () => {
    const asked: number[] = [];
    const rows = new Map([[5, run]]);
    const directory = await openRecordDirectory(
      {
        lastFinishedNumbers: async () => [],
        row: async (number) => {
          asked.push(number);
          return rows.get(number);
        },
      },
      { all: async () => [], find: async () => undefined },
    );
    const cold = createRecordReader(codec, directory);
    const base = baseOf(codec, 5, NOW, [event(10)]);
    expect(cold.read(recordOf({ base }), NOW)).toBeUndefined();
    await directory.load();
    expect(rowsOf({ base }, NOW, cold)).toBe(1n);
    const gone = baseOf(codec, 7, NOW, [event(10)]);
    expect(cold.read(recordOf({ base: gone }), NOW)).toBeUndefined();
    await directory.load();
    expect(read({ base: gone }, NOW, cold).statuses[0]).toBe('INVALID');
    await directory.load();
    expect(asked).toEqual([5, 7]);
  });
});

describe('by a clock that is 30 seconds slow, less than the minute that is allowed, a row of 10 seconds ago', () => {
  const rows = [event(10, { x: 1 }), event(1 / 6, { x: 2 })];
  const by = createRecordReader(codec, directoryOf([runRow(1, { asOf: NOW })]));
  const pushed = { parts: [part(folder.fold(undefined, rows, NOW))] };
  const materialized = { base: baseOf(codec, 1, NOW, rows) };
  /** `last_x` as a server reads it whose clock is so slow. */
  const lastX = (record: Partial<StoredRecord>, slowSeconds: number) => {
    const view = by.read(recordOf(record), NOW - slowSeconds * MICROS_PER_SECOND, MICROS_PER_MINUTE);
    return [view?.values[0], view?.statuses[0]];
  };

  it('is read where it was pushed', () => {
    expect(lastX(pushed, 30)).toEqual([2, 'PRESENT']);
  });

  it('is read by a clock that is right where it was materialized', () => {
    expect(lastX(materialized, 0)).toEqual([2, 'PRESENT']);
  });

  it('is read where it was materialized, as it was before', () => {
    expect(lastX(materialized, 30)).toEqual([2, 'PRESENT']);
  });
});

describe('a record lives', () => {
  /** Of a view with a `ttl` of a day and windows of at most one. */
  const lifetimeMicros = (freshness: ViewSpec['freshness']): Micros => {
    const own = createViewCodec(eventManifest({ freshness, ttlMicros: MICROS_PER_DAY }), 'v');
    return (lifetimesOf([own])('e') ?? Infinity) * 1000;
  };

  it('for the longest of ttl and windows, and two days', () => {
    expect(lifetimeMicros({ kind: 'live' })).toBe(3 * MICROS_PER_DAY + MICROS_PER_HOUR);
  });

  it('longer, of a scheduled view, by what lies between two runs, and by their lag', () => {
    const [everyMicros, lagMicros] = [7 * MICROS_PER_DAY, MICROS_PER_DAY];
    const scheduled = lifetimeMicros({ kind: 'scheduled', everyMicros, lagMicros });
    expect(scheduled).toBeGreaterThanOrEqual(lifetimeMicros({ kind: 'live' }) + everyMicros + lagMicros);
  });
});
