// What a model answers to rows of feature values, each for itself, as an arm asks it.

import type { HeadraceError, Scope, Value } from '../../src/core/index.ts';
import { EachRowWork, type NodeTiming, type RowModel } from '../../src/models/index.ts';
import { scopeOf } from './model-works.ts';

type Answer = readonly Value[] | HeadraceError;

/** By row: its outputs, or its error. */
export function answersOf(
  model: RowModel,
  rows: readonly (readonly Value[])[],
  scope: Scope = scopeOf(),
  timed?: (run: NodeTiming) => void,
): Promise<readonly Answer[]> {
  return new Promise((resolve) => {
    const told: Answer[] = [];
    const work = new Rows({ model, scope, rows, told, timed }, 0, rows.length, () => resolve(told));
    model.loaded.submit(work);
  });
}

interface Asked {
  readonly model: RowModel;
  readonly scope: Scope;
  readonly rows: readonly (readonly Value[])[];
  readonly told: Answer[];
  readonly timed: ((run: NodeTiming) => void) | undefined;
}

class Rows extends EachRowWork {
  readonly timed: ((run: NodeTiming) => void) | undefined;
  readonly #asked: Asked;
  readonly #from: number;
  readonly #end: () => void;

  constructor(asked: Asked, from: number, to: number, end: () => void) {
    super(asked.model, asked.scope, to - from);
    this.timed = asked.timed;
    this.#asked = asked;
    this.#from = from;
    this.#end = end;
  }

  protected valuesOf(index: number): readonly Value[] {
    return this.#asked.rows[this.#from + index] as readonly Value[];
  }

  protected answered(index: number, outputs: readonly Value[]): void {
    this.#asked.told[this.#from + index] = outputs;
  }

  protected rowFailed(index: number, error: HeadraceError): void {
    this.#asked.told[this.#from + index] = error;
  }

  protected ended(): void {
    this.#end();
  }

  protected part(from: number, to: number, ended: () => void): Rows {
    return new Rows(this.#asked, this.#from + from, this.#from + to, ended);
  }
}
