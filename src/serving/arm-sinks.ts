// What an arm's answers go to besides the client: its figures and the prediction log.

import type { ArmLog, ArmMeter } from '../monitoring/index.ts';
import type { RequestRow } from './row-parser.ts';
import type { ArmSink } from './arm.ts';

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

/** Logs what was answered. */
export function logSink(log: ArmLog): ArmSink {
  return ({ rows, ids, requests, scope, at, latencyMicros, isAnswered, unitOf }) => {
    if (!isAnswered) return;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      if (row === undefined || row.error !== undefined) continue;
      const request = requests[i] as RequestRow;
      log.append({
        predictionId: ids[i] as string,
        requestId: scope.requestId,
        traceId: scope.traceId,
        atMicros: at,
        latencyMicros,
        unit: unitOf(request),
        route: null,
        experimentUnit: null,
        unitHash: 0,
        request,
        features: row.features,
        statuses: row.statuses,
        outputs: row.outputs,
      });
    }
  };
}
