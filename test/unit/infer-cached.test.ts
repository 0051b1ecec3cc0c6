// Rows behind a cache: which of them run, who waits for whose run, and what is never kept.

import { describe, expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import type { ArmRow } from '../../src/serving/arm.ts';
import { createArmTiming } from '../../src/serving/arm-timing.ts';
import { compileInfer } from '../../src/serving/response-cache/compile-infer.ts';
import { inferCached } from '../../src/serving/response-cache/infer-cached.ts';
import { createResponseCaches } from '../../src/serving/response-cache/response-caches.ts';
import { createCachedModel, type CachedModel, type HeldWork, rowOf } from '../support/cached-model.ts';
import { scopeOf } from '../support/model-works.ts';

const SPEC = { ttlMicros: 1e9, maxBytes: 1e6, maxEntries: 1000 };
const [A, B] = [rowOf(1, 2, 3n, 'a'), rowOf(1, 2, 3n, 'b')];
const NO = new HeadraceError('HR_INFERENCE_FAILED', 'no');

function open(options: Parameters<typeof createCachedModel>[0] = {}) {
  const made = createCachedModel(options);
  const caches = createResponseCaches({ maxBytes: 1e9 });
  const rowCache = made.cacheOf(caches.hold({ endpoint: 'e', arm: 'v1' }, SPEC));
  const ask = async (rows: readonly (typeof A)[], scope = scopeOf(), timing = createArmTiming()) =>
    inferCached(made.model, rowCache, rows, scope, timing);
  return { ...made, rowCache, ask, counts: () => caches.statistics()[0] };
}

const first = ({ held }: Pick<CachedModel, 'held'>): HeldWork => {
  const work = held.shift();
  if (work === undefined) throw new Error('nothing was submitted');
  return work;
};
const codes = (rows: readonly ArmRow[]) =>
  rows.map((row) => (row.error !== undefined ? row.error.code : row.isCached === true ? 'cached' : 'ran'));
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a row that was answered', () => {
  it('is answered by that, with its own features, and at once', async () => {
    const opened = open();
    const { ask, counts } = opened;
    const asked = ask([A, B]);
    first(opened).succeed();
    expect(codes(await asked)).toEqual(['ran', 'ran']);
    const timing = createArmTiming();
    const again = { ...A, statuses: ['NULL_VALUE' as const] };
    const [row] = await ask([again], scopeOf(), timing);
    expect(row).toEqual({ outputs: [opened.ran[0]], features: A.values, statuses: ['NULL_VALUE'], isCached: true });
    expect(timing).toMatchObject({ cachedRows: 1, queueMs: 0, inferenceMs: 0 });
    expect(opened.held).toEqual([]);
    expect(counts()).toMatchObject({ hits: 1, misses: 2, shared: 0, entries: 2 });
  });

  it('runs beside others that were not, each with its own answer', async () => {
    const opened = open();
    const asked = opened.ask([A]);
    first(opened).succeed();
    await asked;
    const both = opened.ask([B, A, rowOf(0, 0, 0n, ''), A]);
    expect(opened.held[0]?.work.count).toBe(2);
    first(opened).succeed();
    const rows = await both;
    expect(codes(rows)).toEqual(['ran', 'cached', 'ran', 'cached']);
    expect(rows.map((row) => row.error === undefined && row.outputs[0])).toEqual([
      opened.ran[1],
      opened.ran[0],
      opened.ran[2],
      opened.ran[0],
    ]);
  });

  it('that the model can’t take fails alone, and is kept by nobody', async () => {
    const opened = open();
    const asked = opened.ask([rowOf(1, 2, 3n, 'a\0'), A]);
    first(opened).succeed();
    expect(codes(await asked)).toEqual(['HR_INVALID', 'ran']);
    expect(opened.counts()).toMatchObject({ misses: 1, entries: 1 });
  });
});

describe('a failure', () => {
  it('is not kept', async () => {
    const opened = open();
    const asked = opened.ask([A]);
    first(opened).fail(NO);
    expect(codes(await asked)).toEqual(['HR_INFERENCE_FAILED']);
    const again = opened.ask([A]);
    first(opened).succeed();
    expect(codes(await again)).toEqual(['ran']);
  });

  it('is not shared: who waited for the run runs after all, all rows of a request together', async () => {
    const opened = open();
    const one = opened.ask([A, B]);
    const other = opened.ask([A, B, A]);
    first(opened).fail(NO);
    expect(codes(await one)).toEqual(['HR_INFERENCE_FAILED', 'HR_INFERENCE_FAILED']);
    expect(opened.held[0]?.work.count).toBe(3);
    first(opened).succeed();
    expect(codes(await other)).toEqual(['ran', 'ran', 'ran']);
    expect(opened.counts()).toMatchObject({ hits: 0, misses: 5, shared: 0, entries: 2 });
  });

  it.each(['HR_DEADLINE', 'HR_CANCELLED', 'HR_OVERLOADED'] as const)(
    'of who ran, and not of the row, has one of those who waited run for all of them: %s',
    async (code) => {
      const opened = open();
      const nowMs = performance.now();
      const one = opened.ask([A], scopeOf({ deadlineMs: nowMs + 1000 }));
      const patient = [2000, 3000, 4000].map((ms) => opened.ask([A, A], scopeOf({ deadlineMs: nowMs + ms })));
      first(opened).fail(new HeadraceError(code, 'no'));
      expect(codes(await one)).toEqual([code]);
      expect(opened.held).toHaveLength(1);
      expect(opened.held[0]?.work.count).toBe(1);
      first(opened).succeed();
      expect((await Promise.all(patient)).flatMap(codes)).toEqual(['ran', ...new Array(5).fill('cached')]);
      expect(opened.counts()).toMatchObject({ hits: 0, misses: 2, shared: 5, entries: 1 });
      expect(opened.rowCache.cache.flights.size).toBe(0);
    },
  );

  it('of the row itself has each of those who waited run at once, and not one after the other', async () => {
    const opened = open();
    const one = opened.ask([A]);
    const others = [1, 2, 3].map(() => opened.ask([A]));
    first(opened).fail(NO);
    expect(opened.held).toHaveLength(3);
    for (const work of opened.held.splice(0)) work.fail(NO);
    expect((await Promise.all([one, ...others])).flatMap(codes)).toEqual(new Array(4).fill('HR_INFERENCE_FAILED'));
  });

  it('of one of equal rows in a request is the others’ too', async () => {
    const opened = open();
    const asked = opened.ask([A, A, B, A]);
    expect(opened.held[0]?.work.count).toBe(2);
    first(opened).fail(NO);
    expect(codes(await asked)).toEqual(new Array(4).fill('HR_INFERENCE_FAILED'));
    expect(opened.held).toEqual([]);
  });

  it('leaves no run behind that others would wait for', async () => {
    const opened = open();
    for (const end of [(one: HeldWork) => one.fail(NO), (one: HeldWork) => one.succeed()]) {
      const asked = opened.ask([A]);
      end(first(opened));
      await asked;
    }
    expect(codes(await opened.ask([A]))).toEqual(['cached']);
  });
});

describe('equal rows at once', () => {
  it('run once, of however many requests', async () => {
    const opened = open();
    const asked = Array.from({ length: 50 }, () => opened.ask([A]));
    expect(opened.held).toHaveLength(1);
    first(opened).succeed();
    const rows = (await Promise.all(asked)).flat();
    expect(new Set(rows.map((row) => row.error === undefined && row.outputs[0]))).toEqual(new Set(opened.ran));
    expect(codes(rows).filter((code) => code === 'cached')).toHaveLength(49);
    expect(opened.counts()).toMatchObject({ hits: 0, misses: 1, shared: 49 });
  });

  it('tell how long they waited for the run of another', async () => {
    const opened = open();
    const timing = createArmTiming();
    const one = opened.ask([A]);
    const other = opened.ask([A], scopeOf(), timing);
    await turn();
    first(opened).succeed();
    await Promise.all([one, other]);
    expect(timing).toMatchObject({ cachedRows: 1, inferenceMs: 0 });
    expect(timing.queueMs).toBeGreaterThan(0);
  });

  it('wait for nothing that may come later than their own run would', async () => {
    const nowMs = performance.now();
    for (const [leader, own] of [
      [scopeOf({ deadlineMs: nowMs + 60_000 }), scopeOf({ deadlineMs: nowMs + 1000 })],
      [scopeOf({ deadlineMs: nowMs, priority: 'batch' }), scopeOf({ deadlineMs: nowMs + 1000 })],
    ] as const) {
      const opened = open();
      const slow = opened.ask([A], leader);
      const quick = opened.ask([A], own);
      // The one that comes next waits for the more urgent run.
      const next = opened.ask([A], scopeOf({ deadlineMs: nowMs + 2000 }));
      expect(opened.held).toHaveLength(2);
      opened.held[1]?.succeed();
      expect(codes([...(await quick), ...(await next)])).toEqual(['ran', 'cached']);
      opened.held[0]?.succeed();
      expect(codes(await slow)).toEqual(['ran']);
      expect(codes(await opened.ask([A]))).toEqual(['cached']);
    }
  });

  it('wait for the more urgent run also when the first one ends before it', async () => {
    const opened = open();
    const nowMs = performance.now();
    const slow = opened.ask([A], scopeOf({ deadlineMs: nowMs + 60_000 }));
    const quick = opened.ask([A], scopeOf({ deadlineMs: nowMs + 1000 }));
    first(opened).fail(NO);
    await slow;
    const next = opened.ask([A], scopeOf({ deadlineMs: nowMs + 2000 }));
    expect(opened.held).toHaveLength(1);
    first(opened).succeed();
    expect(codes([...(await quick), ...(await next)])).toEqual(['ran', 'cached']);
  });

  it('run for those who stay where the first one has gone', async () => {
    const opened = open();
    const gone = scopeOf();
    const one = opened.ask([A], gone);
    const other = opened.ask([A]);
    gone.cancel();
    const late = opened.ask([A]);
    expect(opened.held).toHaveLength(2);
    first(opened).fail(new HeadraceError('HR_CANCELLED', 'gone'));
    expect(codes(await one)).toEqual(['HR_CANCELLED']);
    for (const work of opened.held.splice(0)) work.succeed();
    expect(codes([...(await other), ...(await late)])).toEqual(['ran', 'ran']);
  });
});

describe('a probe', () => {
  it('runs whatever is kept, and keeps nothing itself', async () => {
    const opened = open();
    const asked = opened.ask([A]);
    first(opened).succeed();
    await asked;
    const infer = compileInfer(opened.model, opened.rowCache);
    const probed = infer([A, B], scopeOf(), { isProbe: true });
    expect(opened.held[0]?.work.count).toBe(2);
    first(opened).succeed();
    expect(codes(await probed)).toEqual(['ran', 'ran']);
    expect(codes(await infer([A], scopeOf(), {}))).toEqual(['cached']);
    expect(opened.counts()).toMatchObject({ entries: 1 });
  });
});

describe('an arm without a cache', () => {
  it('runs every row', async () => {
    const opened = open();
    const infer = compileInfer(opened.model, undefined);
    for (let i = 0; i < 2; i++) {
      const asked = infer([A, A], scopeOf(), {});
      expect(opened.held[0]?.work.count).toBe(2);
      first(opened).succeed();
      expect(codes(await asked)).toEqual(['ran', 'ran']);
    }
    expect(opened.counts()).toMatchObject({ hits: 0, misses: 0, entries: 0 });
  });
});

describe('rows of a model that answers them by each other', () => {
  it('run together as they came; one that comes alone is kept', async () => {
    const opened = open({ mixesRows: true });
    const alone = opened.ask([A]);
    first(opened).succeed();
    await alone;
    expect(codes(await opened.ask([A]))).toEqual(['cached']);
    const both = opened.ask([A, B]);
    expect(opened.held[0]?.work.count).toBe(2);
    first(opened).succeed();
    expect(codes(await both)).toEqual(['ran', 'ran']);
    expect(opened.counts()).toMatchObject({ entries: 1 });
  });
});
