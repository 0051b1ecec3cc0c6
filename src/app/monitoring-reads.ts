// What the HTTP routes of monitoring are given: reports of what monitors have kept, opened when first asked for.

import type { MonitoringReads } from '../serving/index.ts';
import type { App } from './open-app.ts';
import { type DriftMonitor, openDrift } from './open-drift.ts';

export function monitoringReads(app: App): MonitoringReads {
  let drift: Promise<DriftMonitor> | undefined;
  const opened = (): Promise<DriftMonitor> => {
    drift ??= openDrift(app).catch((thrown: unknown) => {
      drift = undefined;
      throw thrown;
    });
    return drift;
  };
  return {
    drift: async (endpoint, question) => (await opened()).report(endpoint, question),
  };
}
