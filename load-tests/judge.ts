// Thresholds held against what was measured. A figure that is missing is never within a bound.

import type { DriveResult } from './drive.ts';
import type { PhaseFigures } from './outcomes.ts';
import type { RequestKind } from './requests.ts';
import type { Scenario, Threshold } from './scenarios.ts';

export interface Verdict {
  readonly threshold: string;
  readonly bound: string;
  readonly measured: string;
  /** A bare server's figure beside it, where there is one. */
  readonly floor?: string;
  /** Undefined where it was not judged. */
  readonly isMet: boolean | undefined;
  /** Why it was not judged. */
  readonly unjudged?: string;
}

export interface Measured {
  readonly result: Pick<DriveResult, 'streams'>;
  /** Requests a second that the slow model answers when it is always asked; where the scenario wants it. */
  readonly capacityPerSecond?: number;
  /** Bytes of the server, evenly over the run; empty where nobody told. */
  readonly memoryBytes: readonly number[];
  readonly seconds: number;
}

/** A verdict for each threshold whose requests were sent. */
export function judge(scenario: Pick<Scenario, 'thresholds'>, measured: Measured): Verdict[] {
  const kinds = new Set(measured.result.streams.map(({ request }) => request));
  return scenario.thresholds
    .filter((threshold) => threshold.measure === 'growth' || kinds.has(threshold.request))
    .map((threshold) => verdictOf(threshold, measured));
}

/** Whether the run is one to be content with: something was judged, and all of that holds. */
export function isHeld(verdicts: readonly Verdict[]): boolean {
  const judged = verdicts.filter(({ isMet }) => isMet !== undefined);
  return judged.length > 0 && judged.every(({ isMet }) => isMet);
}

function verdictOf(threshold: Threshold, measured: Measured): Verdict {
  if (threshold.measure === 'growth') return growthVerdict(threshold.atMost, measured);
  const { request, phase } = threshold;
  const figures = figuresOf(measured, request, phase);
  const where = `${request}, ${phase}`;
  switch (threshold.measure) {
    case 'latency': {
      const { percentile, atMostMs } = threshold;
      const of = (from: PhaseFigures | undefined): number => (percentile === 50 ? from?.p50Ms : from?.p99Ms) ?? NaN;
      const floor = of(figuresOf(measured, 'bare', phase));
      return {
        threshold: `${where}: p${percentile}`,
        bound: `≤ ${atMostMs} ms`,
        measured: millis(of(figures)),
        ...(Number.isNaN(floor) ? {} : { floor: `bare server ${millis(floor)}` }),
        isMet: of(figures) <= atMostMs,
      };
    }
    case 'errors':
      return shareVerdict(`${where}: errors`, figures, threshold.atMost, ({ sent, answered }) => sent - answered);
    case 'faults':
      return shareVerdict(`${where}: neither answered nor refused`, figures, threshold.atMost, ({ faults }) => faults);
    case 'goodput': {
      const { capacityPerSecond = NaN } = measured;
      const share = (figures?.goodPerSecond ?? NaN) / capacityPerSecond;
      return {
        threshold: `${where}: answered in time`,
        bound: `≥ ${threshold.atLeast} of ${capacityPerSecond.toFixed(1)}/s`,
        measured: `${share.toFixed(3)} (${(figures?.goodPerSecond ?? NaN).toFixed(1)}/s)`,
        isMet: share >= threshold.atLeast,
      };
    }
    default: {
      const recoveryMs = figures?.recoveryMs ?? null;
      return {
        threshold: `${where}: full service again`,
        bound: `≤ ${threshold.atMostMs} ms`,
        measured: recoveryMs === null ? 'never' : millis(recoveryMs),
        isMet: recoveryMs !== null && recoveryMs <= threshold.atMostMs,
      };
    }
  }
}

function figuresOf({ result }: Measured, request: RequestKind, phase: string): PhaseFigures | undefined {
  return result.streams.find((stream) => stream.request === request)?.phases.find((figures) => figures.phase === phase);
}

function shareVerdict(
  threshold: string,
  figures: PhaseFigures | undefined,
  atMost: number,
  count: (figures: PhaseFigures) => number,
): Verdict {
  const share = figures === undefined ? NaN : count(figures) / figures.sent;
  return {
    threshold,
    bound: `≤ ${percent(atMost)}`,
    measured: figures === undefined ? 'nothing sent' : `${percent(share)} (${count(figures)} of ${figures.sent})`,
    isMet: share <= atMost,
  };
}

/** A server takes so long to get to its size: in a shorter run growth says nothing. */
const LEAST_GROWTH_MINUTES = 1;

function growthVerdict(atMost: number, { memoryBytes, seconds }: Measured): Verdict {
  const third = Math.floor(memoryBytes.length / 3);
  const [second, last] = [memoryBytes.slice(third, 2 * third), memoryBytes.slice(2 * third)].map((part) =>
    part.length === 0 ? NaN : Math.max(...part),
  ) as [number, number];
  const growth = last / second;
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  return {
    threshold: 'memory, last third over the second',
    bound: `≤ ${atMost}`,
    measured: Number.isNaN(growth) ? 'not told' : `${growth.toFixed(3)} (${megabytes(second)}, ${megabytes(last)})`,
    ...(seconds < LEAST_GROWTH_MINUTES * 60
      ? { isMet: undefined, unjudged: `the run was shorter than ${LEAST_GROWTH_MINUTES} minute` }
      : { isMet: growth <= atMost }),
  };
}

function millis(value: number): string {
  return Number.isNaN(value) ? 'no answers' : `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(3))} %`;
}
