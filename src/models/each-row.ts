// Rows of feature values as work for a model, each with its own fate: a row that breaks its batch fails alone.

import { HeadraceError, messageOf, type Scope, type Value } from '../core/index.ts';
import type { Binding } from './binding/compile-binding.ts';
import type { LoadedModel } from './model-runtime.ts';
import type { BatchInput, ModelWork } from './model-work.ts';
import type { Tensor } from './tensor.ts';

/** What rows run on. */
export interface RowModel {
  readonly loaded: Pick<LoadedModel, 'submit'>;
  readonly binding: Binding;
}

/** Enough to find a few rows of thousands; where most fail, the rest fails with them. */
const MOST_RUNS_AGAIN = 64;

/** Runs that are left for finding rows that fail, of all the work that one began as. */
export interface SpareRuns {
  runs: number;
}

// A class, since one is made for every request.
export abstract class EachRowWork implements ModelWork {
  readonly count: number;
  readonly scope: Scope;
  readonly rowShapes: readonly (readonly number[])[] | undefined;
  protected readonly spare: SpareRuns;
  readonly #model: RowModel;

  constructor(model: RowModel, scope: Scope, count: number, spare: SpareRuns = { runs: MOST_RUNS_AGAIN }) {
    this.spare = spare;
    this.count = count;
    this.scope = scope;
    this.rowShapes = model.binding.rowShapes;
    this.#model = model;
  }

  /** In the order of the features; `check` has passed them. */
  protected abstract valuesOf(index: number): readonly Value[];
  protected abstract answered(index: number, outputs: readonly Value[]): void;
  protected abstract rowFailed(index: number, error: HeadraceError): void;
  /** Every row was told of; `endMs`: when their run ended, where one did. */
  protected abstract ended(endMs?: number): void;
  /** Some of the rows as work of its own, by the same spare runs; `ended` is called after them. */
  protected abstract part(from: number, to: number, ended: () => void): EachRowWork;

  bind(index: number, batch: readonly BatchInput[], place: number): void {
    this.#model.binding.bindRow(this.valuesOf(index), batch, place);
  }

  done(outputs: readonly Tensor[], first: number, endMs: number): void {
    const { binding } = this.#model;
    for (let i = 0; i < this.count; i++) {
      try {
        this.answered(i, binding.readRow(outputs, first + i));
      } catch (thrown) {
        this.rowFailed(i, asInferenceFailure(thrown));
      }
    }
    this.ended(endMs);
  }

  /** One row may have spoilt the others: it is looked for by halves, one after the other, within a bound. */
  runsAgain(): boolean {
    if (this.count === 1 || this.spare.runs < 2) return false;
    this.spare.runs -= 2;
    const middle = this.count >> 1;
    const { loaded } = this.#model;
    const second = this.part(middle, this.count, () => this.ended());
    loaded.submit(this.part(0, middle, () => loaded.submit(second)));
    return true;
  }

  failed(error: HeadraceError): void {
    for (let i = 0; i < this.count; i++) this.rowFailed(i, error);
    this.ended();
  }
}

/** What kept a model's answer from being read, as a row's failure. */
export function asInferenceFailure(thrown: unknown): HeadraceError {
  if (thrown instanceof HeadraceError) return thrown;
  return new HeadraceError('HR_INFERENCE_FAILED', `the model's answer can't be read: ${messageOf(thrown)}`, {
    cause: thrown,
  });
}
