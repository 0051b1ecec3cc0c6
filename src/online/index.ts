export { holdsClaim, leastDurable, NotDurable } from './claims.ts';
export type {
  BaseWrite,
  Claim,
  ClaimPlace,
  Durable,
  LifetimeOf,
  NodeGuard,
  NodeMark,
  OnlineStore,
  PartId,
  PartWrite,
  RecordRef,
  RecordTaker,
  RunLink,
  StoredPart,
  StoredRecord,
  StoreNotes,
  StoreRun,
  StoreWriter,
  VersionId,
  WantedVersion,
  WriterLink,
} from './online-store.ts';
export { LOG_MARKS, numberBefore } from './part-number.ts';
export { groupGuards, reportGuards } from './guards.ts';
export { askForRun, noteLostWriters, otherRegistry, readOwnNotes, reportForgotten } from './store-notes.ts';
export { type OnlineStoreOptions, openOnlineStore } from './open-online-store.ts';
export { describeKey } from './records/describe-key.ts';
export { createFeatureReader, type FeatureReader, type ReadRow, type RecordSource } from './records/feature-reader.ts';
export { createPartFolder, type PartFolder } from './records/fold-events.ts';
export { type BaseState, type LatestRow, packBase, runOfBase } from './records/pack-base.ts';
export { type PlacedReads, PRESENT, STATUSES } from './records/placed-reads.ts';
export { openRecordDirectory, type RecordDirectory } from './records/record-directory.ts';
export { createRecordReader, type ReadView, type RecordReader, type Status } from './records/record-reader.ts';
export { openRowSchemas, type RowSchemas } from './records/row-schemas.ts';
export type { ValueSink } from './records/value-sink.ts';
export { createViewCodec, lifetimesOf, type ViewCodec } from './records/view-codec.ts';
export type { ViewEvent } from './records/waiting-events.ts';
export {
  boundaryOf,
  type Coverage,
  coveredCut,
  coverageFromJson,
  coverageToJson,
  isBeside,
  isCovered,
  NOTHING_COVERED,
} from './runs/coverage.ts';
export { runsRows } from './runs/moved-runs.ts';
export { boundariesInForce } from './runs/boundaries.ts';
export { describeLack, joinLacks, type Lack, lackOf, type StorePlace, tellLack, type ToldLack } from './runs/lack.ts';
export { isComplete, isPastMark } from './runs/marks.ts';
export { forgettable, mayGoOn, type OpenPlan, planRun, type RunChanges } from './runs/plan-run.ts';
export {
  fileKey,
  isOpened,
  type OpenedRow,
  type RunCounts,
  type RunIdentity,
  type RunRow,
  type SnapshotFile,
} from './runs/run-row.ts';
export { type NewRun, type Opening, openRuns, type Runs } from './runs/runs.ts';
