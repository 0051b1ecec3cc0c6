// What the HTTP routes of monitoring are given: reports of what monitors have kept, opened when first asked for.

import { monitorMetrics } from '../control/index.ts';
import { type Micros, MICROS_PER_SECOND } from '../core/index.ts';
import type { MonitoringReads } from '../serving/index.ts';
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
  let known: { readonly at: Micros; readonly text: Promise<string> } | undefined;
  const gather = async (): Promise<string> => {
    const open = await (await app.alerts()).list({ state: 'open' });
    return monitorMetrics(open, await (await drift()).newest());
  };
  return {
    metrics() {
      const at = app.clock.nowMicros();
      if (known === undefined || Math.abs(at - known.at) > METRICS_MICROS) {
        const text = gather();
        known = { at, text };
        text.catch(() => (known = undefined));
      }
      return known.text;
    },
    drift: async (endpoint, question) => (await drift()).report(endpoint, question),
    quality: async (endpoint, question) => (await quality()).report(endpoint, question),
    skew: async (endpoint, limit) => (await skew()).checks(endpoint, limit),
  };
}
