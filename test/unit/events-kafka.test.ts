// A log's messages in a partition as pieces, each of one session and one cut at most; and who of the holders is taken for dead, by
// what one process saw of their rows and when, by its own clock.

import { describe, expect, it } from 'vitest';
import { createPieces } from '../../src/events/kafka/pieces.ts';
import { watchHolders } from '../../src/events/kafka/watch-holders.ts';
import type { LogRecord } from '../../src/events/records/log-record.ts';

const BEGIN = { seq: 4, at: { cut: 0, sealed: 0, offset: 0 }, cuts: new Map() };
const mark = (cut: number): LogRecord => ({ kind: 'mark', cut, view: new Map() });
const seal = (cut: number, ...voids: number[]): LogRecord => ({ kind: 'seal', cut, voids });
const entry = (offset: number, count = 1): LogRecord => ({ kind: 'entry', offset, count, source: 's' });

/** Pieces of at most `pieceBytes` bytes, of messages of ten bytes each. */
function piecesOf(messages: readonly (readonly [record: LogRecord, offset: number])[], pieceBytes = 1000) {
  const pieces = createPieces(BEGIN, pieceBytes);
  const problems = messages.flatMap(([record, offset]) => pieces.add(record, offset, 10) ?? []);
  pieces.end();
  const spans = pieces.ended.map(({ span }) => [span.from, span.to]);
  return { pieces, problems, spans };
}

describe('messages are one piece', () => {
  it('until a cut begins', () => {
    const { spans, pieces } = piecesOf([
      [mark(1), 7],
      [entry(0), 8],
      [seal(1), 9],
      [mark(2), 10],
      [entry(1), 11],
    ]);
    expect(spans).toEqual([
      [7, 10],
      [10, 12],
    ]);
    expect(pieces.ended.map(({ marks, seals }) => [marks, seals].map((all) => all.map(({ cut }) => cut)))).toEqual([
      [[1], [1]],
      [[2], []],
    ]);
    expect(pieces.ended.map(({ seq, bytes, firstCut, lastCut }) => [seq, bytes, firstCut, lastCut])).toEqual([
      [5, 30, 1, 1],
      [6, 20, 2, 2],
    ]);
  });

  it('until another’s message lies between them', () => {
    expect(
      piecesOf([
        [mark(1), 7],
        [entry(0), 8],
        [entry(1), 10],
      ]).spans,
    ).toEqual([
      [7, 9],
      [10, 11],
    ]);
  });

  it('until it has as many bytes as a piece may have', () => {
    const four = [
      [mark(1), 0],
      [entry(0), 1],
      [entry(1), 2],
      [entry(2), 3],
    ] as const;
    expect(piecesOf(four, 20).spans).toEqual([
      [0, 2],
      [2, 4],
    ]);
    expect(piecesOf(four, 21).spans).toEqual([
      [0, 3],
      [3, 4],
    ]);
  });
});

it('a cut is known with its void entries once it is sealed, and what does not follow is refused', () => {
  const { pieces, problems } = piecesOf([
    [mark(1), 0],
    [entry(0, 3), 1],
    [seal(1, 2), 2],
  ]);
  expect(problems).toEqual([]);
  expect(pieces.cuts.get(1)).toEqual({ cut: 1, view: new Map(), voids: new Set([2]) });
  expect(pieces.at).toEqual({ cut: 1, sealed: 1, offset: 3 });
  expect(
    piecesOf([
      [mark(1), 0],
      [entry(5), 1],
      [entry(4), 2],
      [mark(3), 3],
    ]).problems,
  ).toHaveLength(2);
});

it('a piece that is shipped is told no more, and the one that grows is told as it is', () => {
  const pieces = createPieces(BEGIN, 1000);
  expect(pieces.growing()).toBeUndefined();
  pieces.add(mark(1), 0, 10);
  expect(pieces.growing()).toMatchObject({ seq: 5, span: { from: 0, to: 1 }, bytes: 10 });
  pieces.end();
  pieces.end();
  const [first, ...others] = pieces.ended;
  expect(others).toEqual([]);
  if (first !== undefined) pieces.shipped(first);
  expect([pieces.ended, pieces.growing()]).toEqual([[], undefined]);
});

const row = (writer: number, beat: number, more: { state?: 'held' | 'left'; holder?: number } = {}) => ({
  writer,
  beat,
  topic: 't',
  topicId: 'i',
  partition: writer,
  fromOffset: 0,
  state: 'held' as const,
  holder: 1,
  ...more,
});

describe('a watch of holders', () => {
  const watched = () => {
    let now = 0;
    const watch = watchHolders(100, () => now);
    const at = (ms: number, ...rows: ReturnType<typeof row>[]): number[] => {
      now = ms;
      return watch.dead(rows).map(({ writer }) => writer);
    };
    return { watch, at };
  };

  it('takes one for dead whose beat stood still for a lease, and no other', () => {
    const { at } = watched();
    expect(at(0, row(1, 5), row(2, 5))).toEqual([]);
    expect(at(99, row(1, 5), row(2, 6))).toEqual([]);
    expect(at(100, row(1, 5), row(2, 6))).toEqual([1]);
    expect(at(198, row(1, 5), row(2, 6))).toEqual([1]);
    expect(at(199, row(1, 5), row(2, 6))).toEqual([1, 2]);
  });

  it('begins anew with a holder that took it over, however old the watch is', () => {
    const { at } = watched();
    at(0, row(1, 5));
    expect(at(1000, row(1, 5, { holder: 2 }))).toEqual([]);
    expect(at(1100, row(1, 5, { holder: 2 }))).toEqual([1]);
  });

  it('gives what was let go at once', () => {
    const { at } = watched();
    expect(at(0, row(1, 5, { state: 'left' }))).toEqual([1]);
  });

  it('says nothing by what it saw before the registry was away', () => {
    const { watch, at } = watched();
    at(0, row(1, 5));
    watch.forgetAll();
    expect(at(1000, row(1, 5))).toEqual([]);
    expect(watch.isNew(row(1, 5))).toBe(true);
    expect(at(1099, row(1, 5))).toEqual([]);
    expect(watch.isNew(row(1, 5))).toBe(false);
    expect(at(1100, row(1, 5))).toEqual([1]);
  });

  it('takes one that was gone from the rows and is back for new', () => {
    const { at } = watched();
    at(0, row(1, 5));
    at(50);
    expect(at(120, row(1, 5))).toEqual([]);
  });
});
