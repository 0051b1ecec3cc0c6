// The prediction log as relations of a test's own connection.

import type { DuckDBConnection } from '@duckdb/node-api';
import { exposuresSql } from '../../src/monitoring/prediction-log/exposures.ts';
import type { LogRange } from '../../src/monitoring/prediction-log/log-parts.ts';
import { openLogRelation } from '../../src/monitoring/prediction-log/log-relation.ts';

/** All logged predictions, each with its newest outcome. */
export async function predictionLogSql(
  connection: DuckDBConnection,
  directory: string,
  range?: LogRange,
): Promise<string> {
  return (await openLogRelation(connection, directory, range)).sql;
}

export async function loggedExposuresSql(connection: DuckDBConnection, directory: string): Promise<string> {
  return exposuresSql(`(${(await openLogRelation(connection, directory)).predictions})`);
}
