// What every kind of source comes down to for a run: files that stay as they are while it reads them, and the check that
// they did. What lies in a database or a table format was turned into such files first.

import type { Micros } from '../../core/index.ts';
import type { SnapshotFile } from '../../online/index.ts';
import type { Footer } from './parquet/footer.ts';
import { queryWork } from './source-errors.ts';

/**
 * The files of a source as they are now, for as long as a run takes: whatever comes to lie at their paths, the run reads
 * these, or `verify` says that they were changed.
 */
export interface PinnedSnapshot {
  readonly format: 'parquet' | 'csv';
  /** Sorted by path. */
  readonly files: readonly SnapshotFile[];
  /** Where to read each file: a path that stays with the file, or its own. Error messages name the file itself. */
  readonly paths: readonly string[];
  /**
   * Of files elsewhere: copies of these of them on this machine, in their order, where that is cheaper than to read them from
   * there in every pass; undefined where it isn't.
   */
  copy?(files: readonly SnapshotFile[]): Promise<PinnedSnapshot | undefined>;
  /** What each file says of itself, where that was read already. */
  readonly footers?: readonly Footer[];
  /** Files that were left out, as none of their rows can be needed. */
  readonly skipped?: number;
  /** Those of them that were left out by their folders; undefined for none. */
  readonly leftOut?: LeftOut;
  /** What tells that a file of another time has the same content: the hash of its bytes, or its etag. */
  readonly knownBy: 'sha256' | 'etag';
  /**
   * Of each file, where its columns lie under other names than the declared ones, or not at all; left out: each under its own.
   */
  readonly names?: readonly FileNames[];
  /** The table that the rows are of, where it is one that keeps its snapshots. */
  readonly table?: TableSnapshot;
  /**
   * After each pass over the source, and before what came of it is used: throws HR_SOURCE_CHANGED naming a file that is
   * not what it was when it was pinned.
   */
  verify(): Promise<void>;
  close(): Promise<void>;
}

/** Files that nobody pinned yet. */
export interface LeftOut {
  /** As they are now. */
  files(): Promise<readonly SnapshotFile[]>;
  /** Undefined where they can be read only as copies on this machine, and have no room there. */
  pin(files: readonly SnapshotFile[]): Promise<PinnedSnapshot | undefined>;
}

/** The same of some of its files, by their indices in ascending order. */
export function pickFiles(snapshot: PinnedSnapshot, indices: readonly number[]): PinnedSnapshot {
  if (indices.length === snapshot.files.length) return snapshot;
  return {
    ...snapshot,
    files: indices.map((i) => snapshot.files[i] as SnapshotFile),
    paths: indices.map((i) => snapshot.paths[i] as string),
    ...(snapshot.footers !== undefined && { footers: indices.map((i) => snapshot.footers?.[i] as Footer) }),
    ...(snapshot.names !== undefined && { names: indices.map((i) => snapshot.names?.[i] as FileNames) }),
    skipped: (snapshot.skipped ?? 0) + snapshot.files.length - indices.length,
  };
}

/** A file's name of each declared column, which is by its lower-case name; null: the file lacks it, it is null there. */
export type FileNames = ReadonlyMap<string, string | null>;

/** Of a table that keeps its snapshots: which of them was read. */
export interface TableSnapshot {
  /** The table: its folder, or its metadata file. */
  readonly table: string;
  /** Iceberg's snapshot id, Delta's version. */
  readonly id: string;
  /** Its files have columns under other names, which only the table knows. */
  readonly isRenamed?: true;
  /** Between which event times rows were asked for; left out: all. Null is no end. */
  readonly events?: { readonly fromMicros: Micros | null; readonly toMicros: Micros | null };
}

/**
 * A pass over what was pinned, whole: an error of the work and a result alike count only when the files are still what
 * they were. Errors as `queryWork` gives them, HR_SOURCE_CHANGED.
 */
export async function readPinned<T>(
  snapshots: readonly PinnedSnapshot[],
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  const verify = async () => {
    for (const snapshot of snapshots) await snapshot.verify();
  };
  let result: T;
  try {
    result = await queryWork(what, 'HR_SOURCE_UNREADABLE', work);
  } catch (error) {
    // What was overwritten under the reader explains best why it can't be read.
    await verify();
    throw error;
  }
  await verify();
  return result;
}
