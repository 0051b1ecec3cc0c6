// The URL of a MySQL, taken apart: mysql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…

import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'mysql2';
import { didYouMeanOf } from '../../../core/index.ts';
import { UNREADABLE_URL } from '../databases/connection-url.ts';
import { DatabaseTrouble } from '../databases/database-trouble.ts';

/** As Postgres's driver takes them. */
const PARAMETERS = ['sslmode', 'sslrootcert', 'socket'];
/** `require` verifies, too: who encrypts without is open to whoever stands between. */
const SSL_MODES = ['disable', 'require', 'verify-full', 'no-verify'];

/** Throws DatabaseTrouble `refused`. */
export function optionsOf(text: string): ConnectionOptions {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') throw new DatabaseTrouble('refused', UNREADABLE_URL);
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.includes(name))
      throw new DatabaseTrouble(
        'refused',
        `its URL has no parameter "${name}".${didYouMeanOf('parameters', name, PARAMETERS)}`,
      );
  }
  const socketPath = url.searchParams.get('socket');
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    ...(url.port !== '' && { port: Number(url.port) }),
    ...(socketPath !== null && { socketPath }),
    user: plain(url.username),
    password: plain(url.password),
    ...(url.pathname.length > 1 && { database: plain(url.pathname.slice(1)) }),
    ...sslOf(url.searchParams),
    charset: 'utf8mb4',
    // A server may ask its client for any file.
    flags: ['-LOCAL_FILES'],
  };
}

function sslOf(parameters: URLSearchParams): Pick<ConnectionOptions, 'ssl'> {
  const root = parameters.get('sslrootcert');
  const mode = parameters.get('sslmode') ?? (root === null ? 'disable' : 'verify-full');
  if (!SSL_MODES.includes(mode))
    throw new DatabaseTrouble('refused', `its URL has sslmode ${mode}, which is one of ${SSL_MODES.join(', ')}`);
  if (mode === 'disable') return {};
  try {
    return {
      ssl: { rejectUnauthorized: mode !== 'no-verify', ...(root !== null && { ca: readFileSync(root, 'utf8') }) },
    };
  } catch (error) {
    throw new DatabaseTrouble('refused', `the file of its sslrootcert can't be read: ${root}`, { cause: error });
  }
}

function plain(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new DatabaseTrouble('refused', UNREADABLE_URL);
  }
}
