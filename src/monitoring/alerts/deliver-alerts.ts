// Sends what the outbox holds: each event until the receiver has taken it, oftener than once where an answer got lost, always
// under the same id. One that fails waits longer each time; after days it is given up, and said so.

import type { Kysely } from 'kysely';
import { type Clock, type Logger, messageOf, MICROS_PER_SECOND } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import { keyOf, toAlert } from './alert-rows.ts';
import { SERIALIZED } from './open-alerts.ts';
import { enqueue } from './outbox.ts';
import { forgetSilences, readSilences, silencedUntil } from './silences.ts';
import { type AlertTables, migrateAlerts } from './tables.ts';

export interface AlertDelivery {
  /** Tells what silences held back, sends what is due. Rejects where the database is away. */
  run(signal: AbortSignal): Promise<DeliveryReport>;
}

export interface DeliveryReport {
  readonly sent: number;
  readonly failed: number;
}

export interface AlertDeliveryDeps {
  readonly database: Database;
  /** Resolves once the receiver has taken it; throws with why it has not. */
  readonly send: (event: { readonly id: string; readonly body: string }, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A run begins nothing more after so long; 10 s. */
  readonly mostRunMs?: number;
}

const FIRST_WAIT_MICROS = MICROS_PER_SECOND;
const LONGEST_WAIT_MICROS = 600 * MICROS_PER_SECOND;
/** While one process sends, others leave the event alone. */
const CLAIM_MICROS = 30 * MICROS_PER_SECOND;
const GIVE_UP_MICROS = 3 * 86_400 * MICROS_PER_SECOND;
const MOST_A_RUN = 200;
/** However slow the receiver is: who delivers has other work. */
const MOST_RUN_MS = 10_000;
/** A receiver that is away fails each: no more of them are tried in this run. */
const MOST_FAILURES = 3;
/** Closed alerts are kept so long. */
const KEPT_MICROS = 90 * 86_400 * MICROS_PER_SECOND;

export async function createAlertDelivery(deps: AlertDeliveryDeps): Promise<AlertDelivery> {
  const { send, clock, logger, mostRunMs = MOST_RUN_MS } = deps;
  const database = await migrateAlerts(deps.database);
  const tables = () => database.tables<AlertTables>();

  const attempt = async (
    row: { readonly id: string; readonly alert: string; readonly event: string; readonly body: string },
    attempts: number,
    createdMicros: number,
    signal: AbortSignal,
  ): Promise<boolean> => {
    try {
      await send(row, signal);
      await tables().deleteFrom('monitoring_outbox').where('id', '=', row.id).execute();
      return true;
    } catch (thrown) {
      const now = clock.nowMicros();
      const told = { event: row.id, alert: row.alert, what: row.event, attempts, reason: messageOf(thrown) };
      if (now - createdMicros > GIVE_UP_MICROS) {
        await tables().deleteFrom('monitoring_outbox').where('id', '=', row.id).execute();
        logger.error(told, 'an alert could not be sent for days, and is given up');
        return false;
      }
      const wait = Math.min(LONGEST_WAIT_MICROS, FIRST_WAIT_MICROS * 2 ** Math.min(attempts - 1, 20));
      const change = { attempts, next_micros: now + wait };
      await tables().updateTable('monitoring_outbox').set(change).where('id', '=', row.id).execute();
      logger.warn(told, 'an alert could not be sent; it is tried again');
      return false;
    }
  };

  return {
    async run(signal) {
      await tellUnsilenced(database, clock.nowMicros());
      let [sent, failed] = [0, 0];
      const endMs = performance.now() + mostRunMs;
      for (let left = MOST_A_RUN; left > 0; ) {
        const rows = await dueRows(database, clock.nowMicros(), left);
        let isOver = rows.length === 0;
        for (const row of rows) {
          isOver = signal.aborted || failed >= MOST_FAILURES || performance.now() >= endMs;
          if (isOver) break;
          left--;
          if (!(await claim(database, row, clock.nowMicros()))) continue;
          if (await attempt(row, row.attempts + 1, row.created_micros, signal)) sent++;
          else failed++;
        }
        if (isOver) break;
      }
      await forget(database, clock.nowMicros());
      return { sent, failed };
    },
  };
}

/**
 * The first event of each alert, where it is due: later ones wait for it. Those first that were tried least, so that what the
 * receiver always refuses keeps nothing else back.
 */
function dueRows(database: Database, now: number, limit: number) {
  return (
    database
      .tables<AlertTables>()
      .selectFrom('monitoring_outbox as own')
      .selectAll()
      // A time further ahead than any wait is of a clock that went wrong.
      .where(({ eb, or }) => or([eb('next_micros', '<=', now), eb('next_micros', '>', now + LONGEST_WAIT_MICROS)]))
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('monitoring_outbox as earlier')
              .select('earlier.id')
              .whereRef('earlier.alert', '=', 'own.alert')
              // An alert opens and closes once.
              .where('earlier.event', '=', 'opened')
              .where('own.event', '=', 'closed'),
          ),
        ),
      )
      .orderBy('attempts')
      .orderBy('next_micros')
      .orderBy('id')
      .limit(limit)
      .execute()
  );
}

async function claim(
  database: Database,
  { id, next_micros }: { readonly id: string; readonly next_micros: number },
  now: number,
): Promise<boolean> {
  const result = await database
    .tables<AlertTables>()
    .updateTable('monitoring_outbox')
    .set({ next_micros: now + CLAIM_MICROS })
    .where('id', '=', id)
    .where('next_micros', '=', next_micros)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/**
 * Open alerts that a silence kept back, and which it keeps no more: so many in one transaction, since whatever else changes alerts
 * waits for it.
 */
async function tellUnsilenced(database: Database, now: number): Promise<void> {
  const untold = (db: Kysely<AlertTables>) =>
    db.selectFrom('monitoring_alerts').where('state', '=', 'open').where('is_told', '=', 0);
  const db = database.tables<AlertTables>();
  const kept = await untold(db).select(['id', 'rule', 'endpoint', 'feature']).orderBy('opened_micros').execute();
  if (kept.length === 0) return;
  const current = await readSilences(db, now);
  const due = kept.filter((one) => silencedUntil(current, keyOf(one)) === undefined).slice(0, MOST_A_RUN);
  if (due.length === 0) return;
  await database.transaction<AlertTables, void>(async (trx) => {
    const silences = await readSilences(trx, now);
    const rows = await untold(trx)
      .selectAll()
      .where(
        'id',
        'in',
        due.map(({ id }) => id),
      )
      .execute();
    for (const row of rows) {
      const alert = toAlert(row, silences);
      if (alert === undefined || alert.silencedUntilMicros !== null) continue;
      await enqueue(trx, 'opened', alert, now);
      await trx.updateTable('monitoring_alerts').set({ is_told: 1 }).where('id', '=', row.id).execute();
    }
  }, SERIALIZED);
}

async function forget(database: Database, now: number): Promise<void> {
  await forgetSilences(database.tables<AlertTables>(), now);
  await database
    .tables<AlertTables>()
    .deleteFrom('monitoring_alerts')
    .where('state', '=', 'closed')
    .where('closed_micros', '<', now - KEPT_MICROS)
    .execute();
  await database
    .tables<AlertTables>()
    .deleteFrom('monitoring_alerts')
    .where('state', '=', 'pending')
    .where('seen_micros', '<', now - KEPT_MICROS)
    .execute();
}
