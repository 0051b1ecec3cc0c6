// Entries of pieces, from the partition that they lie in: of each only its span is fetched.

import type { LogEntry, WriterRow } from '../event-log.ts';
import { toEntry } from '../records/log-record.ts';
import type { LogSpan } from '../tables/shipped-table.ts';
import { partitionDamaged } from './log-errors.ts';
import { readMessage } from './log-message.ts';
import { type PartitionReads, readPartition, SpanGone } from './read-partition.ts';

export interface ReadablePiece {
  /** Of all its entries. */
  readonly lastCut: number;
  readonly span: LogSpan;
}

export interface PieceReads<P> extends PartitionReads {
  readonly row: Pick<WriterRow, 'number' | 'token'>;
  readonly partition: number;
  /** Whether the piece, which is not there, was removed for good. */
  isRemoved(piece: P): Promise<boolean>;
}

/** Void ones too. Throws HR_LOG_DAMAGED, HR_STORAGE_UNAVAILABLE. */
export async function* readPieces<P extends ReadablePiece>(
  reads: PieceReads<P>,
  pieces: readonly P[],
): AsyncGenerator<LogEntry> {
  const { row, partition, link, isRemoved } = reads;
  for (const piece of pieces) {
    const place = { writer: row.number, topic: link.topic, partition, shippedCut: piece.lastCut };
    let highest = 0;
    try {
      for await (const batch of readPartition(reads, partition, piece.span)) {
        for (const { offset, key, value } of batch) {
          const message = readMessage(key, value);
          if (typeof message === 'string') throw partitionDamaged(place, offset, message);
          const { writer, token, holder, record, body } = message;
          if (writer !== row.number || token !== row.token)
            throw partitionDamaged(place, offset, `a message of writer ${writer}-${token}`);
          if (holder < highest) continue;
          highest = holder;
          if (record.kind === 'entry') yield toEntry(writer, piece.lastCut, record, body);
        }
      }
    } catch (error) {
      if (!(error instanceof SpanGone)) throw error;
      // Removed since the pieces were listed.
      if (!(await isRemoved(piece))) throw partitionDamaged(place, error.offset, 'the message is missing');
    }
  }
}
