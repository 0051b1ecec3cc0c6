export { createFeatureReader, type FeatureReader, type ReadRow } from './feature-reader.ts';
export type { FullRecord, OnlineStore, RecordChange, RecordRef, StoredRecord } from './online-store.ts';
export { type OnlineStoreOptions, openOnlineStore } from './open-online-store.ts';
export type { ReadView, Status } from './record-reader.ts';
export { type BaseRow, createViewCodec, type LatestRow, type ViewCodec } from './view-codec.ts';
export { getWatermark, setWatermark } from './watermark.ts';
export { finishBase, writeBase } from './write-base.ts';
export { type PushedEvent, writePushed } from './write-pushed.ts';
export type { WriteSummary } from './write-summary.ts';
