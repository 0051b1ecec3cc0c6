// What headers ask of a training set's file, how long and large a spine may be on its way, and whose jobs are dead.

import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import { jobError } from '../../src/offline/index.ts';
import { createJobWatch } from '../../src/offline/jobs/job-watch.ts';
import type { LiveJob } from '../../src/offline/jobs/job-table.ts';
import { readRange } from '../../src/serving/http/training-sets/byte-range.ts';
import { prefersArrow } from '../../src/serving/http/training-sets/prefers-arrow.ts';
import { checkAnnounced, readSpineBody } from '../../src/serving/http/training-sets/spine-body.ts';
import { refused } from '../support/refused.ts';

describe('a range', () => {
  it.each([
    [undefined, 10, { kind: 'whole' }],
    ['bytes=0-0', 10, { kind: 'part', from: 0, to: 0 }],
    ['bytes=3-', 10, { kind: 'part', from: 3, to: 9 }],
    ['bytes=3-99', 10, { kind: 'part', from: 3, to: 9 }],
    ['bytes=-3', 10, { kind: 'part', from: 7, to: 9 }],
    ['bytes=-99', 10, { kind: 'part', from: 0, to: 9 }],
    ['bytes=-0', 10, { kind: 'outside' }],
    ['bytes=10-', 10, { kind: 'outside' }],
    ['bytes=0-', 0, { kind: 'outside' }],
    ['bytes=5-2', 10, { kind: 'whole' }],
    ['bytes=0-1,3-4', 10, { kind: 'whole' }],
    ['bytes=-', 10, { kind: 'whole' }],
    ['rows=0-1', 10, { kind: 'whole' }],
  ])('%s of %i bytes', (header, size, expected) => {
    expect(readRange(header, size)).toEqual(expected);
  });
});

describe('the form of rows', () => {
  const [arrow, parquet] = ['application/vnd.apache.arrow.stream', 'application/vnd.apache.parquet'];
  it.each([
    [undefined, false],
    ['*/*', false],
    [arrow, true],
    [`${arrow}, ${parquet}`, true],
    [`${parquet}, ${arrow}`, false],
    [`${arrow};q=0.5, ${parquet}`, false],
    [`${parquet};q=0.1, ${arrow.toUpperCase()};q=0.2`, true],
    [`${arrow};q=0`, false],
    ['application/json', false],
  ])('%s', (accept, expected) => {
    expect(prefersArrow(accept)).toBe(expected);
  });
});

describe('a spine on its way', () => {
  const BOUNDS = { maxBytes: 10, silenceMs: 1000, totalMs: 5000, places: [] };
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());
  /** Sends pieces, each after so long; gives what was read. */
  const read = (...pieces: readonly (readonly [number, string])[]): Promise<string> => {
    const body = new PassThrough();
    const gathered = (async () => {
      let text = '';
      // Of a request it has what is read of it here.
      const request = Object.assign(body, { headers: {} }) as unknown as IncomingMessage;
      for await (const piece of readSpineBody(request, BOUNDS)) text += String(piece);
      return text;
    })();
    gathered.catch(() => {});
    const send = async (): Promise<void> => {
      for (const [afterMs, piece] of pieces) {
        await vi.advanceTimersByTimeAsync(afterMs);
        if (piece === 'cut') body.destroy();
        else if (piece === 'end') body.end();
        else body.write(piece);
      }
    };
    return send().then(() => gathered);
  };

  it('is read whole, however slowly, as long as it keeps coming', async () => {
    expect(await read([900, 'a'], [900, 'b'], [900, 'c'], [900, 'd'], [900, 'end'])).toBe('abcd');
  });

  it('may be as long as the limit, and no longer', async () => {
    expect(await read([0, '0123456789'], [0, 'end'])).toBe('0123456789');
    await refused(read([0, '01234'], [0, '567890']), 'HR_TOO_LARGE');
    const announced = (length: string) => ({ headers: { 'content-length': length } }) as unknown as IncomingMessage;
    checkAnnounced(announced('10'), BOUNDS);
    expect(() => checkAnnounced(announced('11'), BOUNDS)).toThrow('11 bytes are announced');
  });

  const slowly = (...ms: number[]) => ms.map((one, i) => [one, 'abcdef'[i] as string] as const);
  it.each([
    ['nothing comes any more', slowly(0, 1001), 'HR_INVALID', /nothing for 1000 ms \(server\.bodyTimeoutMs\)/],
    [
      'it takes too long in all',
      slowly(900, 900, 900, 900, 900, 900),
      'HR_INVALID',
      /within 5000 ms \(server\.spineTimeoutMs\)/,
    ],
    ['its client goes away', [[0, 'a'] as const, [0, 'cut'] as const], 'HR_CANCELLED', /its spine was read/],
  ])('is given up where %s', async (_, pieces, code, message) => {
    await refused(read(...pieces), code, message);
  });
});

describe('a watch over jobs', () => {
  const of = { service: 's', timestamp: 't', labels: [], boundary: 'at', name: null, isDetached: false } as const;
  const request: LiveJob['request'] = { ...of, spine: { kind: 'csv' } };
  const state = { state: 'running', asks: 0, isCancelAsked: false, request } as const;
  const job = (id: string, beats: number, owner = 'other'): LiveJob => ({ id, owner, beats, ...state });

  it('tells those whose owner was silent for long enough since it was first seen, never its own', () => {
    const watch = createJobWatch('me', 100);
    const dead = (nowMs: number, ...live: LiveJob[]) => watch.dead(live, nowMs).map(({ id }) => id);
    expect(dead(1000, job('a', 5), job('b', 5, 'me'))).toEqual([]);
    expect(dead(1099, job('a', 5), job('b', 5, 'me'))).toEqual([]);
    expect(dead(1100, job('a', 5), job('b', 5, 'me'))).toEqual(['a']);
    for (const [at, found] of [
      [1150, []],
      [1249, []],
      [1250, ['a']],
    ] as const)
      expect(dead(at, job('a', 6))).toEqual(found);
  });
});

describe('the error of a job', () => {
  const error = new HeadraceError(
    'HR_SOURCE_UNREADABLE',
    'source "sales": /srv/our data/lake/sales-1.parquet has no column "at"; s3://lake/sales-2.parquet has, and (/srv/lake/x.csv).',
  );

  it('names files of the server by their names alone to whoever is elsewhere', () => {
    const shown = 'source "sales": sales-1.parquet has no column "at"; s3://lake/sales-2.parquet has, and (x.csv).';
    expect(jobError(error, false).message).toBe(shown);
    expect(jobError(error, true).message).toBe(error.message);
  });

  it('leaves what only looks like a path', () => {
    const other = new HeadraceError('HR_INVALID', 'expected 1/2 and/or "a/b", see docs/guides/x.md, got 3 / 4');
    expect(jobError(other, false).message).toBe(other.message);
  });
});
