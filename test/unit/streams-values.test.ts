// Messages on their way to a push: their values as JSON, rows that no view would count, and what is tried again.

import { describe, expect, it } from 'vitest';
import { type ErrorCode, HeadraceError, type Logger, silentLogger } from '../../src/core/index.ts';
import type { Manifest, SourceSpec } from '../../src/definitions/index.ts';
import { jsonOf, timeText } from '../../src/streams/decode/json-values.ts';
import { compileKeyless } from '../../src/streams/keyless.ts';
import { retrying } from '../../src/streams/retrying.ts';

describe('a time that is a number', () => {
  const text = '2026-01-02T03:04:05.678Z';
  const ms = Date.parse(text);
  it('is told to the microsecond in each unit, as a double or as a whole number of any size', () => {
    expect([timeText(ms / 1000, 's'), timeText(ms, 'ms'), timeText(ms * 1000, 'us')]).toEqual([text, text, text]);
    expect([
      timeText(BigInt(ms), 'ms'),
      timeText(BigInt(ms) * 1000n, 'us'),
      timeText(BigInt(ms) * 1_000_000n, 'ns'),
    ]).toEqual([text, text, text]);
    expect(timeText(BigInt(ms) * 1_000_000n + 1999n, 'ns')).toBe('2026-01-02T03:04:05.678001Z');
    expect(timeText(0n, 's')).toBe('1970-01-01T00:00:00Z');
  });

  it('is exact to the microsecond in the year 9999, and in the year 1', () => {
    const [first, last] = [-62_135_596_800n, 253_402_300_799n];
    expect([timeText(Number(last), 's'), timeText(Number(last) * 1000 + 999, 'ms')]).toEqual([
      '9999-12-31T23:59:59Z',
      '9999-12-31T23:59:59.999Z',
    ]);
    expect(timeText(last * 1_000_000n + 999_999n, 'us')).toBe('9999-12-31T23:59:59.999999Z');
    expect(timeText(last * 1_000_000_000n + 999_999_999n, 'ns')).toBe('9999-12-31T23:59:59.999999Z');
    expect([timeText(first, 's'), timeText(first * 1_000_000n, 'us')]).toEqual(Array(2).fill('0001-01-01T00:00:00Z'));
    expect([timeText(last + 1n, 's'), timeText(first - 1n, 's')]).toEqual([last + 1n, first - 1n]);
  });

  it('stays as it is where it is none that can be told', () => {
    for (const value of [1e300, 2n ** 70n, NaN, 'soon', true, null]) expect(timeText(value, 's')).toBe(value);
  });
});

it('a value is what a push would have for the column’s type', () => {
  expect(jsonOf(undefined, { kind: 'string' }, undefined)).toBeNull();
  expect([jsonOf(7n, { kind: 'int64' }, undefined), jsonOf(7n, { kind: 'int32' }, undefined)]).toEqual([7n, 7]);
  expect(jsonOf(2n ** 60n, { kind: 'int32' }, undefined)).toBe(2n ** 60n);
  expect([NaN, -Infinity, 0.5].map((value) => jsonOf(value, { kind: 'float64' }, undefined))).toEqual([
    'NaN',
    '-Infinity',
    0.5,
  ]);
  const bytes = new Uint8Array([9, 1, 2]).subarray(1);
  expect([jsonOf(bytes, { kind: 'bytes' }, undefined), jsonOf(bytes, { kind: 'string' }, undefined)]).toEqual([
    'AQI=',
    { bytes: 2 },
  ]);
  expect(jsonOf([1n, null], { kind: 'list', of: { kind: 'int32' } }, undefined)).toEqual([1, null]);
  expect(jsonOf([1n, NaN], { kind: 'vector', size: 2 } as never, undefined)).toEqual([1, 'NaN']);
  expect([jsonOf(5n, { kind: 'timestamp' }, undefined), jsonOf(5n, { kind: 'timestamp' }, 's')]).toEqual([
    5n,
    '1970-01-01T00:00:05Z',
  ]);
});

describe('a row that no view would count', () => {
  const type = { kind: 'string' } as const;
  const source = {
    name: 's',
    columns: ['at', 'shop', 'user'].map((name) => ({ name, type })),
    eventTime: 'at',
  } as unknown as SourceSpec; // as much of it as is looked at
  const keyless = (views: Readonly<Record<string, readonly string[]>>, of = source) =>
    compileKeyless(of, {
      views: Object.fromEntries(
        Object.entries(views).map(([name, keyColumns]) => [name, { source: name === 'other' ? 'o' : 's', keyColumns }]),
      ),
    } as unknown as Manifest);

  it('has no time, or lacks a part of the key of every view', () => {
    const why = keyless({ a: ['shop'], b: ['shop', 'user'], other: ['at'] });
    expect(why({ shop: 'x' })).toMatch(/^it has no event time: at is missing/);
    expect(why({ at: 1, user: 'u' })).toBe('it has no key for any view: shop is missing');
    expect(why({ at: 1, shop: null, user: null })).toBe('it has no key for any view: shop, user are missing');
    expect(why({ at: 1, shop: 'x' })).toBeUndefined();
  });

  it('is none where a view’s key is derived, where there is no view, or where its time is derived', () => {
    expect(keyless({ a: ['derived'], b: ['shop'] })({ at: 1 })).toBeUndefined();
    expect(keyless({})({ at: 1 })).toBeUndefined();
    expect(keyless({ a: ['shop'] }, { ...source, eventTime: 'derived' })({ shop: 'x' })).toBeUndefined();
  });
});

describe('what others let fail', () => {
  const failing = (code: ErrorCode, times: number) => {
    let tries = 0;
    const work = async (): Promise<number> => {
      if (++tries <= times) throw new HeadraceError(code, 'not now');
      return tries;
    };
    return { work, tries: () => tries };
  };
  const signal = new AbortController().signal;

  it('is tried again where it may pass, and it is said when it works again', async () => {
    const said: string[] = [];
    const say = (_: object, text?: string): void => void said.push(String(text));
    const logger: Logger = { ...silentLogger, warn: say, info: say };
    const { work } = failing('HR_STORAGE_UNAVAILABLE', 1);
    expect(await retrying('a push', work, { limitMs: 60_000, logger, signal })).toBe(2);
    expect(said).toEqual(['trying again', 'it works again']);
    await retrying('a push', async () => 1, { limitMs: 60_000, logger, signal });
    expect(said).toHaveLength(2);
  });

  it('is waited for between two tries, and no longer once it is to end', async () => {
    const ending = new AbortController();
    const { work, tries } = failing('HR_STORAGE_UNAVAILABLE', Infinity);
    setImmediate(() => ending.abort());
    const patience = { limitMs: 1000, logger: silentLogger, signal: ending.signal };
    await expect(retrying('a push', work, patience)).rejects.toMatchObject({ code: 'HR_STORAGE_UNAVAILABLE' });
    expect(tries()).toBe(2);
  });

  it('is thrown at once where it never passes, where nobody has patience, or once it is to end', async () => {
    const patience = { limitMs: 60_000, logger: silentLogger, signal };
    for (const [code, more] of [
      ['HR_INVALID', {}],
      ['HR_STORAGE_UNAVAILABLE', { limitMs: 0 }],
      ['HR_STORAGE_UNAVAILABLE', { signal: AbortSignal.abort() }],
    ] as const) {
      const { work, tries } = failing(code, 9);
      await expect(retrying('a push', work, { ...patience, ...more })).rejects.toMatchObject({ code });
      expect(tries()).toBe(1);
    }
  });
});
