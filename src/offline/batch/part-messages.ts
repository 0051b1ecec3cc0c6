// The messages to a batch's thread, and its answers.

import type { ErrorCode, KnownRows } from '../../core/index.ts';
import type { ModelSpec, ResolvedService } from '../../definitions/index.ts';

/** Given once, at its start. */
export interface PartWork {
  readonly featureFile: string;
  readonly service: ResolvedService;
  /** With the providers of this machine. */
  readonly spec: ModelSpec;
  readonly providerShare: number;
  readonly model: PartModel;
  readonly version: number;
  readonly variant: string | null;
  /** Of the input's columns, those to keep. */
  readonly columns: readonly string[];
  readonly hasFeatures: boolean;
  readonly badRows: 'fail' | 'mark';
  readonly format: 'parquet' | 'csv';
  /** DuckDB's bound in the thread. */
  readonly memoryBytes: number;
  readonly spill: string;
}

/** What the rows go through: a file, or all that a graph is made of. */
export type PartModel =
  | { readonly kind: 'file'; readonly onnx: Uint8Array; readonly rows: KnownRows | undefined }
  | {
      readonly kind: 'graph';
      /** By name of a model node. */
      readonly nodes: ReadonlyMap<string, PartNode>;
      /** Code of the bundles by id of the function. */
      readonly functions: ReadonlyMap<string, string>;
    };

/** A model's version as a graph's node. */
export interface PartNode {
  readonly version: number;
  /** SHA-256 of `onnx`. */
  readonly artifact: string;
  readonly onnx: Uint8Array;
  readonly service: ResolvedService;
  readonly spec: ModelSpec;
  /** What is known of its rows. */
  readonly rows?: KnownRows | undefined;
}

/** One part: rows `from` to `to` of the file, to be written to `path`. */
export interface PartOrder {
  readonly index: number;
  readonly from: number;
  readonly to: number;
  readonly path: string;
}

export type PartReply =
  | { readonly kind: 'scored'; readonly rows: number }
  | {
      readonly kind: 'done';
      readonly index: number;
      readonly failed: number;
      readonly sha256: string;
      readonly bytes: number;
    }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };
