// What pg and Postgres say, by its kind.

import { messageOf } from '../../../core/index.ts';
import { DatabaseTrouble, type TroubleKind } from '../databases/database-trouble.ts';

/** Classes and codes of SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const KINDS: readonly (readonly [RegExp, TroubleKind])[] = [
  // Connection exceptions; ended by an administrator, a crash, a start; too many connections; a snapshot that a standby gave up.
  [/^08|^57P0[1235]$|^53300$|^40001$/, 'lost'],
  [/^28|^3D000$/, 'refused'],
  [/^42P01$|^3F000$/, 'missing'],
];

/** `otherwise` is what it is when nobody can tell. */
export function troubleOf(error: unknown, otherwise: TroubleKind = 'failed'): unknown {
  if (error instanceof DatabaseTrouble || !(error instanceof Error)) return error;
  // Of the file, not of the database.
  if ('syscall' in error && error.syscall === 'write' && 'code' in error && error.code === 'ENOSPC') return error;
  const code = 'code' in error ? String(error.code) : '';
  if (error instanceof AggregateError) return new DatabaseTrouble('lost', error.errors.map(messageOf).join('; '));
  const known = KINDS.find(([pattern]) => pattern.test(code))?.[1];
  // Those of the socket, and those of pg for a connection that ended, which have no code.
  const isSocket =
    /^E[A-Z]{3,}/.test(code) || /^Connection terminated|^timeout expired|not queryable|^Client/.test(error.message);
  const detail = 'hint' in error && typeof error.hint === 'string' ? `. ${error.hint}` : '';
  const message = error.message === '' ? code || error.name : `${error.message}${detail}`;
  return new DatabaseTrouble(known ?? (isSocket ? 'lost' : otherwise), message);
}

/** Whether a connection failed for what the user can put right: certificates, and what pg needs for a login. */
export function isRefused(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /CERT|^ERR_TLS|SELF_SIGNED|UNABLE_TO_/.test(code) || /SSL|SASL|password must be/.test(messageOf(error));
}
