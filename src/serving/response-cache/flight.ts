// A row whose run is under way, and who waits for what it gives.

import type { ErrorCode, Priority, Scope } from '../../core/index.ts';
import type { ArmRow } from '../arm.ts';

/** Told once. A failure is for those to know who decide by it what they do. */
export type FlightEnd = (ran: ArmRow) => void;

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

/** Whether a failure came of who ran, their deadline or their going, so that the same row may well be answered to others. */
export function isRunnersOwn(code: ErrorCode): boolean {
  return code === 'HR_DEADLINE' || code === 'HR_CANCELLED' || code === 'HR_OVERLOADED';
}
