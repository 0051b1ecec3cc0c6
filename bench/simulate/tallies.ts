// What a server counts of simulated requests for each kind of test: first events of units, and sums by step and group.

import {
  createEventTest,
  type EventTestOptions,
  type GroupSums,
  msprt,
  stratifiedDifference,
} from '../../src/statistics/index.ts';
import { GROUPS } from './traffic.ts';

export interface EventTally {
  /** A unit has an event now. */
  event(unit: number, isCandidate: boolean): void;
  /** The minute ends, in which the candidate had the share w. Whether it is a breach by now. */
  minute(w: number): boolean;
  /** First events by now, of both arms. */
  events(): number;
  atCandidate(): number;
}

/** First events of units, by minute, into an event test; `byRow` counts every event, as one must not. */
export function tallyEvents(units: number, options: EventTestOptions, byRow = false): EventTally {
  const test = createEventTest(options);
  const hadOne = new Uint8Array(units);
  let k = 0;
  let kc = 0;
  let all = 0;
  let candidates = 0;
  return {
    event(unit, isCandidate) {
      if (hadOne[unit] === 1 && !byRow) return;
      hadOne[unit] = 1;
      k++;
      if (isCandidate) kc++;
    },
    minute(w) {
      if (w > 0 && w < 1) test.add(k, kc, w);
      all += k;
      candidates += kc;
      k = kc = 0;
      return test.breached();
    },
    events: () => all,
    atCandidate: () => candidates,
  };
}

export interface MeanTally {
  /** The weight of the requests that follow; a new one is a new step. */
  weight(w: number): void;
  add(unit: number, isCandidate: boolean, y: number, n: number): void;
  /** Undefined while there is too little to say anything. */
  look(): MeanLook | undefined;
}

export interface MeanLook {
  readonly difference: number;
  /** Half-widths at alpha. */
  readonly twoSided: number;
  readonly oneSided: number;
}

interface Step {
  readonly w: number;
  readonly candidate: GroupSums & { readonly y: Float64Array; readonly n: Float64Array };
  readonly base: GroupSums & { readonly y: Float64Array; readonly n: Float64Array };
}

/** Units and events of the candidate before which nothing is said. */
const LEAST_UNITS = 200;
const LEAST_EVENTS = 25;

/** Sums by step and group, into the stratified difference and its mixture; τ is a tenth of the base. */
export function tallyMeans(group: Uint8Array, alpha: number, leastUnits = LEAST_UNITS): MeanTally {
  const seen = new Uint8Array(group.length);
  const steps: Step[] = [];
  let step = createStep(0);
  let units = 0;
  let events = 0;
  return {
    weight(w) {
      if (w === step.w) return;
      step = createStep(w);
      steps.push(step);
    },
    add(unit, isCandidate, y, n) {
      const sums = isCandidate ? step.candidate : step.base;
      const g = group[unit] as number;
      sums.y[g] = (sums.y[g] as number) + y;
      sums.n[g] = (sums.n[g] as number) + n;
      if (!isCandidate) return;
      if (y !== 0) events++;
      if (seen[unit] === 0) units++;
      seen[unit] = 1;
    },
    look() {
      if (units < leastUnits || events < Math.min(LEAST_EVENTS, leastUnits)) return undefined;
      const told = stratifiedDifference(steps);
      if (told === undefined || told.base === 0) return undefined;
      const given = { difference: told.difference, se: told.se, tau: Math.abs(told.base) / 10, alpha };
      const { halfWidth } = msprt(given);
      return {
        difference: told.difference,
        twoSided: halfWidth,
        oneSided: msprt({ ...given, oneSided: true }).halfWidth,
      };
    },
  };
}

function createStep(w: number): Step {
  const sums = () => ({ y: new Float64Array(GROUPS), n: new Float64Array(GROUPS) });
  return { w, candidate: sums(), base: sums() };
}
