export { feedRows } from './feed-cuts.ts';
export { openFeeds } from './feed-table.ts';
export { type Feed, type Ingestion, type IngestionOptions, type IngestionStatus, openIngestion } from './ingestion.ts';
export type { DeriveRows, IngestionDeps, IngestionLimits } from './ingestion-deps.ts';
export { openPushedTable, type PushedTable } from './pushed-table.ts';
export type { PushedView, PushResult } from './push-result.ts';
export type { WriterStatus } from './push-writer.ts';
