// How an arm answers rows: features in one round trip, then one piece of work for the model's queue, and one completion
// from there to whoever waits.

import { HeadraceError, type Scope, type Value } from '../core/index.ts';
import { type BatchInput, EachRowWork, type NodeTiming, type SpareRuns } from '../models/index.ts';
import type { ArmRow } from './arm.ts';
import { addNodeTiming, type ArmTiming } from './arm-timing.ts';
import type { FeatureRow, FeatureRowOrError } from './feature-plan.ts';
import type { ServedModel } from './served-models.ts';

/** Runs rows whose features are there. A row that the model can't take fails alone, and so does one that breaks a batch. */
export function inferRows(
  model: ServedModel,
  features: readonly FeatureRowOrError[],
  scope: Scope,
  timing?: ArmTiming,
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
    submitRows(model, runnable, places, answered, scope, timing, () => resolve(answered));
  });
}

/** Rows that `checkRow` has passed, as one work; their answers go to `places` of `answered`, and `end` is called after the last. */
export function submitRows(
  model: ServedModel,
  rows: readonly FeatureRow[],
  places: readonly number[] | undefined,
  answered: ArmRow[],
  scope: Scope,
  timing: ArmTiming | undefined,
  end: () => void,
): void {
  model.loaded.submit(
    timing === undefined
      ? new RowsWork(model, scope, rows, places, answered, end)
      : new TimedRowsWork(model, scope, rows, places, answered, end, timing),
  );
}

export function checkRow(
  { binding, readsBehind }: ServedModel,
  { values, reads }: FeatureRow,
): HeadraceError | undefined {
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

// A class, since one is made for every request.
class RowsWork extends EachRowWork {
  readonly #model: ServedModel;
  readonly #rows: readonly FeatureRow[];
  readonly #places: readonly number[] | undefined;
  readonly #answered: ArmRow[];
  readonly #end: () => void;

  constructor(
    model: ServedModel,
    scope: Scope,
    rows: readonly FeatureRow[],
    places: readonly number[] | undefined,
    answered: ArmRow[],
    end: () => void,
    spare?: SpareRuns,
  ) {
    super(model, scope, rows.length, spare);
    this.#model = model;
    this.#rows = rows;
    this.#places = places;
    this.#answered = answered;
    this.#end = end;
  }

  protected valuesOf(index: number): readonly Value[] {
    return (this.#rows[index] as FeatureRow).values;
  }

  protected answered(index: number, outputs: readonly Value[]): void {
    const { values: features, statuses } = this.#rows[index] as FeatureRow;
    this.#answered[this.#placeOf(index)] = { outputs, features, statuses };
  }

  protected rowFailed(index: number, error: HeadraceError): void {
    this.#answered[this.#placeOf(index)] = { error };
  }

  protected ended(): void {
    this.#end();
  }

  protected part(from: number, to: number, ended: () => void): RowsWork {
    const places = Array.from({ length: to - from }, (_, i) => this.#placeOf(from + i));
    const rows = this.#rows.slice(from, to);
    return new RowsWork(this.#model, this.scope, rows, places, this.#answered, ended, this.spare);
  }

  #placeOf(index: number): number {
    return this.#places === undefined ? index : (this.#places[index] as number);
  }
}

/** Notes when its rows began to run, and when they were told of. */
class TimedRowsWork extends RowsWork {
  readonly timed: (run: NodeTiming) => void;
  readonly #timing: ArmTiming;
  readonly #submittedMs = performance.now();
  #beganMs: number | undefined;

  constructor(
    model: ServedModel,
    scope: Scope,
    rows: readonly FeatureRow[],
    places: readonly number[] | undefined,
    answered: ArmRow[],
    end: () => void,
    timing: ArmTiming,
  ) {
    super(model, scope, rows, places, answered, end);
    this.#timing = timing;
    this.timed = (run) => addNodeTiming(timing, run);
  }

  override bind(index: number, batch: readonly BatchInput[], place: number): void {
    this.#beganMs ??= performance.now();
    super.bind(index, batch, place);
  }

  protected override ended(): void {
    const nowMs = performance.now();
    const beganMs = this.#beganMs ?? nowMs;
    this.#timing.queueMs = beganMs - this.#submittedMs;
    this.#timing.inferenceMs = nowMs - beganMs;
    super.ended();
  }
}
