// What a run has to work with once it knows what it covers; made before its row is open, for a dry run too.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Micros } from '../../core/index.ts';
import type { OpenedRow, ViewCodec } from '../../online/index.ts';
import type { DuckDb } from '../../storage/index.ts';
import type { Facts } from '../facts/facts.ts';

/** Which facts that are known only after `asOf` a base carries, to be counted by readers when their time comes. */
export type Waits = 'all' | 'log' | 'none';

export interface RunScope {
  readonly codec: ViewCodec;
  readonly duckdb: DuckDb;
  /** The facts' own. */
  readonly connection: DuckDBConnection;
  readonly facts: Facts;
  /** Known times up to it are folded. */
  readonly asOf: Micros;
  readonly waits: Waits;
  /** The last run that finished. */
  readonly finished: OpenedRow | undefined;
}

/** Of facts of `keyed` relations: whether a base carries one that is known only after `asOf`. */
export function waitsSql({ waits, asOf }: Pick<RunScope, 'waits' | 'asOf'>): string {
  const carried = { all: 'true', log: '__hr_writer IS NOT NULL', none: 'false' }[waits];
  return `(__hr_known > ${asOf} AND ${carried})`;
}
