// Rows of a graph as work for one of its models.

import type { HeadraceError, Scope, Value } from '../../core/index.ts';
import { EachRowWork, type RowModel, type SpareRuns } from '../each-row.ts';

/** Told once of each row, by its place among those given. */
export type TellRow = (index: number, answer: readonly Value[] | HeadraceError) => void;

export class NodeWork extends EachRowWork {
  readonly #model: RowModel;
  readonly #rows: readonly (readonly Value[])[];
  readonly #from: number;
  readonly #tell: TellRow;
  readonly #end: () => void;

  /** `from`: the place of the first of `rows`, for what is told. */
  constructor(
    model: RowModel,
    scope: Scope,
    rows: readonly (readonly Value[])[],
    from: number,
    tell: TellRow,
    end: () => void,
    spare?: SpareRuns,
  ) {
    super(model, scope, rows.length, spare);
    this.#model = model;
    this.#rows = rows;
    this.#from = from;
    this.#tell = tell;
    this.#end = end;
  }

  protected valuesOf(index: number): readonly Value[] {
    return this.#rows[index] as readonly Value[];
  }

  protected answered(index: number, outputs: readonly Value[]): void {
    this.#tell(this.#from + index, outputs);
  }

  protected rowFailed(index: number, error: HeadraceError): void {
    this.#tell(this.#from + index, error);
  }

  protected ended(): void {
    this.#end();
  }

  protected part(from: number, to: number, ended: () => void): NodeWork {
    const rows = this.#rows.slice(from, to);
    return new NodeWork(this.#model, this.scope, rows, this.#from + from, this.#tell, ended, this.spare);
  }
}
