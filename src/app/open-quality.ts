// Quality with what it asks: the log with its outcomes, and what versions were registered with.

import type { QualityReport, ShownArms } from '../monitoring/index.ts';
import { withMonitorDuckDb } from './monitor-duckdb.ts';
import type { App } from './open-app.ts';
import { openDrift } from './open-drift.ts';

export interface QualityMonitor {
  /** Of all arms where it does not say which are `shown`. Throws HR_UNKNOWN_ENDPOINT, HR_INVALID for an arm that never served there. */
  report(
    endpoint: string,
    question: { readonly days?: number; readonly isNow?: boolean; readonly shown?: ShownArms },
  ): Promise<QualityReport>;
  /** Measures what is new of all endpoints, and tells the alerts. */
  run(signal: AbortSignal): Promise<void>;
}

/** What is shown when nothing else is said. */
const SHOWN_DAYS = 14;

export async function openQuality(app: App): Promise<QualityMonitor> {
  const { openQualityStore, runQuality, qualityReport, qualityOf } = await import('../monitoring/index.ts');
  const store = await openQualityStore(await app.database());
  const drift = await openDrift(app);
  const run = (endpoints: readonly string[], signal: AbortSignal) =>
    withMonitorDuckDb(app, async (duckdb) => {
      const { models } = await app.registry();
      const deps = {
        store,
        duckdb,
        directory: app.config.values['predictionLog.path'],
        alerts: await app.alerts(),
        clock: app.clock,
        async metrics({ model, version }: { readonly model: string; readonly version: number }) {
          const isKnown = (await models.list()).some(({ name }) => name === model);
          const found = isKnown ? (await models.versions(model)).find((one) => one.version === version) : undefined;
          return found?.metrics ?? {};
        },
      };
      for (const endpoint of endpoints) if (!signal.aborted) await runQuality(deps, endpoint, signal);
    });
  return {
    async report(name, { days = SHOWN_DAYS, isNow = false, shown = 'all' }) {
      await drift.endpoint(name);
      if (isNow) await run([name], new AbortController().signal);
      const question = { days: Math.min(days, MOST_DAYS), now: app.clock.nowMicros() };
      const report = await qualityReport(store, name, question);
      return shown === 'all' ? report : qualityOf(report, shown, await drift.serving(name));
    },
    async run(signal) {
      await run(
        (await drift.endpoints()).map(({ name }) => name),
        signal,
      );
    },
  };
}

const MOST_DAYS = 730;
