// Checks of what was served, as they are kept and told.

import { formatTimestamp, type Json, type Micros } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import type { Alerts } from '../alerts/alert.ts';
import { migrateSkew, type SkewTables } from './tables.ts';

/** Of a sample of what was logged from a time on: each value computed again as of then. */
export interface SkewCheck {
  readonly endpoint: string;
  readonly atMicros: Micros;
  readonly fromMicros: Micros;
  readonly logged: number;
  readonly checked: number;
  readonly values: number;
  readonly agreed: number;
  readonly mismatches: readonly Mismatch[];
  readonly not_comparable: readonly { readonly reason: string; readonly values: number }[];
}

export interface Mismatch {
  readonly feature: string;
  /** `late data`: explained by facts that came after; `code`: by the definitions of today it is another; else `unknown`. */
  readonly cause: 'late data' | 'code' | 'unknown';
  readonly count: number;
  readonly examples: readonly Json[];
}

export interface SkewStore {
  /** The newest first. */
  checks(endpoint: string, limit: number): Promise<readonly SkewCheck[]>;
  save(check: SkewCheck): Promise<void>;
}

const KEPT_MICROS = 90 * 86_400_000_000;

export async function openSkewStore(opened: Database): Promise<SkewStore> {
  const database = await migrateSkew(opened);
  const tables = () => database.tables<SkewTables>();
  return {
    async checks(endpoint, limit) {
      const rows = await tables()
        .selectFrom('monitoring_skew_checks')
        .selectAll()
        .where('endpoint', '=', endpoint)
        .orderBy('at_micros', 'desc')
        .limit(limit)
        .execute();
      return rows.map(({ at_micros, from_micros, body }) => ({
        // `save` wrote it.
        ...(JSON.parse(body) as Omit<SkewCheck, 'endpoint' | 'atMicros' | 'fromMicros'>),
        endpoint,
        atMicros: at_micros,
        fromMicros: from_micros,
      }));
    },
    async save({ endpoint, atMicros, fromMicros, ...body }) {
      const row = { from_micros: fromMicros, body: JSON.stringify(body) };
      await tables()
        .insertInto('monitoring_skew_checks')
        .values({ endpoint, at_micros: atMicros, ...row })
        .onConflict((conflict) => conflict.columns(['endpoint', 'at_micros']).doUpdateSet(row))
        .execute();
      await tables()
        .deleteFrom('monitoring_skew_checks')
        .where('at_micros', '<', atMicros - KEPT_MICROS)
        .execute();
    },
  };
}

/** Of the predictions that were checked; below it late data are everyday. */
const MOST_LATE = 0.1;
const CLOSES_AFTER = 3;

/** One that nothing explains is an alert at once; data that are late when more than a tenth of the predictions had older ones. */
export async function tellSkew(alerts: Pick<Alerts, 'observe' | 'list'>, check: SkewCheck): Promise<void> {
  if (check.checked === 0) return;
  const found = Map.groupBy(check.mismatches, ({ feature }) => feature);
  const open = await alerts.list({ rule: 'skew', endpoint: check.endpoint, state: 'open' });
  for (const feature of new Set([...found.keys(), ...open.flatMap((one) => one.feature ?? [])])) {
    const own = found.get(feature) ?? [];
    const isFiring = own.some(
      ({ cause, count }) => cause === 'unknown' || (cause === 'late data' && count > MOST_LATE * check.checked),
    );
    await alerts.observe({
      rule: 'skew',
      endpoint: check.endpoint,
      feature,
      state: isFiring ? 'firing' : 'ok',
      evidence: {
        window: { from: formatTimestamp(check.fromMicros), to: formatTimestamp(check.atMicros) },
        rows: check.checked,
        causes: own.map(({ cause, count, examples }) => ({ cause, count, examples })),
      },
      at: check.atMicros,
      opensAfter: 1,
      closesAfter: CLOSES_AFTER,
    });
  }
}

/** As the API tells it. */
export function presentSkew({ endpoint: _of, atMicros, fromMicros, ...check }: SkewCheck): object {
  return { at: formatTimestamp(atMicros), from: formatTimestamp(fromMicros), ...check };
}
