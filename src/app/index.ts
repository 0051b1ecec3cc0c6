export { servedDefinitions } from './applied-definitions.ts';
export {
  type ApplyRequest,
  applyRepository,
  findRollback,
  refuseOlderCommit,
  rollBack,
  waitForServers,
} from './apply-definitions.ts';
export { type Environment, readEnvironment } from './environment.ts';
export { type PredictRequest, predictInBatch } from './open-batch.ts';
export { openDrift } from './open-drift.ts';
export { openQuality } from './open-quality.ts';
export { verify } from './open-verify.ts';
export { collectAll } from './open-garbage.ts';
export { type BackupChoice, backUp, restore } from './open-backup.ts';
export { experimentReport, experimentReportDeps } from './experiment-reports.ts';
export { definesNothing, examine } from './examine.ts';
export { type FailedVersion, type FilledOnline, fillOnline } from './fill-online.ts';
export type { Finding } from './finding.ts';
export { checkConfig, type Config, CONFIG_FILE, loadConfig, unknownVariables } from './load-config.ts';
export { createLogger } from './logger.ts';
export { migrateTables } from './migrate-tables.ts';
export { type App, openApp, type OpenAppOptions } from './open-app.ts';
export { type Consumer, openConsumer } from './open-consumer.ts';
export {
  hasProject,
  openOrchestrator,
  type OpenOrchestratorOptions,
  openTaskExecutor,
  pythonCommand,
} from './open-orchestrator.ts';
export { environmentsDirectory, openRuns } from './open-runs.ts';
export { openSync } from './open-sync.ts';
export { openScheduleMetrics, openScheduler, openSchedules } from './open-scheduler.ts';
export { registerGraph, type RegisterGraph } from './register-graph.ts';
export { type RegisteredModel, registerModelFile, type RegisterModel } from './register-model.ts';
export { isPlainName, registerPlainModel } from './register-plain-model.ts';
export { describeUnapplied } from './unapplied-files.ts';
export { environmentName, type Setting, variablesOf } from './settings/setting.ts';
export { SETTINGS, type SettingValues } from './settings.ts';
export { SERVING_QUERY_TIMEOUT_MS, startServer, type StartServer, stopSignal } from './start-server.ts';
export { STORES_LIMIT_MS } from './stop-limits.ts';
export { withDeadSettled } from './with-dead-settled.ts';
