// Alerts as their rows: read, written, and what a backup knows of them.

import type { Kysely, Selectable } from 'kysely';
import { type Json, parseJson } from '../../core/index.ts';
import type { RowsOwner } from '../../storage/index.ts';
import type { Alert, AlertKey, Silence } from './alert.ts';
import { silencedUntil } from './silences.ts';
import type { AlertTables } from './tables.ts';

export type AlertRow = Selectable<AlertTables['monitoring_alerts']>;

/** Undefined for one that has not opened. */
export function toAlert(row: AlertRow, silences: readonly Silence[]): Alert | undefined {
  if (row.state === 'pending' || row.opened_micros === null) return undefined;
  const key = keyOf(row);
  return {
    ...key,
    id: row.id,
    state: row.state,
    openedMicros: row.opened_micros,
    closedMicros: row.closed_micros,
    evidence: parseJson(row.evidence),
    silencedUntilMicros: row.state === 'open' ? (silencedUntil(silences, key) ?? null) : null,
  };
}

export function keyOf({ rule, endpoint, feature }: Pick<AlertRow, 'rule' | 'endpoint' | 'feature'>): AlertKey {
  return { rule, endpoint, feature: feature === '' ? null : feature };
}

/** Evidence that is longer as text is left out: it is read in lists. */
const MOST_EVIDENCE = 16_384;

export function evidenceText(text: string): string {
  const left: Json = { left_out: `${text.length} characters of evidence` };
  return text.length <= MOST_EVIDENCE ? text : JSON.stringify(left);
}

export const alertRows: RowsOwner = {
  table: 'monitoring_alerts',
  // What waits to be told is of the place that the rows are from, and so is when a monitor has worked there last.
  async settle(trx) {
    // The owner's own tables.
    const own = trx as Kysely<AlertTables>;
    await own.deleteFrom('monitoring_outbox').execute();
    await own.deleteFrom('monitoring_heartbeats').execute();
  },
};
