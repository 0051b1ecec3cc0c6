// References, windows and arms as they are kept.

import type { Micros } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import type { LoggedArm } from './count-window.ts';
import type { CountedWindow } from './evaluate.ts';
import type { Reference, WindowCounts } from './reference.ts';
import { type DriftTables, migrateDrift } from './tables.ts';

export type WatchedKind = 'feature' | 'output';

export interface StoredWindow extends CountedWindow {
  readonly arm: LoggedArm;
  readonly kind: WatchedKind;
  readonly feature: string;
  readonly reference: string;
}

export interface WatchedArm extends LoggedArm {
  readonly reference: string | null;
  /** Why it has none. */
  readonly lacks: string | null;
  readonly checkedMicros: Micros;
  readonly seenMicros: Micros;
  readonly waitingRows: number;
}

export interface DriftStore {
  reference(id: string): Promise<Reference | undefined>;
  saveReference(reference: Reference, now: Micros): Promise<void>;
  arms(endpoint: string, size: Micros): Promise<readonly WatchedArm[]>;
  saveArm(endpoint: string, size: Micros, arm: WatchedArm): Promise<void>;
  /** Windows that end after `from`, by their end. */
  windows(endpoint: string, size: Micros, from: Micros, arm?: LoggedArm): Promise<readonly StoredWindow[]>;
  /** By endpoint, of windows that end after `from`: a text that is another once one came, went, or was counted again over other rows. */
  stamps(size: Micros, from: Micros): Promise<ReadonlyMap<string, string>>;
  /** One window of an arm, of features or of outputs: takes the place of those that it overlaps. */
  saveWindow(endpoint: string, size: Micros, windows: readonly StoredWindow[]): Promise<void>;
  /** Windows that end later than it is were counted by a clock that went wrong. */
  forget(now: Micros): Promise<void>;
}

const HOURS_KEPT_MICROS = 90 * 86_400_000_000;
const DAYS_KEPT_MICROS = 730 * 86_400_000_000;
const DAY = 86_400_000_000;
/** Rows in one statement: databases bound the number of values. */
const TOGETHER = 50;
const MOST_REFERENCES_READ = 20;

export async function openDriftStore(opened: Database): Promise<DriftStore> {
  const database = await migrateDrift(opened);
  const tables = () => database.tables<DriftTables>();
  /** They never change. */
  const read = new Map<string, Reference>();
  return {
    async reference(id) {
      const had = read.get(id);
      if (had !== undefined) return had;
      const row = await tables()
        .selectFrom('monitoring_references')
        .select('body')
        .where('id', '=', id)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      // `saveReference` wrote it.
      const found = JSON.parse(row.body) as Reference;
      if (read.size >= MOST_REFERENCES_READ) read.clear();
      read.set(id, found);
      return found;
    },
    async saveReference(reference, now) {
      await tables()
        .insertInto('monitoring_references')
        .values({ id: reference.id, created_micros: now, body: JSON.stringify(reference) })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute();
    },
    async arms(endpoint, size) {
      const rows = await tables()
        .selectFrom('monitoring_drift_arms')
        .selectAll()
        .where('endpoint', '=', endpoint)
        .where('size_micros', '=', size)
        .orderBy('variant')
        .orderBy('version')
        .execute();
      return rows.map(({ variant, model, version, reference, lacks, ...row }) => ({
        variant,
        model,
        version,
        reference,
        lacks,
        checkedMicros: row.checked_micros,
        seenMicros: row.seen_micros,
        waitingRows: row.waiting_rows,
      }));
    },
    async saveArm(endpoint, size, { variant, model, version, reference, lacks, ...arm }) {
      const row = {
        reference,
        lacks,
        checked_micros: arm.checkedMicros,
        seen_micros: arm.seenMicros,
        waiting_rows: arm.waitingRows,
      };
      await tables()
        .insertInto('monitoring_drift_arms')
        .values({ endpoint, variant, model, version, size_micros: size, ...row })
        .onConflict((conflict) =>
          conflict.columns(['endpoint', 'variant', 'model', 'version', 'size_micros']).doUpdateSet(row),
        )
        .execute();
    },
    async windows(endpoint, size, from, arm) {
      let query = tables()
        .selectFrom('monitoring_drift_windows')
        .selectAll()
        .where('endpoint', '=', endpoint)
        .where('size_micros', '=', size)
        .where('to_micros', '>', from);
      if (arm !== undefined)
        query = query
          .where('variant', '=', arm.variant)
          .where('model', '=', arm.model)
          .where('version', '=', arm.version);
      const rows = await query.orderBy('to_micros').orderBy('feature').execute();
      return rows.map(
        ({
          variant,
          model,
          version,
          kind,
          feature,
          from_micros,
          to_micros,
          reference,
          rows: count,
          units,
          counts,
        }) => ({
          arm: { variant, model, version },
          kind,
          feature,
          reference,
          from: from_micros,
          to: to_micros,
          rows: count,
          units,
          // `saveWindow` wrote it.
          counts: JSON.parse(counts) as WindowCounts,
        }),
      );
    },
    async stamps(size, from) {
      const rows = await tables()
        .selectFrom('monitoring_drift_windows')
        .select(({ fn }) => [
          'endpoint',
          fn.countAll<number | bigint | string>().as('windows'),
          fn.max('to_micros').as('newest'),
          fn.max('reference').as('reference'),
          fn.sum('rows').as('rows'),
          fn.sum('version').as('versions'),
        ])
        .where('size_micros', '=', size)
        .where('to_micros', '>', from)
        .groupBy('endpoint')
        .execute();
      return new Map(
        rows.map((row) => [
          row.endpoint,
          [row.windows, row.newest, row.reference, row.rows, row.versions].map(String).join(' '),
        ]),
      );
    },
    async saveWindow(endpoint, size, windows) {
      const [first] = windows;
      if (first === undefined) return;
      const { variant, model, version } = first.arm;
      await database.transaction<DriftTables, void>(
        async (trx) => {
          await trx
            .deleteFrom('monitoring_drift_windows')
            .where('endpoint', '=', endpoint)
            .where('variant', '=', variant)
            .where('model', '=', model)
            .where('version', '=', version)
            .where('size_micros', '=', size)
            .where('kind', '=', first.kind)
            .where('from_micros', '<', first.to)
            .where('to_micros', '>', first.from)
            .execute();
          for (let from = 0; from < windows.length; from += TOGETHER) {
            const rows = windows.slice(from, from + TOGETHER).map((window) => ({
              endpoint,
              variant,
              model,
              version,
              size_micros: size,
              kind: window.kind,
              feature: window.feature,
              from_micros: window.from,
              to_micros: window.to,
              reference: window.reference,
              rows: window.rows,
              units: window.units,
              counts: JSON.stringify(window.counts),
            }));
            await trx.insertInto('monitoring_drift_windows').values(rows).execute();
          }
        },
        { serializedBy: 'monitoring_drift' },
      );
    },
    async forget(now) {
      for (const [isDay, kept] of [
        [false, HOURS_KEPT_MICROS],
        [true, DAYS_KEPT_MICROS],
      ] as const) {
        await tables()
          .deleteFrom('monitoring_drift_windows')
          .where('size_micros', isDay ? '>=' : '<', DAY)
          .where(({ or, eb }) => or([eb('to_micros', '<', now - kept), eb('to_micros', '>', now)]))
          .execute();
      }
    },
  };
}
