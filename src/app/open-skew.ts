// Scheduled checks of what was served: of each endpoint a sample of what was logged since the last one.

import { type Json, type Micros, MICROS_PER_DAY, silentProgress } from '../core/index.ts';
import type { VerifyReport } from '../control/index.ts';
import type { Mismatch, SkewCheck } from '../monitoring/index.ts';
import type { App } from './open-app.ts';
import { openDrift } from './open-drift.ts';
import { verify } from './open-verify.ts';

export interface SkewMonitor {
  /** The newest first. Throws HR_UNKNOWN_ENDPOINT. */
  checks(endpoint: string, limit: number): Promise<readonly SkewCheck[]>;
  run(signal: AbortSignal): Promise<void>;
}

/** Where there was no check before, and at most. */
const LONGEST_MICROS = MICROS_PER_DAY;
/** How long writers of pushes are waited for. */
const TIMEOUT_MS = 5000;

export async function openSkew(app: App): Promise<SkewMonitor> {
  const { openSkewStore, tellSkew } = await import('../monitoring/index.ts');
  const store = await openSkewStore(await app.database());
  const drift = await openDrift(app);
  return {
    async checks(name, limit) {
      await drift.endpoint(name);
      return store.checks(name, limit);
    },
    async run(signal) {
      const alerts = await app.alerts();
      for (const { name } of await drift.endpoints()) {
        if (signal.aborted) return;
        const now = app.clock.nowMicros();
        const [last] = await store.checks(name, 1);
        const since = Math.max(Math.min(last?.atMicros ?? -Infinity, now), now - LONGEST_MICROS);
        const asked = { endpoint: name, since, sample: app.config.values['verify.sample'], timeoutMs: TIMEOUT_MS };
        const check = toCheck(name, await verify(app, asked, silentProgress), since, now);
        await store.save(check);
        await tellSkew(alerts, check);
      }
    },
  };
}

const CAUSES: Readonly<Record<VerifyReport['differences'][number]['cause'], Mismatch['cause']>> = {
  'late data': 'late data',
  'other version': 'code',
  bug: 'unknown',
};

function toCheck(endpoint: string, report: VerifyReport, fromMicros: Micros, atMicros: Micros): SkewCheck {
  const { logged, checked, values, agreed, differences, notComparable } = report;
  const mismatches = differences.map(({ feature, cause, count, examples }) => ({
    feature,
    cause: CAUSES[cause],
    count,
    examples: examples.map(({ predictionId, ...one }): Json => ({ prediction_id: predictionId, ...one })),
  }));
  return { endpoint, atMicros, fromMicros, logged, checked, values, agreed, mismatches, not_comparable: notComparable };
}
