export type { PushOutcome } from './monitor/push-tally.ts';
export { type ArmMeter, createMonitor, type Monitor, type RequestMeter } from './monitor/monitor.ts';
export type { MonitorSnapshot } from './monitor/snapshot.ts';
export { compactPredictionLog, type CompactOptions, type CompactReport } from './prediction-log/compact.ts';
export { type LogRange, predictionLogSql } from './prediction-log/log-relation.ts';
export { type LogAnswer, type LogQuestion, queryPredictionLog } from './prediction-log/query-log.ts';
export { openPredictionLog, type PredictionLogOptions } from './prediction-log/open-prediction-log.ts';
export type {
  ArmLog,
  ArmSchema,
  OutcomeEntry,
  DropReason,
  PredictionLog,
  PredictionLogCounters,
  PredictionRecord,
} from './prediction-log/prediction-log.ts';
