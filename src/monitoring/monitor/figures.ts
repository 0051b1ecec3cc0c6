// The figures of all processes together, as they are shown: what was counted by endpoint, arm, service, source and model, and
// how the processes stand.

import { compareTexts, type Micros } from '../../core/index.ts';
import { type ShadowFigures, shadowFigures } from '../shadows/shadow-figures.ts';
import type { Readings } from './increment.ts';
import { type CacheCounts, type CacheReading, sumCacheReadings } from './cache-figures.ts';
import { type ModelReading, modelKey } from './model-figures.ts';
import { type PushBacklog, type PushCounts, sumBacklogs } from './push-tally.ts';
import { createSummedCell, recentOf, type SummedCell, type SummedModel, type Sums, totalOf } from './sums.ts';
import type { Tally } from './tally.ts';

export interface Figures {
  /** When the totals began. */
  readonly startMicros: Micros;
  readonly nowMicros: Micros;
  /** By name; each as a whole, then its arms by variant and version. */
  readonly endpoints: readonly EndpointFigures[];
  readonly services: readonly NamedFigures[];
  readonly pushes: readonly (readonly [source: string, counts: PushCounts])[];
  /** By error code. */
  readonly turnedAway: ReadonlyMap<string, number>;
  /** By flag and arm, a space between. */
  readonly exposures: ReadonlyMap<string, number>;
  readonly logWritten: number;
  readonly minutesDropped: number;
  readonly logDropped: readonly (readonly [reason: string, count: number])[];
  readonly models: readonly SummedModel[];
  /** By endpoint and version, those that have a shadow or had one. */
  readonly shadows: readonly ShadowFigures[];
  /** By endpoint, those that have a cache or had one. */
  readonly caches: readonly CacheCounts[];
  readonly processes: ProcessFigures;
}

export interface CellFigures {
  readonly total: Tally;
  readonly recent: Tally;
  readonly errors: ReadonlyMap<string, number>;
  readonly rowErrors: ReadonlyMap<string, number>;
  readonly missing: ReadonlyMap<string, number>;
  /** Of an arm. */
  readonly breakerOpens: number;
}

export interface NamedFigures extends CellFigures {
  readonly name: string;
}

export interface EndpointFigures extends NamedFigures {
  readonly arms: readonly ArmFigures[];
}

export interface ArmFigures extends CellFigures {
  readonly variant: string;
  readonly version: number;
  readonly model: string;
}

/** Sums over the processes that serve; delays are those of the latest one. */
export interface ProcessFigures {
  readonly workers: number;
  readonly ready: number;
  /** By name; false where any of them does not serve what the endpoint's traffic says. */
  readonly endpoints: ReadonlyMap<string, boolean>;
  readonly restarts: number;
  /** When the oldest of them started. */
  readonly startMicros: Micros;
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly inFlight: number;
  readonly inFlightBytes: number;
  readonly loopDelayMicros: Readings['loopDelayMicros'];
  /** Of the busiest. */
  readonly loopUtilization: number;
  readonly logQueued: number;
  readonly logQueuedBytes: number;
  readonly minutesWaiting: number;
  readonly backlog: PushBacklog;
  /** Of the process whose certificate ends first; null without TLS. */
  readonly certificateEndsMicros: Micros | null;
  readonly models: readonly ModelReading[];
  readonly caches: readonly CacheReading[];
}

export interface Counted {
  readonly sums: Sums;
  readonly startMicros: Micros;
  readonly restarts: number;
  readonly readings: readonly Readings[];
}

export function figuresOf({ sums, startMicros, restarts, readings }: Counted, nowMicros: Micros): Figures {
  const cells = [...sums.cells.values()];
  const show = (cell: SummedCell): CellFigures => ({
    total: totalOf(cell),
    recent: recentOf(cell, nowMicros),
    errors: cell.errors,
    rowErrors: cell.rowErrors,
    missing: cell.missing,
    breakerOpens: cell.breakerOpens,
  });
  return {
    startMicros,
    nowMicros,
    endpoints: showEndpoints(cells, show),
    services: cells
      .filter(({ id }) => id.kind === 'service')
      .map((cell) => ({ name: cell.id.name, ...show(cell) }))
      .sort(byName),
    pushes: [...sums.pushes].sort(([a], [b]) => compareTexts(a, b)),
    turnedAway: sums.turnedAway,
    exposures: sums.exposures,
    logWritten: sums.logWritten,
    minutesDropped: sums.minutesDropped,
    logDropped: [...sums.logDropped],
    models: [...sums.models.values()].sort((a, b) => compareTexts(a.model, b.model) || a.version - b.version),
    shadows: Array.from(sums.shadows.values(), shadowFigures).sort(
      (a, b) => compareTexts(a.endpoint, b.endpoint) || a.version - b.version,
    ),
    caches: [...sums.caches.values()].sort((a, b) => compareTexts(a.endpoint, b.endpoint)),
    processes: showProcesses(readings, restarts, startMicros),
  };
}

function showEndpoints(cells: readonly SummedCell[], show: (cell: SummedCell) => CellFigures): EndpointFigures[] {
  const endpoints = new Map<string, { whole: CellFigures; arms: ArmFigures[] }>();
  const of = (name: string): { whole: CellFigures; arms: ArmFigures[] } => {
    let endpoint = endpoints.get(name);
    if (endpoint === undefined)
      endpoints.set(name, (endpoint = { whole: show(createSummedCell({ kind: 'endpoint', name })), arms: [] }));
    return endpoint;
  };
  for (const cell of cells) {
    const { id } = cell;
    if (id.kind === 'endpoint') of(id.name).whole = show(cell);
    if (id.kind === 'arm') {
      const { variant, version, model } = id;
      of(id.name).arms.push({ variant, version, model, ...show(cell) });
    }
  }
  return [...endpoints]
    .map(([name, { whole, arms }]) => ({
      name,
      ...whole,
      arms: arms.sort((a, b) => compareTexts(a.variant, b.variant) || a.version - b.version),
    }))
    .sort(byName);
}

function showProcesses(readings: readonly Readings[], restarts: number, startMicros: Micros): ProcessFigures {
  const sum = (pick: (one: Readings) => number): number => readings.reduce((total, one) => total + pick(one), 0);
  const ends = readings.flatMap(({ certificateEndsMicros }) => certificateEndsMicros ?? []);
  const most = (pick: (one: Readings) => number): number => Math.max(0, ...readings.map(pick));
  return {
    workers: readings.length,
    ready: readings.filter(({ isReady }) => isReady).length,
    endpoints: servedByAll(readings.flatMap(({ endpoints }) => endpoints)),
    restarts,
    startMicros: readings.length === 0 ? startMicros : Math.min(...readings.map((one) => one.startMicros)),
    residentBytes: sum((one) => one.residentBytes),
    heapUsedBytes: sum((one) => one.heapUsedBytes),
    inFlight: sum((one) => one.inFlight),
    inFlightBytes: sum((one) => one.inFlightBytes),
    loopDelayMicros: {
      p50: most((one) => one.loopDelayMicros.p50),
      p99: most((one) => one.loopDelayMicros.p99),
      max: most((one) => one.loopDelayMicros.max),
    },
    loopUtilization: most((one) => one.loopUtilization),
    logQueued: sum((one) => one.logQueued),
    logQueuedBytes: sum((one) => one.logQueuedBytes),
    minutesWaiting: sum((one) => one.minutesWaiting),
    backlog: sumBacklogs(readings.map(({ backlog }) => backlog)),
    certificateEndsMicros: ends.length === 0 ? null : Math.min(...ends),
    models: sumModels(readings.flatMap(({ models }) => models)),
    caches: sumCacheReadings(readings.flatMap(({ caches }) => caches)),
  };
}

function servedByAll(endpoints: Readings['endpoints']): Map<string, boolean> {
  const served = new Map<string, boolean>();
  for (const [name, isServing] of endpoints) served.set(name, isServing && served.get(name) !== false);
  return served;
}

function sumModels(readings: readonly ModelReading[]): ModelReading[] {
  const sums = new Map<string, ModelReading>();
  for (const one of readings) {
    const before = sums.get(modelKey(one));
    sums.set(modelKey(one), {
      ...one,
      queuedRows: one.queuedRows + (before?.queuedRows ?? 0),
      memoryBytes: one.memoryBytes + (before?.memoryBytes ?? 0),
    });
  }
  return [...sums.values()];
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => compareTexts(a.name, b.name);
