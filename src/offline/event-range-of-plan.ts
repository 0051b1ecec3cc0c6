// Which event times of a source a training set can use, by its plan and the times of its spine.

import type { Micros } from '../core/index.ts';
import type { ReadPlan, TrainingSetPlan } from './plan.ts';
import { type EventRange } from './sources/event-range.ts';

/** `times`: from the first to the last of the spine's rows; without any, first after last. */
export function eventRange({ reads }: TrainingSetPlan, source: string, times: EventRange): EventRange {
  const own = reads.filter(({ view }) => view.source === source);
  return { from: Math.min(...own.map((read) => earliest(read, times.from))), to: times.to };
}

/** The event time before which no row counts for a spine row at `at` or later. */
function earliest({ view, latest, windows, schedule }: ReadPlan, at: Micros): Micros {
  const served = schedule === null ? at : at - schedule.lagMicros - schedule.everyMicros;
  const ttl = view.ttlMicros;
  const forLatest = latest.length === 0 ? served : ttl === null ? -Infinity : served - ttl;
  const reaches = windows.map((feature) => {
    const aggregation = view.features[feature]?.aggregation;
    // A window's tail begins at a hop's start.
    return aggregation === undefined || aggregation.op === 'latest'
      ? 0
      : aggregation.windowMicros + aggregation.hopMicros;
  });
  return Math.min(forLatest, served - Math.max(0, ...reaches));
}
