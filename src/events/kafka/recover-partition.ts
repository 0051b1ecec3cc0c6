// A dead holder's log as it stands in its partition, up to the first message of the session that fenced it: what is there by
// then counts, what comes later the broker refuses.

import type { WriterRow } from '../event-log.ts';
import { NEW_LOG_POSITIONS } from '../records/log-record.ts';
import type { LogSpan, ShippedTable } from '../tables/shipped-table.ts';
import { partitionDamaged } from './log-errors.ts';
import { type MessageRecord, readMessage } from './log-message.ts';
import { createPieces, type KnownPieces, type Pieces } from './pieces.ts';
import type { PartitionRow } from './partition-table.ts';
import { type PartitionMessage, type PartitionReads, readPartition, SpanGone } from './read-partition.ts';

interface Read {
  readonly offset: number;
  readonly bytes: number;
  readonly record: MessageRecord;
}

/** What the registry knows of it, and where in the partition that ends. */
export async function knownPieces(
  shipped: ShippedTable,
  { number }: Pick<WriterRow, 'number'>,
  { fromOffset }: Pick<PartitionRow, 'fromOffset'>,
): Promise<{ readonly known: KnownPieces; readonly next: number | null }> {
  const last = await shipped.last(number);
  const cuts = new Map((await shipped.cuts(number)).map((cut) => [cut.cut, cut]));
  return {
    known: { seq: last?.seq ?? 0, at: last?.end ?? NEW_LOG_POSITIONS, cuts },
    next: last?.span?.to ?? fromOffset,
  };
}

/** Throws HR_LOG_DAMAGED, HR_STORAGE_UNAVAILABLE. */
export async function recoverPartition(
  reads: PartitionReads,
  { row, place, known }: { readonly row: WriterRow; readonly place: PartitionRow; readonly known: KnownPieces },
  span: LogSpan,
  pieceBytes: number,
): Promise<Pieces> {
  const { partition, topic } = place;
  const damaged = (offset: number, what: string) =>
    partitionDamaged({ writer: row.number, topic, partition }, offset, what);
  const pieces = createPieces(known, pieceBytes);
  let highest = 0;

  const read = ({ offset, key, value }: PartitionMessage): Read | undefined => {
    const message = readMessage(key, value);
    if (typeof message === 'string') throw damaged(offset, message);
    const { writer, token, holder, record } = message;
    if (writer !== row.number || token !== row.token) throw damaged(offset, `a message of writer ${writer}-${token}`);
    // Of a holder that was gone by then; the broker lets none in, unless it forgot the fence.
    if (holder < highest) return undefined;
    highest = holder;
    return { offset, bytes: value?.length ?? 0, record };
  };
  const add = ({ offset, bytes, record }: Read): void => {
    if (record.kind === 'session') return pieces.end();
    const problem = pieces.add(record, offset, bytes);
    if (problem !== undefined) throw damaged(offset, problem);
  };

  /** The last batch: a session that begins after it may say that it is void. */
  let pending: readonly Read[] = [];
  try {
    for await (const batch of readPartition(reads, partition, span)) {
      const messages = batch.flatMap((message) => read(message) ?? []);
      const [first] = messages;
      if (first === undefined) continue;
      const kept = first.record.kind === 'session' ? first.record.keep : null;
      const isVoid = kept !== null && kept.to <= (pending[0]?.offset ?? 0);
      if (!isVoid) pending.forEach(add);
      const { cut, sealed, offset } = pieces.at;
      if (kept !== null && (kept.cut !== cut || kept.sealed !== sealed || kept.offset !== offset)) {
        const what = `a session that goes on at cut ${kept.cut}, offset ${kept.offset}, after what ends at cut ${cut}, offset ${offset}`;
        throw damaged(first.offset, what);
      }
      pending = messages;
    }
  } catch (error) {
    if (error instanceof SpanGone) throw damaged(error.offset, 'the message is missing');
    throw error;
  }
  pending.forEach(add);
  if (pieces.at.cut < row.cut)
    throw damaged(span.to, `it ends in cut ${pieces.at.cut}, the registry knows of cut ${row.cut}`);
  return pieces;
}
