// What waits for a model: rows that write themselves into a batch's tensors when a run is free, and who is told.

import type { HeadraceError, Scope } from '../core/index.ts';
import type { Tensor, TensorData } from './tensor.ts';

/** One input's tensor of a batch, filled row by row: `width` elements a row, row-major. */
export interface BatchInput {
  readonly data: TensorData;
  readonly width: number;
}

/** Rows of one caller. They run in one batch, or in several when they are more than one takes. */
export interface ModelWork {
  readonly count: number;
  readonly scope: Scope;
  /** A row's sizes of each input, in order; only for a signature that leaves some open besides the number of rows. */
  readonly rowShapes?: readonly (readonly number[])[] | undefined;
  /** Told of each run of a node, where the model is made of others; left out where nobody asks. */
  readonly timed?: ((timing: NodeTiming) => void) | undefined;
  /**
   * Told each time that some of its rows begin to run: how many, and how long each of them has waited. Rows that run once more,
   * or that a thread had which ended before it began with them, are not told of again. Left out where nobody asks.
   */
  began?(rows: number, waitedMs: number): void;
  /**
   * Writes row `index` as row `place` of the batch, inputs in the signature's order. Never throws. May be asked for
   * again: rows of a batch that failed run once more alone.
   */
  bind(index: number, batch: readonly BatchInput[], place: number): void;
  /** The same for rows `from` to `to` (exclusive) at once, `from` as row `place`; rows are bound one by one where it is left out. */
  bindRows?(from: number, to: number, batch: readonly BatchInput[], place: number): void;
  /**
   * Called once: outputs by the signature's order; the caller's rows begin at `first`. They hold good during the call, and are
   * the work's own from then on where all of their rows are. `endMs`: when their run ended, by the process' own clock.
   */
  done(outputs: readonly Tensor[], first: number, endMs: number): void;
  /**
   * Asked once before HR_INFERENCE_FAILED: true when its rows were submitted again, as other works, which are told and
   * counted in its place.
   */
  runsAgain?(): boolean;
  /** Called once instead: HR_OVERLOADED, HR_DEADLINE, HR_CANCELLED, HR_INFERENCE_FAILED, HR_MODEL_NOT_READY. */
  failed(error: HeadraceError): void;
}

/** One run of a graph's node. */
export interface NodeTiming {
  readonly node: string;
  /** Of a model node, the version that it runs; else null. */
  readonly version: number | null;
  /** Rows that it answered itself. */
  readonly rows: number;
  /** Rows that it failed itself. */
  readonly failures: number;
  /** Rows for which declared outputs stood in. */
  readonly standIns: number;
  /** From its rows' coming to their answer, their waiting for the model's queue with it; of a router, of choosing alone. */
  readonly tookMs: number;
}

/** What a run costs, as measured while the model was opened and refined as it runs: `fixedMicros + rowMicros · rows`. */
export interface ModelCost {
  readonly fixedMicros: number;
  readonly rowMicros: number;
  readonly loadMicros: number;
}
