// Event logs on real databases and object stores, for tests: each world is a machine's folder, a registry and a store.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, silentLogger, systemClock } from '../../src/core/index.ts';
import { ListOffsetTimestamps } from '@platformatic/kafka';
import type { EventLog, KafkaEventLogOptions, LogEntry } from '../../src/events/index.ts';
import { type Database, type ObjectStore, openDatabase, openObjectStore } from '../../src/storage/index.ts';
import type { KafkaServer } from './kafka-server.ts';
import { type LogTopic, openLogAt } from './log-places.ts';
import { numbersSource } from './numbers-source.ts';

export type EventLogWorld = Awaited<ReturnType<typeof eventLogWorld>>;

export interface GivenWorld {
  readonly url?: string;
  readonly objects?: ObjectStore;
  /** Where the logs lie; on disk when left out. */
  readonly topic?: { readonly kafka: Pick<KafkaServer, 'broker' | 'admin'>; readonly name: string };
}

/** Short, for tests that wait for it. */
export const LEASE_MS = 1500;

/** `path` is the machine's folder of logs, `objectFolder` the object store's where it is one, `said` what was logged. */
export async function eventLogWorld(given: GivenWorld = {}) {
  const root = mkdtempSync(join(tmpdir(), 'headrace-events-'));
  const [path, objectFolder] = [join(root, 'log'), join(root, 'objects')];
  mkdirSync(objectFolder);
  const url = given.url ?? `sqlite:${join(root, 'registry.db')}`;
  const database = await openDatabase(url);
  const objects = given.objects ?? openObjectStore(`file:${objectFolder}`);
  const said: { readonly level: string; readonly message: string }[] = [];
  const opened: EventLog[] = [];
  return {
    path,
    url,
    database,
    objects,
    objectFolder,
    said,
    async open(options: Partial<KafkaEventLogOptions> = {}): Promise<EventLog> {
      const logger = loggerInto(said);
      const all = { path, database, objects, clock: systemClock, logger, ...options };
      const log = await openLogAt(given.topic === undefined ? undefined : placeOf(given.topic), all);
      opened.push(log);
      return log;
    },
    /** How many shipped segments are kept, objects or spans of the topic's partitions. */
    async kept(): Promise<number> {
      if (given.topic === undefined) return (await Array.fromAsync(objects.list('events/'))).length;
      return keptSpans(database, given.topic);
    },
    async remove() {
      for (const log of opened) await log.close();
      await database.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

const placeOf = ({ kafka, name }: NonNullable<GivenWorld['topic']>): LogTopic => ({
  broker: kafka.broker,
  name,
  partitions: 4,
  leaseMs: LEASE_MS,
});

async function keptSpans(database: Database, { kafka, name }: NonNullable<GivenWorld['topic']>): Promise<number> {
  const rows = await database
    .tables<{ event_segments: Record<string, number>; event_partitions: Record<string, number> }>()
    .selectFrom('event_segments')
    .innerJoin('event_partitions', 'event_partitions.writer', 'event_segments.writer')
    .select(['partition', 'log_from'])
    .execute();
  const admin = kafka.admin();
  try {
    let kept = 0;
    for (const { partition = 0, log_from: from = 0 } of rows) {
      const partitions = [{ partitionIndex: partition, timestamp: ListOffsetTimestamps.EARLIEST }];
      const [found] = await admin.listOffsets({ topics: [{ name, partitions }] });
      if (from >= Number(found?.partitions[0]?.offset ?? 0n)) kept++;
    }
    return kept;
  } finally {
    await admin.close();
  }
}

function loggerInto(said: { level: string; message: string }[]): Logger {
  const at = (level: string) => (_: object, message: string) => void said.push({ level, message });
  return { ...silentLogger, info: at('info'), warn: at('warn'), error: at('error') };
}

/** One row of `numbersSource`. */
export const numberRow = (n: number) => ({ row: { n: BigInt(n), text: `row ${n}`, at: n }, knownMicros: n });

export const numbersOf = (entries: readonly LogEntry[]): number[] =>
  entries.flatMap((entry) => entry.rows(numbersSource).map(({ row }) => Number(row['n'])));
