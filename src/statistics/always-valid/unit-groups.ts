// Outcomes by groups of units: enough to tell an error that knows which rows are of one unit, without a row for each.

/** A unit is in the group `hash % UNIT_GROUPS`, whichever arm and step it is in. */
export const UNIT_GROUPS = 64;

/** Outcomes that are numbers, or true (1) and false, each member `UNIT_GROUPS` long. */
export interface GroupedOutcomes {
  readonly n: readonly number[];
  readonly sum: readonly number[];
  readonly squares: readonly number[];
}
