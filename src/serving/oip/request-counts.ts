// Requests by model and version as the protocol's statistics tell them.

import type { ModelFigures, Timed } from './inference-plane.ts';

export interface RequestCounts {
  answered(model: string, version: string, startMs: number): void;
  failed(model: string, version: string, startMs: number): void;
  of(model: string, version: string): Pick<ModelFigures, 'lastMs' | 'succeeded' | 'failed'>;
}

interface Count {
  count: number;
  micros: number;
}

interface Counts {
  lastMs: number;
  readonly succeeded: Count;
  readonly failed: Count;
}

const NONE: Timed = { count: 0, micros: 0 };

/** Names and versions are those that there are, so there are no more counts than those. Times are by `performance.now()`. */
export function createRequestCounts(nowMs: () => number = () => performance.now()): RequestCounts {
  const byModel = new Map<string, Map<string, Counts>>();
  const note = (model: string, version: string, outcome: 'succeeded' | 'failed', startMs: number): void => {
    let versions = byModel.get(model);
    if (versions === undefined) byModel.set(model, (versions = new Map()));
    let counts = versions.get(version);
    if (counts === undefined) versions.set(version, (counts = { lastMs: 0, succeeded: zero(), failed: zero() }));
    counts.lastMs = performance.timeOrigin + startMs;
    counts[outcome].count++;
    counts[outcome].micros += (nowMs() - startMs) * 1000;
  };
  return {
    answered: (model, version, startMs) => note(model, version, 'succeeded', startMs),
    failed: (model, version, startMs) => note(model, version, 'failed', startMs),
    of: (model, version) => byModel.get(model)?.get(version) ?? { lastMs: 0, succeeded: NONE, failed: NONE },
  };
}

function zero(): Count {
  return { count: 0, micros: 0 };
}
