// What goes wrong with a database, as errors of the catalogue, without its secrets.

import { didYouMeanOf, type ErrorCode, HeadraceError } from '../../../core/index.ts';
import type { SourceSpec } from '../../../definitions/index.ts';
import { redacted, shownPlace } from './connection-url.ts';
import type { DatabaseDriver, DatabaseSession } from './database.ts';
import { DatabaseTrouble, type TroubleKind } from './database-trouble.ts';

const CODES: Readonly<Record<TroubleKind, ErrorCode>> = {
  lost: 'HR_SOURCE_UNAVAILABLE',
  silent: 'HR_SOURCE_UNAVAILABLE',
  refused: 'HR_CONFIG',
  missing: 'HR_SOURCE_UNREADABLE',
  failed: 'HR_SOURCE_UNREADABLE',
};

/** After so many attempts. The driver's own error is no cause of it: that may hold the URL. */
export function troubleError(
  trouble: DatabaseTrouble,
  owner: string,
  { name }: Pick<DatabaseDriver, 'name'>,
  url: string,
  attempts: number,
): HeadraceError {
  const at = `${owner}: ${name} at ${shownPlace(url)}`;
  const says = redacted(trouble.message, url).replace(/\.$/, '');
  const sentences: Readonly<Record<TroubleKind, string>> = {
    lost: `${at} can’t be reached, or ends the connection; ${attempts} attempts, the last: ${says}. Nothing of this run is kept; check that it runs, and run it again.`,
    silent: `${at}: ${says}, so it was given up. Nothing of this run is kept. Where a query takes that long, raise offline.sourceSilence.`,
    refused: `${at} refuses us: ${says}. Check the URL in the variable that its connection names.`,
    missing: `${at}: ${says}${says.endsWith('?') ? '' : '.'}`,
    failed: `${at} can’t give its rows: ${says}.`,
  };
  return new HeadraceError(CODES[trouble.kind], sentences[trouble.kind]);
}

/** What the database says of a table that isn't there, with the nearest of those that are. */
export async function missingTable(
  { location }: Pick<SourceSpec, 'location'>,
  trouble: DatabaseTrouble,
  session: DatabaseSession,
): Promise<DatabaseTrouble> {
  const { table } = location;
  if (table === undefined) return trouble;
  const tables = await session.tables().catch(() => []);
  // A table of the default schema is known by its name alone, too; of another schema it isn't found by that.
  const bare = (name: string): string => name.replace(/^[^.]*\./, '');
  const elsewhere = tables.find((name) => name !== table && bare(name) === table);
  const known = table.includes('.') ? tables : [...tables, ...tables.map(bare)];
  const near =
    elsewhere === undefined ? didYouMeanOf('tables that can be read', table, known) : ` Did you mean "${elsewhere}"?`;
  return new DatabaseTrouble('missing', `${trouble.message}.${near}`);
}
