export type {
  Aggregator,
  AggregatorInput,
  EventColumns,
  InputColumn,
  TileGroup,
  TileRun,
  TileState,
} from './aggregator.ts';
export { compileAggregator } from './compile-aggregator.ts';
export { exactSum } from './exact-sum.ts';
export { EXACT_DISTINCT } from './ops/count-distinct.ts';
