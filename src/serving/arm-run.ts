// How an arm answers rows: features in one round trip, then one piece of work for the model's queue, and one completion
// from there to whoever waits.

import { HeadraceError, type Scope } from '../core/index.ts';
import type { BatchInput, ModelWork, Tensor } from '../models/index.ts';
import type { ArmRow } from './arm.ts';
import type { FeatureRow, FeatureRowOrError } from './feature-plan.ts';
import type { ServedModel } from './served-models.ts';

/** Runs rows whose features are there. A row that the model can't take fails alone, and so does one that breaks a batch. */
export function inferRows(
  model: ServedModel,
  features: readonly FeatureRowOrError[],
  scope: Scope,
): Promise<readonly ArmRow[]> | readonly ArmRow[] {
  const answered = new Array<ArmRow>(features.length);
  const runnable: FeatureRow[] = [];
  let places: number[] | undefined;
  for (let i = 0; i < features.length; i++) {
    const row = features[i] as FeatureRowOrError;
    const error = row instanceof HeadraceError ? row : checkRow(model, row);
    if (error !== undefined) {
      // Until the first failure places are those of the rows themselves.
      places ??= runnable.map((_, at) => at);
      answered[i] = { error };
      continue;
    }
    places?.push(i);
    runnable.push(row as FeatureRow);
  }
  if (runnable.length === 0) return answered;
  return new Promise((resolve) => {
    model.loaded.submit(new RowsWork(model, scope, runnable, places, answered, () => resolve(answered)));
  });
}

function checkRow({ binding, readsBehind }: ServedModel, { values, reads }: FeatureRow): HeadraceError | undefined {
  const error = binding.check(values);
  if (error?.code !== 'HR_NULL_FEATURE') return error;
  // What a transform made of several views may be null by any of them: of a key that one knows that is no unknown key.
  return binding.check(values, (feature) => {
    const behind = readsBehind[feature] ?? [];
    return (
      behind.length > 0 &&
      behind.every((read) => reads[read]?.statuses.every((status) => status === 'NOT_FOUND') === true)
    );
  });
}

/** Enough to find a few rows of thousands; where most fail, the rest fails with them. */
const MOST_RUNS_AGAIN = 64;

// A class, since one is made for every request.
class RowsWork implements ModelWork {
  readonly count: number;
  readonly scope: Scope;
  readonly rowShapes: readonly (readonly number[])[] | undefined;
  readonly #model: ServedModel;
  readonly #rows: readonly FeatureRow[];
  readonly #places: readonly number[] | undefined;
  readonly #answered: ArmRow[];
  readonly #end: () => void;
  /** Runs that are left for finding rows that fail, of the whole request. */
  readonly #spare: { runs: number };

  constructor(
    model: ServedModel,
    scope: Scope,
    rows: readonly FeatureRow[],
    places: readonly number[] | undefined,
    answered: ArmRow[],
    end: () => void,
    spare: { runs: number } = { runs: MOST_RUNS_AGAIN },
  ) {
    this.#spare = spare;
    this.count = rows.length;
    this.scope = scope;
    this.rowShapes = model.binding.rowShapes;
    this.#model = model;
    this.#rows = rows;
    this.#places = places;
    this.#answered = answered;
    this.#end = end;
  }

  bind(index: number, batch: readonly BatchInput[], place: number): void {
    this.#model.binding.bindRow((this.#rows[index] as FeatureRow).values, batch, place);
  }

  done(outputs: readonly Tensor[], first: number): void {
    const { binding } = this.#model;
    for (let i = 0; i < this.count; i++) {
      const { values: features, statuses } = this.#rows[i] as FeatureRow;
      try {
        this.#put(i, { outputs: binding.readRow(outputs, first + i), features, statuses });
      } catch (thrown) {
        this.#put(i, { error: asInferenceFailure(thrown) });
      }
    }
    this.#end();
  }

  /** One row may have spoilt the others: it is looked for by halves, one after the other, within a bound. */
  runsAgain(): boolean {
    if (this.count === 1 || this.#spare.runs < 2) return false;
    this.#spare.runs -= 2;
    const middle = this.count >> 1;
    this.#part(middle, this.count, this.#end, (end) => this.#part(0, middle, end));
    return true;
  }

  failed(error: HeadraceError): void {
    for (let i = 0; i < this.count; i++) this.#put(i, { error });
    this.#end();
  }

  /** Runs some of the rows, then the rest, then ends. */
  #part(from: number, to: number, end: () => void, before?: (end: () => void) => void): void {
    const places = Array.from({ length: to - from }, (_, i) => this.#placeOf(from + i));
    const rows = this.#rows.slice(from, to);
    const run = (): void =>
      this.#model.loaded.submit(new RowsWork(this.#model, this.scope, rows, places, this.#answered, end, this.#spare));
    if (before === undefined) run();
    else before(run);
  }

  #placeOf(index: number): number {
    return this.#places === undefined ? index : (this.#places[index] as number);
  }

  #put(index: number, row: ArmRow): void {
    this.#answered[this.#placeOf(index)] = row;
  }
}

function asInferenceFailure(thrown: unknown): HeadraceError {
  if (thrown instanceof HeadraceError) return thrown;
  return new HeadraceError('HR_INFERENCE_FAILED', `the model's answer can't be read: ${String(thrown)}`, {
    cause: thrown,
  });
}
