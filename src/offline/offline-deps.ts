// What everything offline works with: given by the composition root, by tests, by pipelines.

import type { Releases } from '../checks/index.ts';
import type { Clock, Logger, Progress } from '../core/index.ts';
import type { Definitions, LiveVersion } from '../definitions/index.ts';
import type { EventLog } from '../events/index.ts';
import type { Database, DuckDb } from '../storage/index.ts';
import type { Forgiving } from './facts/facts.ts';
import type { RemoteAccess } from './sources/source-deps.ts';

export interface OfflineDeps {
  readonly definitions: Definitions;
  /** Every version of a view that is kept; those of the definitions alone when left out. */
  readonly versions?: readonly LiveVersion[];
  readonly database: Database;
  readonly duckdb: DuckDb;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly progress: Progress;
  /** Where offline work keeps files of its own: the log as Parquet among them. */
  readonly dataDirectory: string;
  /** Where pushed events lie; undefined where there can be none. */
  readonly log: EventLog | undefined;
  /** How sources on other machines are reached; left out: as `SourceDeps` says. */
  readonly remote?: RemoteAccess;
  /** How long writers are waited for that are asked to ship what was pushed; 3 s when left out. */
  readonly askTimeoutMs?: number;
  /** Left out: a value that can't be derived is thrown. */
  readonly forgiving?: Forgiving;
  /** As in FactsDeps; loaded by whoever begins the work. */
  readonly released?: Releases;
}
