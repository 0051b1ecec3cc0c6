// Rows of a graph as work for one of its models.

import type { HeadraceError, Scope, Value } from '../../core/index.ts';
import { EachRowWork, type RowModel, type SpareRuns } from '../each-row.ts';
import type { GraphQueue } from './graph-queue.ts';

/** Told once of each row, by its place among those given. */
export type TellRow = (index: number, answer: readonly Value[] | HeadraceError) => void;

export class NodeWork extends EachRowWork {
  readonly #model: RowModel;
  readonly #queue: GraphQueue;
  /** Of its rows, those that wait. */
  #waiting: number;
  readonly #rows: readonly (readonly Value[])[];
  readonly #from: number;
  readonly #tell: TellRow;
  readonly #end: () => void;

  /** `from`: the place of the first of `rows`, for what is told. */
  constructor(
    model: RowModel,
    queue: GraphQueue,
    scope: Scope,
    rows: readonly (readonly Value[])[],
    from: number,
    tell: TellRow,
    end: () => void,
    spare?: SpareRuns,
  ) {
    super(model, scope, rows.length, spare);
    this.#model = model;
    this.#queue = queue;
    this.#waiting = rows.length;
    queue.rows += rows.length;
    this.#rows = rows;
    this.#from = from;
    this.#tell = tell;
    this.#end = end;
  }

  began(rows: number, waitedMs: number): void {
    this.#leave(Math.min(rows, this.#waiting));
    if (this.scope.priority === 'shadow') return;
    this.#queue.waitMs += waitedMs * rows;
    this.#queue.waitedRows += rows;
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
    // Those that were refused, or dropped while they waited.
    this.#leave(this.#waiting);
    this.#end();
  }

  #leave(rows: number): void {
    this.#waiting -= rows;
    this.#queue.rows -= rows;
  }

  protected part(from: number, to: number, ended: () => void): NodeWork {
    const rows = this.#rows.slice(from, to);
    const place = this.#from + from;
    const part = new NodeWork(this.#model, this.#queue, this.scope, rows, place, this.#tell, ended, this.spare);
    // They have waited before.
    part.#leave(rows.length);
    return part;
  }
}
