// A model for whoever has a thread of its own and rows by the thousand: no queue, no deadline. It is opened, bound and run as
// models that serve are, so that a row gets the same answer. Reading a row may cost as much as running it, so each is bound as it
// is read, which rows that wait as works, those of `onnx/direct-model` say, can't be.

import { HeadraceError, type KnownRows, messageOf, type Value } from '../core/index.ts';
import type { ModelSpec, ResolvedService } from '../definitions/index.ts';
import { compileBinding } from './binding/compile-binding.ts';
import { asInferenceFailure } from './each-row.ts';
import { createBuffers, createFeeds } from './onnx/batch-buffers.ts';
import { openMeasuredFile } from './onnx/open-measured.ts';
import { RUNTIME_FAILED } from './queue/refusals.ts';
import { rowCountMistake } from './row-count.ts';
import { rowShapesOf } from './row-shapes.ts';
import type { Tensor } from './tensor.ts';

/** The declared outputs of a row in order, or why there are none. */
export type ScoredRow = readonly Value[] | HeadraceError;

export interface BatchModel {
  /** Rows that a run takes at the most: 1 where the model's rows may not share a run. */
  readonly mostRows: number;
  /**
   * Blocks the thread while it computes. A row that the model can't take fails alone, and so does one that breaks a run.
   * `rowAt` gives feature values in the service's order; the array may be the same each time.
   */
  score(rows: number, rowAt: (row: number) => readonly Value[], scored: (row: number, result: ScoredRow) => void): void;
  close(): void;
}

export interface BatchModelOptions {
  readonly service: ResolvedService;
  readonly spec: ModelSpec;
  readonly mostRows: number;
  /** Of `OnnxRuntimeOptions`. */
  readonly providerShare?: number | undefined;
  /** What is known of its rows, as of `LoadOptions`. */
  readonly rows?: KnownRows | undefined;
}

/**
 * Throws HR_MODEL_UNREADABLE, HR_MODEL_SIGNATURE, HR_UNSUPPORTED for a provider that isn't there and for nodes that run
 * elsewhere than the providers say, HR_OVERLOADED without memory.
 */
export function openBatchModel(onnx: Uint8Array, options: BatchModelOptions): BatchModel {
  const { service, spec, providerShare, rows: known } = options;
  const { session, measured } = openMeasuredFile(onnx, { providers: spec.providers, providerShare, rows: known });
  try {
    const { signature } = session;
    const binding = compileBinding(signature, service, spec);
    const mostRows = measured.mode === 'joined' ? options.mostRows : 1;
    const buffers = createBuffers(signature, binding.rowShapes ?? rowShapesOf(signature), mostRows, 'own');
    const { inputs } = buffers;
    const feeds = createFeeds(signature, buffers);
    const run = (rows: number): readonly Tensor[] => {
      let outputs: readonly Tensor[];
      try {
        outputs = session.run(feeds(rows));
      } catch (thrown) {
        throw new HeadraceError('HR_INFERENCE_FAILED', `${RUNTIME_FAILED}: ${messageOf(thrown)}`, { cause: thrown });
      }
      const gave = measured.mode === 'single' ? undefined : rowCountMistake(signature, outputs, rows);
      if (gave !== undefined) throw new HeadraceError('HR_INFERENCE_FAILED', `the model ${gave}`);
      return outputs;
    };
    /** Runs the rows that are bound, and tells of each. */
    const finish: Finish = (rows, from, to, rowAt, scored) => {
      let outputs: readonly Tensor[];
      try {
        outputs = run(to - from);
      } catch (thrown) {
        if (to - from === 1) return scored(rows[from] as number, asInferenceFailure(thrown));
        // One row may have spoilt the others: it is looked for by halves.
        const middle = (from + to) >> 1;
        for (const [start, end] of [
          [from, middle],
          [middle, to],
        ] as const) {
          for (let i = start; i < end; i++) binding.bindRow(rowAt(rows[i] as number), inputs, i - start);
          finish(rows, start, end, rowAt, scored);
        }
        return;
      }
      for (let i = from; i < to; i++) scored(rows[i] as number, readOr(outputs, i - from));
    };
    const readOr = (outputs: readonly Tensor[], place: number): ScoredRow => {
      try {
        return binding.readRow(outputs, place);
      } catch (thrown) {
        return asInferenceFailure(thrown);
      }
    };
    return {
      mostRows,
      score(count, rowAt, scored) {
        const bound: number[] = [];
        const flush = (): void => {
          if (bound.length > 0) finish(bound, 0, bound.length, rowAt, scored);
          bound.length = 0;
        };
        for (let row = 0; row < count; row++) {
          const values = rowAt(row);
          const mistake = binding.check(values);
          if (mistake !== undefined) {
            scored(row, mistake);
            continue;
          }
          binding.bindRow(values, inputs, bound.length);
          bound.push(row);
          if (bound.length === mostRows) flush();
        }
        flush();
      },
      close: () => session.release(),
    };
  } catch (thrown) {
    session.release();
    throw thrown;
  }
}

type Finish = (
  rows: readonly number[],
  from: number,
  to: number,
  rowAt: (row: number) => readonly Value[],
  scored: (row: number, result: ScoredRow) => void,
) => void;
