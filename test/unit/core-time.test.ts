import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as core from '../../src/core/index.ts';

import { createRateLimit } from '../../src/core/rate-limit.ts';
import { wallClock } from '../../src/core/time.ts';
import { runs } from '../support/tier.ts';

describe('timestamps', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0],
    ['1970-01-01', 0],
    ['1970-01-01 00:00:01', 1_000_000],
    ['2026-11-24T10:00:00.123456Z', 1_795_514_400_123_456],
    ['2026-11-24T10:00:00.1234567Z', 1_795_514_400_123_456],
    ['2026-11-24T11:30:00+01:30', 1_795_514_400_000_000],
    ['1969-12-31T23:59:59.999999Z', -1],
    ['1970-01-01 23:59:59', 86_399_000_000],
    ['1972-02-29', 68_169_600_000_000],
  ])('reads %s to the microsecond', (text, micros) => {
    expect(core.parseTimestamp(text)).toBe(micros);
  });

  it.each([
    '',
    'now',
    '2026-02-30',
    '2026-13-01',
    '2026-11-24T25:00:00Z',
    '2026-11-24T10:61:00Z',
    '12345',
    // One past what the calendar and the clock have.
    '2026-11-24T24:00:00Z',
    '2026-11-24T10:60:00Z',
    '2026-11-24T10:00:60Z',
    '2026-11-24 10:00:60',
    '2026-00-01',
    '2026-01-00',
    '2026-04-31',
    '2025-02-29',
    // Nearly of the form that has a reader of its own.
    '2026-11-24T10:00:0xZ',
    '2026-11-24T10:00:00.Z',
    '2026-11-24T10:00:00.12x4Z',
    '2026-11-24t10-00-00Z',
  ])('refuses %j', (text) => {
    expect(core.parseTimestamp(text)).toBeUndefined();
  });

  // Of the first form there is a reader of its own.
  it('reads the form with T and Z as it reads the others', () => {
    const year = fc.integer({ min: 0, max: 9999 });
    const twoDigits = fc.integer({ min: 0, max: 99 });
    const near = (least: number, most: number) => fc.oneof(fc.integer({ min: least, max: most }), twoDigits);
    const fraction = fc.option(fc.stringMatching(/^\d{1,9}$/));
    const parts = fc.tuple(year, near(1, 12), near(1, 31), near(0, 23), near(0, 59), near(0, 59), fraction);
    fc.assert(
      fc.property(parts, ([y, mo, d, h, mi, s, f]) => {
        const two = (value: number): string => String(value).padStart(2, '0');
        const [date, time] = [`${String(y).padStart(4, '0')}-${two(mo)}-${two(d)}`, `${two(h)}:${two(mi)}:${two(s)}`];
        const rest = f === null ? '' : `.${f}`;
        const other = core.parseTimestamp(`${date} ${time}${rest}+00:00`);
        expect(core.parseTimestamp(`${date}T${time}${rest}Z`)).toBe(other);
      }),
      { numRuns: runs(2000) },
    );
  });

  // Beyond 2^53 µs a double no longer tells one microsecond from the next.
  it.each([
    ['2255-06-05T23:47:34.740991Z', 2 ** 53 - 1],
    ['2255-06-06T01:47:34.740991+02:00', 2 ** 53 - 1],
    ['1684-07-28T00:12:25.259009Z', -(2 ** 53) + 1],
    ['2255-06-05T23:47:34.740992Z', undefined],
    ['2255-06-05T23:47:34.740991-00:01', undefined],
    ['1684-07-28T00:12:25.259008Z', undefined],
    ['9999-12-31', undefined],
    ['9999-12-31T23:59:59.999999Z', undefined],
    ['0001-01-01', undefined],
    ['1582-10-15', undefined],
  ])('keeps %s only where every microsecond can be told', (text, micros) => {
    expect(core.parseTimestamp(text)).toBe(micros);
  });

  it('are a whole microsecond each, and come back from their text', () => {
    const at = fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 });
    const comesBack = (micros: number) => core.parseTimestamp(core.formatTimestamp(micros)) === micros;
    fc.assert(fc.property(at, comesBack));
  });

  it('writes no fraction, milliseconds or microseconds, as needed', () => {
    expect(core.formatTimestamp(0)).toBe('1970-01-01T00:00:00Z');
    expect(core.formatTimestamp(1_500_000)).toBe('1970-01-01T00:00:01.500Z');
    expect(core.formatTimestamp(-1)).toBe('1969-12-31T23:59:59.999999Z');
  });

  it('shows a user function the millisecond at or before', () => {
    expect(core.toDate(-1).getTime()).toBe(-1);
    expect(core.toDate(1_999).getTime()).toBe(1);
  });

  it('floors towards the past before 1970 too', () => {
    expect(core.floorTo(7, 5)).toBe(5);
    expect(core.floorTo(-1, 5)).toBe(-5);
    expect(core.floorTo(10, 5)).toBe(10);
  });
});

describe('durations', () => {
  it.each([
    ['5m', 300_000_000],
    ['7d', 604_800_000_000],
    ['1h30m', 5_400_000_000],
    ['250ms', 250_000],
    ['3us', 3],
    ['2w', 1_209_600_000_000],
    ['0s', 0],
  ])('reads %s', (text, micros) => {
    expect(core.parseDuration(text)).toBe(micros);
  });

  it.each(['', '7', 'd', '7 d', '-1h', '1.5h', '7days', '9999999999999w'])('refuses %j', (text) => {
    expect(core.parseDuration(text)).toBeUndefined();
  });

  it('writes the shortest exact form', () => {
    expect(core.formatDuration(5_400_000_000)).toBe('1h30m');
    expect(core.formatDuration(1_000_003)).toBe('1s3us');
    expect(core.formatDuration(0)).toBe('0s');
  });
});

describe('the system’s clock', () => {
  it('counts microseconds steadily, and follows the wall clock when that is set or the machine was suspended', () => {
    let [wall, steady] = [1_790_000_000_000, 5.5];
    const now = () => wall;
    const clock = wallClock(now, () => steady);
    const readAfter = (wallMs: number, steadyMs: number): number => {
      wall += wallMs;
      steady += steadyMs;
      return clock.nowMicros() - 1_790_000_000_000_000;
    };
    expect(readAfter(0, 0.25)).toBe(250);
    expect(readAfter(1, 0.5)).toBe(750);
    expect(readAfter(3_600_000, 10)).toBe(3_600_001_000);
    expect(readAfter(-7_200_000, 10)).toBe(-3_599_999_000);
  });
});

describe('work within a time', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('gives what the work gives, or its failure, and leaves no timer', async () => {
    await expect(core.within(Promise.resolve(1), 1000)).resolves.toBe(1);
    await expect(core.within(Promise.reject(new Error('no')), 1000)).rejects.toThrow('no');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives undefined when the time is up, and drops a later failure', async () => {
    let fail!: (why: Error) => void;
    const answer = core.within(new Promise<number>((_, reject) => (fail = reject)), 1000);
    vi.advanceTimersByTime(1000);
    await expect(answer).resolves.toBeUndefined();
    fail(new Error('too late'));
  });

  it('calls `late` when the time is up, and not before', async () => {
    const late = vi.fn(() => 'late');
    await core.within(Promise.resolve(1), 1000, late);
    expect(late).not.toHaveBeenCalled();
    const answer = core.within(new Promise(() => {}), 1000, late);
    vi.advanceTimersByTime(1000);
    await expect(answer).resolves.toBe('late');
    const refused = core.within(new Promise(() => {}), 1000, () => {
      throw new Error('it takes too long');
    });
    vi.advanceTimersByTime(1000);
    await expect(refused).rejects.toThrow('it takes too long');
  });
});

describe('a rate limit', () => {
  it('lets through a second’s worth at once, then as many as time gives back, and never more than it holds', () => {
    let now = 0;
    const limit = createRateLimit(4, () => now);
    const takes = (count: number): boolean[] => Array.from({ length: count }, () => limit.take('a'));
    expect(takes(5)).toEqual([true, true, true, true, false]);
    expect(limit.take('b')).toBe(true);
    now = 249;
    expect(limit.take('a')).toBe(false);
    now = 250;
    expect(takes(2)).toEqual([true, false]);
    now = 1e6;
    expect(takes(5)).toEqual([true, true, true, true, false]);
  });

  it('holds as many as its burst, where that is another number', () => {
    let now = 0;
    const limit = createRateLimit(1, () => now, 2);
    expect([limit.take('a'), limit.take('a'), limit.take('a')]).toEqual([true, true, false]);
    now = 1000;
    expect([limit.take('a'), limit.take('a')]).toEqual([true, false]);
  });
});

it('work is done a few at a time, in its order, also after some of it failed', async () => {
  const soon = core.fewAtOnce(2);
  const [begun, ends]: [number[], PromiseWithResolvers<void>[]] = [[], []];
  const all = [0, 1, 2, 3].map((number) => {
    ends[number] = Promise.withResolvers<void>();
    return soon(async () => {
      begun.push(number);
      await ends[number]?.promise;
      if (number === 0) throw new Error('broken');
    });
  });
  const settled = Promise.allSettled(all);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await turn();
  expect(begun).toEqual([0, 1]);
  ends[0]?.resolve();
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  for (const { resolve } of ends) resolve();
  expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
  expect(begun).toEqual([0, 1, 2, 3]);
});

it('things that come slowly are worked on a few at a time; after a failure no more are begun, and it is thrown once all have ended', async () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  let isClosed = false;
  async function* slowly(): AsyncIterable<number> {
    try {
      for (const number of [0, 1, 2, 3, 4, 5]) {
        await turn();
        yield number;
      }
    } finally {
      isClosed = true;
    }
  }
  const log: string[] = [];
  const work = (failing: number) => async (number: number) => {
    log.push(`begin ${number}`);
    if (number === failing) throw new Error('broken');
    for (let i = 0; i < 5; i++) await turn();
    log.push(`end ${number}`);
  };
  await expect(core.eachFewAtOnce(2, slowly(), work(1))).rejects.toThrow('broken');
  expect(log.splice(0)).toEqual(['begin 0', 'begin 1', 'end 0']);
  expect(isClosed).toBe(true);
  await core.eachFewAtOnce(2, [0, 1, 2], work(-1));
  expect(log).toEqual(['begin 0', 'begin 1', 'end 0', 'begin 2', 'end 1', 'end 2']);
  async function* broken(): AsyncIterable<number> {
    yield 7;
    throw new Error('no more');
  }
  await expect(core.eachFewAtOnce(2, broken(), work(-1))).rejects.toThrow('no more');
  expect(log.at(-1)).toBe('end 7');
});

describe('what was used last', () => {
  it('stays, however early it came', () => {
    const held = core.createLastUsed<string, number>(2);
    held.set('a', 1);
    held.set('b', 2);
    expect(held.get('a')).toBe(1);
    held.set('c', 3);
    expect([held.get('a'), held.get('b'), held.get('c')]).toEqual([1, undefined, 3]);
  });

  it('is used by being set again, and gone when deleted', () => {
    const held = core.createLastUsed<string, number>(2);
    held.set('a', 1);
    held.set('b', 2);
    held.set('a', 3);
    held.set('c', 4);
    expect([held.get('a'), held.get('b')]).toEqual([3, undefined]);
    held.delete('a');
    expect(held.get('a')).toBeUndefined();
  });

  it('is half of what may be held at least, and what is deleted stays gone', () => {
    const key = fc.constantFrom(...'abcdefghi');
    const step = fc.record({ does: fc.constantFrom('set', 'set', 'get', 'delete'), key });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), fc.integer({ min: 2, max: 8 }), (steps, most) => {
        const held = core.createLastUsed<string, number>(most);
        // An oracle that forgets nothing, the one used last at its end.
        const all = new Map<string, number>();
        steps.forEach(({ does, key }, at) => {
          const lately = [...all.keys()].slice(-Math.floor(most / 2));
          const value = does === 'set' ? at : all.get(key);
          if (does === 'set') held.set(key, at);
          else if (does === 'delete') held.delete(key);
          else {
            const got = held.get(key);
            if (got !== undefined || lately.includes(key)) expect(got).toBe(value);
            // Forgotten: then it is no use.
            if (got === undefined) return;
          }
          all.delete(key);
          if (does !== 'delete' && value !== undefined) all.set(key, value);
        });
        const left = [...'abcdefghi'].filter((one) => held.get(one) !== undefined);
        expect(left.length).toBeLessThanOrEqual(most);
      }),
      { numRuns: runs(500) },
    );
  });
});

describe('a timestamp that is only a value', () => {
  const [first, last] = [-62_135_596_800_000_000n, 253_402_300_799_999_999n];
  const micros = fc.oneof(
    fc.bigInt({ min: first, max: last }),
    fc.bigInt({ min: 2n ** 53n - 5n, max: 2n ** 53n + 5n }),
    fc.bigInt({ min: -(2n ** 53n) - 5n, max: -(2n ** 53n) + 5n }),
  );

  it('is a double of its own from the year 1 to the year 9999, in the order of the times', () => {
    fc.assert(
      fc.property(micros, micros, (a, b) => {
        const [one, other] = [core.timeOfMicros(a) as number, core.timeOfMicros(b) as number];
        expect([core.microsOfTime(one), core.microsOfTime(other)]).toEqual([a, b]);
        expect(Math.sign(one - other)).toBe(a === b ? 0 : a < b ? -1 : 1);
      }),
      { numRuns: 1000 },
    );
    expect([first - 1n, last + 1n].map(core.timeOfMicros)).toEqual([undefined, undefined]);
  });

  it.each([
    ['0001-01-01T00:00:00Z', first],
    ['1684-07-28T00:12:25.259008Z', -(2n ** 53n)],
    ['2255-06-05T23:47:34.740992Z', 2n ** 53n],
    ['9999-12-31T23:59:59.999999Z', last],
  ])('is read and written to the microsecond: %s', (text, is) => {
    const time = core.parseTime(text) as number;
    expect(core.microsOfTime(time)).toBe(is);
    expect(core.formatTimestamp(time)).toBe(text);
    expect(core.toDate(time).getTime()).toBe(Date.parse(text));
    expect(core.parseTimestamp(text)).toBeUndefined();
  });

  it('of an older build, which kept it rounded, is that time still', () => {
    expect(core.formatTimestamp(Number(last))).toBe('9999-12-31T23:59:59.999999Z');
    expect(core.formatTimestamp(Number(first))).toBe('0001-01-01T00:00:00Z');
  });
});
