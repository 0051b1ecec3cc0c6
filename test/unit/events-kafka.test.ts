// A log's messages in a partition as pieces, each of one session and one cut at most; and who of the holders is taken for dead, by
// what one process saw of their rows and when, by its own clock; and which errors of brokers have an answer within.

import { ResponseError } from '@platformatic/kafka';
import { describe, expect, it } from 'vitest';
import { answerWithin } from '../../src/events/kafka/broker-link.ts';
import { createPieces } from '../../src/events/kafka/pieces.ts';
import { watchHolders } from '../../src/events/watch-holders.ts';
import type { LogRecord } from '../../src/events/records/log-record.ts';

const BEGIN = { seq: 4, at: { cut: 0, sealed: 0, offset: 0 }, cuts: new Map() };
const mark = (cut: number): LogRecord => ({ kind: 'mark', cut, view: new Map() });
const entry = (offset: number, count = 1): LogRecord => ({ kind: 'entry', offset, count, source: 's' });

/**
 * Pieces of at most `pieceBytes` bytes, of messages of ten bytes each, as `7:mark 1`: the message's offset, what it is, and the
 * cut, the entry's offset and count, or the cut and its void entries.
 */
function piecesOf(messages: string, pieceBytes = 1000) {
  const pieces = createPieces(BEGIN, pieceBytes);
  const problems = messages.split(', ').flatMap((message) => {
    const [, at, kind, numbers = ''] = /^(\d+):(\w+) (.*)$/.exec(message) ?? [];
    const [first = 0, ...more] = numbers.split(' ').map(Number);
    const seal: LogRecord = { kind: 'seal', cut: first, voids: more };
    return (
      pieces.add(kind === 'mark' ? mark(first) : kind === 'entry' ? entry(first, more[0]) : seal, Number(at), 10) ?? []
    );
  });
  pieces.end();
  return { pieces, problems, spans: pieces.ended.map(({ span }) => `${span.from}-${span.to}`) };
}

describe('messages are one piece', () => {
  it('until a cut begins', () => {
    const { spans, pieces } = piecesOf('7:mark 1, 8:entry 0, 9:seal 1, 10:mark 2, 11:entry 1');
    expect(spans).toEqual(['7-10', '10-12']);
    const shown = pieces.ended.map(({ seq, bytes, firstCut, lastCut, marks, seals }) => {
      const [marked, sealed] = [marks, seals].map((all) => all.map(({ cut }) => cut));
      return { seq, bytes, cuts: [firstCut, lastCut], marked, sealed };
    });
    expect(shown).toEqual([
      { seq: 5, bytes: 30, cuts: [1, 1], marked: [1], sealed: [1] },
      { seq: 6, bytes: 20, cuts: [2, 2], marked: [2], sealed: [] },
    ]);
  });

  it('until another’s message lies between them', () => {
    expect(piecesOf('7:mark 1, 8:entry 0, 10:entry 1').spans).toEqual(['7-9', '10-11']);
  });

  it('until it has as many bytes as a piece may have', () => {
    const four = '0:mark 1, 1:entry 0, 2:entry 1, 3:entry 2';
    expect(piecesOf(four, 20).spans).toEqual(['0-2', '2-4']);
    expect(piecesOf(four, 21).spans).toEqual(['0-3', '3-4']);
  });
});

it('a cut is known with its void entries once it is sealed, and what does not follow is refused', () => {
  const { pieces, problems } = piecesOf('0:mark 1, 1:entry 0 3, 2:seal 1 2');
  expect(problems).toEqual([]);
  expect(pieces.cuts.get(1)).toEqual({ cut: 1, view: new Map(), voids: new Set([2]) });
  expect(pieces.at).toEqual({ cut: 1, sealed: 1, offset: 3 });
  expect(piecesOf('0:mark 1, 1:entry 5, 2:entry 4, 3:mark 3').problems).toHaveLength(2);
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

describe('an error of the brokers’ metadata', () => {
  const METADATA = 3;
  const failed = (errorCode: number) => {
    const topics = [
      { name: 'other', topicId: 'o', errorCode: 3 - errorCode, partitions: [] },
      { name: 't', topicId: 'i', errorCode, partitions: [] },
    ];
    return new ResponseError(METADATA, 12, { '/topics/1/partitions/0': [5, null] }, { brokers: [], topics });
  };

  it('has the answer within where the topic itself has no error', () => {
    const error = failed(0);
    expect(answerWithin(error, 't')).toBe(error['response']);
  });

  it.each([
    ['the topic has an error', failed(3), 't'],
    ['the answer is without the topic', failed(0), 'unknown'],
    ['nothing answered', new Error('away'), 't'],
  ])('is thrown where %s', (_, error, topic) => {
    expect(() => answerWithin(error, topic)).toThrow(error);
  });
});
