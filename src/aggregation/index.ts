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
export {
  addToSketch as addToDistinct,
  createSketch as createDistinct,
  estimate as estimateDistinct,
  mergeSketch as mergeDistinct,
  type Sketch as DistinctSketch,
} from './hyper-log-log.ts';
export { EXACT_DISTINCT } from './ops/count-distinct.ts';
