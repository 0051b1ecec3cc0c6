// A base as bytes: the number of the run that wrote it, then what it folds of the run's facts.

import type { Micros } from '../../core/index.ts';
import type { TileState } from '../../aggregation/index.ts';
import { ByteWriter, readFloat64 } from './bytes.ts';
import { writeFold } from './fold.ts';
import type { PackedRow } from './row-codec.ts';
import type { ViewCodec } from './view-codec.ts';
import { packWaiting, type ViewEvent } from './waiting-events.ts';

/** What `latest` features are read from: the winner by (event, known, order). */
export interface LatestRow extends PackedRow {
  readonly order: Uint8Array;
}

/** A key's facts as a run computed them; all empty for a key that has none any more. */
export interface BaseState {
  readonly latest: LatestRow | null;
  readonly tiles: TileState | null;
  /** Facts known only after `asOf`, where the run carries them. */
  readonly waiting?: readonly ViewEvent[];
}

/** Where a base's fold begins. */
export const BASE_FOLD = 8;

const writer = new ByteWriter();

/** `asOf`: the known time up to which facts are folded. The tiles may be reused as soon as this returns. */
export function packBase(codec: ViewCodec, run: number, asOf: Micros, state: BaseState): Uint8Array {
  const { latest, tiles, waiting = [] } = state;
  const { aggregator, tilesFingerprint } = codec;
  const waitingBytes = packWaiting(codec, waiting);
  const hasFacts = latest !== null || tiles !== null || waitingBytes !== undefined;
  writer.reset();
  writer.float64(run);
  writeFold(writer, {
    stamp: asOf,
    row: latest === null ? undefined : { order: latest.order, row: { codec: codec.rowCodec, values: latest } },
    // A key that has facts has tiles, empty ones too: without them a reader could not tell none from never counted.
    tiles:
      aggregator === null || !hasFacts
        ? undefined
        : { fingerprint: tilesFingerprint, bytes: aggregator.encode(tiles ?? aggregator.create()) },
    waiting: waitingBytes,
  });
  return writer.take();
}

/** The run that wrote a base. */
export function runOfBase(base: Uint8Array): number {
  return readFloat64(base, 0);
}
