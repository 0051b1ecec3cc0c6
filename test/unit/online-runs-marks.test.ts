// What follows from a node's mark: whether parts are written again, whether readers may move to a version, whether the
// store is the one that runs filled.

import { describe, expect, it } from 'vitest';
import { describeLack, joinLacks, lackOf } from '../../src/online/runs/lack.ts';
import { isComplete, isPastMark } from '../../src/online/runs/marks.ts';
import type { WriterState } from '../../src/online/runs/plan-run.ts';

const covering = (cuts: [number, number][], floor = 0) => ({ coverage: { floor, cuts: new Map(cuts) } });

describe('a part is written again on a new connection', () => {
  it('when the node has no mark, or the row of its run is gone', () => {
    expect(isPastMark(undefined, 1, 1)).toBe(true);
  });

  it("when its cut is past what the mark's run covers", () => {
    const mark = covering([[2, 5]], 2);
    expect([isPastMark(mark, 2, 5), isPastMark(mark, 2, 6), isPastMark(mark, 1, 9)]).toEqual([false, true, false]);
  });
});

describe('a version is complete', () => {
  const writer = (over: Partial<WriterState>): WriterState => {
    return { number: 1, state: 'open', cut: 4, shipped: 3, ...over };
  };

  it("when every node's mark covers the cuts that each writer opened without it", () => {
    const firstCuts = new Map([[1, 4]]);
    expect(isComplete([covering([[1, 3]]), covering([[1, 3]])], [writer({})], firstCuts)).toBe(true);
    expect(isComplete([covering([[1, 3]]), covering([[1, 2]])], [writer({})], firstCuts)).toBe(false);
    expect(isComplete([covering([[1, 3]]), undefined], [writer({})], firstCuts)).toBe(false);
  });

  it('not while a living writer folds without it', () => {
    expect(isComplete([covering([[1, 4]])], [writer({})], new Map())).toBe(false);
  });

  it('not before a run, where files hold facts; where the log alone does, it needs none for what it was opened with', () => {
    expect(isComplete([undefined], [], new Map())).toBe(false);
    expect(isComplete([undefined], [], new Map(), true)).toBe(true);
    expect(isComplete([undefined], [writer({})], new Map([[1, 1]]), true)).toBe(true);
    expect(isComplete([undefined], [writer({})], new Map([[1, 2]]), true)).toBe(false);
  });

  it('when writers that ended without it are covered whole, and forgotten ones are not asked', () => {
    const writers = [writer({ state: 'ended', shipped: 4 }), writer({ number: 2, state: 'forgotten' })];
    expect(isComplete([covering([[1, 3]])], writers, new Map())).toBe(false);
    expect(isComplete([covering([[1, 4]])], writers, new Map())).toBe(true);
    expect(isComplete([covering([], 2)], writers, new Map())).toBe(true);
  });
});

describe('a store lacks what a run filled', () => {
  const marked = { node: 'a', run: 3 };
  const empty = { node: 'b', run: undefined };
  const moved = { node: 'c', run: undefined, lost: 'slots' as const };
  const place = { project: 'shop', url: 'redis://h' };

  it('at the nodes without a mark; nothing where each has one', () => {
    expect(lackOf([marked])).toBeUndefined();
    expect(lackOf([marked, empty])).toEqual({ nodes: ['b'], isAbsent: false });
  });

  it('whole where no node has one, but not where nodes were given other keys since: those were filled', () => {
    expect(lackOf([empty])).toEqual({ nodes: ['b'], isAbsent: true });
    expect(lackOf([moved, empty])).toEqual({ nodes: ['c', 'b'], isAbsent: false });
    expect(lackOf([moved])).toEqual({ nodes: ['c'], isAbsent: false });
  });

  it('of several versions together, which is told once, and by a command that can be typed', () => {
    const lack = joinLacks([
      { nodes: ['a', 'b'], isAbsent: true },
      { nodes: ['b'], isAbsent: false },
    ]);
    expect(lack).toEqual({ nodes: ['a', 'b'], isAbsent: false });
    expect(describeLack(['v@1', 'w@1'], lack, place, 'shop')).toBe(
      'v@1, w@1 are complete by the registry, but nodes a, b of redis://h have no mark of them that holds under project "shop": they were emptied, given other keys, or lost keys by eviction or by a clock that was ahead. Reads are answered from what is there. Fill them with `headrace materialize --incremental --views v@1,w@1`.',
    );
    const many = Array.from({ length: 12 }, (_, at) => `v${at}@1`);
    const said = describeLack(many, { nodes: ['a'], isAbsent: true }, place, 'other');
    expect(said).toContain('v9@1 and 2 more are complete by the registry');
    expect(said).toContain('are of project "other"');
    expect(said).toContain('`headrace materialize --incremental`');
  });
});
