// Which of the rows that tie in both times is the first or the last, where only some of them have an order of their own.

import { describe, expect, it } from 'vitest';
import type { Aggregator } from '../../src/aggregation/aggregator.ts';
import { compileAggregator } from '../../src/aggregation/compile-aggregator.ts';
import { encodeOrder, type RowPlace } from '../../src/core/index.ts';
import type { SourceSpec, ViewSpec } from '../../src/definitions/index.ts';
import { toEventColumns } from '../support/event-columns.ts';

const text = { kind: 'string' } as const;
const source = {
  name: 's',
  kind: 'parquet',
  location: {},
  columns: [{ name: 'c', type: text }],
  derive: [],
  eventTime: 'e',
  knownTime: { kind: 'after', micros: 0 },
  pushes: 'keep',
} as const satisfies SourceSpec;
const view: ViewSpec = {
  name: 'v',
  entity: 'x',
  source: 's',
  keyColumns: [],
  ttlMicros: null,
  freshness: { kind: 'live' },
  features: (['first', 'last'] as const).map((op) => ({
    name: op,
    type: text,
    aggregation: { op, column: 'c', windowMicros: 1000, hopMicros: 1000 },
  })),
};

interface Placed {
  readonly value: string;
  readonly at: number;
  /** Where the row lies in the log; left out for a row of a file. */
  readonly place?: RowPlace;
}

/** First and last of rows that were fed in this order, in one state or in two that were merged. */
function firstAndLast(rows: readonly Placed[], later: readonly Placed[] = []): readonly unknown[] {
  const aggregator = compileAggregator(view, source) as Aggregator; // the view has windows
  const folded = (some: readonly Placed[]) => {
    const events = some.map(({ value, at }) => ({ eventMicros: at, knownMicros: at, values: { c: value } }));
    const orders = some.map(({ place }) => encodeOrder(undefined, place));
    const state = aggregator.create();
    const columns = { ...toEventColumns(aggregator.inputs, events), orders };
    some.forEach((_, row) => aggregator.update(state, columns, row));
    return state;
  };
  const state = folded(rows);
  if (later.length > 0) aggregator.merge(state, folded(later));
  return [0, 1].map((feature) => aggregator.value(state, feature, 999));
}

const pushed = (offset: number): RowPlace => ({ writer: 1, offset });

describe('of rows that tie', () => {
  it('those of a file come before all that were pushed, whatever was fed first', () => {
    const rows = [
      { value: 'file', at: 5 },
      { value: 'one', at: 5, place: pushed(1) },
      { value: 'two', at: 5, place: pushed(2) },
    ] as const satisfies Placed[];
    for (const fed of [rows, rows.toReversed()]) {
      expect(firstAndLast(fed)).toEqual(['file', 'two']);
      expect(firstAndLast(fed.slice(0, 1), fed.slice(1))).toEqual(['file', 'two']);
    }
  });

  it('the order of a row that was displaced says nothing of the row that displaced it', () => {
    // Of a greater place than any that ties later on, and of another time.
    const displaced = { value: 'early', at: 1, place: pushed(900) };
    const rows = [
      { value: 'file', at: 5 },
      { value: 'pushed', at: 5, place: pushed(1) },
    ];
    expect(firstAndLast([displaced, ...rows])).toEqual(['early', 'pushed']);
    expect(firstAndLast([displaced], rows)).toEqual(['early', 'pushed']);
    expect(firstAndLast([displaced, ...rows.slice(0, 1)], rows.slice(1))).toEqual(['early', 'pushed']);
    const late = { value: 'late', at: 9, place: pushed(0) };
    expect(firstAndLast([late, ...rows.toReversed()])).toEqual(['file', 'late']);
  });
});
