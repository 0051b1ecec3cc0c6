export type { BuiltInContext, BuiltIns, ModelCandidate, RegisterModelAction, TrainingSetAction } from './built-ins.ts';
export type { Executor, StepJob, StepOutcome } from './executor.ts';
export { createLocalExecutor, type LocalExecutorOptions } from './local/local-executor.ts';
export { openPythonEnvironments, type PythonEnvironments } from './step/python-environment.ts';
export type { OrchestratorDeps, RunsDeps, TaskReport } from './orchestrator-deps.ts';
export {
  cancelRun,
  getRun,
  listRuns,
  resumeRun,
  runPipeline,
  type RunResult,
  type RunStep,
  type RunSummary,
  type RunTask,
} from './pipeline-runs.ts';
export { collectRuns } from './collect-runs.ts';
export { collectEnvironments } from './local/collect-environments.ts';
export { pipelineRows } from './run-objects.ts';
export { migrateRuns } from './run-rows.ts';
export { runLogs, type TaskLog } from './run-logs.ts';
