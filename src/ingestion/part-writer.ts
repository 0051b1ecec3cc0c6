// Writes parts to the store, each node's in a lane of their own: while one node is away, what lies on the others is
// written all the same. A write whose node is away for long is given up, where its caller set a limit.

import { type Clock, HeadraceError, type Logger, type Micros, systemClock } from '../core/index.ts';
import type { LogWriter } from '../events/index.ts';
import { LOG_MARKS, numberBefore, type PartWrite, type StoreWriter } from '../online/index.ts';
import { nodeOrUnknown } from './node-lane.ts';
import { createPartLane, type PartLane } from './part-lane.ts';
import type { Part } from './part-table.ts';

export interface PartWriter {
  /** Resolves once the parts' present folds are in the store. Rejects with why not when a node was given up. */
  write(parts: Iterable<Part>): Promise<void>;
  /** Why a node of the store does not take what it was sent last; undefined when all do. */
  readonly failure: unknown;
  /** Gives up what is not written: it is written again when the log is settled. */
  close(): void;
}

export interface PartWriterOptions {
  /** How long a node may fail before the writes that wait for it are dropped and reject; for ever when left out. */
  readonly giveUpMs?: number;
  /** Says for how long events of a part are not known yet. */
  readonly clock?: Clock;
  /** Called once, when the store has refused parts: whatever is written from then on is refused here. */
  readonly onRefused?: (refused: readonly PartWrite[]) => void;
}

export function createPartWriter(
  store: Pick<StoreWriter, 'putParts' | 'nodeOf'>,
  { holder, token }: Pick<LogWriter, 'holder' | 'token'>,
  logger: Logger,
  { giveUpMs = Number.POSITIVE_INFINITY, clock = systemClock, onRefused }: PartWriterOptions = {},
): PartWriter {
  const lanes = new Map<string, PartLane>();
  // Of all lanes: a part may come from one into another.
  let n = numberBefore(token);
  let isClosed = false;
  let refusal: Error | undefined;

  const nodeOf = ({ entity, key }: Part): string => nodeOrUnknown(() => store.nodeOf(entity, key));

  const laneOf = (node: string): PartLane => {
    let lane = lanes.get(node);
    if (lane === undefined) {
      const isElsewhere = (part: Part): boolean => nodeOf(part) !== node;
      lane = createPartLane(node, { put, isElsewhere, redirect: write, giveUpMs, logger });
      if (isClosed) lane.close(refusal);
      lanes.set(node, lane);
    }
    return lane;
  };

  const put = async (parts: readonly Part[]): Promise<Error | undefined> => {
    const now = clock.nowMicros();
    const refused = await store.putParts(parts.map((part) => writeOf(part, holder, (n += LOG_MARKS), now)));
    const [first] = refused ?? [];
    if (refused === undefined || first === undefined) return undefined;
    if (refusal === undefined) {
      refusal = numberTaken(first.writer);
      isClosed = true;
      for (const lane of lanes.values()) lane.close(refusal);
      onRefused?.(refused);
    }
    return refusal;
  };

  const write = (parts: Iterable<Part>): Promise<void> => {
    const byNode = new Map<string, Part[]>();
    for (const part of parts) {
      const node = nodeOf(part);
      const its = byNode.get(node);
      if (its === undefined) byNode.set(node, [part]);
      else its.push(part);
    }
    const written = [...byNode].map(([node, its]) => laneOf(node).write(its));
    const [only] = written;
    return only !== undefined && written.length === 1 ? only : Promise.all(written).then(() => {});
  };

  return {
    write,
    get failure() {
      for (const { failure } of lanes.values()) if (failure !== undefined) return failure;
      return undefined;
    },
    close() {
      isClosed = true;
      for (const lane of lanes.values()) lane.close();
    },
  };
}

// Member by member: a spread takes several times as long.
function writeOf(part: Part, holder: number, n: number, now: Micros): PartWrite {
  const { entity, key, version, writer, cut, boundary, fold, lastKnown } = part;
  part.n = n;
  const waitsMs = lastKnown > now ? Math.ceil((lastKnown - now) / 1000) : undefined;
  // Only parts that were folded are written.
  return { entity, key, version, writer, cut, boundary, fold: fold as Uint8Array, holder, n, waitsMs };
}

/** The error of a push whose parts the store refuses: what is logged counts once, under the number that the writer has next. */
export function numberTaken(writer: number): HeadraceError {
  const sentence = `the online store refuses the parts of writer ${writer}, because another writer has its number: this server registers a new one. What was logged is seen once that is done; repeat the push only with its Idempotency-Key.`;
  return new HeadraceError('HR_ONLINE_UNAVAILABLE', sentence);
}
