export { collectFiles } from './collect-files.ts';
export { sizeOfFolder } from './size-of-folder.ts';
export type { Collector, CollectorPlan, Removable } from './collector.ts';
export { createSharedClock, type SharedClock } from './database/shared-clock.ts';
export type { Database, DatabaseAccess, DatabaseKind, Migration, TransactionOptions } from './database/database.ts';
export { openDatabase } from './database/open-database.ts';
export { migrateRegistryId, registryId, registryIdRows } from './database/registry-id.ts';
export {
  dumpDatabase,
  type DumpedDatabase,
  findRows,
  loadDatabase,
  type TableReader,
} from './dump/dump-database.ts';
export type { MigrateAll, TableLayout } from './dump/table-layout.ts';
export { CHUNK_ROWS, nodeDuckType } from './duckdb/duck-types.ts';
export { collectSpill } from './duckdb/collect-spill.ts';
export { type DuckDb, type DuckDbOptions, openDuckDb } from './duckdb/open-duckdb.ts';
export { startPathsAt } from './duckdb/query-paths.ts';
export { quoteName, quoteText, quoteTime } from './duckdb/quote.ts';
export { type BrokerAddress, parseBrokers } from './kafka/broker-address.ts';
export { clientOptions } from './kafka/kafka-client.ts';
export { isLasting, type KafkaFault, kafkaFault } from './kafka/kafka-fault.ts';
export { leaseRows, migrateLeases } from './lease/lease-tables.ts';
export {
  clockText,
  databaseNow,
  holdsLease,
  type Lease,
  type LeaseToken,
  type TakeLease,
  takeLease,
} from './lease/take-lease.ts';
export {
  blobKey,
  getBlob,
  getUnchecked,
  hasBlob,
  putBlob,
  putBlobFile,
  sizeOfBlob,
  unlessUnreadable,
} from './object-store/blobs.ts';
export { type Need, type NeededKind, neededOf, type ObjectUse, type RowsOwner } from './rows-owner.ts';
export { collectObjects } from './object-store/collect-objects.ts';
export { collectPartials } from './object-store/file/collect-partials.ts';
export { openObjectStore } from './object-store/open-object-store.ts';
export type { ObjectInfo, ObjectStore } from './object-store.ts';
export { type S3Options, SILENCE_LIMIT_MS } from './s3/connect-s3.ts';
export { type BucketObject, type Buckets, openBuckets, type S3Access } from './s3/open-buckets.ts';
export { silenceOf } from './s3/s3-errors.ts';
export { withoutPassword } from './without-password.ts';
