export type { Database, DatabaseAccess, DatabaseKind, Migration, TransactionOptions } from './database/database.ts';
export { openDatabase } from './database/open-database.ts';
export { type DuckDb, type DuckDbOptions, openDuckDb } from './duckdb/open-duckdb.ts';
export { startPathsAt } from './duckdb/query-paths.ts';
export { getBlob, getUnchecked, putBlob, putBlobFile } from './object-store/blobs.ts';
export { openObjectStore } from './object-store/open-object-store.ts';
export type { S3Options } from './object-store/s3/s3-object-store.ts';
export type { ObjectInfo, ObjectStore } from './object-store.ts';
export { withoutPassword } from './without-password.ts';
