// Simulated traffic that is as unkind as real traffic: a few units make most requests, a few fail again and again, rates
// rise and fall with the hour, and bursts meet everyone at once. No arm changes any of it.

import { drawGamma, drawNormal } from '../../src/statistics/index.ts';

export interface Traffic {
  readonly minutes: number;
  readonly units: number;
  /** Where a unit lies in assignment, [0, 1): at the candidate while the weight is past it. */
  readonly bucket: Float64Array;
  /** One of 64. */
  readonly group: Uint8Array;
  /** How often a request of the unit fails, before the minute's climate. */
  readonly failing: Float64Array;
  /** What its values are about. */
  readonly level: Float64Array;
  /** The unit of each request, minute by minute. */
  readonly requests: Uint32Array;
  /** `requests[starts[m]]` is minute m's first. */
  readonly starts: Uint32Array;
  /** What all failures of a minute are multiplied by. */
  readonly climate: Float64Array;
}

export interface TrafficOptions {
  readonly units: number;
  readonly minutes: number;
  /** The mean share of failures over units and minutes, about. */
  readonly failing: number;
}

/** How unequal units fail: a gamma of this shape (.15: a tenth of the units has 71 % of it). */
const FAILING_SHAPE = 0.15;
/** Requests a unit: Pareto of this index, to 300; 4 in the mean, and a hundredth of the units has 29 % of them. */
const REQUESTS_INDEX = 1.2;
const MOST_REQUESTS = 300;
export const GROUPS = 64;

export function simulateTraffic(random: () => number, { units, minutes, failing }: TrafficOptions): Traffic {
  const traffic = {
    minutes,
    units,
    bucket: Float64Array.from({ length: units }, random),
    group: Uint8Array.from({ length: units }, () => random() * GROUPS),
    failing: Float64Array.from({ length: units }, () => (failing * drawGamma(random, FAILING_SHAPE)) / FAILING_SHAPE),
    level: Float64Array.from({ length: units }, () => Math.exp(0.8 * drawNormal(random))),
    climate: simulateClimate(random, minutes),
  };
  const counts = Uint16Array.from({ length: units }, () =>
    Math.min(MOST_REQUESTS, (1 - random()) ** (-1 / REQUESTS_INDEX)),
  );
  return { ...traffic, ...spread(random, counts, minutes) };
}

/** A wave of a third up and down, and in one minute of thirty a burst that fails twenty times as often. */
function simulateClimate(random: () => number, minutes: number): Float64Array {
  const phase = random() * 2 * Math.PI;
  return Float64Array.from({ length: minutes }, (_, minute) => {
    const wave = 0.65 * (1 + 0.35 * Math.sin(phase + (4 * Math.PI * minute) / minutes));
    return random() < 1 / 30 ? 20 * wave : wave;
  });
}

/** Each unit arrives at some minute, and its requests come at any from then on. */
function spread(random: () => number, counts: Uint16Array, minutes: number) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const minuteOf = new Uint16Array(total);
  const unitOf = new Uint32Array(total);
  const starts = new Uint32Array(minutes + 1);
  let at = 0;
  for (let unit = 0; unit < counts.length; unit++) {
    const arrival = random() * minutes;
    for (let i = 0; i < (counts[unit] as number); i++, at++) {
      const minute = Math.floor(arrival + (i === 0 ? 0 : random() * (minutes - arrival)));
      minuteOf[at] = minute;
      unitOf[at] = unit;
      starts[minute + 1] = (starts[minute + 1] as number) + 1;
    }
  }
  for (let minute = 0; minute < minutes; minute++)
    starts[minute + 1] = (starts[minute + 1] as number) + (starts[minute] as number);
  const next = starts.slice();
  const requests = new Uint32Array(total);
  for (let i = 0; i < total; i++) {
    const minute = minuteOf[i] as number;
    const place = next[minute] as number;
    requests[place] = unitOf[i] as number;
    next[minute] = place + 1;
  }
  return { requests, starts };
}

/** The weight of the candidate by minute: each of the steps for as long. */
export function rampOf(steps: readonly number[], minutes: number): Float64Array {
  return Float64Array.from({ length: minutes }, (_, m) => steps[Math.floor((m * steps.length) / minutes)] as number);
}
