// Alerts over the registry's database. What a monitor saw is taken in one transaction with what is to be told of it.

import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import { type Clock, type Logger, type Micros, stringifyJson } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import type { Alert, AlertKey, Alerts, Observation } from './alert.ts';
import { type AlertRow, evidenceText, toAlert } from './alert-rows.ts';
import { advance } from './hysteresis.ts';
import { enqueue } from './outbox.ts';
import { readSilences } from './silences.ts';
import { type AlertTables, migrateAlerts } from './tables.ts';

export interface OpenAlertsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether somebody is sent what happens: else nothing is put into the outbox. */
  readonly hasReceiver: boolean;
}

const MOST_LISTED = 1000;
/** What changes alerts does so one after the other. */
export const SERIALIZED = { serializedBy: 'monitoring_alerts' } as const;

interface Happened {
  readonly event: 'opened' | 'closed';
  readonly alert: Alert;
  readonly dropped: number;
}

export async function openAlerts(opened: Database, options: OpenAlertsOptions): Promise<Alerts> {
  const { clock, logger } = options;
  const database = await migrateAlerts(opened);
  const tables = () => database.tables<AlertTables>();
  return {
    async observe(observation) {
      if (observation.state === 'no_data') return;
      // Most windows are quiet, of what never fired.
      if (observation.state !== 'firing' && (await newestOf(tables(), observation)) === undefined) return;
      const happened = await database.transaction<AlertTables, Happened | undefined>(
        (trx) => take(trx, observation, clock.nowMicros(), options.hasReceiver),
        SERIALIZED,
      );
      if (happened === undefined) return;
      const { event, alert, dropped } = happened;
      const { id, rule, endpoint, feature } = alert;
      const told = { alert: id, rule, endpoint, feature, evidence: alert.evidence };
      if (event === 'opened') logger.warn(told, 'an alert opened');
      else logger.info(told, 'an alert closed');
      if (dropped > 0) logger.error({ dropped }, 'too many alerts wait to be sent: the oldest will not be');
    },
    async list({ state, rule, endpoint, endpoints, limit = MOST_LISTED } = {}) {
      if (endpoints?.size === 0) return [];
      let query = tables().selectFrom('monitoring_alerts').selectAll();
      query = state === undefined ? query.where('state', '!=', 'pending') : query.where('state', '=', state);
      if (rule !== undefined) query = query.where('rule', '=', rule);
      if (endpoint !== undefined) query = query.where('endpoint', '=', endpoint);
      if (endpoints !== undefined) query = query.where('endpoint', 'in', [...endpoints]);
      const rows = await query.orderBy('opened_micros', 'desc').orderBy('id').limit(limit).execute();
      const silences = await readSilences(tables(), clock.nowMicros());
      return rows.flatMap((row) => toAlert(row, silences) ?? []);
    },
    async silence({ rule, endpoint, feature, untilMicros, actor, reason }) {
      const made = { id: randomUUID(), rule, endpoint, feature, actor, reason };
      const fromMicros = clock.nowMicros();
      await tables()
        .insertInto('monitoring_silences')
        .values({ ...made, from_micros: fromMicros, until_micros: untilMicros })
        .execute();
      return { ...made, fromMicros, untilMicros };
    },
    async unsilence({ rule, endpoint, feature }) {
      const now = clock.nowMicros();
      const result = await tables()
        .updateTable('monitoring_silences')
        .set({ until_micros: now })
        .where('rule', '=', rule)
        .where('endpoint', endpoint === null ? 'is' : '=', endpoint)
        .where('feature', feature === null ? 'is' : '=', feature)
        .where('until_micros', '>', now)
        .executeTakeFirst();
      return Number(result.numUpdatedRows);
    },
    silences: () => readSilences(tables(), clock.nowMicros()),
  };
}

async function take(
  trx: Kysely<AlertTables>,
  observation: Observation,
  now: Micros,
  hasReceiver: boolean,
): Promise<Happened | undefined> {
  const { state: observed, at } = observation;
  const newest = await newestOf(trx, observation);
  // A time ahead of the clock is of a clock that went wrong: it must not keep what follows from counting.
  if (observed === 'no_data' || (newest !== undefined && newest.seen_micros >= at && newest.seen_micros <= now)) return;
  const current = newest === undefined || newest.state === 'closed' ? undefined : newest;
  if (current === undefined && observed !== 'firing') {
    if (newest !== undefined) await update(trx, newest.id, { seen_micros: at });
    return;
  }
  const standing = current === undefined ? ({ state: 'pending', streak: 0 } as const) : standingOf(current);
  const { standing: next, event } = advance(standing, observed, observation);
  const evidence =
    observed === 'firing' ? evidenceText(stringifyJson(observation.evidence)) : (current?.evidence ?? '');
  const row: AlertRow = {
    id: current?.id ?? randomUUID(),
    rule: observation.rule,
    endpoint: observation.endpoint,
    feature: observation.feature ?? '',
    state: next?.state ?? 'closed',
    streak: next?.streak ?? 0,
    seen_micros: at,
    opened_micros: event === 'opened' ? now : (current?.opened_micros ?? null),
    closed_micros: event === 'closed' ? now : null,
    evidence,
    is_told: current?.is_told ?? 0,
  };
  if (current === undefined) await trx.insertInto('monitoring_alerts').values(row).execute();
  else await update(trx, row.id, row);
  if (event === undefined) return;
  const alert = toAlert(row, await readSilences(trx, now));
  if (alert === undefined) return;
  const isToTell = hasReceiver && (event === 'opened' ? alert.silencedUntilMicros === null : row.is_told === 1);
  const dropped = isToTell ? await enqueue(trx, event, alert, now) : 0;
  if (isToTell && event === 'opened') await update(trx, row.id, { is_told: 1 });
  return { event, alert, dropped };
}

const standingOf = ({ state, streak }: AlertRow) => ({ state: state === 'open' ? 'open' : 'pending', streak }) as const;

function newestOf(trx: Kysely<AlertTables>, { rule, endpoint, feature }: AlertKey): Promise<AlertRow | undefined> {
  return (
    trx
      .selectFrom('monitoring_alerts')
      .selectAll()
      .where('rule', '=', rule)
      .where('endpoint', '=', endpoint)
      .where('feature', '=', feature ?? '')
      // Of one that closed and one that began by the same window the other is the newer.
      .orderBy(({ case: when }) => when().when('state', '=', 'closed').then(1).else(0).end())
      .orderBy('seen_micros', 'desc')
      .limit(1)
      .executeTakeFirst()
  );
}

async function update(trx: Kysely<AlertTables>, id: string, change: Partial<AlertRow>): Promise<void> {
  await trx.updateTable('monitoring_alerts').set(change).where('id', '=', id).execute();
}
