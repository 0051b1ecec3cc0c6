// The URL of a source's database, from the environment variable that the source names; and texts without its secrets.

import { HeadraceError } from '../../../core/index.ts';
import { withoutPassword } from '../../../storage/index.ts';
import type { DatabaseDriver } from './database.ts';

/** `connection` is `env:NAME`. Throws HR_CONFIG, which never shows the variable's value. */
export function connectionUrl(
  owner: string,
  connection: string,
  driver: DatabaseDriver,
  variable: ((name: string) => string | undefined) | undefined,
): string {
  const name = connection.replace(/^env:/, '');
  const url = variable?.(name)?.trim() ?? '';
  const rule = `Set it to the URL of its database: ${driver.example}`;
  if (url === '')
    throw new HeadraceError('HR_CONFIG', `${owner}: the environment variable ${name} is not set. ${rule}`);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme !== undefined && driver.schemes.includes(scheme)) return url;
  const what = scheme === undefined ? 'no URL' : `a URL that begins with ${scheme}://`;
  throw new HeadraceError('HR_CONFIG', `${owner}: the environment variable ${name} holds ${what}. ${rule}`);
}

/** What is wrong with a URL that a driver can't take apart. */
export const UNREADABLE_URL =
  'it is no URL that can be read. Signs such as @ : / ? # in a password are written with %, as encodeURIComponent does';

/** Where it is, without who goes there: for logs and messages. */
export function shownPlace(url: string): string {
  return withoutPassword(url)
    .replace(/\/\/[^@/]*@/, '//')
    .replace(/[?#]\*\*\*$/, '');
}

/** The text without the URL's password, in whatever way it is written, and without the URL itself. */
export function redacted(text: string, url: string): string {
  return secretsOf(url).reduce(
    (shown, secret) => shown.replaceAll(secret, '***'),
    text.replaceAll(url, withoutPassword(url)),
  );
}

function secretsOf(url: string): string[] {
  const rest = url.replace(/^[^:]*:\/\//, '');
  // Which @ ends the password nobody can tell: it may hold some, and what comes after it, too.
  const start = rest.indexOf(':') + 1;
  const found = [...rest.matchAll(/@/g)].map(({ index }) => rest.slice(start, index)).filter(() => start > 0);
  for (const [, value = ''] of rest.matchAll(/[?&](?:password|token|privateKeyPass|sslpassword|passcode)=([^&#]*)/gi))
    found.push(value);
  const all = found.flatMap((secret) => [secret, decoded(secret), encodeURIComponent(decoded(secret))]);
  // The longest first, so that no part of one is left over.
  return [...new Set(all)].filter((secret) => secret !== '').sort((a, b) => b.length - a.length);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
