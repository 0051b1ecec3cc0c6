// What became of each request, kept as numbers in columns, and the figures that are drawn from them.

import { BROKEN, TIMED_OUT } from './connection.ts';

export interface PhaseFigures {
  readonly phase: string;
  readonly seconds: number;
  /** Requests whose time was in the phase. */
  readonly sent: number;
  /** Answered 2xx. */
  readonly answered: number;
  /** Neither answered 2xx nor refused in order: 429 (come later) or 504 (too late). */
  readonly faults: number;
  /** Answers 2xx, each within what its request allowed, that came in the phase, by the second. */
  readonly goodPerSecond: number;
  /** Of answers 2xx, from the moment at which the request was to be sent; NaN without one. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Requests by status; `broken` and `timed out` had none. */
  readonly statuses: Readonly<Record<string, number>>;
  /** From the phase's start until all of a whole second are good; null when that never came. */
  readonly recoveryMs: number | null;
}

/** Times are milliseconds since the run's start. */
export interface Outcomes {
  readonly count: number;
  add(intendedMs: number, doneMs: number, status: number): void;
  figures(phases: readonly PhaseTimes[], goodWithinMs: number): PhaseFigures[];
}

export interface PhaseTimes {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
}

const FIRST_ROOM = 1024;

export function createOutcomes(): Outcomes {
  let intended = new Float64Array(FIRST_ROOM);
  let done = new Float64Array(FIRST_ROOM);
  let statuses = new Uint16Array(FIRST_ROOM);
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(intendedMs, doneMs, status) {
      if (count === intended.length) {
        intended = grown(intended, new Float64Array(count * 2));
        done = grown(done, new Float64Array(count * 2));
        statuses = grown(statuses, new Uint16Array(count * 2));
      }
      intended[count] = intendedMs;
      done[count] = doneMs;
      statuses[count++] = status;
    },
    figures(phases, goodWithinMs) {
      const order = Uint32Array.from({ length: count }, (_, at) => at).sort(
        (a, b) => (intended[a] as number) - (intended[b] as number),
      );
      const all = Array.from(order, (at): Outcome => {
        const [intendedMs, doneMs, status] = [intended[at] as number, done[at] as number, statuses[at] as number];
        return { intendedMs, doneMs, status, isGood: isAnswer(status) && doneMs - intendedMs <= goodWithinMs };
      });
      return phases.map((phase) => figuresOf(all, phase));
    },
  };
}

function grown<Column extends Float64Array | Uint16Array>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}

interface Outcome {
  readonly intendedMs: number;
  readonly doneMs: number;
  readonly status: number;
  readonly isGood: boolean;
}

function figuresOf(all: readonly Outcome[], { name, startMs, endMs }: PhaseTimes): PhaseFigures {
  const isIn = (atMs: number): boolean => atMs >= startMs && atMs < endMs;
  const sent = all.filter(({ intendedMs }) => isIn(intendedMs));
  const latencies = Float64Array.from(
    sent.filter(({ status }) => isAnswer(status)).map(({ intendedMs, doneMs }) => doneMs - intendedMs),
  ).sort();
  const statuses: Record<string, number> = {};
  for (const { status } of sent) statuses[nameOf(status)] = (statuses[nameOf(status)] ?? 0) + 1;
  const seconds = (endMs - startMs) / 1000;
  return {
    phase: name,
    seconds,
    sent: sent.length,
    answered: latencies.length,
    faults: sent.filter(({ status }) => !isAnswer(status) && status !== 429 && status !== 504).length,
    goodPerSecond: all.filter(({ doneMs, isGood }) => isGood && isIn(doneMs)).length / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: latencies.at(-1) ?? NaN,
    statuses,
    recoveryMs: recoveryOf(sent, startMs, endMs),
  };
}

const isAnswer = (status: number): boolean => status >= 200 && status < 300;

function nameOf(status: number): string {
  if (status === BROKEN) return 'broken';
  return status === TIMED_OUT ? 'timed out' : String(status);
}

/** The least value that so large a share of them does not exceed (nearest rank); NaN of none. Sorted values. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}

const WHOLE_SERVICE_MS = 1000;

/** In order of time. */
export function recoveryOf(
  requests: readonly { readonly intendedMs: number; readonly isGood: boolean }[],
  startMs: number,
  endMs: number,
): number | null {
  let fromMs = startMs;
  let isAnyGood = false;
  for (const { intendedMs, isGood } of requests) {
    if (isAnyGood && intendedMs - fromMs >= WHOLE_SERVICE_MS) break;
    if (isGood) isAnyGood = true;
    else [fromMs, isAnyGood] = [intendedMs, false];
  }
  return isAnyGood && endMs - fromMs >= WHOLE_SERVICE_MS ? fromMs - startMs : null;
}
