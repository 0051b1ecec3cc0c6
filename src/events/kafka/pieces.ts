// A log's messages as pieces: each of one session and one cut at most, for that is how the registry finds them, and how
// retention lets go of them.

import type { CutRecord } from '../event-log.ts';
import type { LogRecord, Positions } from '../records/log-record.ts';
import { createSumming, type Summing } from '../records/log-summary.ts';
import type { LogSpan, ShippedSummary } from '../tables/shipped-table.ts';

/** Messages that are in the partition and not told to the registry yet. */
export interface Piece extends ShippedSummary {
  readonly seq: number;
  readonly span: LogSpan;
}

export interface Pieces {
  /** Where the log stands. */
  readonly at: Positions;
  /** By number, with what is told of those before. */
  readonly cuts: ReadonlyMap<number, CutRecord>;
  /** Ended ones, oldest first; `shipped` takes them out. */
  readonly ended: readonly Piece[];
  /** The one that grows, as it is now; undefined where it holds nothing. */
  growing(): Piece | undefined;
  /** Adds the message at an offset of the partition; a sentence says why it can't follow what came before. */
  add(record: LogRecord, offset: number, bytes: number): string | undefined;
  /** Ends the piece that grows. */
  end(): void;
  shipped(piece: Piece): void;
}

/** What the registry knows of the log. */
export interface KnownPieces {
  readonly seq: number;
  readonly at: Positions;
  readonly cuts: ReadonlyMap<number, CutRecord>;
}

export function createPieces(known: KnownPieces, pieceBytes: number): Pieces {
  const cuts = new Map(known.cuts);
  let { seq, at } = known;
  let ended: Piece[] = [];
  let current: { readonly from: number; to: number; bytes: number; readonly summing: Summing } | undefined;

  const growing = (): Piece | undefined => {
    if (current === undefined) return undefined;
    const { from, to, bytes, summing } = current;
    return { seq: seq + 1, span: { from, to }, bytes, ...summing.summary() };
  };
  const end = (): void => {
    const piece = growing();
    if (piece === undefined) return;
    ended = [...ended, piece];
    seq = piece.seq;
    current = undefined;
  };

  return {
    get at() {
      return at;
    },
    cuts,
    get ended() {
      return ended;
    },
    growing,
    add(record, offset, bytes) {
      const isOther = record.kind === 'mark' || current?.to !== offset || current.bytes >= pieceBytes;
      if (isOther) end();
      current ??= { from: offset, to: offset, bytes: 0, summing: createSumming(at) };
      const problem = current.summing.add(record);
      if (problem !== undefined) return problem;
      at = current.summing.at;
      current.to = offset + 1;
      current.bytes += bytes;
      if (record.kind === 'mark') cuts.set(record.cut, { cut: record.cut, view: record.view, voids: undefined });
      if (record.kind === 'seal') {
        const opened = cuts.get(record.cut);
        if (opened !== undefined) cuts.set(record.cut, { ...opened, voids: new Set(record.voids) });
      }
      return undefined;
    },
    end,
    shipped(piece) {
      ended = ended.filter((one) => one !== piece);
    },
  };
}
