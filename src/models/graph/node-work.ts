// Rows of a graph as work for one of its models.

import type { HeadraceError, Scope, Value } from '../../core/index.ts';
import { EachRowWork, type RowModel, type SpareRuns } from '../each-row.ts';
import type { GraphQueue } from './graph-queue.ts';

export interface AsksNode {
  /** Told once of each row, by its place among those given. */
  tell(index: number, answer: readonly Value[] | HeadraceError): void;
  /** Every row was told of; `endMs`: when their run ended, where one did. */
  end(endMs?: number): void;
}

export class NodeWork extends EachRowWork {
  readonly #model: RowModel;
  readonly #queue: GraphQueue;
  /** Of its rows, those that wait. */
  #waiting: number;
  readonly #rows: readonly (readonly Value[])[];
  readonly #from: number;
  readonly #asks: AsksNode;

  /** `from`: the place of the first of `rows`, for what is told. */
  constructor(
    model: RowModel,
    queue: GraphQueue,
    scope: Scope,
    rows: readonly (readonly Value[])[],
    from: number,
    asks: AsksNode,
    spare?: SpareRuns,
  ) {
    super(model, scope, rows.length, spare);
    this.#model = model;
    this.#queue = queue;
    this.#waiting = rows.length;
    queue.rows += rows.length;
    this.#rows = rows;
    this.#from = from;
    this.#asks = asks;
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
    this.#asks.tell(this.#from + index, outputs);
  }

  protected rowFailed(index: number, error: HeadraceError): void {
    this.#asks.tell(this.#from + index, error);
  }

  protected ended(endMs?: number): void {
    // Those that were refused, or dropped while they waited.
    this.#leave(this.#waiting);
    this.#asks.end(endMs);
  }

  #leave(rows: number): void {
    this.#waiting -= rows;
    this.#queue.rows -= rows;
  }

  protected part(from: number, to: number, ended: () => void): NodeWork {
    const rows = this.#rows.slice(from, to);
    const place = this.#from + from;
    const asks = this.#asks;
    const ofPart: AsksNode = { tell: (index, answer) => asks.tell(index, answer), end: ended };
    const part = new NodeWork(this.#model, this.#queue, this.scope, rows, place, ofPart, this.spare);
    // They have waited before.
    part.#leave(rows.length);
    return part;
  }
}
