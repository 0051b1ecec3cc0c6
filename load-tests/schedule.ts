// When requests are to be sent: the moments are set beforehand by the rate alone, whatever the server makes of it.

export interface Arrivals {
  /** Requests a second at the start and at the end of it; between them the rate rises or falls evenly. */
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
}

/** How many arrive in all. */
export function arrivalCount({ from, to, seconds }: Arrivals): number {
  return Math.floor(((from + to) / 2) * seconds + 1e-9);
}

/**
 * Milliseconds from the start until the n-th arrives, n from 0 to `arrivalCount` − 1. `shift` (0 to 1) moves all by that
 * share of a gap, so that several streams do not beat in time.
 */
export function arrivalMs({ from, to, seconds }: Arrivals, n: number, shift = 0): number {
  const count = n + shift;
  const slope = (to - from) / seconds;
  // count = from·t + slope·t²/2; written so that a small slope loses no digits.
  const root = Math.sqrt(Math.max(0, from * from + 2 * slope * count));
  const t = count === 0 ? 0 : (2 * count) / (from + root);
  return Math.min(t, seconds) * 1000;
}
