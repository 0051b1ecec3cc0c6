// What the HTTP routes of monitoring are given: reports of what monitors have kept, opened when first asked for.

import type { MonitoringReads } from '../serving/index.ts';
import { createClosers } from './lazily.ts';
import type { App } from './open-app.ts';
import { openDrift } from './open-drift.ts';
import { openQuality } from './open-quality.ts';
import { openSkew } from './open-skew.ts';

export function monitoringReads(app: App): MonitoringReads {
  const { lazily } = createClosers();
  const drift = lazily(() => openDrift(app));
  const quality = lazily(() => openQuality(app));
  const skew = lazily(() => openSkew(app));
  return {
    drift: async (endpoint, question) => (await drift()).report(endpoint, question),
    quality: async (endpoint, question) => (await quality()).report(endpoint, question),
    skew: async (endpoint, limit) => (await skew()).checks(endpoint, limit),
  };
}
