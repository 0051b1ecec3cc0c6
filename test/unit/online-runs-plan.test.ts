// What a run decides before its row is open: coverage, boundary, full or incremental, and what an incremental one writes; and which
// parts lie beside its bases, split at which boundaries.

import { describe, expect, it } from 'vitest';
import {
  boundaryOf,
  type Coverage,
  coverageFromJson,
  coverageToJson,
  coveredCut,
  isBeside,
  isCovered,
  NOTHING_COVERED,
} from '../../src/online/runs/coverage.ts';
import { boundariesInForce } from '../../src/online/runs/boundaries.ts';
import {
  forgettable,
  mayGoOn,
  type OpenPlan,
  type PlannedRow,
  planRun,
  type RunSituation,
  type WriterState,
} from '../../src/online/runs/plan-run.ts';
import type { RunState } from '../../src/online/runs/run-row.ts';

function file(path: string, etag = 'e1') {
  return { path, size: 1, etag };
}

function row(number: number, over: Partial<PlannedRow> = {}): PlannedRow {
  const opened = { boundary: 10, coverage: { floor: 1, cuts: new Map() } };
  return { number, state: 'finished', snapshot: [file('a')], proposed: 10, isFull: true, ...opened, ...over };
}

function asking(number: number, over: Partial<RunSituation['row']> = {}): RunSituation['row'] {
  const asked = row(number, { state: 'asked', boundary: null, coverage: null, isFull: false, ...over });
  return { ...asked, snapshot: asked.snapshot ?? [] };
}

function writer(number: number, over: Partial<WriterState> = {}): WriterState {
  return { number, state: 'open', cut: 3, shipped: 2, ...over };
}

function plan(over: Partial<RunSituation> = {}) {
  return planRun({
    mode: 'until-materialized',
    row: asking(2),
    rows: [row(1)],
    writers: [],
    answered: new Set(),
    marks: [{ node: 'n', run: 1 }],
    isFullAsked: false,
    ...over,
  });
}

function opened(over: Partial<RunSituation> = {}): OpenPlan {
  const made = plan(over);
  if (made.kind === 'stop') throw new Error(made.why);
  return made;
}

describe("a run's coverage", () => {
  it('is what each writer has shipped', () => {
    const { coverage } = opened({ writers: [writer(1), writer(2, { shipped: 0 })] });
    expect([isCovered(coverage, 1, 2), isCovered(coverage, 1, 3)]).toEqual([true, false]);
    expect(isCovered(coverage, 2, 1)).toBe(false);
    expect(isCovered(coverage, 3, 1)).toBe(false);
  });

  it('shrinks writers that have ended and are covered whole to a floor', () => {
    const ended = { state: 'ended', cut: 5, shipped: 5 } as const;
    const { coverage } = opened({ writers: [writer(1, ended), writer(2, ended), writer(3), writer(4, ended)] });
    expect([coverage.floor, ...coverage.cuts]).toEqual([3, [3, 2], [4, 5]]);
    expect(opened({ writers: [writer(1, ended), writer(2, ended)] }).coverage).toEqual({ floor: 3, cuts: new Map() });
  });

  it('lists a forgotten writer below the floor: its other parts count on in keep, the files have them otherwise', () => {
    const writers = [writer(1, { state: 'forgotten' })];
    const kept = opened({ mode: 'keep', writers }).coverage;
    expect([isCovered(kept, 1, 2), isCovered(kept, 1, 3)]).toEqual([true, false]);
    expect(isCovered(opened({ writers }).coverage, 1, 3)).toBe(true);
  });

  it('is at least what each earlier row covers, abandoned ones too, however old the list of writers', () => {
    const rows = [row(1, { state: 'abandoned', coverage: { floor: 1, cuts: new Map([[1, 2]]) } })];
    const { coverage } = opened({ rows, writers: [writer(1, { shipped: 1 })], answered: new Set([1]) });
    expect(isCovered(coverage, 1, 2)).toBe(true);
  });
});

describe("a run's boundary", () => {
  it('moves up or down once every writer has answered, has ended and is covered whole, or is forgotten', () => {
    const writers = [writer(1), writer(2, { state: 'ended', cut: 2 }), writer(3, { state: 'forgotten' })];
    for (const proposed of [4, 20]) {
      const made = opened({ row: asking(2, { proposed }), writers, answered: new Set([1]) });
      expect([made.boundary, made.heldBy]).toEqual([proposed, []]);
    }
  });

  it('stays where a writer did not answer, and says which', () => {
    const writers = [writer(1), writer(2), writer(3, { state: 'ended', cut: 3, shipped: 2 })];
    const made = opened({ row: asking(2, { proposed: 20 }), writers, answered: new Set([1]) });
    expect([made.boundary, made.heldBy]).toEqual([10, [2, 3]]);
  });

  it("stays that of the last finished run, not of one abandoned since or of the run's own row", () => {
    const rows = [row(1), row(2, { state: 'abandoned', boundary: 15 }), asking(3, { proposed: 20 })];
    expect(opened({ row: asking(3, { proposed: 20 }), rows, writers: [writer(1)] }).boundary).toBe(10);
  });

  it('stops the run where there is none to keep', () => {
    expect(plan({ rows: [], writers: [writer(4)] })).toEqual({
      kind: 'stop',
      why: 'no run has finished yet and writer 4 did not answer',
      heldBy: [4],
    });
  });

  it('stops the run where the one to keep lies past the proposed', () => {
    expect(plan({ row: asking(2, { proposed: 9 }), writers: [writer(4), writer(5)] })).toEqual({
      kind: 'stop',
      why: 'the snapshot ends before the boundary of run 1, which writers 4, 5 held by not answering',
      heldBy: [4, 5],
    });
  });

  it('is the beginning of time where the log keeps its events, and nobody is waited for', () => {
    const made = opened({ mode: 'keep', row: asking(2, { proposed: -Infinity }), rows: [], writers: [writer(1)] });
    expect([made.boundary, made.heldBy]).toEqual([-Infinity, []]);
  });
});

describe('a run is full', () => {
  const at = (...runs: (number | undefined)[]) => runs.map((run, i) => ({ node: `n${i + 1}`, run }));
  const since = (over: Partial<PlannedRow>) => [row(1), row(2, { state: 'abandoned', ...over })];
  it.each<[string, Partial<RunSituation>, string]>([
    ['it is told so', { isFullAsked: true }, 'asked for'],
    ['a node has no mark', { marks: at(1, undefined) }, "node n2 has no run's mark"],
    ['there was none before', { row: asking(1), rows: [], marks: at(undefined) }, 'its first run'],
    ['the row of the lowest mark is forgotten', { row: asking(4), rows: [row(2), row(3)], marks: at(1, 3) }, 'run 1'],
    [
      'its snapshot lacks a file of a run since the lowest mark',
      { row: asking(3), rows: since({ snapshot: [file('a'), file('b')] }) },
      'b of run 2 is gone or changed',
    ],
    [
      'it has another under its name',
      { row: asking(2, { snapshot: [file('a', 'e2')] }) },
      'a of run 1 is gone or changed',
    ],
    [
      'its boundary is before that of a run since the lowest mark',
      { row: asking(3, { proposed: 11 }), rows: since({ boundary: 12 }) },
      'the boundary is before that of run 2',
    ],
  ])('when %s', (_, over, why) => {
    expect(opened(over)).toMatchObject({ isFull: true, since: 0, changes: null, why: expect.stringContaining(why) });
  });

  it('not for what was before the lowest mark', () => {
    const rows = [row(1, { snapshot: [file('z')], boundary: 99 }), row(2)];
    const made = opened({ row: asking(3), rows, marks: [{ node: 'n', run: 2 }] });
    expect([made.isFull, made.since, made.why]).toEqual([false, 2, 'since run 2']);
  });
});

describe('an incremental run', () => {
  it('builds on the lowest mark', () => {
    const marks = [2, 1].map((run, i) => ({ node: `n${i}`, run }));
    expect(opened({ row: asking(3), rows: [row(1), row(2)], marks }).since).toBe(1);
  });

  it('finds its keys in files that are new, cuts newly covered, and facts that the boundary passed', () => {
    const made = opened({
      row: asking(2, { snapshot: [file('a'), file('b')], proposed: 20 }),
      rows: [row(1, { coverage: { floor: 1, cuts: new Map([[2, 2]]) } })],
      writers: [writer(1), writer(2), writer(3, { state: 'forgotten' })],
      answered: new Set([1, 2]),
    });
    expect(made.changes).toEqual({
      files: [file('b')],
      cuts: [
        { writer: 1, after: 0, upTo: 2 },
        { writer: 3, after: 0, upTo: Infinity },
      ],
      passed: { after: 10, upTo: 20 },
    });
  });

  it('has nothing to write where nothing changed', () => {
    expect(opened().changes).toEqual({ files: [], cuts: [], passed: null });
  });

  it('looks at every run since the mark: one lacked a file that is back, or went back with its boundary', () => {
    const between = row(2, { state: 'abandoned', snapshot: [], boundary: 4 });
    expect(opened({ row: asking(3), rows: [row(1), between] }).changes).toEqual({
      files: [file('a')],
      cuts: [],
      passed: { after: 4, upTo: 10 },
    });
  });

  it('goes on at a node whose mark is not behind what it builds on', () => {
    const run = { isFull: false, since: 3 };
    expect([2, 3, 4, undefined].map((mark) => mayGoOn(run, mark))).toEqual([false, true, true, false]);
    expect(mayGoOn({ isFull: true, since: 0 }, undefined)).toBe(true);
  });
});

describe('rows that may be forgotten', () => {
  it('are those before the third last finished full run', () => {
    const more = [row(4, { state: 'abandoned' }), row(5), row(6, { isFull: false })];
    const rows = [row(1), row(2, { isFull: false }), row(3), ...more];
    expect(forgettable(rows)).toEqual([]);
    expect(forgettable([...rows, row(7)]).map(({ number }) => number)).toEqual([1, 2]);
  });
});

const COVERAGE: Coverage = {
  floor: 3,
  cuts: new Map([
    [2, 5],
    [7, 4],
    [8, Infinity],
  ]),
};

describe('a coverage', () => {
  it('counts the cuts of a writer up to its last, all of one below the floor, and none of another', () => {
    for (const [writer, cut, wanted] of [
      [2, 5, true],
      [2, 6, false],
      [1, 99, true],
      [3, 1, false],
      [7, 4, true],
      [7, 5, false],
      [8, 99, true],
    ] as const)
      expect(isCovered(COVERAGE, writer, cut), `writer ${writer}, cut ${cut}`).toBe(wanted);
    expect([1, 2, 3, 7, 8].map((writer) => coveredCut(COVERAGE, writer))).toEqual([Infinity, 5, 0, 4, Infinity]);
    expect(isCovered(NOTHING_COVERED, 0, 0)).toBe(false);
  });

  it('comes back from JSON, with what is counted whole', () => {
    expect(coverageFromJson(JSON.parse(JSON.stringify(coverageToJson(COVERAGE))))).toEqual(COVERAGE);
  });
});

it('a part lies beside a base that does not count it, where it is not of a boundary before', () => {
  const row = { coverage: COVERAGE, boundary: 10 };
  const isSo = (boundary: number, cut: number): boolean => isBeside(row, { writer: 7, cut, boundary });
  expect([isSo(10, 5), isSo(11, 5), isSo(9, 5), isSo(10, 4)]).toEqual([true, true, false, false]);
});

it('an event goes to the greatest boundary below its time', () => {
  expect(boundaryOf([5, 20, 10], 15)).toBe(10);
  expect(boundaryOf([5, 20, 10], 10)).toBe(5);
  expect(boundaryOf([-Infinity], 0)).toBe(-Infinity);
  expect([boundaryOf([5], 5), boundaryOf([], 5)]).toEqual([undefined, undefined]);
});

describe('boundaries in force', () => {
  const row = (number: number, state: RunState, boundary: number | null, proposed = boundary ?? 0) => {
    return { number, state, boundary, proposed };
  };
  const abandoned = [row(3, 'abandoned', 8), row(4, 'abandoned', null, 9)];
  it.each([
    ['are the beginning of time before the first run', [], [-Infinity]],
    ["hold the beginning of time beside the first run's", [row(1, 'open', 10)], [-Infinity, 10]],
    ['until that has finished', [row(1, 'finished', 10)], [10]],
    [
      'are of a run that only asks the one that it proposes',
      [row(1, 'finished', 10), row(2, 'asked', null, 20)],
      [10, 20],
    ],
    [
      "are of a run whose boundary did not move the last finished run's",
      [row(1, 'finished', 10), row(2, 'open', 10, 20)],
      [10],
    ],
    [
      'hold those of abandoned runs since the last that finished, for they may have written bases',
      [row(1, 'abandoned', 5), row(2, 'finished', 10), ...abandoned],
      [8, 9, 10],
    ],
    [
      'ascend, each once, in whatever order the rows come',
      [row(4, 'asked', null, -20), row(3, 'abandoned', 100), row(1, 'finished', 3), row(2, 'finished', 100)],
      [-20, 100],
    ],
  ])('%s', (_, rows, expected) => {
    expect(boundariesInForce(rows)).toEqual(expected);
  });
});
