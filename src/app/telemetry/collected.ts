// The figures of a moment as metrics that can be sent.

import { type Figures, metricsOf } from '../../monitoring/index.ts';
import type { CollectedMetrics } from './otlp-metrics.ts';

export function collected(figures: Figures): CollectedMetrics {
  const { startMicros, nowMicros } = figures;
  return { startMicros, nowMicros, metrics: metricsOf(figures) };
}
