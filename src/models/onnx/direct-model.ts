// A model for a thread that has nothing else to do: what is submitted has run when the call returns. Works are bound, gathered
// and told of as those of models that serve are, without deadlines.

import { type KnownRows, messageOf } from '../../core/index.ts';
import { createModelCore, type ModelCore } from '../queue/model-core.ts';
import type { RunCost } from '../queue/run-cost.ts';
import type { Tensor } from '../tensor.ts';
import { compileRun } from './compile-run.ts';
import { type MeasuredSession, openMeasuredFile } from './open-measured.ts';
import type { OrtSession } from './ort-session.ts';

export interface DirectModel extends Pick<ModelCore, 'submit' | 'statistics'> {
  readonly signature: OrtSession['signature'];
  readonly nodesByProvider: MeasuredSession['nodesByProvider'];
  close(): void;
}

export interface DirectModelOptions {
  readonly providers: readonly string[];
  /** Of a run, where rows may share one. */
  readonly mostRows: number;
  /** Of `OnnxRuntimeOptions`. */
  readonly providerShare?: number | undefined;
  /** What is known of its rows, as of `LoadOptions`. */
  readonly rows?: KnownRows | undefined;
}

/** Throws as `openBatchModel`. */
export function openDirectModel(onnx: Uint8Array, options: DirectModelOptions): DirectModel {
  const { mostRows } = options;
  const { session, measured, nodesByProvider } = openMeasuredFile(onnx, options);
  try {
    const { signature } = session;
    const run = compileRun(session);
    let isRunning = false;
    const core = createModelCore({
      signature,
      // Rows that can't share a run with others have one each.
      mode: measured.mode === 'joined' ? 'joined' : 'rowwise',
      mayGiveOtherRows: measured.mode === 'single',
      cost: costOfNothing(mostRows),
      lanes: 1,
      maxQueuedRows: Infinity,
      maxQueuedBytes: Infinity,
      freeMs: (nowMs) => nowMs,
      wake() {
        // What is submitted while it runs has its turn before the call that runs it returns.
        if (isRunning) return;
        isRunning = true;
        try {
          for (let batch = core.take(0); batch !== undefined; batch = core.take(0)) {
            let outputs: Tensor[] | string;
            try {
              outputs = run(batch);
            } catch (thrown) {
              outputs = messageOf(thrown);
            }
            if (typeof outputs === 'string') core.threw(batch, outputs);
            else core.succeeded(batch, outputs, 0);
          }
        } finally {
          isRunning = false;
        }
      },
    });
    const { submit, statistics } = core;
    return { signature, nodesByProvider, submit, statistics, close: () => session.release() };
  } catch (thrown) {
    session.release();
    throw thrown;
  }
}

/** Nobody waits for a deadline, so that nothing is estimated. */
function costOfNothing(mostRows: number): RunCost {
  return {
    runMs: () => 0,
    batchRows: () => mostRows,
    observe() {},
    current: () => ({ fixedMicros: 0, rowMicros: 0, loadMicros: 0 }),
  };
}
