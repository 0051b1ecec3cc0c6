// What mysql2, MySQL and MariaDB say, by its kind.

import { DatabaseTrouble, type TroubleKind } from '../databases/database-trouble.ts';

/** By mysql2's names of the servers' codes, and Node's of the socket's. */
const KINDS: readonly (readonly [RegExp, TroubleKind])[] = [
  // A table that was altered since the snapshot was taken is read again from the start.
  [
    /^(E(CONN|PIPE|TIMEDOUT|HOST|NETUNREACH|AI_AGAIN|NOTFOUND)|PROTOCOL_(CONNECTION_LOST|SEQUENCE_TIMEOUT)|ER_(SERVER_SHUTDOWN|CON_COUNT_ERROR|TABLE_DEF_CHANGED|CLIENT_INTERACTION_TIMEOUT|CONNECTION_KILLED|NORMAL_SHUTDOWN|LOCK_WAIT_TIMEOUT|LOCK_DEADLOCK)$)/,
    'lost',
  ],
  [
    /^(ER_(ACCESS_DENIED|DBACCESS_DENIED|BAD_DB|HOST_|NOT_SUPPORTED_AUTH|MUST_CHANGE)|HANDSHAKE|AUTH_|ERR_TLS|SELF_SIGNED|CERT_|UNABLE_TO_|DEPTH_ZERO)/,
    'refused',
  ],
  [/^ER_(NO_SUCH_TABLE|BAD_TABLE_ERROR)$/, 'missing'],
];

export function troubleOf(error: unknown): unknown {
  if (error instanceof DatabaseTrouble || !(error instanceof Error)) return error;
  // Of the file, not of the database.
  if ('syscall' in error && error.syscall === 'write' && 'code' in error && error.code === 'ENOSPC') return error;
  if (error instanceof AggregateError) return new DatabaseTrouble('lost', error.errors.map(String).join('; '));
  const code = 'code' in error ? String(error.code) : '';
  const known = KINDS.find(([pattern]) => pattern.test(code))?.[1];
  const isClosed = /closed state|Connection lost|connect ETIMEDOUT/.test(error.message);
  return new DatabaseTrouble(known ?? (isClosed ? 'lost' : 'failed'), error.message === '' ? code : error.message);
}
