// Days and arms of quality as they are kept.

import type { Micros } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import type { LoggedArm } from '../drift/count-window.ts';
import type { Task } from './figures.ts';
import type { CoverageOfAge } from './load-rows.ts';
import type { MeasuredDay } from './measure.ts';
import type { Segments } from './segments.ts';
import { migrateQuality, type QualityTables } from './tables.ts';

export interface QualityDay extends MeasuredDay {
  readonly arm: LoggedArm;
  readonly task: Task;
  /** When the last outcome came that is in it. */
  readonly recordedMicros: Micros;
}

export interface QualityArm {
  readonly arm: LoggedArm;
  readonly measuredMicros: Micros;
  readonly task: Task;
  readonly coverage: readonly CoverageOfAge[];
  readonly segments: Segments | null;
}

export interface QualityStore {
  /** From `fromDay` on, the oldest first. */
  days(endpoint: string, fromDay: number): Promise<readonly QualityDay[]>;
  saveDays(endpoint: string, days: readonly QualityDay[]): Promise<void>;
  arms(endpoint: string): Promise<readonly QualityArm[]>;
  saveArm(endpoint: string, arm: QualityArm): Promise<void>;
  forget(beforeDay: number): Promise<void>;
}

export async function openQualityStore(opened: Database): Promise<QualityStore> {
  const database = await migrateQuality(opened);
  const tables = () => database.tables<QualityTables>();
  return {
    async days(endpoint, fromDay) {
      const rows = await tables()
        .selectFrom('monitoring_quality_days')
        .selectAll()
        .where('endpoint', '=', endpoint)
        .where('day', '>=', fromDay)
        .orderBy('variant')
        .orderBy('version')
        .orderBy('day')
        .execute();
      return rows.map(({ variant, model, version, recorded_micros, body }) => ({
        // `saveDays` wrote it.
        ...(JSON.parse(body) as MeasuredDay & { readonly task: Task }),
        arm: { variant, model, version },
        recordedMicros: recorded_micros,
      }));
    },
    async saveDays(endpoint, days) {
      for (const { arm, recordedMicros, ...body } of days) {
        const row = {
          rows: body.rows,
          labelled: body.labelled,
          recorded_micros: recordedMicros,
          body: JSON.stringify(body),
        };
        await tables()
          .insertInto('monitoring_quality_days')
          .values({ endpoint, ...arm, day: body.day, ...row })
          .onConflict((conflict) =>
            conflict.columns(['endpoint', 'variant', 'model', 'version', 'day']).doUpdateSet(row),
          )
          .execute();
      }
    },
    async arms(endpoint) {
      const rows = await tables()
        .selectFrom('monitoring_quality_arms')
        .selectAll()
        .where('endpoint', '=', endpoint)
        .orderBy('variant')
        .orderBy('version')
        .execute();
      return rows.map(({ variant, model, version, measured_micros, body }) => ({
        // `saveArm` wrote it.
        ...(JSON.parse(body) as Pick<QualityArm, 'task' | 'coverage' | 'segments'>),
        arm: { variant, model, version },
        measuredMicros: measured_micros,
      }));
    },
    async saveArm(endpoint, { arm, measuredMicros, ...body }) {
      const row = { measured_micros: measuredMicros, body: JSON.stringify(body) };
      await tables()
        .insertInto('monitoring_quality_arms')
        .values({ endpoint, ...arm, ...row })
        .onConflict((conflict) => conflict.columns(['endpoint', 'variant', 'model', 'version']).doUpdateSet(row))
        .execute();
    },
    async forget(beforeDay) {
      await tables().deleteFrom('monitoring_quality_days').where('day', '<', beforeDay).execute();
    },
  };
}
