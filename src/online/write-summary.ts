// What a write to the online store came to.

export interface WriteSummary {
  /** Records changed. */
  readonly written: number;
  /** Records (of a base) or events (pushed) left out: older than what is there, a repeat, or covered by a base. */
  readonly skipped: number;
}
