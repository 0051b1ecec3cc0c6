// A source's facts: the rows of one snapshot of its files and the entries of its log that count, as one relation of SQL.
// Training sets and materialize read a source through here, so that they can't see different rows; an audit reads by a path of its
// own (audit/own-facts.ts).

import type { Micros } from '../../core/index.ts';
import type { Definitions, OnFailedValue, SourceSpec } from '../../definitions/index.ts';
import type { EventLog } from '../../events/index.ts';
import type { Coverage, SnapshotFile } from '../../online/index.ts';
import type { DuckDb } from '../../storage/index.ts';
import type { PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import type { Releases } from '../../checks/index.ts';
import type { RowSorting } from '../checks/sound-rows.ts';
import type { Unconverted } from './unconverted.ts';

/** What facts are read with: a part of OfflineDeps. */
export interface FactsDeps {
  readonly definitions: Definitions;
  readonly duckdb: DuckDb;
  /** Undefined where nothing can have been pushed: then every log is empty. */
  readonly log: EventLog | undefined;
  /** Entries of the log are kept under it as Parquet, so that their JSON is read once. */
  readonly dataDirectory: string;
  /** Left out: a value that can't be derived is thrown. */
  readonly forgiving?: Forgiving;
  /** Rows of files that were put back after they were set apart; left out for none. */
  readonly released?: Releases;
}

/** Of which rows a value that can't be derived is null, and who is told. */
export interface Forgiving {
  /** Rows of the log were taken once, maybe by other definitions; those of files are as they are. */
  readonly rows: 'log' | 'all';
  readonly onFailedValue: OnFailedValue;
}

export interface FactsRequest {
  /** Null for sources without files: pushed(). */
  readonly snapshot: PinnedSnapshot | null;
  /**
   * Of a source with `pushes: 'until-materialized'`: rows of files count up to it in event time (inclusive), entries of
   * the log past it; Infinity is files only, −Infinity the log only. With `pushes: 'keep'` both count whole, and it is
   * −Infinity; there too Infinity leaves out the log.
   */
  readonly boundary: Micros;
  /** The cuts whose entries are read. What is covered whole is read to the writer's last shipped cut. */
  readonly coverage: Coverage;
}

/**
 * Relations stand after FROM, on the connection that they were made for. Their columns: the declared and derived ones, and
 * - `__hr_event`, `__hr_known`: BIGINT micros, known ≥ event. `__hr_known` is null where the row matches nothing; such
 *   rows stay in, so that they can be counted. A pushed row without one of its own is known since it arrived, and one that
 *   was set apart not before its release.
 * - `__hr_row`: BIGINT below 2^53, unique in `relation`, the same for the same inputs; the log's are above all files'.
 * - `__hr_file`: INTEGER index into `files`; null in the log.
 * - `__hr_writer`, `__hr_cut`: INTEGER; `__hr_offset`: BIGINT, the row's own. Null in files.
 * - `__hr_lost`: VARCHAR, what `countUnconverted` counts. Null in files.
 */
export interface Facts {
  readonly source: SourceSpec;
  /** All facts that count. */
  readonly relation: string;
  /** The rows of files among them, and those of the log: the two halves of `relation`. */
  readonly fileRelation: string;
  readonly logRelation: string;
  /** The two halves without the boundary: for keys whose facts change sides when it moves. */
  readonly allFileRows: string;
  readonly allLogRows: string;
  /** `allFileRows` of some files only, by their index: the others aren't opened. */
  fileRows(files: readonly number[]): string;
  readonly files: readonly SnapshotFile[];
  /** The rows of files that are set apart, whatever the boundary; undefined where no rule of the source does that. */
  readonly apart?: ApartRows;
  /** How far the log was read; null when there is nothing of it in `allLogRows`, and there was nothing before. */
  readonly log: FactsLog | null;
}

export interface ApartRows extends Pick<RowSorting, 'rules' | 'isTogether'> {
  /** With `__hr_broken`, as `RowSorting.apart` gives it. */
  readonly relation: string;
}

/** What the replays work on. */
export type FactsRelation = Pick<Facts, 'source' | 'relation'>;

export interface FactsLog {
  /** Ascending; `cut` is the last one read. Writers without an entry of the source are among them. */
  readonly writers: readonly { readonly writer: number; readonly cut: number }[];
  /** The same as a coverage, short: with it the same entries are read again. */
  readonly coverage: Coverage;
  /** What retention had taken of it before, of whatever sources: none of its entries is read. Null for nothing. */
  readonly removed: Coverage | null;
  /** Entries' rows of the source, whether they count or not. */
  readonly rows: number;
  /** Count and hash of the rows that count: the same for the same rows at the same places. */
  digest(): Promise<{ readonly rows: number; readonly sha256: string }>;
  /** Of the rows that count. */
  unconverted(): Promise<Unconverted>;
}

/** Rows of the log between two coverages, whatever the boundary. */
export interface LogRows {
  /** As `Facts.allLogRows`; `__hr_row` is unique in it. */
  readonly relation: string;
  readonly rows: number;
}
