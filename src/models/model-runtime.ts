// The model runtime port: `onnx/` implements it. Tensors in, tensors out; features and names are the caller's.

import type { KnownRows, RowsVerdict, Scope } from '../core/index.ts';
import type { ModelCost, ModelWork } from './model-work.ts';
import type { Signature, Tensor, Tensors } from './tensor.ts';

/** Why a model took no work in, or dropped it: see `ModelStatistics.refused`. */
export type RefusalReason =
  /** The queue holds as many rows or bytes as it may. */
  | 'full'
  /** By the estimate it would not have been answered before its deadline. */
  | 'hopeless'
  /** The deadline passed, or was sure to, while it waited. */
  | 'deadline'
  | 'cancelled'
  | 'closed';

/** Counts since the model was loaded; never backwards. A row that came ends in one of `rows`, `failures` and `refused`. */
export interface ModelStatistics {
  /** Now waiting; of a model that is made of others, at the models of its nodes: a row that waits at two counts twice. */
  readonly queuedRows: number;
  /** Now running; of a model that is made of others, waiting for its nodes' models, too. */
  readonly runningRows: number;
  readonly runs: number;
  /** Rows that a model answered. */
  readonly rows: number;
  /** Rows that no run of a model answered: its runtime failed on them, or on others that ran with them. */
  readonly failures: number;
  /** Rows that were not run, or not to their end, by reason. */
  readonly refused: Readonly<Record<RefusalReason, number>>;
  /** Threads that ended or were given up, and were replaced. */
  readonly threadsReplaced: number;
  /** Sum of the runs' times. */
  readonly busyMicros: number;
  /**
   * Sum of the times that rows waited until their run began, but for shadows' rows; of a model that is made of others, of what
   * they waited at the models of its nodes.
   */
  readonly waitMicros: number;
  /** Rows that those times are of. */
  readonly waitedRows: number;
}

/** A model version in memory. */
export interface LoadedModel {
  readonly signature: Signature;
  /** Measured while it was opened, refined as it runs. */
  readonly cost: ModelCost;
  /** False where it failed on every row that it was opened with: its cost is not known, and it runs in threads. */
  readonly isMeasured?: boolean;
  /** Where it runs now: a model on the event loop whose runs are slow, by now, moves to a thread and stays there. */
  readonly placement: 'inline' | 'threads';
  /** Rows that are submitted together are answered by each other; those of several works never are. */
  readonly mixesRows?: boolean;
  /** What rows showed when it was opened; undefined where its inputs do not take any number of rows. */
  readonly rowsVerdict?: RowsVerdict | undefined;
  /**
   * How many of its nodes were seen to run on each execution provider, by the names that definitions have for those, when it
   * was opened. Undefined where nothing was seen: of one that is made of others, or that took no row of the runtime's making.
   */
  readonly nodesByProvider: Readonly<Record<string, number>> | undefined;
  /** Bytes of the artifact times the copies of it in memory: what the model is counted as. */
  readonly memoryBytes: number;
  /**
   * Queues rows; those of several callers may run as one batch, never mixed up. Never throws: whatever becomes of it is
   * told to the work, at once (HR_OVERLOADED, HR_MODEL_NOT_READY once closed) or later.
   */
  submit(work: ModelWork): void;
  /**
   * The same for tensors of one caller, for protocols and for checks. Throws HR_INVALID for tensors that are not the
   * signature's, and what `submit` tells a work.
   */
  infer(inputs: Tensors, scope: Scope): Promise<Tensors>;
  statistics(): ModelStatistics;
  /** Refuses new work, waits for what waits and runs (10 s at most), then frees the memory. */
  close(): Promise<void>;
}

export interface LoadOptions {
  /** Execution providers in order, a device of one as `cuda:1`. */
  readonly providers: readonly string[];
  /** Nobody waits for the event loop yet (before listening): a model may be opened on it whatever that takes. */
  readonly mayBlock?: boolean;
  /** The bytes are given away and not to be used again, which saves a copy on the event loop. */
  readonly handsOver?: boolean;
  /** What is known of its rows; left out, or where they were shown to be independent, it is tried. */
  readonly rows?: KnownRows | undefined;
  /** At most `most` rows that it is tried with besides those of the runtime's making, as one tensor an input; undefined for none. */
  readonly sample?: (signature: Signature, most: number) => readonly Tensor[] | undefined;
  /** What the bytes must hash to, in hex; looked at in the thread. */
  readonly sha256?: string;
}

export interface ModelRuntime {
  /**
   * Opens a model in a thread first, which checks, warms and measures it. Throws HR_MODEL_UNREADABLE, HR_MODEL_SIGNATURE (maps,
   * sequences), HR_UNSUPPORTED for a provider that isn't there and for a model whose nodes run elsewhere than its providers say,
   * HR_ARTIFACT_UNREADABLE for bytes of another hash, HR_MODEL_NOT_READY when the thread ends or takes too long, HR_OVERLOADED
   * without memory; and what `sample` throws.
   */
  load(onnx: Uint8Array, options: LoadOptions): Promise<LoadedModel>;
  /**
   * Whether a thread is inside the native library, be it of a model that was closed without it: a process that exits now
   * waits for it, and then is aborted.
   */
  isRunning(): boolean;
}
