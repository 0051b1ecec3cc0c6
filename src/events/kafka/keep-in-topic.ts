// Where a log lies in a partition: every machine can read it there from the first, so that shipping is telling the registry
// which offsets hold which cuts. The holder's beat keeps others from taking it over.

import { type Clock, type Logger, messageOf } from '../../core/index.ts';
import type { LogEntry, WriterRow } from '../event-log.ts';
import type { Lease } from '../lease.ts';
import { fenced, type LogKeeping } from '../log-writer.ts';
import type { ShippedTable } from '../tables/shipped-table.ts';
import type { WriterTable } from '../tables/writer-table.ts';
import type { PartitionAppender } from './partition-appender.ts';
import type { PartitionTable } from './partition-table.ts';
import type { Pieces } from './pieces.ts';
import { readPieces, type ReadablePiece } from './read-pieces.ts';
import type { PartitionReads } from './read-partition.ts';

export interface TopicContext {
  readonly writers: WriterTable;
  readonly shipped: ShippedTable;
  readonly partitions: PartitionTable;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface HeldPartition {
  readonly row: WriterRow;
  readonly partition: number;
  readonly reads: PartitionReads;
  readonly pieces: Pieces;
  readonly appender: PartitionAppender;
  readonly lease: Lease;
  onClose(): void;
}

export function keepInTopic(held: HeldPartition, context: TopicContext): LogKeeping {
  const { row, partition, reads, pieces, appender, lease, onClose } = held;
  const { writers, shipped, partitions, clock, logger } = context;
  const { number: writer, holder } = row;
  let shipping: Promise<void> = Promise.resolve();

  const shipAll = async (): Promise<void> => {
    for (const piece of pieces.ended) {
      // One that is the holder no more must not say what lies where: the next one counts its pieces by itself.
      const isTold = await shipped.add(writer, piece.seq, piece, clock.nowMicros(), (trx) =>
        partitions.beat(writer, holder, trx),
      );
      if (!isTold) throw fenced(writer);
      pieces.shipped(piece);
    }
  };

  async function* entries(from: number, to: number): AsyncGenerator<LogEntry> {
    const growing = pieces.growing();
    // In this order: a piece that is shipped meanwhile is in one of the lists, and in one alone.
    const here = growing === undefined ? pieces.ended : [...pieces.ended, growing];
    const first = Math.max(from, (await writers.find(writer)).removed + 1);
    const there = await shipped.holding(writer, { from: first, to, before: here[0]?.seq });
    const wanted = here.filter(({ lastCut }) => lastCut !== undefined && lastCut >= first && lastCut <= to);
    const isRemoved = async ({ seq }: { readonly seq: number }): Promise<boolean> => shipped.isRemoved(writer, seq);
    const readable = [...there, ...wanted].flatMap(({ seq, span, lastCut }) =>
      span === undefined || lastCut === undefined ? [] : [{ seq, span, lastCut }],
    );
    yield* readPieces<ReadablePiece & { readonly seq: number }>({ ...reads, row, partition, isRemoved }, readable);
  }

  return {
    cuts: pieces.cuts,
    get isTaken() {
      return lease.isLost || appender.isFenced;
    },
    called: appender.called,
    durable: appender.durable,
    add: appender.add,
    // What was acknowledged is in it; what is under way goes to the next.
    rotate: async () => pieces.end(),
    ship() {
      const work = shipping.then(shipAll);
      shipping = work.catch(() => {});
      return work;
    },
    entries,
    async close() {
      await appender.close();
      await shipping;
    },
    async letGo(isEnded) {
      lease.end();
      await partitions.letGo(writer, holder, isEnded ? 'done' : 'left').catch((error: unknown) => {
        // Then it is taken over once nobody has heard of it for a while.
        logger.warn({ writer, reason: messageOf(error) }, 'the registry does not learn that a log was let go');
      });
      onClose();
    },
  };
}
