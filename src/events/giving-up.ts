// What a person can do about a log that is damaged and of which there is no copy, in a clause.

/**
 * Forgetting a writer lets go of what no machine but its own can read: what it shipped is read of every writer. `shippedCut`: of
 * what is damaged and shipped, the last cut that it holds.
 */
export function givingUp(writer: number, shippedCut: number | undefined): string {
  return shippedCut === undefined
    ? `let go of what writer ${writer} has not shipped: headrace log forget ${writer}`
    : `give up what writer ${writer} shipped up to cut ${shippedCut}: headrace log forget ${writer} --through ${shippedCut}`;
}
