// A view `v` of windows over one source without a key, and its aggregator.

import { type Aggregator, compileAggregator, type TileState } from '../../src/aggregation/index.ts';
import type { DataType } from '../../src/core/index.ts';
import type { FeatureSpec, SourceSpec, ViewSpec } from '../../src/definitions/index.ts';
import { toEventColumns } from './event-columns.ts';
import type { WindowEvent } from './window-oracle.ts';

export const windowSource = (columns: Readonly<Record<string, DataType>>): SourceSpec => ({
  name: 's',
  kind: 'parquet',
  location: {},
  columns: Object.entries(columns).map(([name, type]) => ({ name, type })),
  derive: [],
  eventTime: 'e',
  knownTime: { kind: 'after', micros: 0 },
  pushes: 'keep',
});

export const windowView = (features: readonly FeatureSpec[]): ViewSpec => ({
  name: 'v',
  entity: 'x',
  source: 's',
  keyColumns: [],
  ttlMicros: null,
  features,
  freshness: { kind: 'live' },
});

/** The features have windows. */
export const aggregatorOf = (
  columns: Readonly<Record<string, DataType>>,
  features: readonly FeatureSpec[],
): Aggregator => compileAggregator(windowView(features), windowSource(columns)) as Aggregator;

/** A state that these rows were added to, in their order. */
export function folded(
  aggregator: Aggregator,
  arrived: readonly WindowEvent[],
  orders?: Parameters<Aggregator['update']>[1]['orders'],
): TileState {
  const state = aggregator.create();
  const columns = { ...toEventColumns(aggregator.inputs, arrived), ...(orders !== undefined && { orders }) };
  arrived.forEach((_, row) => aggregator.update(state, columns, row));
  return state;
}
