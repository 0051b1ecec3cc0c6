// The event log on this machine's disk: a folder for each writer, its lock, and who takes over those of the dead.

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, HeadraceError, type Logger, messageOf, syncPath } from '../../core/index.ts';
import { type Database, type ObjectStore, registryId } from '../../storage/index.ts';
import type { AdoptOptions, EventLog, LogWriter, SeenWriter, WriterRow } from '../event-log.ts';
import { createHeldLogs } from '../held-logs.ts';
import { openLogWriter } from '../log-writer.ts';
import { createReader } from '../read-log.ts';
import { type HolderRow, LEASE_MS, watchHolders } from '../watch-holders.ts';
import type { StandingLog } from './appender.ts';
import { COPIED_PREFIX, logCopied, placeOf, setAside } from './copied-log.ts';
import { type FolderLock, tryLock } from './folder-lock.ts';
import { folderName, listSegments, segmentKey } from './local-segments.ts';
import { copySegments, formerOf, lostRow, noteFormer, noteRegistry, registryOf, restoreRow } from './lost-row.ts';
import { inLogFolder } from './log-folder.ts';
import { ENDED_PREFIX, keepOnDisk, type LogContext } from './keep-on-disk.ts';
import { readShipped } from './read-shipped.ts';
import { NEW_LOG_POSITIONS } from '../records/log-record.ts';
import { recoverLog } from './recover-log.ts';
import { openRemovalTable } from '../tables/removal-table.ts';
import { migrateEventLog } from '../tables/schema.ts';
import { openShippedTable } from '../tables/shipped-table.ts';
import { storeFailed } from './shipping.ts';
import { openWriterTable } from '../tables/writer-table.ts';

export interface EventLogOptions {
  /** This machine's folder of logs; all processes of the machine share it. */
  readonly path: string;
  /** The registry's. */
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A segment that has as many is ended and shipped. */
  readonly segmentBytes?: number;
  /** A holder that nobody heard of for as long counts as dead. */
  readonly leaseMs?: number;
}

const SEGMENT_BYTES = 16 * 1024 ** 2;
/** A folder under this name is not a log yet: its writer may have no row. */
const NEW_PREFIX = '.new-';

/** Throws HR_CONFIG where `path` can't be a folder, HR_STORAGE_FULL, HR_STORAGE_UNAVAILABLE. */
export async function openEventLog(options: EventLogOptions): Promise<EventLog> {
  const { path, objects, clock, logger, segmentBytes = SEGMENT_BYTES, leaseMs = LEASE_MS } = options;
  const database = await migrateEventLog(options.database);
  await inLogFolder(path, () => mkdir(path, { recursive: true }));
  const [writers, shipped] = [openWriterTable(database), openShippedTable(database)];
  const removal = openRemovalTable(database, shipped);
  const context: LogContext = { objects, writers, shipped, clock, logger, segmentBytes, leaseMs };
  const held = createHeldLogs(path);
  const watch = watchHolders(leaseMs);
  const closing = new AbortController();
  const told = new Set<string>();
  /** How the rows of folders that lie elsewhere were seen first. */
  const firstSeen = new Map<string, WriterRow>();

  const once = (id: string, tell: () => void): void => {
    if (!told.has(id)) tell();
    told.add(id);
  };

  // Where it throws, the caller lets the lock go.
  const hold = (row: WriterRow, folder: string, lock: FolderLock, log: StandingLog): LogWriter => {
    held.checkOpen();
    const keeping = keepOnDisk({ row, folder, lock, log, onClose: () => held.delete(writer) }, context);
    const writer = openLogWriter(row, keeping, context);
    held.add(writer);
    return writer;
  };

  /** The row of a folder of this registry; the folder has another name where it was not yet in place, or has got another number. */
  const rowOf = (name: string, rows: readonly WriterRow[]): WriterRow | undefined =>
    rows.find(({ token }) => name.endsWith(`-${token}`));

  /** Puts a folder that is locked to where its row says that it is. */
  const putInPlace = async (name: string, row: WriterRow): Promise<string> => {
    const folder = join(path, folderName(row.number, row.token));
    if (!name.startsWith(NEW_PREFIX)) {
      const former = Number.parseInt(name, 10);
      const [first] = await listSegments(join(path, name));
      await copySegments(row, former, first, { shipped, objects, clock });
      await noteFormer(join(path, name), former);
    }
    // Last of all: until then whoever comes next does it again.
    await rename(join(path, name), folder);
    await syncPath(path);
    return folder;
  };

  const adoptOne = async ({ name, row, place, isInPlace }: FoundLog): Promise<LogWriter | undefined> => {
    let folder = join(path, name);
    const lock = await tryLock(folder);
    if (lock === undefined) return undefined;
    let isHeld = false;
    try {
      if (name !== folderName(row.number, row.token)) folder = await putInPlace(name, row);
      // Read again: it was another's until now. A copy is taken over only as it was seen to stand still.
      const current = await writers.find(row.number);
      if (isInPlace ? current.place === place : isSameBeat(current, row)) {
        const log = await recoverLog(folder, current, { ...context, objects: isInPlace ? undefined : objects });
        const taken = await writers.take(current, place);
        if (taken !== undefined) {
          const writer = hold(taken, folder, lock, { ...log, formerly: await formerOf(folder) });
          isHeld = true;
          return writer;
        }
      }
    } catch (error) {
      const code = error instanceof HeadraceError ? error.code : undefined;
      if (code !== 'HR_LOG_COPIED' && code !== 'HR_LOG_DAMAGED') throw error;
      const reason = code === 'HR_LOG_COPIED' ? logCopied(await setAside(folder)) : error;
      const message = messageOf(reason);
      once(message, () => logger.error({ err: reason, folder, writer: row.number }, message));
    } finally {
      if (!isHeld) lock.release();
    }
    return undefined;
  };

  /** Says of a folder once, on what it waits, and once that it is a copy. */
  const tellOfCopy = ({ name, row }: FoundLog): void => {
    const fields = { folder: join(path, name), writer: row.number };
    const first = firstSeen.get(name) ?? row;
    firstSeen.set(name, first);
    if (isSameBeat(first, row)) {
      const sentence = `the folder of writer ${row.number} is not where it was registered (its machine was restarted, or it is a copy): it is settled once nobody has reported for that writer for ${leaseMs / 1000} s`;
      once(`moved ${name}`, () => logger.info(fields, sentence));
      return;
    }
    const sentence = `the folder of writer ${row.number} is a copy: another process holds that writer (last known on ${row.machine}). This folder is left as it is`;
    once(`copied ${name}`, () => logger.warn(fields, sentence));
  };

  /** Of the folders that are not in their place, those whose writers nobody holds any more. */
  const findDead = async (found: readonly FoundLog[], waits: boolean): Promise<ReadonlySet<number>> => {
    const deadAmong = (rows: readonly WriterRow[]): ReadonlySet<number> => {
      const wanted = new Set(found.map(({ row }) => row.number));
      const seen = rows.filter(({ number }) => wanted.has(number)).map(toHolder);
      return new Set(watch.dead(seen).map(({ writer }) => writer));
    };
    const dead = deadAmong(found.map(({ row }) => row));
    // Clocks differ, so this is a reason to wait, and none to take over.
    const isSilent = ({ name, row }: FoundLog): boolean =>
      clock.nowMicros() - row.seenMicros > leaseMs * 1000 && isSameBeat(firstSeen.get(name) ?? row, row);
    if (!waits || !found.some((one) => !dead.has(one.row.number) && isSilent(one))) return dead;
    await delay(leaseMs + 1, undefined, { signal: closing.signal }).catch(() => {});
    held.checkOpen();
    return deadAmong(await writers.all());
  };

  // Of a process that died, or that the registry failed, before it gave the folder a row; one that is about to holds it.
  const removeUnregistered = async (name: string): Promise<void> => {
    const lock = await tryLock(join(path, name));
    if (lock === undefined) return;
    try {
      if (rowOf(name, await writers.all()) === undefined) await removeEnded(join(path, name));
    } finally {
      lock.release();
    }
  };

  const register = async (seen?: SeenWriter): Promise<LogWriter> => {
    // Locked before it has a row: whoever sees the row finds it held.
    const { token, fresh, lock } = await makeFolder(path);
    try {
      await noteRegistry(fresh, await registryId(database));
      await syncPath(path);
      const machine = hostname();
      const place = await placeOf(fresh);
      const row = await writers.register({ token, machine, atMicros: clock.nowMicros(), place }, seen);
      const folder = join(path, folderName(row.number, token));
      await rename(fresh, folder);
      await syncPath(path);
      return hold(row, folder, lock, {
        positions: NEW_LOG_POSITIONS,
        cuts: new Map(),
        last: { seq: 0, bytes: 0 },
        local: [],
      });
    } catch (error) {
      lock.release();
      throw error;
    }
  };

  /** The number and token of a folder without a row, where it is this registry's, which has lost the row. */
  const lostLog = async (name: string): Promise<{ readonly number: number; readonly token: string } | undefined> => {
    const [, number, token] = /^(\d+)-([0-9a-f]+)$/.exec(name) ?? [];
    if (token === undefined || (await registryOf(join(path, name))) !== (await registryId(database))) return undefined;
    return { number: Number(number), token };
  };

  /** Another writer has the number of a folder's log: gives the row of its new one. Undefined while its process lives. */
  const renumber = async (
    name: string,
    token: string,
    seen: NonNullable<AdoptOptions['seen']>,
  ): Promise<WriterRow | undefined> => {
    const folder = join(path, name);
    const lock = await tryLock(folder);
    if (lock === undefined) return undefined;
    try {
      const place = await placeOf(folder);
      const own = { token, machine: hostname(), atMicros: clock.nowMicros(), place };
      const row = await writers.register(own, await seen());
      logger.error(
        { writer: row.number, folder },
        `the registry has lost commits: another writer has the number of the event log in ${folder}, which is that of writer ${row.number} from now on. What it took counts`,
      );
      return row;
    } finally {
      lock.release();
    }
  };

  const foundAt = async (name: string, row: WriterRow): Promise<FoundLog> => {
    // Another process may be removing it.
    const place = await placeOf(join(path, name)).catch(() => undefined);
    return { name, row, place, isInPlace: place !== undefined && place === row.place };
  };

  /** Lists the folders of writers that are not forgotten. Removes what is left of forgotten ones, or logs why it can't. */
  const findLogs = async (seen: NonNullable<AdoptOptions['seen']>): Promise<FoundLog[]> => {
    const entries = await inLogFolder(path, () => readdir(path, { withFileTypes: true }));
    const rows = await writers.all();
    const found: FoundLog[] = [];
    for (const { name } of entries.filter((entry) => entry.isDirectory())) {
      const folder = join(path, name);
      const row = rowOf(name, rows);
      if (name.startsWith(ENDED_PREFIX)) await removeEnded(folder);
      else if (name.startsWith(COPIED_PREFIX)) {
        const error = logCopied(folder);
        once(error.message, () => logger.error({ err: error, folder }, error.message));
      } else if (row === undefined && name.startsWith(NEW_PREFIX)) await removeUnregistered(name);
      else if (row === undefined) {
        const lost = await lostLog(name);
        if (lost === undefined) {
          once(name, () =>
            logger.warn({ folder }, 'a folder of the event log is not of this registry; it is left alone'),
          );
          continue;
        }
        const [first] = await listSegments(folder);
        const back = lostRow({ ...lost, machine: hostname(), place: null }, clock.nowMicros());
        // One whose row is back is settled by a later look, if nobody reports for its writer until then.
        if (await restoreRow(back, first, { writers, shipped, objects, clock, logger })) continue;
        const given = await renumber(name, lost.token, seen);
        if (given !== undefined) found.push(await foundAt(name, given));
      } else if (row.state !== 'forgotten' && !held.has(row.number)) {
        found.push(await foundAt(name, row));
      }
    }
    return found;
  };

  const adopt = async ({ waits = false, seen }: AdoptOptions): Promise<LogWriter[]> => {
    const adopted: LogWriter[] = [];
    const adoptAll = async (found: readonly FoundLog[]): Promise<void> => {
      for (const one of found) {
        const writer = await adoptOne(one);
        if (writer !== undefined) adopted.push(writer);
      }
    };
    try {
      const found = await findLogs(async () => seen?.());
      await adoptAll(found.filter(({ isInPlace }) => isInPlace));
      const moved = found.filter(({ isInPlace }) => !isInPlace);
      const dead = await findDead(moved, waits);
      for (const one of moved) if (!dead.has(one.row.number)) tellOfCopy(one);
      await adoptAll(moved.filter(({ row }) => dead.has(row.number)));
      return adopted;
    } catch (error) {
      await Promise.all(adopted.map((writer) => writer.close()));
      throw error;
    }
  };

  return {
    renumbers: true,
    renumber: (log, seen) => writers.renumber(log, seen),
    register: (seen) => held.whileOpen(() => register(seen)),
    noteLost: (seen) => writers.noteLost(seen, clock.nowMicros()),
    adopt: (how = {}) => held.whileOpen(() => adopt(how)),
    writers: () => writers.all(),
    read: createReader(writers, shipped, (row, segments, range) => {
      const elsewhere = segments.find(({ span }) => span !== undefined);
      if (elsewhere !== undefined) throw liesInTopic(row.number);
      return readShipped({ objects, shipped }, { writer: row.number, token: row.token }, segments, range);
    }),
    waiting: () => shipped.waiting(),
    contents: () => removal.contents(),
    async forget(number) {
      const { token } = await writers.find(number);
      const folder = join(path, folderName(number, token));
      const names = await inLogFolder(path, () => readdir(path));
      const isHere = names.includes(folderName(number, token));
      const lock = isHere ? await tryLock(folder) : undefined;
      if (isHere && lock === undefined) {
        const sentence = `writer ${number} lives on this machine, or is being settled; end its process, then it is settled by itself`;
        throw new HeadraceError('HR_CONFLICT', sentence);
      }
      try {
        await writers.forget(number);
      } finally {
        lock?.release();
      }
    },
    async remove(through) {
      for (const { writer, token, seqs } of await removal.markRemoved(through)) {
        for (const seq of seqs) {
          const key = segmentKey(writer, token, seq);
          await objects.remove(key).catch((error: unknown) => {
            throw storeFailed(error, key);
          });
        }
        await removal.dropRemoved(writer, Math.max(...seqs));
      }
    },
    close() {
      closing.abort();
      return held.close();
    },
  };
}

/** A log's folder as it was found. */
interface FoundLog {
  readonly name: string;
  readonly row: WriterRow;
  readonly place: string | undefined;
  /** It is the very folder that its holder registered, on a machine that was not restarted since. */
  readonly isInPlace: boolean;
}

const toHolder = ({ number, holder, seenMicros }: WriterRow): HolderRow => ({
  writer: number,
  holder,
  beat: seenMicros,
  state: 'held',
});

function isSameBeat(a: WriterRow, b: WriterRow): boolean {
  return a.holder === b.holder && a.seenMicros === b.seenMicros;
}

/** Of a log that was on disk once, or is, in a registry whose other logs are not. */
function liesInTopic(writer: number): HeadraceError {
  return new HeadraceError(
    'HR_CONFIG',
    `the events of writer ${writer} lie in a Kafka topic: set pushLog.topic and pushLog.brokers, as they were when it took them.`,
  );
}

const MOST_TRIES = 3;

/** A folder that no row names yet, locked. */
async function makeFolder(path: string): Promise<{ token: string; fresh: string; lock: FolderLock }> {
  for (let tries = 1; ; tries++) {
    const token = randomBytes(6).toString('hex');
    const fresh = join(path, `${NEW_PREFIX}${token}`);
    await inLogFolder(path, () => mkdir(fresh));
    const lock = await tryLock(fresh);
    if (lock !== undefined) return { token, fresh, lock };
    // Another process may have taken it for what a dead one left, in the moment before the lock.
    if (tries === MOST_TRIES) throw new HeadraceError('HR_INTERNAL', `the new event log at ${fresh} is locked already`);
  }
}

// Its own process may be at it too, and win.
async function removeEnded(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true }).catch(() => {});
}
