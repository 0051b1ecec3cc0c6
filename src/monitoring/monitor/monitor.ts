// Live figures of one worker, by endpoint and variant, and the view over all workers' figures.

import type { Clock, ErrorCode } from '../../core/index.ts';
import { type PredictionLogCounters, sumLogs } from '../prediction-log/prediction-log.ts';
import { type MergedState, mergeStates, type MonitorState, packCell } from './monitor-state.ts';
import { toPrometheusText } from './prometheus-text.ts';
import { createPushTally, NO_BACKLOG, type PushBacklog, type PushOutcome } from './push-tally.ts';
import { type Cell, createCell, type Recorder } from './recorder.ts';
import { type MonitorSnapshot, toSnapshot } from './snapshot.ts';

export interface ArmMeter {
  answered(latencyMicros: number, rows: number): void;
  statuses(statuses: readonly string[]): void;
  failed(code: ErrorCode, rows: number): void;
}

export interface RequestMeter {
  answered(latencyMicros: number, rows: number): void;
  failed(code: ErrorCode): void;
}

export interface ArmLabels {
  readonly endpoint: string;
  readonly variant: string;
  readonly model: string;
  readonly version: number;
  readonly arm: string;
  readonly features: readonly string[];
}

export interface Monitor {
  endpoint(name: string): RequestMeter;
  arm(labels: ArmLabels): ArmMeter;
  /** Counts a push into a source; `rows` of it were new. */
  recordPush(push: { readonly source: string; readonly outcome: PushOutcome; readonly rows: number }): void;
  /** From now on what pushes leave waiting is part of the figures. */
  watchPushes(backlog: () => PushBacklog): void;
  /** From now on the log's counters are part of the figures. */
  watchLog(counters: () => PredictionLogCounters): void;
  /** This worker's figures as plain data, to be sent to the worker that was asked. */
  state(): MonitorState;
  /** The figures of now: of the workers whose `state()`s are given, else this worker's own. */
  snapshot(states?: readonly unknown[]): MonitorSnapshot;
  /** Prometheus' text format, likewise. */
  prometheus(states?: readonly unknown[]): Promise<string>;
}

export function createMonitor(clock: Clock): Monitor {
  const startMicros = clock.nowMicros();
  const cells = new Map<string, Cell>();
  const pushes = createPushTally();
  let backlog: () => PushBacklog = () => NO_BACKLOG;
  let logCounters: () => PredictionLogCounters = () => sumLogs([]);

  const cellOf = (endpoint: string, variant: string | null): Cell => {
    const key = JSON.stringify([endpoint, variant]);
    let cell = cells.get(key);
    if (cell === undefined) cells.set(key, (cell = createCell(clock, endpoint, variant)));
    return cell;
  };

  const wholes = new Map<string, Recorder>();
  const endpointRecorder = (name: string): Recorder => {
    let recorder = wholes.get(name);
    if (recorder === undefined) wholes.set(name, (recorder = cellOf(name, null).recorder([])));
    return recorder;
  };

  const state = (): MonitorState => ({
    startMicros,
    residentBytes: process.memoryUsage.rss(),
    log: logCounters(),
    pushes: pushes.bySource(),
    backlog: backlog(),
    cells: Array.from(cells.values(), packCell),
  });

  // What comes from the other workers was made by their `state()`. Without any, as when they answer too late, one's own.
  const merged = (states: readonly unknown[] = []): MergedState =>
    mergeStates(states.length === 0 ? [state()] : (states as readonly MonitorState[]));

  return {
    endpoint(name) {
      const recorder = endpointRecorder(name);
      return { answered: recorder.request, failed: () => recorder.error() };
    },
    arm({ endpoint, variant, features }) {
      const recorder = cellOf(endpoint, variant).recorder(features);
      return { answered: recorder.request, statuses: recorder.statuses, failed: () => recorder.error() };
    },
    recordPush: ({ source, outcome, rows }) => pushes.count(source, outcome, rows),
    watchPushes(watched) {
      backlog = watched;
    },
    watchLog(counters) {
      logCounters = counters;
    },
    state,
    snapshot: (states) => toSnapshot(merged(states), clock.nowMicros()),
    prometheus: (states) => toPrometheusText(merged(states)),
  };
}
