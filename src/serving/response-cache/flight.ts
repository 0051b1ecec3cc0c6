// A row whose run is under way, and who waits for what it gives.

import type { Priority, Scope, Value } from '../../core/index.ts';

/** Told once: the outputs, or that there are none to share. */
export type FlightEnd = (outputs: readonly Value[] | undefined) => void;

export interface Flight {
  readonly scope: Scope;
  /** The run that the row is of, and the row's place there. */
  readonly owner: object;
  readonly place: number;
  /** Made when the first one waits. */
  waiting: FlightEnd[] | undefined;
}

/** Whether a row may wait for the run: nobody waits for one that may run later, by its queue's order, than its own would. */
export function mayJoin({ scope }: Flight, own: Scope): boolean {
  return scope.deadlineMs <= own.deadlineMs && ORDER[scope.priority] <= ORDER[own.priority] && !scope.isCancelled;
}

const ORDER: Readonly<Record<Priority, number>> = { online: 0, batch: 1, shadow: 2 };
