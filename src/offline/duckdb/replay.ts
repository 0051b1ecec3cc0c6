// The replay: the tiles that online stores, folded event by event as they became visible, and shown at each spine row.

import type { Aggregator, TileState } from '../../aggregation/index.ts';
import { HeadraceError, type Micros } from '../../core/index.ts';
import type { EventStream } from './event-stream.ts';

export interface ReplaySink {
  /**
   * A spine row's turn: `state` is its key's, as at `at`; read it at once. `isRepeat` when it is the same key, time and
   * state as at the row before.
   */
  spineRow(row: number, at: Micros, state: TileState, isRepeat: boolean): void;
  /** After each chunk, for what must be waited for. */
  chunkEnd?(): Promise<void>;
}

/** Events between two looks at whether a state has grown long: each makes one tile a hop at the most. */
const TRIM_EVERY = 64;

/** How many tiles beyond what its windows see a state may hold before it is trimmed. */
const SLACK_TILES = 64;

/** Runs a stream through an aggregator. Errors of `spineRow` name the key where they are HR_INTEGER_OVERFLOW. */
export async function replay(
  stream: EventStream,
  aggregator: Aggregator,
  sink: ReplaySink,
  viewName: string,
): Promise<void> {
  const state = aggregator.create();
  const mostTiles = aggregator.groups.map(
    ({ retentionMicros, hopMicros }) => (retentionMicros / hopMicros + 2) * 2 + SLACK_TILES,
  );
  let key = -1;
  let untrimmed = 0;
  let spineAt = Number.NaN;
  for await (const chunk of stream.chunks()) {
    const { size, keys, isSpine, eventMicros, knownMicros, rows } = chunk;
    for (let i = 0; i < size; i++) {
      if (keys[i] !== key) {
        key = keys[i] as number;
        aggregator.reset(state);
        spineAt = Number.NaN;
      }
      if (isSpine[i] === 0) {
        aggregator.update(state, chunk, i);
        spineAt = Number.NaN;
        if (++untrimmed === TRIM_EVERY) {
          untrimmed = 0;
          trimLongRuns(state, aggregator, mostTiles, knownMicros[i] as number);
        }
        continue;
      }
      const at = eventMicros[i] as number;
      try {
        sink.spineRow(rows[i] as number, at, state, at === spineAt);
      } catch (error) {
        throw await naming(error, viewName, () => stream.describeKey(key));
      }
      spineAt = at;
    }
    if (sink.chunkEnd !== undefined) await sink.chunkEnd();
  }
}

// What is visible now was known now: no spine row to come looks from earlier.
function trimLongRuns(state: TileState, aggregator: Aggregator, mostTiles: readonly number[], now: Micros): void {
  for (let g = 0; g < mostTiles.length; g++) {
    if ((state[g]?.size ?? 0) > (mostTiles[g] as number)) return aggregator.trim(state, now);
  }
}

async function naming(error: unknown, viewName: string, describeKey: () => Promise<string>): Promise<unknown> {
  if (!(error instanceof HeadraceError) || error.code !== 'HR_INTEGER_OVERFLOW') return error;
  return new HeadraceError(error.code, `view "${viewName}", key ${await describeKey()}: ${error.message}`, {
    cause: error,
  });
}
