// What the HTTP routes of monitoring are given: reports of what monitors have kept, opened when first asked for.

import { monitorMetrics } from '../control/index.ts';
import { MICROS_PER_SECOND } from '../core/index.ts';
import type { MonitoringReads } from '../serving/index.ts';
import { keepText } from './kept-text.ts';
import { createClosers } from './lazily.ts';
import type { App } from './open-app.ts';
import { openDrift } from './open-drift.ts';
import { openQuality } from './open-quality.ts';
import { openSkew } from './open-skew.ts';

export interface Monitors extends MonitoringReads {
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
}

/** Windows end by the hour: a scrape need not ask each time. */
const METRICS_MICROS = 30 * MICROS_PER_SECOND;

export function monitoringReads(app: App): Monitors {
  const { lazily } = createClosers();
  const drift = lazily(() => openDrift(app));
  const quality = lazily(() => openQuality(app));
  const skew = lazily(() => openSkew(app));
  const metrics = keepText(app.clock, METRICS_MICROS, async () => {
    const open = await (await app.alerts()).list({ state: 'open' });
    return monitorMetrics(open, await (await drift()).newest());
  });
  return {
    metrics,
    drift: async (endpoint, question) => (await drift()).report(endpoint, question),
    quality: async (endpoint, question) => (await quality()).report(endpoint, question),
    skew: async (endpoint, limit) => (await skew()).checks(endpoint, limit),
  };
}
