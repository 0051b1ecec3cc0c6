// A single event of a run, in a transaction that holds its row.

import type { Micros } from '../../core/index.ts';
import type { DatabaseKind } from '../../storage/index.ts';
import { type Db, statement } from './statement.ts';

export function createEventWriter(
  kind: DatabaseKind,
): (trx: Db, id: string, at: Micros, what: string, message?: string, step?: string) => Promise<void> {
  const count = statement<{ events: number }>(
    kind,
    'update pipeline_runs set events = events + 1 where id = ? returning events',
  );
  const insert = statement(
    kind,
    'insert into pipeline_events (run_id, number, at, kind, message, step, scope) values (?, ?, ?, ?, ?, ?, ?)',
  );
  return async (trx, id, at, what, message, step) => {
    const row = (await count(trx, id)).rows[0];
    if (row !== undefined)
      await insert(trx, id, row.events, at, what, message ?? null, step ?? null, step === undefined ? null : '');
  };
}
