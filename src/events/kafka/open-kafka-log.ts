// The event log in a Kafka topic: a partition for each writer that lives. Any machine settles the logs of dead ones, for any
// machine can read them. What lies on disk from before, or in the object store, is read and settled as ever.

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { HeadraceError, messageOf } from '../../core/index.ts';
import type { BrokerAddress } from '../../storage/index.ts';
import type { EventLog, LogWriter, SeenWriter, WriterRow } from '../event-log.ts';
import { createHeldLogs } from '../held-logs.ts';
import { openLease } from '../lease.ts';
import { fenced, openLogWriter } from '../log-writer.ts';
import { createReader } from '../read-log.ts';
import { type EventLogOptions, openEventLog } from '../segments/open-event-log.ts';
import { readShipped } from '../segments/read-shipped.ts';
import { openRemovalTable } from '../tables/removal-table.ts';
import { migrateEventLog } from '../tables/schema.ts';
import { openShippedTable } from '../tables/shipped-table.ts';
import { openWriterTable } from '../tables/writer-table.ts';
import { LEASE_MS, watchHolders } from '../watch-holders.ts';
import { keepInTopic, type TopicContext } from './keep-in-topic.ts';
import { packKey, packSession } from './log-message.ts';
import { closedAppender, createPartitionAppender, type Session, transactionalIdOf } from './partition-appender.ts';
import { openPartitionTable, type PartitionRow } from './partition-table.ts';
import { createPieces, type Pieces } from './pieces.ts';
import { nextEpoch, produce } from './produce.ts';
import { readPieces } from './read-pieces.ts';
import { knownPieces, recoverPartition } from './recover-partition.ts';
import { removeSpans } from './remove-spans.ts';
import { openTopics } from './topics.ts';

export interface KafkaLogOptions extends EventLogOptions {
  readonly brokers: BrokerAddress;
  readonly topic: string;
  /** How many partitions the topic is made with. */
  readonly partitions: number;
  /** This machine's name; its host name when left out. */
  readonly machine?: string;
  /** How long brokers that are away are waited for. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 15_000;
const PIECE_BYTES = 16 * 1024 ** 2;

/** Throws as `openEventLog` does. No broker is asked before the log is used. */
export async function openTopicLog(options: KafkaLogOptions): Promise<EventLog> {
  const { objects, clock, logger, topic, segmentBytes: pieceBytes = PIECE_BYTES } = options;
  const { machine = hostname(), leaseMs = LEASE_MS, patienceMs = PATIENCE_MS } = options;
  const database = await migrateEventLog(options.database);
  const onDisk = await openEventLog(options);
  const [writers, shipped] = [openWriterTable(database), openShippedTable(database)];
  const [removal, partitions] = [openRemovalTable(database, shipped), openPartitionTable(database, writers)];
  const context: TopicContext = { writers, shipped, partitions, clock, logger };
  const topics = openTopics(options.brokers, patienceMs);
  const held = createHeldLogs(`topic "${topic}"`);
  const watch = watchHolders(leaseMs);
  const damaged = new Set<number>();
  const closing = new AbortController();

  const hold = (
    row: WriterRow,
    place: PartitionRow,
    pieces: Pieces,
    session: { readonly begun: Session; readonly batchBytes: number } | undefined,
  ): LogWriter => {
    held.checkOpen();
    const { number: writer, token, holder } = row;
    const reads = topics.reads(place.topic);
    const lease = openLease({ writer, leaseMs, logger, beat: () => partitions.beat(writer, holder) });
    const { confirm, confirmIfStale } = lease;
    const appender =
      session === undefined
        ? closedAppender(pieces)
        : createPartitionAppender({
            link: reads.link,
            partition: place.partition,
            owner: { writer, token, holder },
            session: session.begun,
            batchBytes: session.batchBytes,
            pieces,
            patienceMs,
            confirm,
            confirmIfStale,
          });
    const onClose = (): void => held.delete(opened);
    const keeping = keepInTopic({ row, partition: place.partition, reads, pieces, appender, lease, onClose }, context);
    const opened = openLogWriter(row, keeping, context);
    held.add(opened);
    return opened;
  };

  /** Fences every holder before; resolves once the broker refuses them. Throws HR_CONFLICT, HR_STORAGE_UNAVAILABLE. */
  const beginSession = async (row: WriterRow, place: PartitionRow): Promise<Session> => {
    const { link, retrying } = topics.reads(place.topic);
    const { number: writer, token, holder } = row;
    const key = packKey({ writer, token, holder });
    return retrying(async () => {
      const epoch = await nextEpoch(link, transactionalIdOf(place.topic, place.partition));
      // After the epoch was taken: who takes the log over from now on has a later one.
      if (!(await partitions.beat(writer, holder))) throw fenced(writer);
      const first = { key, value: packSession({ kind: 'session', keep: null }) };
      const produced = await produce(link, place.partition, epoch, 0, [first]);
      if (produced.kind === 'fenced') throw fenced(writer);
      if (produced.kind !== 'kept') throw produced.thrown;
      return { ...epoch, sequence: 1, next: produced.offset + 1 };
    });
  };

  const letGo = async ({ number, holder }: WriterRow, state: 'left' | 'done'): Promise<void> => {
    await partitions.letGo(number, holder, state).catch((error: unknown) => {
      logger.warn({ writer: number, reason: messageOf(error) }, 'the registry does not learn that a log was let go');
    });
  };

  const register = async (seen?: SeenWriter): Promise<LogWriter> => {
    const found = await topics.ours(topic, options.partitions);
    const token = randomBytes(6).toString('hex');
    const { row, place } = await partitions.register(
      { token, machine, atMicros: clock.nowMicros() },
      seen,
      { topic, topicId: found.id },
      (taken) => choose(found.leaders, taken, topic),
    );
    try {
      await topics.checkOurs(place, writers);
      const begun = await beginSession(row, place);
      if (!(await partitions.began(row.number, row.holder, begun.next - 1))) throw fenced(row.number);
      const pieces = createPieces({ seq: 0, at: { cut: 0, sealed: 0, offset: 0 }, cuts: new Map() }, pieceBytes);
      return hold(row, place, pieces, { begun, batchBytes: found.batchBytes });
    } catch (error) {
      // It took no push: it ends here, and its partition is free.
      const news = { seenMicros: clock.nowMicros(), cut: 0, shipped: 0, logged: 0, state: 'ended' as const };
      const isTold = await writers.tell(row, news).catch(() => false);
      await letGo(row, isTold ? 'done' : 'left');
      throw error;
    }
  };

  const settleOne = async (seen: PartitionRow): Promise<LogWriter | undefined> => {
    const row = await partitions.take(seen);
    if (row === undefined) return undefined;
    try {
      const place = (await partitions.find(row.number)) ?? seen;
      const { known, next } = await knownPieces(shipped, row, place);
      // One that has ended is read alone: its partition may be another's by now.
      if (row.state !== 'open') return hold(row, place, createPieces(known, pieceBytes), undefined);
      const { batchBytes } = await topics.known(place);
      const begun = await beginSession(row, place);
      if (!(await partitions.began(row.number, row.holder, begun.next - 1))) throw fenced(row.number);
      const span = { from: next ?? begun.next - 1, to: begun.next - 1 };
      const pieces = await recoverPartition(topics.reads(place.topic), { row, place, known }, span, pieceBytes);
      return hold(row, place, pieces, { begun, batchBytes });
    } catch (error) {
      await letGo(row, 'left');
      if (!(error instanceof HeadraceError) || error.code !== 'HR_LOG_DAMAGED') throw error;
      damaged.add(row.number);
      logger.error({ err: error, writer: row.number }, error.message);
      return undefined;
    }
  };

  /** Logs that someone is to settle, as they are seen now. */
  const unsettled = async (): Promise<PartitionRow[]> => {
    const rows = new Map((await writers.all()).map((row) => [row.number, row]));
    return (await partitions.all()).filter(
      ({ writer, state }) =>
        state !== 'done' && !held.has(writer) && !damaged.has(writer) && rows.get(writer)?.state !== 'forgotten',
    );
  };

  /** Throws HR_STOPPING when it is closed meanwhile. */
  const waitALease = async (): Promise<void> => {
    await delay(leaseMs + 1, undefined, { signal: closing.signal }).catch(() => {});
    held.checkOpen();
  };

  const findDead = async (): Promise<readonly PartitionRow[]> => {
    try {
      const seen = await unsettled();
      const dead = watch.dead(seen);
      // Who has just begun to watch waits once, where it looks as if somebody were dead.
      const isSilent = ({ seenMicros }: WriterRow): boolean => clock.nowMicros() - seenMicros > leaseMs * 500;
      const hinted = new Set((await writers.all()).filter(isSilent).map(({ number }) => number));
      const isWaited = seen.some((row) => row.state === 'held' && hinted.has(row.writer) && watch.isNew(row));
      if (!isWaited) return dead;
      await waitALease();
      return watch.dead(await unsettled());
    } catch (error) {
      // Holders could not tell of themselves either.
      watch.forgetAll();
      throw error;
    }
  };

  const adopt: EventLog['adopt'] = async (how) => {
    const adopted: LogWriter[] = [];
    try {
      for (const seen of await findDead()) {
        const writer = await settleOne(seen);
        if (writer !== undefined) adopted.push(writer);
      }
      adopted.push(...(await onDisk.adopt(how)));
      return adopted;
    } catch (error) {
      await Promise.all(adopted.map((writer) => writer.close()));
      throw error;
    }
  };

  const livesHere = async (seen: PartitionRow): Promise<boolean> => {
    if (held.has(seen.writer)) return true;
    if (seen.state !== 'held') return false;
    await waitALease();
    const now = await partitions.find(seen.writer);
    return now?.state === 'held' && now.beat !== seen.beat;
  };

  return {
    renumbers: false,
    renumber: async () => false,
    register: (seen) => held.whileOpen(() => register(seen)),
    noteLost: (seen) => writers.noteLost(seen, clock.nowMicros()),
    adopt: (how) => held.whileOpen(() => adopt(how)),
    writers: () => writers.all(),
    read: createReader(writers, shipped, async function* (row, segments, range) {
      const objectsOf = segments.filter(({ span }) => span === undefined);
      yield* readShipped({ objects, shipped }, { writer: row.number, token: row.token }, objectsOf, range);
      const pieces = segments.flatMap(({ seq, lastCut, span }) => (span === undefined ? [] : [{ seq, lastCut, span }]));
      const place = pieces.length === 0 ? undefined : await partitions.find(row.number);
      if (place === undefined) return;
      await topics.known(place);
      const isRemoved = ({ seq }: { readonly seq: number }) => shipped.isRemoved(row.number, seq);
      yield* readPieces<(typeof pieces)[number]>(
        { ...topics.reads(place.topic), row, partition: place.partition, isRemoved },
        pieces,
      );
    }),
    waiting: () => shipped.waiting(),
    contents: () => removal.contents(),
    async forget(number) {
      const [row, place] = [await writers.find(number), await partitions.find(number)];
      if (place === undefined) return onDisk.forget(number);
      if (row.machine === machine && row.state === 'open' && (await livesHere(place))) {
        const sentence = `writer ${number} lives on this machine, or is being settled; end its process, then it is settled by itself`;
        throw new HeadraceError('HR_CONFLICT', sentence);
      }
      await writers.forget(number);
      if (row.state === 'open') await partitions.forget(number);
    },
    async remove(through) {
      await removeSpans({ database, removal, topics, objects, through });
    },
    async close() {
      closing.abort();
      await held.close();
      await onDisk.close();
      await topics.close();
    },
  };
}

/** Any partition with a leader that is free: at random, so that the brokers share the work. */
function choose(leaders: readonly number[], taken: ReadonlySet<number>, topic: string): number {
  const free = leaders.flatMap((leader, partition) => (taken.has(partition) ? [] : [{ leader, partition }]));
  const led = free.filter(({ leader }) => leader >= 0);
  const one = led[Math.floor(Math.random() * led.length)];
  if (one !== undefined) return one.partition;
  if (free.length > 0)
    throw new HeadraceError(
      'HR_STORAGE_UNAVAILABLE',
      `no free partition of topic "${topic}", where the event log lies, has a leader now`,
    );
  throw new HeadraceError(
    'HR_STORAGE_UNAVAILABLE',
    `all ${leaders.length} partitions of topic "${topic}", where the event log lies, are taken by writers that take pushes or are not settled (headrace log list). Add partitions to the topic, at least one for each worker: kafka-topics.sh --alter --topic ${topic} --partitions ${2 * leaders.length}`,
  );
}
