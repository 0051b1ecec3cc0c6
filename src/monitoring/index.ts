export type { Recorder } from './monitor/recorder.ts';
export type { PushOutcome } from './monitor/push-tally.ts';
export { createMonitor, type Monitor } from './monitor/monitor.ts';
export type { MonitorSnapshot } from './monitor/snapshot.ts';
export { compactPredictionLog, type CompactOptions, type CompactReport } from './prediction-log/compact.ts';
export { type LogRange, predictionLogSql } from './prediction-log/log-relation.ts';
export { type LogAnswer, type LogQuestion, queryPredictionLog } from './prediction-log/query-log.ts';
export { type PredictionLogStatus, predictionLogStatus } from './prediction-log/log-status.ts';
export { parseRedaction } from './prediction-log/redaction.ts';
export { openPredictionLog, type PredictionLogOptions } from './prediction-log/open-prediction-log.ts';
export type {
  OutcomeEntry,
  ArmLog,
  ArmSchema,
  DropReason,
  PredictionRecord,
  PredictionLog,
  PredictionLogCounters,
} from './prediction-log/prediction-log.ts';
