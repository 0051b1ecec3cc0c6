// What Snowflake and its SDK say, by its kind.

import { HeadraceError } from '../../../core/index.ts';
import { DatabaseTrouble, type TroubleKind } from '../databases/database-trouble.ts';

const KINDS: readonly (readonly [RegExp, TroubleKind])[] = [
  // The SDK's own: no connection, a request that failed; Snowflake's: a session or token that ended.
  [/^(401001|402001|407\d{3}|390(112|114|195))$/, 'lost'],
  // Logins; the SDK's of options that are missing or wrong.
  [/^(390\d{3}|403\d{3}|404\d{3}|405\d{3})$/, 'refused'],
  [/^0*2003$/, 'missing'],
];

export function troubleOf(error: unknown): unknown {
  if (error instanceof DatabaseTrouble || error instanceof HeadraceError || !(error instanceof Error)) return error;
  // Of the file, not of the database.
  if ('syscall' in error && error.syscall === 'write' && 'code' in error && error.code === 'ENOSPC') return error;
  const code = 'code' in error ? String(error.code) : '';
  const known = KINDS.find(([pattern]) => pattern.test(code))?.[1];
  const isSocket = /^E[A-Z]{3,}/.test(code);
  return new DatabaseTrouble(known ?? (isSocket ? 'lost' : 'failed'), error.message.replaceAll(/\s+/g, ' ').trim());
}
