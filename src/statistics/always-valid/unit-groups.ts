// Outcomes by groups of units: enough to tell an error that knows which rows are of one unit, without a row for each.

/** A unit is in the group `hash % UNIT_GROUPS`, whichever arm and step it is in. */
export const UNIT_GROUPS = 64;

/** Outcomes that are numbers, or true (1) and false, each member but the last `UNIT_GROUPS` long. */
export interface GroupedOutcomes {
  readonly n: readonly number[];
  /** The doubles nearest to the sums. */
  readonly sum: readonly number[];
  readonly squares: readonly number[];
  /** What the nearest doubles lack of the sums, of groups in which they lack any; left out where none does. */
  readonly rests?: readonly GroupRest[];
}

/** The doubles that `sum` and `squares` of a group lack, a few of each. */
export type GroupRest = readonly [group: number, sum: readonly number[], squares: readonly number[]];
