// The embedded online store: LMDB, which server workers and the command line share by memory map. Reads are synchronous
// and take no lock; a write is one transaction under the lock of all processes. It is one node, named `lmdb`.

import type { Clock } from '../../core/index.ts';
import type { OnlineStore } from '../online-store.ts';
import { createClaims } from './claims.ts';
import { openEnvironment } from './environment.ts';
import { toStoreError } from './lmdb-errors.ts';
import { openLmdbRun, readMark } from './lmdb-run.ts';
import { createKeptNotes } from './kept-notes.ts';
import { openLmdbWriter } from './lmdb-writer.ts';
import { NODE } from './node.ts';
import { createPassingTime, machineClock, type SteadyClock } from './passing-time.ts';
import { createRecords } from './records.ts';
import { createRowReader, TakerFailure } from './row-reader.ts';
import { scanRecords } from './scan-records.ts';
import { joinNotes, otherRegistry } from '../store-notes.ts';
import { createStoreKeys } from './store-keys.ts';
import { sweep } from './sweep.ts';

export interface LmdbOptions {
  readonly path: string;
  readonly project: string;
  readonly clock: Clock;
  /** The store refuses to grow past this size; default 64 GiB. */
  readonly mapSizeBytes?: number;
  /** What a power loss may take at most, but for claims and marks, which it never takes; default 500. */
  readonly checkpointMs?: number;
  /** What claims' retention is counted by; default the machine's. */
  readonly steadyClock?: SteadyClock;
}

const DEFAULT_LIMIT = 64 * 1024 ** 3;

/** Throws HR_ONLINE_UNAVAILABLE when the folder can't be made or opened, HR_STORAGE_FULL when its disk is full. */
export function openLmdbStore({
  path,
  project,
  clock,
  mapSizeBytes = DEFAULT_LIMIT,
  checkpointMs = 500,
  steadyClock = machineClock(),
}: LmdbOptions): OnlineStore {
  const environment = openEnvironment(path, mapSizeBytes, checkpointMs);
  const keys = createStoreKeys(project);
  const records = createRecords(environment.db, keys);
  const readRows = createRowReader(environment.db, keys, records);
  const time = createPassingTime(environment.db, keys.passingTime(), steadyClock);
  const claims = createClaims(environment.db, keys, time);
  const notes = createKeptNotes(environment.db, keys.notes(), path);

  /** The registry that it is read for, and whether it was another's when that was looked at last. */
  let expected: string | undefined;
  let isOther = false;
  const refuseOther = (): void => {
    if (!isOther) return;
    const { registry } = notes.read();
    isOther = registry !== undefined && registry !== expected;
    if (isOther) throw otherRegistry(registry as string, expected as string, path);
  };

  return {
    read(refs) {
      try {
        environment.fresh();
        refuseOther();
        return refs.map(records.read);
      } catch (error) {
        throw toStoreError(error, path);
      }
    },
    readRows(wanted, rows, taker) {
      try {
        environment.fresh();
        refuseOther();
        readRows(wanted, rows, taker);
      } catch (error) {
        throw error instanceof TakerFailure ? error.thrown : toStoreError(error, path);
      }
    },
    scan: (entity, version) => scanRecords(environment, keys, records, entity, version),
    async marks(version) {
      return [{ node: NODE, run: readMark(environment.fresh(), keys, version) }];
    },
    async notes() {
      environment.fresh();
      return joinNotes([notes.read()]);
    },
    guards: async () => [],
    async expectRegistry(registry) {
      environment.fresh();
      expected = registry;
      isOther = notes.read().registry !== undefined && notes.read().registry !== registry;
    },
    async adopt(registry) {
      await environment.beginWriting();
      await environment.write(() => notes.adopt(registry));
      await environment.flush();
    },
    writer: (link) => openLmdbWriter({ environment, records, claims, notes, clock }, link),
    async fenceWriter() {
      // A writer writes by its own process's calls alone: once it is dead, none of its commands is still on the way.
    },
    run: (link) => openLmdbRun({ environment, records, keys, notes, clock }, link),
    nowMicros: () => clock.nowMicros(),
    removeExpired: (now) => sweep({ environment, keys, records, claims, time }, now),
    close: () => environment.close(),
  };
}
