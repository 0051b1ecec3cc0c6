// The data plane: what a server can be asked, as plain functions. Protocols (HTTP, gRPC, other products' APIs) only
// translate into these calls.

import { didYouMeanOf, HeadraceError, invalid, INVALID, type Micros, parseTimestamp } from '../core/index.ts';
import type { Definitions } from '../definitions/index.ts';
import type { EndpointState, Traffic } from '../registry/index.ts';
import type { EndpointPlan } from './endpoint-plan.ts';
import { createInFlight } from './in-flight.ts';
import { predict, type PredictAnswer } from './predict.ts';
import { createPredictionIds } from './prediction-id.ts';
import { compilePusher, type PushResult, type SourcePusher } from './push.ts';
import { type FeatureAnswer, readFeatureRows } from './read-features.ts';
import type { Caller, ServingDeps } from './serving-deps.ts';
import { openSnapshots } from './snapshot.ts';

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
  /** Whether requests can be answered: definitions are applied, the store answers, the server is not stopping. */
  readiness(): Readiness;
  /** From now on readiness is false; what runs goes on. */
  drain(): void;
  /** Looks for changes of the registry now instead of at the next tick. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface Readiness {
  readonly isReady: boolean;
  readonly reason: string;
  readonly endpoints: readonly string[];
}

export interface OutcomeInput {
  readonly prediction_id: string;
  readonly value: number | boolean | string | null;
  readonly observed_at?: string;
}

const POLL_MS = 500;

/** Opens the data plane and keeps it up to date until `close`. */
export async function createDataPlane(deps: ServingDeps): Promise<DataPlane> {
  const snapshots = await openSnapshots(deps);
  const inFlight = createInFlight(deps.limits.maxInFlight);
  const nextId = createPredictionIds();
  let isDraining = false;
  const timer = setInterval(() => void snapshots.refresh(), POLL_MS);
  timer.unref();

  let pushers: { readonly of: Definitions; readonly bySource: Map<string, SourcePusher> } | undefined;
  const pusher = async (name: string): Promise<SourcePusher> => {
    const definitions = snapshots.definitions();
    if (pushers?.of !== definitions) pushers = { of: definitions, bySource: new Map() };
    let found = pushers.bySource.get(name);
    if (found !== undefined) return found;
    const source = Object.hasOwn(definitions.manifest.sources, name) ? definitions.manifest.sources[name] : undefined;
    if (source === undefined) {
      throw new HeadraceError(
        'HR_UNKNOWN_SOURCE',
        `there is no source "${name}".${didYouMeanOf('sources', name, Object.keys(definitions.manifest.sources))}`,
      );
    }
    found = compilePusher(
      {
        definitions,
        store: deps.store,
        pushLog: await deps.pushLog(),
        duckdb: deps.duckdb,
        maxRows: deps.limits.maxRows,
      },
      source,
    );
    pushers.bySource.set(name, found);
    return found;
  };

  const bounded = async <T>(work: () => Promise<T>): Promise<T> => {
    inFlight.enter();
    try {
      return await work();
    } finally {
      inFlight.leave();
    }
  };

  return {
    async predict(name, inputs, caller) {
      let plan: EndpointPlan | undefined;
      try {
        inFlight.enter();
        try {
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
      bounded(() => readFeatureRows(snapshots.service(service), rows, deps.clock.nowMicros(), deps.limits.maxRows)),
    push: (source, rows, idempotencyKey) => bounded(async () => (await pusher(source)).push(rows, idempotencyKey)),
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
      const endpoints = snapshots.endpoints().map((plan) => plan.state.name);
      if (isDraining) return { isReady: false, reason: 'stopping', endpoints };
      try {
        snapshots.definitions();
        return { isReady: true, reason: 'ready', endpoints };
      } catch (thrown) {
        return { isReady: false, reason: thrown instanceof Error ? thrown.message : String(thrown), endpoints };
      }
    },
    drain() {
      isDraining = true;
    },
    refresh: () => snapshots.refresh(),
    async close() {
      isDraining = true;
      clearInterval(timer);
      await snapshots.close();
    },
  };
}

function observedMicros(outcome: OutcomeInput, index: number, now: Micros): Micros {
  if (outcome.observed_at === undefined) return now;
  const at = parseTimestamp(outcome.observed_at) ?? INVALID;
  if (at === INVALID)
    throw invalid([{ path: `outcomes[${index}].observed_at`, message: 'expected a timestamp (RFC 3339)' }]);
  return at;
}
