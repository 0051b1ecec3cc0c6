// A materialize run of a view version as the registry has it. What orders everything: a base names the run that wrote
// it, and is read by that run's row, which never changes once the run is open.

import type { Micros } from '../../core/index.ts';
import type { VersionId } from '../online-store.ts';
import type { Coverage } from './coverage.ts';

/** A file of a run's snapshot, as it was when the run began. */
export interface SnapshotFile {
  readonly path: string;
  readonly size: number;
  /** Changes whenever the content does: an object's ETag; of a local file its inode and time of change. */
  readonly etag: string;
}

/** The same for a file that did not change, and for no other. */
export function fileKey({ path, size, etag }: SnapshotFile): string {
  return `${size} ${etag} ${path}`;
}

export type RunState = 'asked' | 'open' | 'finished' | 'abandoned';

export interface RunRow {
  /** Rises over all runs of a registry. */
  readonly number: number;
  /** Of this run alone: a registry that lost its last commits may give a number again. Empty in rows from before it was kept. */
  readonly token: string;
  readonly view: string;
  readonly version: VersionId;
  readonly state: RunState;
  /** The boundary that the run would like: −Infinity where the log counts from the beginning (`pushes: 'keep'`). */
  readonly proposed: Micros;
  /** In event time: up to it the bases count the snapshot's rows, past it the log's. Null until the run is open. */
  readonly boundary: Micros | null;
  /** Null until the run is open. */
  readonly coverage: Coverage | null;
  /** Known times up to it are folded into the bases. */
  readonly asOf: Micros;
  /** Whether the bases carry what is known only after `asOf`, to be counted by readers when its time comes. */
  readonly carriesWaiting: boolean;
  /** Of what the bases are packed by: under another one every key is written anew. */
  readonly fingerprint: string;
  readonly isFull: boolean;
  /** The run whose marks an incremental run builds on; 0 for a full one. */
  readonly since: number;
  readonly askedMicros: Micros;
  readonly finishedMicros: Micros | null;
  readonly counts: RunCounts | null;
  readonly error: string | null;
}

/** Which run it is. */
export type RunIdentity = Pick<RunRow, 'number' | 'token'>;

/** A row whose run is open or was: what a base is read by. */
export interface OpenedRow extends RunRow {
  readonly boundary: Micros;
  readonly coverage: Coverage;
}

export interface RunCounts {
  readonly keys: number;
  readonly written: number;
  readonly rowsInRange: number;
  /** Rows with a null key, event time or known time. */
  readonly rowsIgnored: number;
  /** By column, pushed values that are null for the type that it has by now. Left out by runs of a time before it was kept. */
  readonly unconverted?: Readonly<Record<string, number>>;
  /** Event time of the newest fact that the run saw; null for none. Left out by runs of a time before it was kept. */
  readonly newestMicros?: Micros | null;
}

export function isOpened(row: RunRow): row is OpenedRow {
  return row.boundary !== null && row.coverage !== null;
}
