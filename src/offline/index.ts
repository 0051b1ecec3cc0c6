export { recordsAsOf, type RecordsAsOf } from './as-of/records-as-of.ts';
export { type AuditedView, type AuditReport, auditTrainingSet } from './audit/audit-training-set.ts';
export { inspectPlace, inspectTables, sourceInVariable } from './inspect/inspect-place.ts';
export { sourceAtPath } from './inspect/place-at-path.ts';
export { type Proposal, proposeDefinition } from './inspect/propose-definition.ts';
export type { InspectedPlace } from './inspect/inspected.ts';
export { openQueriedRows, type RowsQuery } from './sources/query/queried-rows.ts';
export type { PlaceDeps } from './sources/source-deps.ts';
export { type Arrived, checkServed, type ServedCheck, type ServedPoint } from './served/recompute-served.ts';
export {
  type QuarantinedFileRow,
  quarantinedFileRows,
  type QuarantinedInFiles,
  releasesOf,
  releasesOfPushed,
  surveyQuarantined,
} from './checks/quarantined-rows.ts';
export { createRowDeriver, type RowDeriver } from './facts/row-deriver.ts';
export { migrateOffline } from './migrate-offline.ts';
export type { OfflineDeps } from './offline-deps.ts';
export { type Boundary, planTrainingSet } from './plan.ts';
export { giveUpShipped } from './retention/give-up-shipped.ts';
export { collectLog } from './retention/collect-log.ts';
export { collectCopies } from './retention/collect-copies.ts';
export {
  collectTrainingSets,
  trainingSetRows,
  unnamedTrainingSetFiles,
} from './training-sets/collect-training-sets.ts';
export { shipLog } from './retention/ship-log.ts';
export { keepLog } from './retention/keep-log.ts';
export type { WriterRemoval } from './retention/plan-removal.ts';
export { type PruneReport, pruneLog } from './retention/prune-log.ts';
export {
  type CreatedTrainingSet,
  createTrainingSet,
  type TrainingSetRequest,
} from './training-sets/create-training-set.ts';
export { definitionsReached, readSetInputs, type SetInputs } from './training-sets/set-inputs.ts';
export { type FileHashes, openFileHashes } from './sources/file-hashes.ts';
export type { FeatureProfile, PushedSnapshot, SourceSnapshot, TrainingSetRecord } from './training-sets/record.ts';
export { relocateTrainingSets, type TrainingSetFile, trainingSetFiles } from './training-sets/training-set-files.ts';
export { getTrainingSet, listTrainingSets } from './training-sets/look-up.ts';
export { presentTrainingSet } from './training-sets/present-training-set.ts';
export { withoutLocalPaths } from './training-sets/without-local-paths.ts';
export {
  materialize,
  type MaterializeDeps,
  materializeEach,
  type MaterializeOutcome,
  type MaterializeReport,
  type MaterializeRequest,
} from './materialize/materialize.ts';
export type { FailedView, MaterializedView } from './materialize/report.ts';
export { readRunProfile, readSetProfile } from './profiles/profile-table.ts';
export { sweepVersions } from './versions/sweep-versions.ts';
export { tidyVersions } from './versions/tidy-versions.ts';
export { type CompletenessDeps, completeVersions, type Missing, missingOf } from './versions/complete-versions.ts';
export type { Job, JobRequest, SpineKind } from './jobs/job.ts';
export { isFinished } from './jobs/job.ts';
export type { FromJob, JobProcess, JobStart, StartJobProcess } from './jobs/job-process.ts';
export { jobError, runJob, tellProgress } from './jobs/run-job.ts';
export { openTrainingSetJobs, type TrainingSetJobs } from './jobs/training-set-jobs.ts';
export { openTrainingSetFile, type OpenTrainingSetFile } from './training-sets/open-file.ts';
export { streamArrow } from './arrow/stream-arrow.ts';
export { openFeatureRows, sampleFeatureRows } from './training-sets/read-feature-rows.ts';
export { type FeatureFile, type FeatureFileRequest, writeFeatureFile } from './batch/feature-file.ts';
export { ERROR_COLUMN } from './batch/error-column.ts';
export { inputFiles, type InputPlace } from './batch/load-input.ts';
export { checkColumns } from './batch/output-columns.ts';
export type { PartModel, PartNode, PartOrder } from './batch/part-messages.ts';
export { writeParts } from './batch/part-pool.ts';
export { fileHash, identityOf, type SourceFile } from './sources/file-identity.ts';
