// Who is taken for dead, by what one process saw of the holders' rows and when, by its own clock.

import { describe, expect, it } from 'vitest';
import { watchHolders } from '../../src/events/kafka/watch-holders.ts';

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
