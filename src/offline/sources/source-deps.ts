// What sources are read with, wherever they lie: a part of OfflineDeps.

import type { Clock, Logger, Progress } from '../../core/index.ts';
import type { Database, DuckDb, S3Options } from '../../storage/index.ts';
import type { FactsDeps } from '../facts/facts.ts';
import type { DatabaseOptions } from './databases/database.ts';

export interface SourceDeps extends FactsDeps, PlaceDeps {
  /** Tells which landed rows training sets were made from. */
  readonly database: Database;
}

/** What places are looked into with, whether or not a source was declared there. */
export interface PlaceDeps {
  readonly duckdb: DuckDb;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Copies of objects, and rows that queries gave, are kept under it. */
  readonly dataDirectory: string;
  /** Left out: S3 as the AWS environment has it, and no variable. */
  readonly remote?: RemoteAccess;
  /** Told while objects are fetched. */
  readonly progress?: Progress;
}

/** How sources on other machines are reached. */
export interface RemoteAccess {
  /** Of the environment, for `env:NAME`; undefined where it isn't set. */
  readonly variable?: (name: string) => string | undefined;
  readonly s3?: S3Options;
  /** Bound of the copies of objects on this machine's disk, in bytes. */
  readonly cacheBytes?: number;
  readonly databases?: DatabaseOptions;
}

export const DEFAULT_CACHE_BYTES = 10_000_000_000;
