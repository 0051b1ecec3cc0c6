// The data plane: what a server can be asked, as plain functions. Protocols (HTTP, gRPC, other products' APIs) only
// translate into these calls.

import {
  describeMistake,
  invalid,
  INVALID,
  messageOf,
  type Micros,
  parseTimestamp,
  toHeadraceError,
} from '../core/index.ts';
import type { Definitions } from '../definitions/index.ts';
import { type IngestionStatus, openIngestion, type PushResult } from '../ingestion/index.ts';
import type { Monitor } from '../monitoring/index.ts';
import type { EndpointState, Traffic } from '../registry/index.ts';
import type { Catalogue } from './catalogue.ts';
import type { EndpointPlan } from './endpoint-plan.ts';
import { CLOCK_SKEW_MICROS } from './feature-plan.ts';
import type { DefinitionsHealth } from './definitions-health.ts';
import { createInFlight } from './in-flight.ts';
import { predict, type PredictAnswer } from './predict.ts';
import { createPredictionIds } from './prediction-id.ts';
import { type FeatureAnswer, readFeatureRows } from './read-features.ts';
import type { Caller, ServingDeps } from './serving-deps.ts';
import { openSnapshots } from './snapshot.ts';
import { createWake } from './wake.ts';

export interface DataPlane {
  predict(endpoint: string, inputs: unknown, caller: Caller): Promise<PredictAnswer>;
  readFeatures(service: string, rows: unknown): Promise<FeatureAnswer[]>;
  push(source: string, rows: unknown, idempotencyKey?: string): Promise<PushResult>;
  recordOutcomes(endpoint: string, outcomes: readonly OutcomeInput[]): Promise<number>;
  endpoints(): Promise<readonly EndpointState[]>;
  endpoint(name: string): Promise<EndpointState>;
  setTraffic(
    name: string,
    traffic: Traffic,
    options: { readonly ifMatch?: string; readonly actor: string },
  ): Promise<EndpointState>;
  /**
   * Whether requests can be answered: definitions are loaded, the server is not stopping, every endpoint with traffic had
   * something to serve once, and the store had something of what runs filled once.
   */
  readiness(): Readiness;
  /** What is served by. Throws HR_NOTHING_APPLIED. */
  definitions(): Definitions;
  /** What is there to ask, with its columns. Throws HR_NOTHING_APPLIED, HR_NOT_LOADED. */
  catalogue(): Catalogue;
  ingestionStatus(): IngestionStatus;
  /** From now on readiness is false; what runs goes on. */
  drain(): void;
  /** Looks for changes of the registry now instead of at the next tick. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface Readiness {
  readonly isReady: boolean;
  readonly reason: string;
  readonly health: DefinitionsHealth;
}

export interface OutcomeInput {
  readonly prediction_id: string;
  readonly value: number | boolean | string | null;
  readonly observed_at?: string;
}

const POLL_MS = 300;
/** How soon a run that asks is answered. */
const LOOK_MS = 200;
/** For the writer's end: less than a server that stops waits for all of this. */
const CLOSE_LIMIT_MS = 2500;

/** Opens the data plane and keeps it up to date until `close`. */
export async function createDataPlane(deps: ServingDeps): Promise<DataPlane> {
  const snapshots = await openSnapshots(deps);
  const inFlight = createInFlight(deps.limits.maxInFlight);
  const nextId = createPredictionIds();
  let isDraining = false;
  let hasBeenReady = false;
  const wake = createWake(() => snapshots.catchUp());
  const timer = setInterval(() => {
    wake.tick();
    void snapshots.refresh();
  }, POLL_MS);
  timer.unref();

  const ingestion = openIngestion(deps.ingestion, {
    definitions: () => snapshots.definitions(),
    versions: () => snapshots.versions(),
    refresh: () => snapshots.catchUp(),
    lookEveryMs: LOOK_MS,
    closeLimitMs: CLOSE_LIMIT_MS,
  });

  const bounded = async <T>(work: () => Promise<T>): Promise<T> => {
    inFlight.enter();
    try {
      await wake.awake();
      return await work();
    } finally {
      inFlight.leave();
    }
  };

  deps.monitor.watchPushes(() => {
    const { writer } = ingestion.status();
    return {
      pending: writer?.pending ?? 0,
      partBytes: writer?.partBytes ?? 0,
      storeAway: writer === null || writer.storeFailure === null ? 0 : 1,
      shippingAway: writer === null || writer.shipFailure === null ? 0 : 1,
    };
  });

  return {
    async predict(name, inputs, caller) {
      let plan: EndpointPlan | undefined;
      try {
        inFlight.enter();
        try {
          const waking = wake.awake();
          if (waking !== undefined) await waking;
          plan = snapshots.endpoint(name);
          plan.inFlight++;
          return await predict(deps, plan, inputs, caller, nextId);
        } finally {
          inFlight.leave();
          if (plan !== undefined) plan.inFlight--;
        }
      } catch (thrown) {
        if (plan !== undefined) deps.monitor.recordError({ endpoint: name, variant: null });
        throw thrown;
      }
    },
    readFeatures: (service, rows) =>
      bounded(() => {
        const now = deps.clock.nowMicros();
        return readFeatureRows(snapshots.service(service), rows, now, deps.limits.maxRows, CLOCK_SKEW_MICROS);
      }),
    push: (source, rows, idempotencyKey) =>
      bounded(async () => {
        try {
          const result = await ingestion.push(source, rows, idempotencyKey);
          const outcome = result.duplicate ? 'repeated' : 'accepted';
          deps.monitor.recordPush({ source, outcome, rows: result.accepted });
          return result;
        } catch (thrown) {
          countFailedPush(deps.monitor, source, thrown);
          throw thrown;
        }
      }),
    recordOutcomes: (endpoint, outcomes) =>
      bounded(async () => {
        snapshots.endpoint(endpoint);
        const now = deps.clock.nowMicros();
        const checked = outcomes.map((outcome, index) => ({
          predictionId: outcome.prediction_id,
          endpoint,
          value: outcome.value,
          observedMicros: observedMicros(outcome, index, now),
        }));
        for (const outcome of checked) await deps.predictionLog.appendOutcome(outcome);
        // The answer says that they are kept.
        await deps.predictionLog.flush();
        return checked.length;
      }),
    endpoints: () => deps.registry.endpoints.list(),
    endpoint: (name) => deps.registry.endpoints.get(name),
    async setTraffic(name, traffic, options) {
      const state = await deps.registry.endpoints.setTraffic(name, traffic, options);
      await snapshots.refresh();
      return state;
    },
    readiness() {
      const health = snapshots.health();
      if (isDraining) return { isReady: false, reason: 'stopping', health };
      try {
        snapshots.definitions();
      } catch (thrown) {
        return { isReady: false, reason: messageOf(thrown), health };
      }
      const missing = health.endpoints.filter(({ state }) => state === 'failed');
      const { otherStore } = health;
      // Neither a version that can't be loaded later nor a store that is emptied must take servers from their balancer. A store
      // that has not answered yet counts as the right one: an outage of it would keep every server that starts away.
      hasBeenReady ||= otherStore === null && missing.length === 0;
      if (hasBeenReady) return { isReady: true, reason: 'ready', health };
      if (otherStore !== null) return { isReady: false, reason: otherStore, health };
      const names = missing.map(({ endpoint }) => endpoint).join(', ');
      return { isReady: false, reason: `nothing can be served by ${names}`, health };
    },
    definitions: () => snapshots.definitions(),
    catalogue: () => snapshots.catalogue(),
    ingestionStatus: () => ingestion.status(),
    drain() {
      isDraining = true;
    },
    refresh: () => snapshots.refresh(),
    async close() {
      isDraining = true;
      clearInterval(timer);
      await ingestion.close();
      await snapshots.close();
    },
  };
}

// A source that does not exist gets no counter of its own: anyone could make as many as they like.
function countFailedPush(monitor: Monitor, source: string, thrown: unknown): void {
  const error = toHeadraceError(thrown);
  if (error.code === 'HR_UNKNOWN_SOURCE') return;
  monitor.recordPush({ source, outcome: error.status < 500 ? 'refused' : 'failed', rows: 0 });
}

const TIMESTAMP = { kind: 'timestamp' } as const;

function observedMicros(outcome: OutcomeInput, index: number, now: Micros): Micros {
  if (outcome.observed_at === undefined) return now;
  const at = parseTimestamp(outcome.observed_at) ?? INVALID;
  if (at === INVALID)
    throw invalid([
      { path: `outcomes[${index}].observed_at`, message: describeMistake(TIMESTAMP, outcome.observed_at) },
    ]);
  return at;
}
