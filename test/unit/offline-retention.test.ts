// Which cuts of the log may go: the decision alone, over every reason that a cut may have to stay.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Micros } from '../../src/core/index.ts';
import type { CutContents } from '../../src/events/index.ts';
import { planRemoval, type RemovalSituation, type SourceLimit } from '../../src/offline/retention/plan-removal.ts';
import { limitOf, type ViewState } from '../../src/offline/retention/source-limits.ts';
import type { RunRow } from '../../src/online/index.ts';

const cut = (number: number, rows: Record<string, number> | null, more: Partial<CutContents> = {}): CutContents => ({
  writer: 1,
  cut: number,
  rows: rows === null ? null : new Map(Object.entries(rows)),
  shippedMicros: 0,
  ...more,
});
const limit = (goesUpTo: Micros | null, covered = Infinity): SourceLimit => ({ goesUpTo, coveredCut: () => covered });

/** Events of cut n are of time n, whatever the source. */
function planOf(contents: readonly CutContents[], more: Partial<RemovalSituation> = {}) {
  const writers = [{ number: 1, shipped: 4, removed: 0 }];
  const all = { writers, contents, limits: new Map(), goneUpTo: null, newest: (_: number, of: number) => of, ...more };
  return planRemoval(all).map(({ rows, ...one }) => ({ ...one, rows: Object.fromEntries(rows) }));
}

/** By source. */
const limitsOf = (limits: Record<string, SourceLimit>) => ({ limits: new Map(Object.entries(limits)) });

describe('a cut of the log', () => {
  const held = (number: number) => cut(number, { a: 1 });

  it('goes once each of its sources lets all of it go', () => {
    const contents = [cut(1, { a: 5 }), cut(2, { a: 1, b: 2 }), cut(3, { b: 1 })];
    const plans = (a: number, b: number) => planOf(contents, limitsOf({ a: limit(a), b: limit(b) }));
    const all = { writer: 1, from: 1 };
    expect(plans(9, 9)).toEqual([{ ...all, through: 4, rows: { a: 6, b: 3 }, stays: null }]);
    const stays = { cut: 2, why: 'new', source: 'b' };
    expect(plans(9, 1)).toEqual([{ ...all, through: 1, rows: { a: 5 }, stays }]);
    expect(plans(1, 2)[0]).toMatchObject({ through: 1, stays: { cut: 2, source: 'a' } });
  });

  it('stays where an event is kept for ever, and keeps all that come after it', () => {
    const contents = [held(1), cut(2, { a: 1, b: 1 }), held(3), held(4)];
    expect(planOf(contents, limitsOf({ a: limit(9), b: limit(null) }))).toEqual([
      { writer: 1, from: 1, through: 1, rows: { a: 1 }, stays: { cut: 2, why: 'kept', source: 'b' } },
    ]);
  });

  it('stays where it is not covered, however old it is', () => {
    const plan = planOf([1, 2, 3].map(held), limitsOf({ a: limit(9, 2) }));
    expect(plan[0]).toMatchObject({ through: 2, stays: { cut: 3, why: 'uncovered' } });
  });

  it('of a source that is not defined any more goes by when it was shipped, under a retention alone', () => {
    const contents = [cut(1, { gone: 1 }, { shippedMicros: 50 }), cut(2, { gone: 1 }, { shippedMicros: 51 })];
    expect(planOf(contents)[0]).toMatchObject({ through: 0, stays: { cut: 1, why: 'kept', source: 'gone' } });
    expect(planOf(contents, { goneUpTo: 50 })[0]).toMatchObject({ through: 1, stays: { cut: 2, why: 'new' } });
  });

  it('stays where nobody tells what it holds', () => {
    const plan = planOf([held(1), cut(2, null)], { ...limitsOf({ a: limit(9) }), goneUpTo: 9 });
    expect(plan[0]).toMatchObject({ through: 1, stays: { cut: 2, why: 'unknown', source: null } });
  });

  it('is never looked at again once it is gone, nor before it is shipped', () => {
    const contents = [3, 4, 5].map(held);
    const after = (removed: number) => ({ writers: [{ number: 1, shipped: 4, removed }] });
    expect(planOf(contents, { ...limitsOf({ a: limit(9) }), ...after(2) })).toEqual([
      { writer: 1, from: 3, through: 4, rows: { a: 2 }, stays: null },
    ]);
    expect(planOf([], after(4))).toEqual([]);
  });

  it('goes exactly when all up to it may, whatever lies in the log', () => {
    const source = fc.constantFrom('a', 'b', 'gone');
    const held = fc.dictionary(source, fc.nat(3), { maxKeys: 3 });
    const found = fc.record({ goesUpTo: fc.option(fc.nat(8)), covered: fc.nat(8) });
    fc.assert(
      fc.property(fc.array(held, { maxLength: 6 }), found, found, fc.option(fc.nat(8)), (cuts, a, b, goneUpTo) => {
        const contents = cuts.map((rows, i) => cut(i + 1, rows, { shippedMicros: i + 1 }));
        const limits = limitsOf({ a: limit(a.goesUpTo, a.covered), b: limit(b.goesUpTo, b.covered) });
        const writers = [{ number: 1, shipped: cuts.length, removed: 0 }];
        const [plan] = planOf(contents, { ...limits, goneUpTo, writers });
        const mayGo = (at: number): boolean =>
          Object.keys(cuts[at - 1] ?? {}).every((name) => {
            const one = { a, b }[name];
            return one === undefined
              ? goneUpTo !== null && at <= goneUpTo
              : one.goesUpTo !== null && at <= one.goesUpTo && at <= one.covered;
          });
        let through = 0;
        while (through < cuts.length && mayGo(through + 1)) through++;
        expect(plan?.through ?? 0).toBe(through);
      }),
    );
  });
});

describe('of a source', () => {
  const row = (number: number, boundary: Micros | null, more: Partial<RunRow> = {}): RunRow => ({
    number,
    view: 'v',
    version: 'v@1',
    state: 'finished',
    proposed: boundary ?? -Infinity,
    boundary,
    coverage: boundary === null ? null : { floor: 0, cuts: new Map([[1, number]]) },
    asOf: 0,
    token: '',
    carriesWaiting: true,
    fingerprint: '',
    isFull: true,
    since: 0,
    askedMicros: 0,
    finishedMicros: 0,
    counts: null,
    error: null,
    ...more,
  });
  const state = (rows: readonly RunRow[], ...marks: (number | undefined)[]): ViewState => ({
    rows,
    marks: marks.map((run, i) => ({ node: `n${i}`, run })),
  });
  const filed = (...views: ViewState[]) => limitOf({ pushes: 'until-materialized' }, views, null).goesUpTo;
  const covered = (...views: ViewState[]) => limitOf({ pushes: 'keep' }, views, null).coveredCut(1);

  it('that keeps its pushes nothing goes but by age', () => {
    const views = [state([row(1, 10), row(2, 20)], 2)];
    expect(limitOf({ pushes: 'keep' }, views, null).goesUpTo).toBeNull();
    expect(limitOf({ pushes: 'keep' }, views, 7).goesUpTo).toBe(7);
  });

  it('that files bring goes what two runs found in files, at the node that is furthest behind', () => {
    const rows = [row(1, 10), row(2, 20), row(3, 30)];
    expect(filed(state(rows, 3))).toBe(20);
    expect(filed(state(rows, 3, 2))).toBe(10);
    expect(filed(state(rows, 3, 1))).toBeNull();
    expect(filed(state(rows, 3, undefined))).toBeNull();
    expect(filed(state(rows))).toBeNull();
    expect(filed(state(rows, 3), state([row(4, 5), row(5, 40)], 5))).toBe(5);
    expect(limitOf({ pushes: 'until-materialized' }, [state(rows, 3)], 25).goesUpTo).toBe(25);
    expect(limitOf({ pushes: 'until-materialized' }, [], null).goesUpTo).toBeNull();
  });

  it('nothing goes by a boundary that a wrong clock put too far, nor past one that a later run proposes', () => {
    expect(filed(state([row(1, 10), row(2, 999)], 2))).toBe(10);
    expect(filed(state([row(1, 10), row(2, 999), row(3, 20)], 3))).toBe(20);
    expect(filed(state([row(1, 10), row(2, 20), row(3, null, { state: 'asked', proposed: 4 })], 2))).toBe(4);
    expect(filed(state([row(1, 10), row(2, 20), row(3, 3, { state: 'abandoned' })], 2))).toBe(3);
    // It wrote nothing.
    expect(filed(state([row(1, 10), row(2, 20), row(3, null, { state: 'abandoned' })], 2))).toBe(10);
  });

  it('a cut is covered when every node’s mark of every view covers it', () => {
    const rows = [row(1, 10), row(2, 20), row(3, 30)];
    expect(covered(state(rows, 3, 3))).toBe(3);
    expect(covered(state(rows, 3, 2))).toBe(2);
    expect(covered(state(rows, 3, 3), state([row(9, 1)], undefined))).toBe(0);
    // A mark whose row is forgotten says nothing.
    expect(covered(state(rows.slice(1), 3, 1))).toBe(0);
    expect(covered()).toBe(Infinity);
  });
});
