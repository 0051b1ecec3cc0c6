// The outbox: events that are to be told, written with what they tell of in one transaction, so that none is lost and none is
// made up.

import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import { type Micros, stringifyJson } from '../../core/index.ts';
import { type Alert, presentAlert } from './alert.ts';
import type { AlertTables } from './tables.ts';

/** Events that wait; past it the oldest go. */
export const MOST_WAITING = 10_000;

/** Gives how many of the oldest had to go. */
export async function enqueue(
  trx: Kysely<AlertTables>,
  event: 'opened' | 'closed',
  alert: Alert,
  now: Micros,
): Promise<number> {
  const id = randomUUID();
  const body = stringifyJson({ id, event, alert: presentAlert(alert) });
  const row = { id, alert: alert.id, event, body, created_micros: now, attempts: 0, next_micros: now };
  await trx.insertInto('monitoring_outbox').values(row).execute();
  const counted = await trx
    .selectFrom('monitoring_outbox')
    .select(({ fn }) => fn.countAll().as('rows'))
    .executeTakeFirst();
  const over = Number(counted?.rows ?? 0) - MOST_WAITING;
  if (over <= 0) return 0;
  const oldest = await trx
    .selectFrom('monitoring_outbox')
    .select('id')
    .orderBy('created_micros')
    .orderBy('id')
    .limit(over)
    .execute();
  await trx
    .deleteFrom('monitoring_outbox')
    .where(
      'id',
      'in',
      oldest.map((one) => one.id),
    )
    .execute();
  return over;
}
