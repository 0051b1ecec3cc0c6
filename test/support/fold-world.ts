// Records made by hand for tests of folding and reading: parts folded by the product's folder, bases packed as a run packs
// them, and a directory that knows the runs it is given.

import { encodeOrder, type Micros, type Row } from '../../src/core/index.ts';
import {
  type LatestRow,
  type OpenedRow,
  packBase,
  type RecordDirectory,
  type StoredRecord,
  type ViewCodec,
  type ViewEvent,
} from '../../src/online/index.ts';
import { foldIntoTiles, winnerOf } from '../../src/online/records/fold-events.ts';

/** A row's event at a place in the log, or of a file. */
export function eventOf(codec: ViewCodec, row: Row, place?: { writer: number; offset: number }): ViewEvent {
  const { source } = codec;
  const created = source.columns.find(({ name }) => name === source.createdOrder);
  const eventMicros = row[source.eventTime] as Micros;
  const known = source.knownTime.kind === 'column' ? row[source.knownTime.column] : eventMicros;
  return {
    eventMicros,
    knownMicros: Math.max(eventMicros, typeof known === 'number' ? known : eventMicros),
    order: encodeOrder(created && { type: created.type, value: row[created.name] ?? null }, place),
    values: codec.eventColumns.map((column) => row[column] ?? null),
    ...(source.tombstone !== undefined && row[source.tombstone] === true ? { deleted: true } : {}),
  };
}

/** A base of these events as a run packs it: known by `asOf` folded, the others waiting. */
export function baseOf(codec: ViewCodec, run: number, asOf: Micros, events: readonly ViewEvent[]): Uint8Array {
  const known = events.filter(({ knownMicros }) => knownMicros <= asOf);
  const winner = winnerOf(known);
  const latest: LatestRow | null =
    winner === undefined || codec.latestColumns.length === 0
      ? null
      : { ...winner, values: codec.latestPlaces.map((place) => winner.values[place] ?? null) };
  const tiles = known.length === 0 ? null : (codec.aggregator?.create() ?? null);
  if (tiles !== null) foldIntoTiles(codec, known, tiles);
  return packBase(codec, run, asOf, { latest, tiles, waiting: events.filter(({ knownMicros }) => knownMicros > asOf) });
}

export const recordOf = (parts: Partial<StoredRecord>): StoredRecord => ({ base: undefined, parts: [], ...parts });

export function runRow(number: number, more: Partial<OpenedRow> = {}): OpenedRow {
  return {
    number,
    view: 'v',
    version: 'v@1',
    state: 'finished',
    proposed: -Infinity,
    boundary: -Infinity,
    coverage: { floor: 0, cuts: new Map() },
    asOf: 0,
    token: '',
    carriesWaiting: true,
    fingerprint: '',
    isFull: true,
    since: 0,
    askedMicros: 0,
    finishedMicros: 0,
    counts: null,
    error: null,
    ...more,
  };
}

/** Knows these runs, and that there are no others. */
export function directoryOf(rows: readonly OpenedRow[]): RecordDirectory {
  return {
    run: (number) => rows.find((row) => row.number === number) ?? null,
    schema: () => null,
    load: async () => {},
    lastFinished: () => undefined,
    refresh: async () => {},
  };
}
