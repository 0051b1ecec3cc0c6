export type { BuiltInTaskContext, BuiltInTasks } from './executors/local/built-in-tasks.ts';
export { exitCodeOf, exitCodeOfError, type StepExitCode } from './committed/exit-code.ts';
export { type RanTasks, runTasks, type TaskEnd } from './committed/run-tasks.ts';
export { readSlicePart } from './committed/slice-document.ts';
export { readOrder } from './step/order.ts';
export type { Executor } from './executors/executor.ts';
export { openClusterExecutor } from './executors/cluster/cluster-executor.ts';
export { openBatchJobs } from './executors/aws-batch/batch-jobs.ts';
export { openKubernetesJobs } from './executors/kubernetes/kubernetes-jobs.ts';
export { type FleetExecutorOptions, openFleetExecutor } from './executors/fleet/fleet-executor.ts';
export { serveFleet, type ServeFleetOptions } from './executors/fleet/serve-fleet.ts';
export { fleetRows, migrateFleet } from './executors/fleet/tables.ts';
export { type LocalExecutorOptions, openLocalExecutor } from './executors/local/local-executor.ts';
export type { StepFile } from './step/files.ts';
export { type BuiltInReads, openCacheReads } from './driver/cache-reads.ts';
export type { CacheReads, StepOrder } from './step/order.ts';
export {
  openInterpreter,
  openPythonEnvironments,
  type PythonEnvironments,
} from './step/python-environment.ts';
export type { EnvironmentBuild } from './step/tell-build.ts';
export type { OrchestratorDeps, RunsDeps, TaskReport } from './orchestrator-deps.ts';
export { prepareElsewhere } from './elsewhere/prepare-run.ts';
export type { RegisterSynced } from './elsewhere/kept-models.ts';
export { type OpenStep, type SyncDeps, type SyncedRun, syncRun } from './elsewhere/sync-run.ts';
export { type FailedSync, syncRuns } from './elsewhere/sync-runs.ts';
export { newOwner } from './lease.ts';
export { patientObjects } from './patient-objects.ts';
export { cancelRun, type CancelledRun } from './cancel-run.ts';
export { rerunFrom, resumeRun, runPipeline } from './pipeline-runs.ts';
export { getRun, listRuns, type RunResult, type RunStep, type RunSummary, type ShownTask } from './shown-runs.ts';
export { modelCandidates, type ModelCandidate } from './model-candidates.ts';
export { collectEndedRuns } from './rows/collect-ended-runs.ts';
export { collectEnvironments } from './step/collect-environments.ts';
export { whyStep, type WhyStep } from './why-step.ts';
export type { RunTrigger } from './rows/run-store.ts';
export { cachedOutputRows, poolSlotRows, runStoreRows } from './rows/run-rows-owner.ts';
export { migratePipelines } from './rows/tables.ts';
export { diffRuns, type RunDifference } from './diff-runs.ts';
export { followLogs } from './follow-logs.ts';
export type { PoolWait, StepProgress } from './run-progress.ts';
export { runLogs, type TaskLog } from './run-logs.ts';
export { backfill, type Backfilled } from './schedule/backfill.ts';
export { runScheduler, type SchedulerDeps } from './schedule/scheduler.ts';
export {
  showSchedules,
  type ShownSchedule,
  type ShownSchedules,
  type ShownTrigger,
  type ShowsSchedules,
} from './schedule/shown-schedules.ts';
export { openDriverClock } from './driver/driver-clock.ts';
export { localTime } from './schedule/ticks.ts';
export { schedulerRows } from './schedule/scheduler-rows.ts';
export { migrateSchedules } from './schedule/schedule-rows.ts';
export { migrateTriggers } from './schedule/trigger-rows.ts';
