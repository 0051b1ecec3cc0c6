// What is kept of a training set: enough to know what it was made from, and to prove it again.

import type { Finding } from '../../checks/index.ts';
import type { Micros } from '../../core/index.ts';
import type { ColumnSummary } from '../../profiles/index.ts';
import type { Boundary } from '../plan.ts';
import type { Unconverted } from '../facts/unconverted.ts';
import type { UnshippedWriter } from '../retention/ship-log.ts';
import type { SourceFile } from '../sources/file-identity.ts';
import type { TableSnapshot } from '../sources/pinned-snapshot.ts';

export interface TrainingSetRecord {
  /** From the content of everything that it was made from: the same inputs give the same id. */
  readonly id: string;
  readonly name: string | null;
  readonly project: string;
  readonly manifestHash: string;
  readonly service: string;
  readonly timestamp: string;
  readonly labels: readonly string[];
  readonly boundary: Boundary;
  /** The spine as it was asked for: a path or a query. */
  readonly spine: string;
  readonly spineHash: string;
  readonly sources: readonly SourceSnapshot[];
  readonly path: string;
  /** SHA-256 of the Parquet file. */
  readonly contentHash: string;
  readonly sizeBytes: number;
  readonly rows: number;
  readonly firstMicros: Micros | null;
  readonly lastMicros: Micros | null;
  readonly features: readonly FeatureProfile[];
  /** Writers that did not ship what they had taken, so that it is not in the set; left out for none. */
  readonly unshipped?: readonly UnshippedWriter[];
  /** What was expected of the features, and what came of it; left out where nothing was. */
  readonly checks?: readonly Finding[];
  readonly createdAtMicros: Micros;
}

export interface SourceSnapshot {
  readonly source: string;
  /** Those that can have a part in the set. */
  readonly files: readonly SourceFile[];
  /** Files that lay there, too, and that nothing in the set can be made of; left out for none. */
  readonly skippedFiles?: number;
  /** The table and which of its snapshots, where the source is a table that keeps them. */
  readonly table?: TableSnapshot;
  /** Up to it in event time the files' rows count, past it pushed events; null where there is none. */
  readonly boundaryMicros: Micros | null;
  /**
   * Without a boundary: whether the log alone counts, as the files held no row to put one at; else both count whole. Left
   * out by sets of a time before it was kept, where only what was pushed can tell.
   */
  readonly isLogAlone?: boolean;
  /** How far the log was read, and how many of its events count; null where it held none of the source. */
  readonly pushed: PushedSnapshot | null;
  readonly rows: number;
  /** Rows that match nothing: without an event time or known time, or with a null in the key of a view. */
  readonly ignored: { readonly nullTime: number; readonly nullKey: Readonly<Record<string, number>> };
  /** Pushed values that are null for the type that their column has by now. Left out by sets of a time before it was kept. */
  readonly unconverted?: Unconverted;
  /** The last release of quarantined rows that it went by; left out where no rule of the source sets rows apart. */
  readonly releasedUpTo?: number;
  /** What was expected of the source, and what came of it; left out where nothing was. */
  readonly checks?: readonly Finding[];
}

export interface PushedSnapshot {
  /** Writers below it had ended, and were read whole. */
  readonly floor: number;
  /** The last cut that was read of each other writer. What a server had not cut yet is not among the facts. */
  readonly writers: readonly { readonly writer: number; readonly cut: number }[];
  /** What retention had taken of the log before: writers below the floor whole, of the others up to that cut. */
  readonly removed?: { readonly floor: number; readonly writers: PushedSnapshot['writers'] };
  readonly rows: number;
  readonly sha256: string;
}

/** A feature of the set at a glance; what it is made from is kept beside, to be held against later data. */
export type FeatureProfile = Pick<ColumnSummary, 'name' | 'type' | 'nullRate'> & Partial<ColumnSummary>;
