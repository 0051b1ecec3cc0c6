export type { Figures } from './monitor/figures.ts';
export { createLiveFigures, type LiveFigures, localChannel, type TotalsChannel } from './monitor/live-figures.ts';
export { DURATION_BOUNDS, type Metric } from './monitor/metric.ts';
export { metricsOf } from './monitor/metrics.ts';
export { failureKind, type FailureKind } from './monitor/failure-kind.ts';
export {
  type ArmLabels,
  type ArmMeter,
  createMonitor,
  type LogFigures,
  type Monitor,
  type EndpointMeter,
  type ServiceMeter,
} from './monitor/monitor.ts';
export type { CacheStatistics } from './monitor/cache-figures.ts';
export type { ModelStatistics } from './monitor/model-figures.ts';
export type { PushOutcome } from './monitor/push-tally.ts';
export type { MonitorSnapshot } from './monitor/snapshot.ts';
export type { Report } from './monitor/increment.ts';
export type { ShadowDrop, ShadowMeter, ShadowPair } from './shadows/shadow-tally.ts';
export type { ShadowFigures } from './shadows/shadow-figures.ts';
export { parseTraceparent } from './telemetry/traceparent.ts';
export type { RequestSpan, Tracing } from './telemetry/tracing.ts';
export { type ArmSeriesId, createMinuteCollector, type MinuteCollector } from './minutes/collect-minutes.ts';
export {
  type History,
  type HistoryPoint,
  type HistoryQuestion,
  type HistorySeries,
  type HistoryStep,
  openHistory,
  type ReadHistory,
} from './minutes/history.ts';
export { presentHistory } from './minutes/present-history.ts';
export { withMinutes } from './minutes/meter-minutes.ts';
export type { MinuteOutcomes, MinuteRow } from './minutes/minute-row.ts';
export { migrateMinutes, minuteRows } from './minutes/minute-tables.ts';
export {
  type LateServer,
  type LiveServer,
  type Minutes,
  type MinutesQuestion,
  openMinutes,
  slowLimit,
} from './minutes/read-minutes.ts';
export { rollUp } from './minutes/roll-up.ts';
export type { Series } from './minutes/series.ts';
export { recordViews, type ViewReading } from './minutes/view-minutes.ts';
export { type MinuteFigures, type MinuteWriter, startMinuteWriter } from './minutes/write-minutes.ts';
export { createTotals, type ToldTotals, type Totals } from './monitor/totals.ts';
export { compactPredictionLog } from './prediction-log/compact.ts';
export type { CompactOptions, CompactReport } from './prediction-log/compact-report.ts';
export { withLog } from './prediction-log/with-log.ts';
export { type LogAnswer, type LogQuestion, queryPredictionLog } from './prediction-log/query-log.ts';
export { type SpineOrder, type WrittenSpine, writeSpine } from './prediction-log/write-spine.ts';
export { KEEP_ALL, type KeepRules, parseKeep } from './prediction-log/keep-rules.ts';
export { type MaturedArm, maturedOutcomes, type MaturedQuestion } from './prediction-log/matured-outcomes.ts';
export { countOutcomes, type OutcomeCounts } from './prediction-log/count-outcomes.ts';
export { findPrediction } from './prediction-log/find-prediction.ts';
export { type PredictionLogStatus, predictionLogStatus } from './prediction-log/log-status.ts';
export { type EndpointColumns, parseRedaction, redactableNames } from './prediction-log/redaction.ts';
export { parseSampling, type SampleRule } from './prediction-log/sample-rules.ts';
export { openPredictionLog, type PredictionLogOptions } from './prediction-log/open-prediction-log.ts';
export type {
  ArmLog,
  ArmSchema,
  OutcomeEntry,
  DropReason,
  PredictionLog,
  PredictionLogCounters,
  PredictionRecord,
  RecordRoute,
} from './prediction-log/prediction-log.ts';
export { type PredictionFile, predictionFiles } from './prediction-log/prediction-files.ts';
export { collectPredictions } from './prediction-log/collect-predictions.ts';
export {
  ALERT_RULES,
  type Alert,
  type AlertQuery,
  type Alerts,
  MONITORS,
  type Observation,
  presentAlert,
  type Silence,
} from './alerts/alert.ts';
export { QUALITY_FIGURES } from './quality/figures.ts';
export { alertRows } from './alerts/alert-rows.ts';
export { createAlertDelivery } from './alerts/deliver-alerts.ts';
export { openAlerts } from './alerts/open-alerts.ts';
export { migrateAlerts } from './alerts/tables.ts';
export { type Heartbeats, openHeartbeats } from './alerts/watchdog.ts';
export { webhookSender } from './alerts/webhook.ts';
export { collectReferences, type KeptReferences } from './drift/collect-references.ts';
export { type DriftStore, openDriftStore } from './drift/drift-store.ts';
export { type DriftReport, driftReport, type ReportedFeature } from './drift/drift-report.ts';
export { askedArms, driftOf, qualityOf, type ShownArms } from './drift/shown-arms.ts';
export type { LoggedArm as WatchedArmName } from './drift/count-window.ts';
export { runDrift } from './drift/run-drift.ts';
export { migrateDrift } from './drift/tables.ts';
export { kindOfType, type WatchedEndpoint, type WatchedVersion } from './drift/watched.ts';
export { type QualityReport, qualityReport, type ReportedDay } from './quality/quality-report.ts';
export { openQualityStore, type QualityStore } from './quality/quality-store.ts';
export { runQuality } from './quality/run-quality.ts';
export type { Segments } from './quality/segments.ts';
export { migrateQuality } from './quality/tables.ts';
export { type Mismatch, openSkewStore, presentSkew, type SkewCheck, tellSkew } from './skew/skew-store.ts';
export { migrateSkew } from './skew/tables.ts';
