// One worker's figures as plain data, which travel to the worker that is asked, and their sum over all workers.

import type { Micros } from '../../core/index.ts';
import { type PredictionLogCounters, sumLogs } from '../prediction-log/prediction-log.ts';
import { type PushBacklog, type PushCounts, sumBacklogs, sumPushes } from './push-tally.ts';
import type { Cell } from './recorder.ts';
import { addTally, createTally, type PackedTally, packTally, type Tally, unpackTally } from './tally.ts';

export interface MonitorState {
  readonly startMicros: Micros;
  readonly residentBytes: number;
  readonly log: PredictionLogCounters;
  /** By source. */
  readonly pushes: Readonly<Record<string, PushCounts>>;
  readonly backlog: PushBacklog;
  readonly cells: readonly PackedCell[];
}

export interface PackedCell {
  readonly endpoint: string;
  readonly variant: string | null;
  readonly total: PackedTally;
  readonly recent: PackedTally;
  readonly missing: Readonly<Record<string, number>>;
}

export interface MergedState {
  readonly workers: number;
  /** Of the worker that has run longest. */
  readonly startMicros: Micros;
  readonly residentBytes: number;
  readonly log: PredictionLogCounters;
  readonly pushes: ReadonlyMap<string, PushCounts>;
  readonly backlog: PushBacklog;
  /** By endpoint name, sorted; each as a whole, then its variants. */
  readonly endpoints: ReadonlyMap<string, MergedEndpoint>;
}

export interface MergedEndpoint {
  readonly whole: MergedCell;
  readonly variants: ReadonlyMap<string, MergedCell>;
}

export interface MergedCell {
  readonly total: Tally;
  readonly recent: Tally;
  readonly missing: Map<string, number>;
}

export function packCell({ endpoint, variant, total, recent, missing }: Cell): PackedCell {
  return {
    endpoint,
    variant,
    total: packTally(total),
    recent: packTally(recent()),
    missing: Object.fromEntries([...missing].map(([feature, { count }]) => [feature, count])),
  };
}

/** The sum of the workers' figures, in whatever order they come. */
export function mergeStates(states: readonly MonitorState[]): MergedState {
  const endpoints = new Map<string, { whole: MergedCell; variants: Map<string, MergedCell> }>();
  const cells = states.flatMap((state) => state.cells);
  for (const packed of cells.toSorted(byNames)) {
    let endpoint = endpoints.get(packed.endpoint);
    if (endpoint === undefined)
      endpoints.set(packed.endpoint, (endpoint = { whole: createMerged(), variants: new Map() }));
    let cell = packed.variant === null ? endpoint.whole : endpoint.variants.get(packed.variant);
    if (cell === undefined) endpoint.variants.set(packed.variant ?? '', (cell = createMerged()));
    addTally(cell.total, unpackTally(packed.total));
    addTally(cell.recent, unpackTally(packed.recent));
    for (const [feature, count] of Object.entries(packed.missing))
      cell.missing.set(feature, (cell.missing.get(feature) ?? 0) + count);
  }
  const sum = (pick: (state: MonitorState) => number): number =>
    states.reduce((total, state) => total + pick(state), 0);
  return {
    workers: states.length,
    startMicros: Math.min(...states.map((state) => state.startMicros)),
    residentBytes: sum((state) => state.residentBytes),
    log: sumLogs(states.map((state) => state.log)),
    pushes: sumPushes(states.map((state) => state.pushes)),
    backlog: sumBacklogs(states.map((state) => state.backlog)),
    endpoints,
  };
}

const createMerged = (): MergedCell => ({ total: createTally(), recent: createTally(), missing: new Map() });

function byNames(a: PackedCell, b: PackedCell): number {
  const [left, right] = [`${a.endpoint}\0${a.variant ?? ''}`, `${b.endpoint}\0${b.variant ?? ''}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
