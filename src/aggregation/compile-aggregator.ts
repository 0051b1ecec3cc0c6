// Compiles a view's windowed features into the loops that fold and read them: groups by hop, parts shared by
// features that need the same partial aggregate, and every place resolved to an offset once.

import { compareTexts, contentHash, floorTo, HeadraceError, type Micros, typeName } from '../core/index.ts';
import type { Aggregation, SourceSpec, ViewSpec } from '../definitions/index.ts';
import type { Aggregator, AggregatorInput, EventColumns, TileGroup, TileRun, TileState } from './aggregator.ts';
import { createReader, createWriter } from './byte-stream.ts';
import { carrierOf } from './input-value.ts';
import type { CompiledOp, Op, Part, PartSpec, Place, ReadRange } from './part.ts';
import { type CellPlace, readRun, writeRun } from './tile-codec.ts';
import { createRun, dropBefore, lowerBound, type TileLayout, tileAt, upperBound } from './tile-run.ts';
import { windowOp } from './window-op.ts';

type WindowAggregation = Exclude<Aggregation, { op: 'latest' }>;

interface WindowFeature {
  readonly window: WindowAggregation;
  /** Index in the view's features. */
  readonly index: number;
  readonly op: Op;
}

interface CompiledFeature extends CompiledOp {
  readonly group: number;
  readonly windowMicros: Micros;
  readonly hopMicros: Micros;
}

interface CompiledGroup {
  readonly layout: TileLayout;
  readonly retentionMicros: Micros;
  readonly parts: readonly Part[];
  readonly cells: readonly CellPlace[];
  /** The parts in order, as the fingerprint has them. */
  readonly names: readonly string[];
}

/** The aggregator of a view's windows; null when it has none. The view and source are of a valid manifest. */
export function compileAggregator(view: ViewSpec, source: SourceSpec): Aggregator | null {
  const inputs: AggregatorInput[] = [];
  const windows: WindowFeature[] = [];
  view.features.forEach(({ aggregation }, index) => {
    if (aggregation.op === 'latest') return;
    const input = aggregation.column === null ? null : inputOf(aggregation.column, source, inputs);
    windows.push({ window: aggregation, index, op: windowOp(aggregation.op, input, aggregation.n ?? 1) });
  });
  if (windows.length === 0) return null;

  // The layout is that of the aggregations, whatever the features' order and names: a view that only reorders or renames
  // them reads the same states.
  inputs.sort((a, b) => (a.column < b.column ? -1 : 1));
  const features: CompiledFeature[] = Array<CompiledFeature>(windows.length);
  const hops = [...new Set(windows.map(({ window }) => window.hopMicros))].sort((a, b) => a - b);
  const groups = hops.map((hopMicros, group) => {
    const members = windows.filter(({ window }) => window.hopMicros === hopMicros);
    const { places, compiled } = layOut(members, hopMicros, inputs);
    for (const { window, op, index } of members) {
      const own = op.parts.map((part) => places.get(partKey(part)) as Place);
      const at = windows.findIndex((candidate) => candidate.index === index);
      features[at] = { ...op.compile(own), group, windowMicros: window.windowMicros, hopMicros };
    }
    return compiled;
  });
  return build(
    inputs,
    groups,
    features,
    windows.map(({ index }) => index),
    windows.some(isOrderSensitive),
  );
}

function isOrderSensitive({ window }: WindowFeature): boolean {
  return window.op === 'first' || window.op === 'last' || window.op === 'lastN';
}

function inputOf(column: string, source: SourceSpec, inputs: AggregatorInput[]): AggregatorInput {
  const existing = inputs.find((input) => input.column === column);
  if (existing !== undefined) return existing;
  const field = source.columns.find(({ name }) => name === column) ?? source.derive.find(({ name }) => name === column);
  if (field === undefined) {
    throw new HeadraceError('HR_INTERNAL', `source "${source.name}" has no column "${column}"`);
  }
  const input = { column, type: field.type };
  inputs.push(input);
  return input;
}

const partKey = ({ name, column }: PartSpec): string => JSON.stringify([name, column]);

function layOut(members: readonly WindowFeature[], hopMicros: Micros, inputs: readonly AggregatorInput[]) {
  const wanted = members.flatMap(({ op }) => op.parts.map((part) => [partKey(part), part] as const));
  const specs = new Map<string, PartSpec>(wanted.toSorted(([a], [b]) => compareTexts(a, b)));
  const identity = Float64Array.from([...specs.values()].flatMap((spec) => spec.identity));
  const cellStride = [...specs.values()].reduce((sum, spec) => sum + spec.cells, 0);
  const layout: TileLayout = { hopMicros, stride: identity.length, cellStride, identity };

  const places = new Map<string, Place>();
  const parts: Part[] = [];
  const cells: CellPlace[] = [];
  let slot = 0;
  let cell = 0;
  for (const [key, spec] of specs) {
    const input = spec.column === null ? -1 : inputs.findIndex(({ column }) => column === spec.column);
    const place = { slot, cell, stride: layout.stride, cellStride, input };
    const part = spec.build(place);
    places.set(key, place);
    parts.push(part);
    for (const [i, codec] of (part.cells ?? []).entries()) cells.push({ cell: cell + i, codec });
    slot += spec.identity.length;
    cell += spec.cells;
  }
  const retentionMicros = Math.max(...members.map(({ window }) => window.windowMicros));
  const compiled: CompiledGroup = { layout, retentionMicros, parts, cells, names: [...specs.keys()] };
  return { places, compiled };
}

function build(
  inputs: readonly AggregatorInput[],
  groups: readonly CompiledGroup[],
  features: readonly CompiledFeature[],
  indexes: readonly number[],
  orderSensitive: boolean,
): Aggregator {
  // States are made by `create`: a run per group.
  const runOf = (state: TileState, group: number) => state[group] as TileRun;
  const groupOf = (group: number) => groups[group] as CompiledGroup;

  const readWith = <T>(
    state: TileState,
    feature: CompiledFeature,
    at: Micros,
    read: (run: TileRun, from: number, to: number) => T,
  ): T => {
    const run = runOf(state, feature.group);
    const to = upperBound(run.starts, run.size, at);
    return read(run, lowerBound(run.starts, to, floorTo(at - feature.windowMicros, feature.hopMicros)), to);
  };

  const out = createWriter();
  const clear = (run: TileRun): void => {
    run.size = 0;
    if (run.cells.length > 0) run.cells.length = 0;
  };

  return {
    inputs,
    groups: groups.map(
      ({ layout, retentionMicros }): TileGroup => ({
        hopMicros: layout.hopMicros,
        retentionMicros,
        slotsPerTile: layout.stride,
        cellsPerTile: layout.cellStride,
      }),
    ),
    features: indexes,
    isOrderSensitive: orderSensitive,
    fingerprint: fingerprintOf(groups, inputs),
    create: () => groups.map(createRun),
    reset(state) {
      for (const run of state) clear(run);
    },
    update(state: TileState, events: EventColumns, row: number) {
      const event = events.eventMicros[row] as number;
      for (let g = 0; g < groups.length; g++) {
        const { layout, parts } = groupOf(g);
        const run = runOf(state, g);
        const tile = tileAt(run, Math.floor(event / layout.hopMicros) * layout.hopMicros, layout);
        for (let p = 0; p < parts.length; p++) (parts[p] as Part).update(run, tile, events, row);
      }
    },
    merge(into, from) {
      for (let g = 0; g < groups.length; g++) {
        const { layout, parts } = groupOf(g);
        const [intoRun, fromRun] = [runOf(into, g), runOf(from, g)];
        for (let tile = 0; tile < fromRun.size; tile++) {
          const intoTile = tileAt(intoRun, fromRun.starts[tile] as number, layout);
          for (const part of parts) part.merge(intoRun, intoTile, fromRun, tile);
        }
      }
    },
    value(state, feature, at) {
      const compiled = features[feature] as CompiledFeature;
      return readWith(state, compiled, at, compiled.read);
    },
    numberReaders: features.map((feature) => {
      const read: ReadRange<number | null> | undefined = feature.readNumber;
      return read === undefined ? undefined : (state: TileState, at: Micros) => readWith(state, feature, at, read);
    }),
    trim(state, at) {
      for (let g = 0; g < groups.length; g++) {
        const { layout, retentionMicros } = groupOf(g);
        dropBefore(runOf(state, g), floorTo(at - retentionMicros, layout.hopMicros), layout);
      }
    },
    encode(state) {
      out.length = 0;
      for (let g = 0; g < groups.length; g++) {
        const { layout, cells } = groupOf(g);
        writeRun(out, runOf(state, g), layout, cells);
      }
      return new Uint8Array(out.bytes.subarray(0, out.length));
    },
    decode(bytes, offset, state) {
      const from = createReader(bytes, offset);
      for (let g = 0; g < groups.length; g++) {
        const { layout, cells } = groupOf(g);
        clear(runOf(state, g));
        readRun(from, runOf(state, g), layout, cells);
      }
      return from.offset;
    },
  };
}

function fingerprintOf(groups: readonly CompiledGroup[], inputs: readonly AggregatorInput[]): string {
  const layout = {
    version: 1,
    inputs: inputs.map(({ column, type }) => [column, typeName(type), carrierOf(type)]),
    // A state kept for a shorter window lacks tiles that a longer one needs.
    groups: groups.map(({ layout: { hopMicros }, names, retentionMicros }) => ({ hopMicros, names, retentionMicros })),
  };
  return contentHash(layout).slice(0, 16);
}
