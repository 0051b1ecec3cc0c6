// What an arm's answers go to besides the client: its figures and the prediction log.

import {
  type ArmLog,
  type ArmMeter,
  failureKind,
  type MinuteCollector,
  type PredictionRecord,
  type Series,
} from '../monitoring/index.ts';
import type { Value } from '../core/index.ts';
import type { Status } from '../online/index.ts';
import type { Route } from '../rollouts/index.ts';
import type { LoggedRoutes } from './logged-routes.ts';
import type { RequestRow } from './row-parser.ts';
import type { ArmRow, ArmSink } from './arm.ts';

/** Counts what the arm answered and what it failed at; rows that nobody got since others failed are neither. */
export function meterSink(meter: ArmMeter): ArmSink {
  return ({ rows, latencyMicros, isAnswered }) => {
    let answered = 0;
    for (const row of rows) {
      if (row.error !== undefined) meter.failed(row.error.code, 1);
      else if (isAnswered) {
        answered++;
        meter.statuses(row.statuses);
      }
    }
    if (answered > 0) meter.answered(latencyMicros, answered);
  };
}

/** A record as it is filled for a row. The log keeps nothing of it, so one does for all rows. */
type Filled = { -readonly [K in keyof PredictionRecord]: PredictionRecord[K] };

const NOTHING: readonly never[] = [];

/** Logs what was answered. */
export function logSink(log: ArmLog, loggedRoutes: LoggedRoutes): ArmSink {
  const record: Filled = {
    predictionId: '',
    requestId: '',
    traceId: null,
    atMicros: 0,
    latencyMicros: 0,
    unit: NOTHING,
    route: null,
    experimentUnit: null,
    unitHash: 0,
    request: NOTHING,
    features: NOTHING,
    statuses: NOTHING,
    outputs: NOTHING,
    isCached: false,
  };
  return (batch) => {
    if (!batch.isAnswered) return;
    const { rows, ids, requests, routes, unitHashes, scope } = batch;
    record.requestId = scope.requestId;
    record.traceId = scope.traceId;
    record.atMicros = batch.at;
    record.latencyMicros = batch.latencyMicros;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      if (row === undefined || row.error !== undefined) continue;
      const request = requests[i] as RequestRow;
      const route = loggedRoutes(routes[i] as Route, batch.fallbackFrom);
      record.predictionId = ids[i] as string;
      record.unit = batch.unitOf(request);
      record.route = route.record;
      record.experimentUnit = route.unitOf === undefined ? null : route.unitOf(request, scope.requestId);
      record.unitHash = unitHashes[i] as number;
      record.request = request;
      record.features = row.features;
      record.statuses = row.statuses;
      record.outputs = row.outputs;
      record.isCached = row.isCached === true;
      log.append(record);
    }
    // Nobody's rows are held on to.
    record.unit = record.request = record.features = record.statuses = record.outputs = NOTHING;
    record.experimentUnit = null;
  };
}

/**
 * Counts by the minute what was assigned to each place, whichever arm answered. What a rule, the holdout or nothing but a missing
 * unit decided is no part of a comparison: its units are left out. Forced rows are left out whole; of those that another arm
 * answers since the breaker is open the units alone are counted, as they were assigned.
 */
export function minuteSink(minutes: MinuteCollector, seriesAt: readonly Series[]): ArmSink {
  return ({ rows, routes, unitHashes, latencyMicros, isAnswered, isBroken }) => {
    // All rows of a batch have one place.
    const series = seriesAt[(routes[0] as Route).place] as Series;
    minutes.tick();
    let answered = 0;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as ArmRow;
      const { via } = routes[i] as Route;
      if (via === 'forced') continue;
      const unit = via === 'rollout' || via === 'experiment' || via === 'base' ? (unitHashes[i] as number) : 0;
      // Another arm answered for it: its unit was met, and nothing that happened is an event of its own.
      if (isBroken) series.met(unit);
      else if (row.error !== undefined) series.failed(failureKind(row.error.code), unit);
      else if (isAnswered) {
        answered++;
        series.row(latencyMicros, hasNull(row.statuses) || lacksNumber(row.outputs), unit);
      }
    }
    if (answered > 0) series.answered(latencyMicros, answered);
  };
}

/** An output that is null, NaN or infinite: what the model makes of features that it was not made for, mostly. */
function lacksNumber(outputs: readonly Value[]): boolean {
  for (let i = 0; i < outputs.length; i++) {
    const value = outputs[i];
    if (value === null || (typeof value === 'number' && !Number.isFinite(value))) return true;
  }
  return false;
}

function hasNull(statuses: readonly Status[]): boolean {
  for (let i = 0; i < statuses.length; i++) if (statuses[i] !== 'PRESENT') return true;
  return false;
}
