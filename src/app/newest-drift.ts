// The newest windows of all endpoints, as scrapes want them time and again: they are read again only of endpoints whose windows have
// changed.

import type { DriftReport, WatchedEndpoint } from '../monitoring/index.ts';

export interface NewestReportsDeps {
  endpoints(): Promise<readonly WatchedEndpoint[]>;
  /** As `DriftStore.stamps`. */
  stamps(): Promise<ReadonlyMap<string, string>>;
  report(endpoint: string): Promise<DriftReport>;
}

export function createNewestReports({ endpoints, stamps, report }: NewestReportsDeps): () => Promise<DriftReport[]> {
  let known = new Map<string, { readonly stamp: string; readonly report: DriftReport }>();
  return async () => {
    const stamped = await stamps();
    const now: typeof known = new Map();
    for (const watched of await endpoints()) {
      const { name } = watched;
      const stamp = JSON.stringify([watched, stamped.get(name) ?? null]);
      const had = known.get(name);
      now.set(name, had?.stamp === stamp ? had : { stamp, report: await report(name) });
    }
    // One that is gone by now goes with its report.
    known = now;
    return Array.from(now.values(), (one) => one.report);
  };
}
