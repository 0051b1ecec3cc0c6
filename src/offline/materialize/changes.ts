// What has changed since the runs that an incremental run builds on: where its keys are found.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Micros } from '../../core/index.ts';
import {
  type Coverage,
  fileKey,
  type OpenedRow,
  type RunChanges,
  type SnapshotFile,
  type ViewCodec,
} from '../../online/index.ts';
import type { FactsDeps, LogRows } from '../facts/facts.ts';
import { openLogRows } from '../facts/open-facts.ts';

export interface Changes extends Omit<RunChanges, 'files'> {
  /** Indices of the files that one of the runs since lacked. */
  readonly files: readonly number[];
  /** Rows of the cuts that are newly covered. */
  readonly log: LogRows;
  /** Known times after the one, up to the other, which one of the runs since did not count as they are now. */
  readonly known: Interval | null;
}

export interface Interval {
  readonly after: Micros;
  readonly upTo: Micros;
}

/** `since`: the row that the run builds on and every later one. A base may be of any of them. */
export async function findChanges(
  connection: DuckDBConnection,
  codec: ViewCodec,
  deps: FactsDeps,
  { files, cuts, passed }: RunChanges,
  since: readonly OpenedRow[],
  next: {
    readonly snapshot: readonly SnapshotFile[];
    readonly coverage: Coverage;
    readonly asOf: Micros;
    readonly carriesWaiting: boolean;
  },
): Promise<Changes> {
  // All but the new cuts is taken as read.
  const before: Coverage = { floor: Infinity, cuts: new Map(cuts.map(({ writer, after }) => [writer, after])) };
  const log = await openLogRows(connection, codec.source, deps, before, next.coverage);
  const lacked = new Set(files.map(fileKey));
  const known = since.flatMap((row) => knownApart(row, next));
  return {
    files: next.snapshot.flatMap((file, i) => (lacked.has(fileKey(file)) ? [i] : [])),
    log,
    cuts,
    passed,
    known: known.length === 0 ? null : { after: Math.min(...known), upTo: Math.max(...known) },
  };
}

/** Whether a run since knew all that this one would. */
export function isUnchanged({ files, log, passed, known }: Changes): boolean {
  return files.length === 0 && log.rows === 0 && passed === null && known === null;
}

/** Known times between which a row's bases count what a run as of `next` doesn't, or the other way. */
export function knownApart(
  { asOf, carriesWaiting }: OpenedRow,
  { asOf: next, carriesWaiting: carriesNext }: { readonly asOf: Micros; readonly carriesWaiting: boolean },
): readonly Micros[] {
  // What it left out for good, the next one carries until its time comes.
  if (carriesNext && !carriesWaiting) return [Math.min(asOf, next), Infinity];
  if (asOf === next) return [];
  // What it carried comes in by itself when its time is there; what it took for known too early has to go.
  return carriesWaiting && asOf < next ? [] : [asOf, next];
}

/** Whether each file of the one is in the other, unchanged. */
export function isWithin(files: readonly SnapshotFile[], snapshot: readonly SnapshotFile[]): boolean {
  const names = new Set(snapshot.map(fileKey));
  return files.every((file) => names.has(fileKey(file)));
}
