// Quality as it is told: each arm's days, how many outcomes come at which age, and its worst slices.

import { formatTimestamp, type Micros, MICROS_PER_DAY } from '../../core/index.ts';
import type { LoggedArm } from '../drift/count-window.ts';
import type { CalibrationBin, EstimatedFigures, Figures, Task } from './figures.ts';
import type { QualityDay, QualityStore } from './quality-store.ts';
import type { Segments } from './segments.ts';

export interface QualityReport {
  readonly endpoint: string;
  readonly arms: readonly (LoggedArm & {
    readonly task: Task;
    readonly measured_at: string;
    /** The oldest first. */
    readonly days: readonly ReportedDay[];
    readonly coverage: readonly {
      readonly age_from_seconds: number;
      readonly age_to_seconds: number | null;
      readonly rows: number;
      readonly labelled: number;
      readonly share: number;
    }[];
    readonly segments: Segments | null;
  })[];
}

export interface ReportedDay {
  readonly day: string;
  readonly rows: number;
  readonly labelled: number;
  /** Share of the rows whose outcome is known. */
  readonly coverage: number;
  readonly figures: Figures;
  /** By the scores alone, of all rows; blind to concept drift. */
  readonly estimated: EstimatedFigures | null;
  readonly calibration: readonly CalibrationBin[];
}

export async function qualityReport(
  store: QualityStore,
  endpoint: string,
  { days, now }: { readonly days: number; readonly now: Micros },
): Promise<QualityReport> {
  const today = Math.floor(now / MICROS_PER_DAY);
  const stored = await store.days(endpoint, today - days + 1);
  const isOf = (arm: LoggedArm, day: QualityDay): boolean =>
    arm.variant === day.arm.variant && arm.model === day.arm.model && arm.version === day.arm.version;
  return {
    endpoint,
    arms: (await store.arms(endpoint)).map(({ arm, measuredMicros, task, coverage, segments }) => ({
      ...arm,
      task,
      measured_at: formatTimestamp(measuredMicros),
      days: stored
        .filter((day) => isOf(arm, day))
        .map((one) => ({
          day: formatTimestamp(one.day * MICROS_PER_DAY).slice(0, 10),
          rows: one.rows,
          labelled: one.labelled,
          coverage: one.rows === 0 ? 0 : one.labelled / one.rows,
          figures: one.figures,
          estimated: one.estimated,
          calibration: one.calibration,
        })),
      coverage: coverage.map(({ from_seconds, to_seconds, rows, labelled }) => ({
        age_from_seconds: from_seconds,
        age_to_seconds: to_seconds,
        rows,
        labelled,
        share: rows === 0 ? 0 : labelled / rows,
      })),
      segments,
    })),
  };
}
