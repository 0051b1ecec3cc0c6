// Event logs on real databases and object stores, for tests: each world is a machine's folder, a registry and a store.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, silentLogger, systemClock } from '../../src/core/index.ts';
import { type EventLog, type EventLogOptions, type LogEntry, openEventLog } from '../../src/events/index.ts';
import { type Database, type ObjectStore, openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { numbersSource } from './numbers-source.ts';

export interface EventLogWorld {
  /** The machine's folder of logs. */
  readonly path: string;
  readonly url: string;
  readonly database: Database;
  readonly objects: ObjectStore;
  /** The folder of the object store, when it is one. */
  readonly objectFolder: string;
  /** What was logged, by level. */
  readonly said: { readonly level: string; readonly message: string }[];
  open(options?: Partial<EventLogOptions>): Promise<EventLog>;
  remove(): Promise<void>;
}

export async function eventLogWorld(given: { url?: string; objects?: ObjectStore } = {}): Promise<EventLogWorld> {
  const root = mkdtempSync(join(tmpdir(), 'headrace-events-'));
  const [path, objectFolder] = [join(root, 'log'), join(root, 'objects')];
  mkdirSync(objectFolder);
  const url = given.url ?? `sqlite:${join(root, 'registry.db')}`;
  const database = await openDatabase(url);
  const objects = given.objects ?? openObjectStore(`file:${objectFolder}`);
  const said: EventLogWorld['said'] = [];
  const opened: EventLog[] = [];
  return {
    path,
    url,
    database,
    objects,
    objectFolder,
    said,
    async open(options = {}) {
      const logger = loggerInto(said);
      const log = await openEventLog({ path, database, objects, clock: systemClock, logger, ...options });
      opened.push(log);
      return log;
    },
    async remove() {
      for (const log of opened) await log.close();
      await database.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function loggerInto(said: { level: string; message: string }[]): Logger {
  const at = (level: string) => (_: object, message: string) => void said.push({ level, message });
  return { ...silentLogger, info: at('info'), warn: at('warn'), error: at('error') };
}

/** One row of `numbersSource`. */
export const numberRow = (n: number) => ({ row: { n: BigInt(n), text: `row ${n}`, at: n }, knownMicros: n });

export const numbersOf = (entries: readonly LogEntry[]): number[] =>
  entries.flatMap((entry) => entry.rows(numbersSource).map(({ row }) => Number(row['n'])));
