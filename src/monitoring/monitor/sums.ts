// Increments added up: the totals, whoever keeps them, and what of them fell into the last ten seconds.

import { floorTo, type Micros, MICROS_PER_SECOND } from '../../core/index.ts';
import type { CellId, Increment, NamedCounts, PackedCell } from './increment.ts';
import { addShadow, packShadow, type ShadowTally } from '../shadows/shadow-tally.ts';
import { addCache, type CacheCounts } from './cache-figures.ts';
import { type ModelCounts, modelKey, type NodeStatistics } from './model-figures.ts';
import { addPushes, type PushCounts } from './push-tally.ts';
import { addTally, createTally, isEmpty, type PackedTally, packTally, type Tally, unpackTally } from './tally.ts';

/** Seconds over which rates and recent latencies are taken; the newest is the one under way. */
export const WINDOW_SECONDS = 10;

export interface SummedCell {
  readonly id: CellId;
  /** All but what is in `recent`. */
  readonly settled: Tally;
  /** By second, those of the window. */
  readonly recent: Map<Micros, Tally>;
  readonly errors: Map<string, number>;
  readonly rowErrors: Map<string, number>;
  readonly missing: Map<string, number>;
  breakerOpens: number;
}

export interface SummedModel {
  readonly model: string;
  readonly version: number;
  readonly runs: number;
  readonly rows: number;
  readonly failures: number;
  readonly waitMicros: number;
  readonly refused: ReadonlyMap<string, number>;
  /** By name, of one that is made of others. */
  readonly nodes: ReadonlyMap<string, NodeStatistics>;
}

export interface Sums {
  readonly cells: Map<string, SummedCell>;
  readonly pushes: Map<string, PushCounts>;
  logWritten: number;
  minutesDropped: number;
  readonly turnedAway: Map<string, number>;
  readonly exposures: Map<string, number>;
  readonly logDropped: Map<string, number>;
  readonly models: Map<string, SummedModel>;
  readonly shadows: Map<string, ShadowTally>;
  readonly caches: Map<string, CacheCounts>;
}

export const createSums = (): Sums => ({
  cells: new Map(),
  pushes: new Map(),
  logWritten: 0,
  minutesDropped: 0,
  turnedAway: new Map(),
  exposures: new Map(),
  logDropped: new Map(),
  models: new Map(),
  shadows: new Map(),
  caches: new Map(),
});

export const createSummedCell = (id: CellId): SummedCell => ({
  id,
  settled: createTally(),
  recent: new Map(),
  errors: new Map(),
  rowErrors: new Map(),
  missing: new Map(),
  breakerOpens: 0,
});

export function addIncrement(sums: Sums, increment: Increment, now: Micros): void {
  for (const cell of increment.cells) addCell(sums, cell, now);
  addPushes(sums.pushes, increment.pushes);
  sums.logWritten += increment.logWritten;
  sums.minutesDropped += increment.minutesDropped;
  addCounts(sums.turnedAway, increment.turnedAway);
  addCounts(sums.exposures, increment.exposures);
  addCounts(sums.logDropped, increment.logDropped);
  for (const model of increment.models) addModel(sums, model);
  for (const shadow of increment.shadows) addShadow(sums.shadows, shadow);
  for (const cache of increment.caches) addCache(sums.caches, cache);
}

/** The sums as an increment: whoever adds it to nothing has the same sums. */
export function packSums(sums: Sums): Increment {
  return {
    cells: Array.from(sums.cells.values(), packCell),
    pushes: [...sums.pushes],
    logWritten: sums.logWritten,
    minutesDropped: sums.minutesDropped,
    turnedAway: [...sums.turnedAway],
    exposures: [...sums.exposures],
    logDropped: [...sums.logDropped],
    models: Array.from(sums.models.values(), packModel),
    shadows: Array.from(sums.shadows.values(), packShadow),
    caches: [...sums.caches.values()],
  };
}

/** All that was counted. */
export function totalOf({ settled, recent }: SummedCell): Tally {
  const total = createTally();
  addTally(total, settled);
  for (const tally of recent.values()) addTally(total, tally);
  return total;
}

/** What was counted in the window that ends now. */
export function recentOf({ recent }: SummedCell, now: Micros): Tally {
  const sum = createTally();
  for (const [second, tally] of recent) if (second >= windowStart(now)) addTally(sum, tally);
  return sum;
}

const windowStart = (now: Micros): Micros => floorTo(now, MICROS_PER_SECOND) - (WINDOW_SECONDS - 1) * MICROS_PER_SECOND;

function addCell(sums: Sums, packed: PackedCell, now: Micros): void {
  const { tallies, errors, rowErrors, missing, breakerOpens, ...id } = packed;
  const key = JSON.stringify(id.kind === 'arm' ? [id.kind, id.name, id.variant, id.version] : [id.kind, id.name]);
  let cell = sums.cells.get(key);
  if (cell === undefined) sums.cells.set(key, (cell = createSummedCell(id)));
  settle(cell, now);
  for (const tally of tallies) addSecond(cell, tally, now);
  addCounts(cell.errors, errors);
  addCounts(cell.rowErrors, rowErrors);
  addCounts(cell.missing, missing);
  cell.breakerOpens += breakerOpens;
}

function settle({ settled, recent }: SummedCell, now: Micros): void {
  const start = windowStart(now);
  for (const [second, tally] of recent) {
    if (second >= start) continue;
    addTally(settled, tally);
    recent.delete(second);
  }
}

function addSecond({ settled, recent }: SummedCell, packed: PackedTally, now: Micros): void {
  const { secondMicros } = packed;
  if (secondMicros === null || secondMicros < windowStart(now)) return addTally(settled, unpackTally(packed));
  const known = recent.get(secondMicros);
  if (known === undefined) recent.set(secondMicros, unpackTally(packed));
  else addTally(known, unpackTally(packed));
}

function packCell({ id, settled, recent, errors, rowErrors, missing, breakerOpens }: SummedCell): PackedCell {
  return {
    ...id,
    tallies: [
      ...(isEmpty(settled) ? [] : [packTally(settled, null)]),
      ...Array.from(recent, ([second, tally]) => packTally(tally, second)),
    ],
    errors: [...errors],
    rowErrors: [...rowErrors],
    missing: [...missing],
    breakerOpens,
  };
}

function packModel({ refused, nodes, ...counts }: SummedModel): ModelCounts {
  return { ...counts, refused: [...refused], ...(nodes.size === 0 ? {} : { nodes: [...nodes.values()] }) };
}

function addModel({ models }: Sums, added: ModelCounts): void {
  const known = models.get(modelKey(added));
  const refused = new Map(known?.refused);
  addCounts(refused, added.refused);
  models.set(modelKey(added), {
    model: added.model,
    version: added.version,
    runs: added.runs + (known?.runs ?? 0),
    rows: added.rows + (known?.rows ?? 0),
    failures: added.failures + (known?.failures ?? 0),
    waitMicros: added.waitMicros + (known?.waitMicros ?? 0),
    refused,
    nodes: addNodes(known?.nodes, added.nodes),
  });
}

const NO_NODES: ReadonlyMap<string, NodeStatistics> = new Map();

function addNodes(known = NO_NODES, added: readonly NodeStatistics[] | undefined): ReadonlyMap<string, NodeStatistics> {
  if (added === undefined) return known;
  const sums = new Map(known);
  for (const one of added) {
    const was = known.get(one.node);
    sums.set(one.node, {
      node: one.node,
      runs: one.runs + (was?.runs ?? 0),
      rows: one.rows + (was?.rows ?? 0),
      failures: one.failures + (was?.failures ?? 0),
      micros: one.micros + (was?.micros ?? 0),
    });
  }
  return sums;
}

function addCounts(into: Map<string, number>, counts: NamedCounts): void {
  for (const [name, count] of counts) into.set(name, (into.get(name) ?? 0) + count);
}
