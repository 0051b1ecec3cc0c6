// Opens all that one server answers by: the three planes over one snapshot of what is served, kept up to date until the end.

import { openIngestion } from '../ingestion/index.ts';
import { createBreakers } from './breakers.ts';
import { type ControlPlane, createControlPlane } from './control-plane.ts';
import { createDataPlane, type DataPlane } from './data-plane.ts';
import { createDeadlines } from './deadlines.ts';
import { createInFlight } from './in-flight.ts';
import { createIngestPlane, type IngestPlane } from './ingest-plane.ts';
import type { ServingDeps } from './serving-deps.ts';
import { createInferencePlane } from './oip/create-inference-plane.ts';
import type { InferencePlane } from './oip/inference-plane.ts';
import { createPlainModels } from './oip/plain-models.ts';
import { FIRST_LOAD_MS, openSnapshots } from './open-snapshots.ts';
import { createResponseCaches } from './response-cache/response-caches.ts';
import { createRequestTruths } from './request-truths.ts';
import { openShadows } from './shadow/open-shadows.ts';
import { createWake } from './wake.ts';

export interface ServingPlanes {
  readonly data: DataPlane;
  readonly inference: InferencePlane;
  readonly ingest: IngestPlane;
  readonly control: ControlPlane;
  /** From now on readiness is false; what runs goes on. */
  drain(): void;
  close(): Promise<void>;
}

const POLL_MS = 300;
/** How soon a run that asks is answered. */
const LOOK_MS = 200;

export async function openServing(deps: ServingDeps): Promise<ServingPlanes> {
  const truths = createRequestTruths({ logger: deps.logger, nowMicros: () => deps.clock.nowMicros() });
  const inFlight = createInFlight(deps.limits.maxInFlight);
  const shadows = openShadows({ online: () => inFlight.count });
  const caches = createResponseCaches({ maxBytes: deps.limits.cacheBytes });
  const snapshots = await openSnapshots({ ...deps, shadows, caches, breakers: createBreakers(deps) }, truths);
  const deadlines = createDeadlines();
  let isListening = false;
  const plain = createPlainModels({ ...deps, deadlines }, () => !isListening);
  await plain.refresh();
  await plain.settled(FIRST_LOAD_MS);
  isListening = true;
  let isDraining = false;
  const wake = createWake(() => snapshots.catchUp());
  const timer = setInterval(() => {
    wake.tick();
    caches.sweep();
    void snapshots.refresh();
    void plain.refresh();
  }, POLL_MS);
  timer.unref();

  const ingestion = openIngestion(deps.ingestion, {
    definitions: () => snapshots.definitions(),
    versions: () => snapshots.versions(),
    refresh: () => snapshots.catchUp(),
    lookEveryMs: LOOK_MS,
    closeLimitMs: deps.writerLimitMs,
    onBroken: (source, broken) => deps.monitor.recordBroken(source, broken),
  });
  deps.monitor.watchPushes(() => {
    const { writer } = ingestion.status();
    return {
      pending: writer?.pending ?? 0,
      partBytes: writer?.partBytes ?? 0,
      storeAway: writer === null || writer.storeFailure === null ? 0 : 1,
      shippingAway: writer === null || writer.shipFailure === null ? 0 : 1,
    };
  });

  deps.monitor.watchCaches(() => caches.statistics());
  deps.monitor.watchModels(() => [...snapshots.modelStatistics(), ...plain.modelStatistics()]);
  const shared = { snapshots, inFlight, wake };
  const data = createDataPlane(deps, { ...shared, truths, deadlines });
  const control = createControlPlane({
    registry: deps.registry,
    snapshots,
    ingestionStatus: () => ingestion.status(),
    isDraining: () => isDraining,
    hasPlainModels: () => plain.names().length > 0,
  });
  return {
    data,
    inference: createInferencePlane({
      ...deps,
      ...shared,
      data,
      plain,
      readiness: () => control.readiness(),
    }),
    ingest: createIngestPlane(deps, { ...shared, ingestion }),
    control,
    drain() {
      isDraining = true;
    },
    async close() {
      isDraining = true;
      clearInterval(timer);
      deadlines.close();
      await shadows.close();
      await ingestion.close();
      await plain.close();
      await snapshots.close();
    },
  };
}
