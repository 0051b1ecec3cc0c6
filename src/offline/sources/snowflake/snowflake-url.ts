// The URL of a Snowflake, taken apart: snowflake://USER:PASSWORD@ACCOUNT/DATABASE/SCHEMA?warehouse=…&role=…

import { didYouMeanOf } from '../../../core/index.ts';
import { UNREADABLE_URL } from '../databases/connection-url.ts';
import { DatabaseTrouble } from '../databases/database-trouble.ts';

/** The SDK's options of those names; `accessUrl` is for private links. */
const PARAMETERS = ['warehouse', 'role', 'authenticator', 'token', 'privateKeyPath', 'privateKeyPass', 'accessUrl'];

/** Throws DatabaseTrouble `refused`. */
export function optionsOf(text: string): Readonly<Record<string, string>> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') throw new DatabaseTrouble('refused', UNREADABLE_URL);
  const options: Record<string, string> = { account: url.hostname, application: 'headrace' };
  for (const [name, value] of url.searchParams) {
    if (!PARAMETERS.includes(name))
      throw new DatabaseTrouble(
        'refused',
        `its URL has no parameter "${name}".${didYouMeanOf('parameters', name, PARAMETERS)}`,
      );
    options[name] = value;
  }
  const [, database, schema] = url.pathname.split('/');
  for (const [name, value] of [
    ['username', url.username],
    ['password', url.password],
    ['database', database],
    ['schema', schema],
  ] as const) {
    if (value !== undefined && value !== '') options[name] = plain(value);
  }
  if (options['privateKeyPath'] !== undefined) options['authenticator'] ??= 'SNOWFLAKE_JWT';
  return options;
}

function plain(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new DatabaseTrouble('refused', UNREADABLE_URL);
  }
}
