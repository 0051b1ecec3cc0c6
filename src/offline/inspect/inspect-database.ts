// Columns of a table or query of a database, as it describes them; and the tables that it has.

import type { SourceSpec } from '../../definitions/index.ts';
import { connectionUrl } from '../sources/databases/connection-url.ts';
import type { DatabaseDriver, DatabaseSession } from '../sources/databases/database.ts';
import { missingTable } from '../sources/databases/database-errors.ts';
import { DatabaseTrouble } from '../sources/databases/database-trouble.ts';
import { inSession } from '../sources/databases/in-session.ts';
import { fromOf } from '../sources/databases/table-sql.ts';
import type { PlaceDeps } from '../sources/source-deps.ts';
import type { InspectedColumn } from './inspected.ts';

/** `location` as a source of the database has it. Errors as the reading of such a source has them. */
export function inspectDatabase(
  driver: DatabaseDriver,
  location: SourceSpec['location'],
  deps: PlaceDeps,
): Promise<readonly InspectedColumn[]> {
  const from = fromOf({ name: location['table'] ?? 'the query', location }, driver);
  return withSession(driver, location['connection'] as string, deps, async (session) =>
    session.describe(from).catch(async (error: unknown) => {
      if (error instanceof DatabaseTrouble && error.kind === 'missing')
        throw await missingTable({ location }, error, session);
      throw error;
    }),
  );
}

/** As users write them. */
export function tablesOf(driver: DatabaseDriver, connection: string, deps: PlaceDeps): Promise<readonly string[]> {
  return withSession(driver, connection, deps, (session) => session.tables());
}

function withSession<T>(
  driver: DatabaseDriver,
  connection: string,
  deps: PlaceDeps,
  work: (session: DatabaseSession) => Promise<T>,
): Promise<T> {
  return inSession(
    connectionUrl(connection, connection, driver, deps.remote?.variable),
    connection,
    driver,
    deps,
    work,
  );
}
