// A cache beside a naive one: a map by the JSON of exact model inputs, with the time that each was stored at. Requests of random
// rows, versions that come and go, time that passes; and runs that end in any order, fail, and are given up.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type ErrorCode, HeadraceError, type Priority, type Scope, type Value } from '../../src/core/index.ts';
import type { ArmRow } from '../../src/serving/arm.ts';
import { inferCached } from '../../src/serving/response-cache/infer-cached.ts';
import { createResponseCaches } from '../../src/serving/response-cache/response-caches.ts';
import { createCachedModel, rowOf } from '../support/cached-model.ts';
import { type OwnScope, scopeOf } from '../support/model-works.ts';
import { runs } from '../support/tier.ts';

const TTL_MS = 100;
const numbers = fc.constantFrom<Value>(0, -0, NaN, null, 1, 0.1, Math.fround(0.1), Infinity, 16_777_217);
const rows = fc.tuple(
  numbers,
  numbers,
  fc.constantFrom<Value>(null, 0n, 7n, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 63n)),
  fc.constantFrom<Value>(null, '', 'a', 'b', '1:a', '🜁'),
);
const weighted = <T>(weight: number, model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => ({
  weight,
  arbitrary: fc.record(model),
});
/** Few, so that they meet again. */
const sequences = fc.uniqueArray(rows, { minLength: 1, maxLength: 6 }).chain((known) =>
  fc.array(
    fc.oneof(
      weighted(6, {
        ask: fc.array(fc.constantFrom(...known), { minLength: 1, maxLength: 5 }),
        version: fc.constantFrom(1, 2),
      }),
      weighted(2, { pass: fc.integer({ min: 1, max: 120 }) }),
      weighted(1, { leave: fc.constantFrom(1, 2) }),
    ),
    { maxLength: 40 },
  ),
);

/** The exact input that a model gets of a row, in words: a null of a float is a NaN, another one its default. */
function inputOf([a, b, n, s]: readonly Value[]): string {
  const float = (value: Value | undefined): string =>
    value === null || value === undefined ? 'NaN' : Object.is(value, -0) ? '-0' : String(value);
  return JSON.stringify([float(typeof a === 'number' ? Math.fround(a) : a), float(b), String(n ?? 7n), s ?? '']);
}

function oracleOf() {
  const stored = new Map<string, number>();
  return {
    /** Whether each of the rows runs; the first of equal ones does for all. */
    runs(version: number, asked: readonly (readonly Value[])[], nowMs: number): readonly boolean[] {
      const began = new Set<string>();
      const verdicts = asked.map((row) => {
        const key = `${version} ${inputOf(row)}`;
        const storedMs = stored.get(key);
        if ((storedMs !== undefined && nowMs - storedMs < TTL_MS) || began.has(key)) return false;
        began.add(key);
        return true;
      });
      for (const key of began) stored.set(key, nowMs);
      return verdicts;
    },
    leave(version: number): void {
      for (const key of stored.keys()) if (key.startsWith(`${version} `)) stored.delete(key);
    },
  };
}

function open(spec: { readonly maxBytes: number; readonly maxEntries: number }, maxBytes: number) {
  const time = { nowMs: 0 };
  const caches = createResponseCaches({ maxBytes, nowMs: () => time.nowMs });
  const models = new Map([1, 2].map((version) => [version, createCachedModel({ version, isHeld: false })]));
  const hold = (version: number) =>
    caches.hold({ endpoint: 'e', arm: `v${version}` }, { ttlMicros: TTL_MS * 1000, ...spec });
  const held = new Map([1, 2].map((version) => [version, hold(version)]));
  const ask = async (version: number, asked: readonly (readonly Value[])[]) => {
    const { model, ran, cacheOf } = models.get(version) as ReturnType<typeof createCachedModel>;
    const before = ran.length;
    const cache = cacheOf(held.get(version) as ReturnType<typeof hold>);
    const given = asked.map((row) => rowOf(...row));
    const answered = await inferCached(model, cache, given, scopeOf());
    // What the model alone answers.
    const alone = createCachedModel({ version, isHeld: false });
    const none = createResponseCaches({ maxBytes: 0 }).hold({ endpoint: 'e', arm: 'a' }, { ttlMicros: 1, ...spec });
    const expected = await inferCached(alone.model, alone.cacheOf(none), given, scopeOf());
    const outputs = (rows: typeof answered) =>
      rows.map((row) => (row.error === undefined ? row.outputs : row.error.code));
    expect(outputs(answered)).toEqual(outputs(expected));
    return { answered, ran: ran.length - before };
  };
  /** Its last plan goes, and a new one comes. */
  const leave = (version: number): void => {
    held.get(version)?.release();
    held.set(version, hold(version));
  };
  return { time, caches, ask, leave };
}

it('answers by the same rows as a map by exact inputs would, and runs the others once', async () => {
  await fc.assert(
    fc.asyncProperty(sequences, async (sequence) => {
      const { time, ask, leave } = open({ maxBytes: 1e9, maxEntries: 1e6 }, 1e9);
      const oracle = oracleOf();
      for (const step of sequence) {
        if ('pass' in step) time.nowMs += step.pass;
        else if ('leave' in step) {
          leave(step.leave);
          oracle.leave(step.leave);
        } else {
          const expected = oracle.runs(step.version, step.ask, time.nowMs);
          const { answered, ran } = await ask(step.version, step.ask);
          expect(answered.map((row) => row.error === undefined && row.isCached !== true)).toEqual(expected);
          expect(ran).toBe(expected.filter(Boolean).length);
        }
      }
    }),
    { numRuns: runs(300) },
  );
});

it('never answers otherwise within bounds, and never passes them', async () => {
  const bounds = fc.record({ maxBytes: fc.integer({ min: 1, max: 1500 }), maxEntries: fc.integer({ min: 1, max: 4 }) });
  await fc.assert(
    fc.asyncProperty(sequences, bounds, fc.integer({ min: 1, max: 1500 }), async (sequence, spec, maxBytes) => {
      const { time, caches, ask, leave } = open(spec, maxBytes);
      for (const step of sequence) {
        if ('pass' in step) time.nowMs += step.pass;
        else if ('leave' in step) leave(step.leave);
        else await ask(step.version, step.ask);
        if (time.nowMs % 2 === 0) caches.sweep();
        for (const { bytes, entries } of caches.statistics()) {
          expect(bytes).toBeLessThanOrEqual(Math.min(spec.maxBytes, maxBytes));
          expect(entries).toBeLessThanOrEqual(spec.maxEntries);
          expect(bytes === 0).toBe(entries === 0);
        }
      }
    }),
    { numRuns: runs(200) },
  );
});

const races = fc.array(
  fc.oneof(
    weighted(3, {
      ask: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 }),
      deadline: fc.integer({ min: 1, max: 3 }),
      priority: fc.constantFrom<Priority>('online', 'batch'),
    }),
    weighted(3, {
      end: fc.nat({ max: 5 }),
      by: fc.constantFrom<ErrorCode | undefined>(undefined, 'HR_INFERENCE_FAILED', 'HR_DEADLINE'),
    }),
    weighted(1, { leave: fc.nat({ max: 5 }) }),
  ),
  { maxLength: 30 },
);

it('answers everybody in whatever order runs end, fail and are given up, and none by the failure of another’s', async () => {
  await fc.assert(
    fc.asyncProperty(races, async (steps) => {
      const startMs = performance.now();
      const { model, held, cacheOf } = createCachedModel({});
      const spec = { ttlMicros: 1e9, maxBytes: 1e9, maxEntries: 1e6 };
      const rowCache = cacheOf(createResponseCaches({ maxBytes: 1e9 }).hold({ endpoint: 'e', arm: 'v1' }, spec));
      const failed = new Set<Scope>();
      const asked: {
        readonly texts: readonly string[];
        readonly scope: OwnScope;
        readonly rows: Promise<readonly ArmRow[]>;
      }[] = [];
      const end = (at: number, by: ErrorCode | undefined): void => {
        const [one] = held.splice(at % Math.max(held.length, 1), 1);
        if (one === undefined) return;
        const code = one.work.scope.isCancelled ? 'HR_CANCELLED' : by;
        if (code === undefined) return one.succeed();
        failed.add(one.work.scope);
        one.fail(new HeadraceError(code, 'no'));
      };
      for (const step of steps) {
        if ('end' in step) end(step.end, step.by);
        else if ('leave' in step) asked[step.leave % Math.max(asked.length, 1)]?.scope.cancel();
        else {
          const scope = scopeOf({ deadlineMs: startMs + step.deadline * 60_000, priority: step.priority });
          const features = step.ask.map((text) => rowOf(1, 2, 3n, text));
          const rows = (async () => inferCached(model, rowCache, features, scope))();
          asked.push({ texts: step.ask, scope, rows });
        }
      }
      // What fails has others run after all.
      while (held.length > 0) end(0, undefined);
      for (const { texts, scope, rows } of asked) {
        const answered = await rows;
        expect(answered).toHaveLength(texts.length);
        for (const [at, row] of answered.entries()) {
          if (row.error !== undefined) expect(failed).toContain(scope);
          else expect(row.outputs[0]).toMatch(new RegExp(` "${texts[at]}"$`));
        }
      }
      expect(rowCache.cache.flights.size).toBe(0);
    }),
    { numRuns: runs(500) },
  );
});
