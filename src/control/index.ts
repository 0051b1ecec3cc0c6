export {
  type AskedPhase,
  type ReportDeps,
  reportExperiment,
} from './experiments/experiment-reports.ts';
export { type BanditDeps, dueBandits, runBandits } from './experiments/run-bandits.ts';
export { reportOnce } from './experiments/report-once.ts';
export {
  type KeptVersion,
  surveyVersions,
  type SurveyDeps,
  presentNeed,
  type VersionReader,
} from './kept-versions.ts';
export { type PlannedView, planReport, type PlanReport, type PlanReportDeps } from './plan-report.ts';
export { type Released, releaseQuarantined, type ReleaseDeps, type ReleaseRequest } from './release-quarantined.ts';
export { storeLack, type StoreLackDeps } from './store-lack.ts';
export {
  type Cause,
  type Difference,
  verifyServed,
  type VerifyDeps,
  type VerifyReport,
  type VerifyRequest,
} from './verify-served.ts';
export { monitorMetrics } from './monitor-metrics.ts';
export { listenForScrapes, type MetricsPort } from './metrics-port.ts';
export { scheduleMetrics } from './schedule-metrics.ts';
export { viewMetrics } from './view-metrics.ts';
export {
  type Aged,
  type LastRun,
  type StoreLacks,
  viewStatuses,
  type ViewStatus,
  type ViewStatusDeps,
  type WaitsFor,
  type WriterCoverage,
} from './view-status.ts';
