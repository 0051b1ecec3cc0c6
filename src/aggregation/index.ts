export type { Aggregator, AggregatorInput, EventColumns, InputColumn, TileGroup, TileRun, TileState } from './aggregator.ts';
