// Silences: alerts that nobody wants to hear of until a certain time.

import type { Kysely } from 'kysely';
import type { Micros } from '../../core/index.ts';
import type { AlertKey, Silence } from './alert.ts';
import type { AlertTables } from './tables.ts';

/** How long one that has ended is still kept. */
const KEPT_MICROS = 30 * 86_400_000_000;

export async function readSilences(db: Kysely<AlertTables>, now: Micros): Promise<readonly Silence[]> {
  const rows = await db
    .selectFrom('monitoring_silences')
    .selectAll()
    .where('until_micros', '>', now)
    .orderBy('from_micros')
    .orderBy('id')
    .execute();
  return rows.map(({ from_micros, until_micros, ...row }) => ({
    ...row,
    fromMicros: from_micros,
    untilMicros: until_micros,
  }));
}

/** Until when an alert is silenced; undefined where it is not. */
export function silencedUntil(silences: readonly Silence[], key: AlertKey): Micros | undefined {
  let until: Micros | undefined;
  for (const { rule, endpoint, feature, untilMicros } of silences) {
    const isMeant =
      rule === key.rule &&
      (endpoint === null || endpoint === key.endpoint) &&
      (feature === null || feature === key.feature);
    if (isMeant && untilMicros > (until ?? -Infinity)) until = untilMicros;
  }
  return until;
}

export async function forgetSilences(db: Kysely<AlertTables>, now: Micros): Promise<void> {
  await db
    .deleteFrom('monitoring_silences')
    .where('until_micros', '<', now - KEPT_MICROS)
    .execute();
}
