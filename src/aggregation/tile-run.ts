// One key's tiles of one hop: finding, making and dropping them. Events come mostly in order of time, so the newest
// tile is looked at first.

import type { TileRun } from './aggregator.ts';

/** How a run's tiles are laid out, and what an empty one holds. */
export interface TileLayout {
  readonly hopMicros: number;
  readonly stride: number;
  readonly cellStride: number;
  /** `stride` slots of a tile without events. */
  readonly identity: Float64Array;
}

export function createRun(): TileRun {
  return { size: 0, starts: new Float64Array(0), slots: new Float64Array(0), cells: [] };
}

/** Makes room for `size` tiles, keeping those there. */
export function reserveTiles(run: TileRun, size: number, { stride }: TileLayout): void {
  if (size <= run.starts.length) return;
  const capacity = Math.max(size, run.starts.length * 2, 4);
  const starts = new Float64Array(capacity);
  starts.set(run.starts.subarray(0, run.size));
  const slots = new Float64Array(capacity * stride);
  slots.set(run.slots.subarray(0, run.size * stride));
  run.starts = starts;
  run.slots = slots;
}

/** The index of the tile that starts at `start`, made empty where there was none. */
export function tileAt(run: TileRun, start: number, layout: TileLayout): number {
  const { size } = run;
  const newest = size === 0 ? -Infinity : (run.starts[size - 1] as number);
  if (start === newest) return size - 1;
  const at = start > newest ? size : lowerBound(run.starts, size, start);
  if (at < size && run.starts[at] === start) return at;
  reserveTiles(run, size + 1, layout);
  const { stride, cellStride } = layout;
  if (at < size) {
    run.starts.copyWithin(at + 1, at, size);
    run.slots.copyWithin((at + 1) * stride, at * stride, size * stride);
    shiftCells(run.cells, at * cellStride, cellStride);
  }
  run.starts[at] = start;
  for (let s = 0; s < stride; s++) run.slots[at * stride + s] = layout.identity[s] as number;
  run.size = size + 1;
  return at;
}

// Cells past the end are undefined as it is.
function shiftCells(cells: unknown[], from: number, by: number): void {
  if (cells.length <= from) return;
  for (let c = cells.length - 1; c >= from; c--) cells[c + by] = cells[c];
  for (let c = from; c < from + by; c++) cells[c] = undefined;
}

export function setCell({ cells }: TileRun, at: number, value: unknown): void {
  while (cells.length < at) cells.push(undefined);
  cells[at] = value;
}

/** Drops the tiles that start before `start`. */
export function dropBefore(run: TileRun, start: number, { stride, cellStride }: TileLayout): void {
  const { size } = run;
  if (size === 0 || (run.starts[0] as number) >= start) return;
  const dropped = lowerBound(run.starts, size, start);
  run.starts.copyWithin(0, dropped, size);
  run.slots.copyWithin(0, dropped * stride, size * stride);
  run.cells.splice(0, dropped * cellStride);
  run.size = size - dropped;
}

/** The first index below `size` whose start is not before `start`; `size` when there is none. */
export function lowerBound(starts: Float64Array, size: number, start: number): number {
  let from = 0;
  let to = size;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((starts[middle] as number) < start) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The first index below `size` whose start is after `at`; `size` when there is none. */
export function upperBound(starts: Float64Array, size: number, at: number): number {
  if (size === 0 || (starts[size - 1] as number) <= at) return size;
  let from = 0;
  let to = size;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((starts[middle] as number) <= at) from = middle + 1;
    else to = middle;
  }
  return from;
}
