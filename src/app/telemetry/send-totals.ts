// The figures of all workers, sent by their primary. Workers send their own spans.

import type { Logger } from '../../core/index.ts';
import type { Totals, Tracing } from '../../monitoring/index.ts';
import { packageVersion } from '../package-version.ts';
import { collected } from './collected.ts';
import type { CollectedMetrics } from './otlp-metrics.ts';
import type { TelemetrySettings } from './telemetry-settings.ts';

export async function sendTotals(totals: Totals, settings: TelemetrySettings, logger: Logger): Promise<Tracing> {
  const { startTelemetry } = await import('./start-telemetry.ts');
  const collect = (): Promise<CollectedMetrics> => Promise.resolve(collected(totals.figures()));
  return startTelemetry({ settings, version: packageVersion(), hasSpans: false, collect, logger });
}
