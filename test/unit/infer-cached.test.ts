// Rows behind a cache: which of them run, who waits for whose run, and what is never kept.

import { describe, expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import type { ArmRow } from '../../src/serving/arm.ts';
import { createArmTiming } from '../../src/serving/arm-timing.ts';
import { compileInfer } from '../../src/serving/response-cache/compile-infer.ts';
import { inferCached } from '../../src/serving/response-cache/infer-cached.ts';
import { createResponseCaches } from '../../src/serving/response-cache/response-caches.ts';
import { createCachedModel, rowOf } from '../support/cached-model.ts';
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
  /** Ends the first of the works that wait. */
  const first = () => made.held.shift() ?? expect.fail('nothing was submitted');
  /** Asks for rows that run, and gives what became of each. */
  const run = async (...rows: (typeof A)[]) => {
    const asked = ask(rows);
    first().succeed();
    return codes(await asked);
  };
  /** Of a scope whose deadline is so far off. */
  const startMs = performance.now();
  const within = (ms: number, priority: 'online' | 'batch' = 'online') =>
    scopeOf({ deadlineMs: startMs + ms, priority });
  return { ...made, rowCache, ask, first, run, within, counts: () => caches.statistics()[0] };
}

const codes = (rows: readonly ArmRow[]) =>
  rows.map((row) => (row.error !== undefined ? row.error.code : row.isCached === true ? 'cached' : 'ran'));
const outputs = (rows: readonly ArmRow[]) => rows.map((row) => row.error === undefined && row.outputs[0]);

describe('a row that was answered', () => {
  it('is answered by that, with its own features, and at once', async () => {
    const { ask, run, ran, held, counts } = open();
    expect(await run(A, B)).toEqual(['ran', 'ran']);
    const timing = createArmTiming();
    const [row] = await ask([{ ...A, statuses: ['NULL_VALUE'] }], scopeOf(), timing);
    expect(row).toEqual({ outputs: [ran[0]], features: A.values, statuses: ['NULL_VALUE'], isCached: true });
    expect(timing).toMatchObject({ cachedRows: 1, queueMs: 0, inferenceMs: 0 });
    expect(held).toEqual([]);
    expect(counts()).toMatchObject({ hits: 1, misses: 2, shared: 0, entries: 2 });
  });

  it('runs beside others that were not, each with its own answer', async () => {
    const { ask, run, ran, held, first } = open();
    await run(A);
    const both = ask([B, A, rowOf(0, 0, 0n, ''), A]);
    expect(held[0]?.work.count).toBe(2);
    first().succeed();
    const rows = await both;
    expect(codes(rows)).toEqual(['ran', 'cached', 'ran', 'cached']);
    expect(outputs(rows)).toEqual([ran[1], ran[0], ran[2], ran[0]]);
  });

  it('that the model can’t take fails alone, and is kept by nobody', async () => {
    const { run, counts } = open();
    expect(await run(rowOf(1, 2, 3n, 'a\0'), A)).toEqual(['HR_INVALID', 'ran']);
    expect(counts()).toMatchObject({ misses: 1, entries: 1 });
  });
});

describe('a failure', () => {
  it('is not kept', async () => {
    const { ask, first, run } = open();
    const asked = ask([A]);
    first().fail(NO);
    expect(codes(await asked)).toEqual(['HR_INFERENCE_FAILED']);
    expect(await run(A)).toEqual(['ran']);
    expect(codes(await ask([A]))).toEqual(['cached']);
  });

  it('is not shared: who waited for the run runs after all, all rows of a request together', async () => {
    const { ask, first, held, counts } = open();
    const [one, other] = [ask([A, B]), ask([A, B, A])];
    first().fail(NO);
    expect(codes(await one)).toEqual(['HR_INFERENCE_FAILED', 'HR_INFERENCE_FAILED']);
    expect(held[0]?.work.count).toBe(3);
    first().succeed();
    expect(codes(await other)).toEqual(['ran', 'ran', 'ran']);
    expect(counts()).toMatchObject({ hits: 0, misses: 5, shared: 0, entries: 2 });
  });

  it.each(['HR_DEADLINE', 'HR_CANCELLED', 'HR_OVERLOADED'] as const)(
    'of who ran, and not of the row, has one of those who waited run for all of them: %s',
    async (code) => {
      const { ask, within, first, held, counts, rowCache } = open();
      const one = ask([A], within(1000));
      const patient = [2000, 3000, 4000].map((ms) => ask([A, A], within(ms)));
      first().fail(new HeadraceError(code, 'no'));
      expect(codes(await one)).toEqual([code]);
      expect(held.map(({ work }) => work.count)).toEqual([1]);
      first().succeed();
      expect((await Promise.all(patient)).flatMap(codes)).toEqual(['ran', ...new Array(5).fill('cached')]);
      expect(counts()).toMatchObject({ hits: 0, misses: 2, shared: 5, entries: 1 });
      expect(rowCache.cache.flights.size).toBe(0);
    },
  );

  it('of the row itself has each of those who waited run at once, and not one after the other', async () => {
    const { ask, first, held } = open();
    const all = [1, 2, 3, 4].map(() => ask([A]));
    first().fail(NO);
    expect(held).toHaveLength(3);
    for (const work of held.splice(0)) work.fail(NO);
    expect((await Promise.all(all)).flatMap(codes)).toEqual(new Array(4).fill('HR_INFERENCE_FAILED'));
  });

  it('of one of equal rows in a request is the others’ too', async () => {
    const { ask, first, held } = open();
    const asked = ask([A, A, B, A]);
    expect(held[0]?.work.count).toBe(2);
    first().fail(NO);
    expect(codes(await asked)).toEqual(new Array(4).fill('HR_INFERENCE_FAILED'));
    expect(held).toEqual([]);
  });
});

describe('equal rows at once', () => {
  it('run once, of however many requests', async () => {
    const { ask, first, held, ran, counts } = open();
    const asked = Array.from({ length: 50 }, () => ask([A]));
    expect(held).toHaveLength(1);
    first().succeed();
    const rows = (await Promise.all(asked)).flat();
    expect(new Set(outputs(rows))).toEqual(new Set(ran));
    expect(codes(rows).filter((code) => code === 'cached')).toHaveLength(49);
    expect(counts()).toMatchObject({ hits: 0, misses: 1, shared: 49 });
  });

  it('tell how long they waited for the run of another', async () => {
    const { ask, first } = open();
    const timing = createArmTiming();
    const both = [ask([A]), ask([A], scopeOf(), timing)];
    await new Promise((resolve) => setImmediate(resolve));
    first().succeed();
    await Promise.all(both);
    expect(timing).toMatchObject({ cachedRows: 1, inferenceMs: 0 });
    expect(timing.queueMs).toBeGreaterThan(0);
  });

  it.each([
    [60_000, 'online'],
    [0, 'batch'],
  ] as const)('wait for nothing that may come later than their own run would: %s, %s', async (ms, priority) => {
    const { ask, within, held } = open();
    const slow = ask([A], within(ms, priority));
    const quick = ask([A], within(1000));
    // The one that comes next waits for the more urgent run.
    const next = ask([A], within(2000));
    expect(held).toHaveLength(2);
    held[1]?.succeed();
    expect(codes([...(await quick), ...(await next)])).toEqual(['ran', 'cached']);
    held[0]?.succeed();
    expect(codes(await slow)).toEqual(['ran']);
    expect(codes(await ask([A]))).toEqual(['cached']);
  });

  it('wait for the more urgent run also when the first one ends before it', async () => {
    const { ask, within, first, held } = open();
    const slow = ask([A], within(60_000));
    const quick = ask([A], within(1000));
    first().fail(NO);
    await slow;
    const next = ask([A], within(2000));
    expect(held).toHaveLength(1);
    first().succeed();
    expect(codes([...(await quick), ...(await next)])).toEqual(['ran', 'cached']);
  });

  it('run for those who stay where the first one has gone', async () => {
    const { ask, first, held } = open();
    const gone = scopeOf();
    const [one, other] = [ask([A], gone), ask([A])];
    gone.cancel();
    const late = ask([A]);
    expect(held).toHaveLength(2);
    first().fail(new HeadraceError('HR_CANCELLED', 'gone'));
    expect(codes(await one)).toEqual(['HR_CANCELLED']);
    for (const work of held.splice(0)) work.succeed();
    expect(codes([...(await other), ...(await late)])).toEqual(['ran', 'ran']);
  });
});

it('a probe runs whatever is kept, and keeps nothing itself', async () => {
  const { run, model, rowCache, held, first, counts } = open();
  await run(A);
  const infer = compileInfer(model, rowCache);
  const probed = infer([A, B], scopeOf(), { isProbe: true });
  expect(held[0]?.work.count).toBe(2);
  first().succeed();
  expect(codes(await probed)).toEqual(['ran', 'ran']);
  expect(codes(await infer([A], scopeOf(), {}))).toEqual(['cached']);
  expect(counts()).toMatchObject({ entries: 1 });
});

it('an arm without a cache runs every row', async () => {
  const { model, held, first, counts } = open();
  const infer = compileInfer(model, undefined);
  for (let i = 0; i < 2; i++) {
    const asked = infer([A, A], scopeOf(), {});
    expect(held[0]?.work.count).toBe(2);
    first().succeed();
    expect(codes(await asked)).toEqual(['ran', 'ran']);
  }
  expect(counts()).toMatchObject({ hits: 0, misses: 0, entries: 0 });
});

it('rows of a model that answers them by each other run together as they came; one that comes alone is kept', async () => {
  const { ask, run, held, first, counts } = open({ mixesRows: true });
  await run(A);
  expect(codes(await ask([A]))).toEqual(['cached']);
  const both = ask([A, B]);
  expect(held[0]?.work.count).toBe(2);
  first().succeed();
  expect(codes(await both)).toEqual(['ran', 'ran']);
  expect(counts()).toMatchObject({ entries: 1 });
});
