// The Open Inference Protocol's calls as plain functions: HTTP and gRPC only translate into them. A name is an endpoint, asked
// by its request columns, or a plain model, asked by its file's own signature.

import type { Scope } from '../../core/index.ts';
import type { DescribedTensor, NamedTensor } from './tensors.ts';

export interface InferencePlane {
  /** Whether requests can be answered. */
  isReady(): boolean;
  /** Throws HR_UNKNOWN_MODEL. */
  isModelReady(model: string, version?: string): boolean;
  /** Throws HR_UNKNOWN_MODEL. */
  metadata(model: string, version?: string): ModelMetadata;
  /**
   * Throws HR_UNKNOWN_MODEL, HR_INVALID, HR_MODEL_NOT_READY, and what a model's queue and an endpoint's prediction throw.
   * `version` is a number, and of a plain model an alias or `latest`, too.
   */
  infer(model: string, version: string | undefined, asked: InferRequest, scope: Scope): Promise<InferAnswer>;
  /** Counts a request for inference that its protocol refused. */
  refused(model: string, thrown: unknown): void;
  /** By name and version. */
  index(): readonly IndexedModel[];
  /** Resolves once this server answers by it. Throws HR_UNKNOWN_MODEL, HR_MODEL_NOT_READY. */
  load(model: string, by: LoadedBy): Promise<void>;
  /** The same of letting go. Throws HR_UNKNOWN_MODEL, HR_CONFLICT for an endpoint. */
  unload(model: string, by: LoadedBy): Promise<void>;
  /** Of all models, of one, or of one version of it. Throws HR_UNKNOWN_MODEL. */
  statistics(model?: string, version?: string): readonly ModelFigures[];
}

/** Who has a model loaded or unloaded, and why: for the audit log. */
export interface LoadedBy {
  readonly actor: string;
  readonly reason?: string | undefined;
}

export interface InferRequest {
  readonly inputs: readonly NamedTensor[];
  /** Names, in the order of the answer; undefined: all that it has. */
  readonly outputs: readonly string[] | undefined;
}

export interface InferAnswer {
  /** Undefined where rows were answered by several. */
  readonly version: string | undefined;
  readonly outputs: readonly NamedTensor[];
}

export interface ModelMetadata {
  readonly name: string;
  /** Those that can be asked for. */
  readonly versions: readonly string[];
  readonly platform: 'onnxruntime_onnx' | 'headrace_endpoint';
  readonly inputs: readonly DescribedInput[];
  readonly outputs: readonly DescribedTensor[];
}

export interface DescribedInput extends DescribedTensor {
  /** A request may come without it. */
  readonly isOptional?: true;
}

export interface IndexedModel {
  readonly name: string;
  readonly version: string;
  readonly state: 'READY' | 'LOADING' | 'UNAVAILABLE';
  readonly reason: string;
}

/** Since the server started. */
export interface ModelFigures {
  readonly name: string;
  readonly version: string;
  /** Of the last request, in milliseconds since 1970; 0: none came. */
  readonly lastMs: number;
  readonly succeeded: Timed;
  readonly failed: Timed;
  /** Rows that the model answered and runs that it took, for other protocols' requests too; of the model in memory. */
  readonly rows: number;
  readonly runs: Timed;
  /** Rows whose run began, and what they waited until then. */
  readonly waited: Timed;
}

export interface Timed {
  readonly count: number;
  readonly micros: number;
}
