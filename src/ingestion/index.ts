export { openFeeds } from './feed-table.ts';
export { feedRows } from './restored-feeds.ts';
export { type Feed, type Ingestion, type IngestionOptions, type IngestionStatus, openIngestion } from './ingestion.ts';
export type { DeriveRows, IngestionDeps, IngestionLimits } from './ingestion-deps.ts';
export type { PushedView, PushResult } from './push-result.ts';
export type { WriterStatus } from './push-writer.ts';
