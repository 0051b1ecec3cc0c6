// The data plane: predictions and features, as plain functions. Protocols (HTTP, gRPC, other products' APIs) only translate
// into these calls.

import { createPredictionIds, type HeadraceError, type Scope, toHeadraceError } from '../core/index.ts';
import { failureKind } from '../monitoring/index.ts';
import type { Deadlines } from './deadlines.ts';
import type { EndpointPlan } from './endpoint-plan.ts';
import { CLOCK_SKEW_MICROS } from './feature-plan.ts';
import { type FeaturesRead, readFeatures } from './features/read-features.ts';
import type { ReadPlan } from './features/read-plan.ts';
import { BY_REFERENCE } from './features/reference-plans.ts';
import type { InFlight } from './in-flight.ts';
import { predict, type PredictAnswer, type PredictOptions } from './predict.ts';
import { countSent } from './sent-rows.ts';
import type { RequestTruths } from './request-truths.ts';
import type { ServingDeps } from './serving-deps.ts';
import type { Snapshots } from './open-snapshots.ts';
import type { Wake } from './wake.ts';

export interface DataPlane {
  /** Throws HR_UNKNOWN_ENDPOINT, HR_FORBIDDEN, HR_MODEL_NOT_READY, HR_OVERLOADED, and what `predict` does. */
  predict(endpoint: string, inputs: unknown, options: PredictOptions, scope: Scope): Promise<PredictAnswer>;
  readFeatures(service: string, rows: unknown, scope: Scope): Promise<FeaturesRead>;
  /** The same of features named one by one, `view:feature`. Throws as `planReferences`, too. */
  readReferences(references: readonly string[], rows: unknown, scope: Scope): Promise<FeaturesRead>;
  /** Counts a request for predictions that its protocol refused. */
  refused(endpoint: string, thrown: unknown): void;
}

export interface DataPlaneParts {
  readonly snapshots: Snapshots;
  readonly inFlight: InFlight;
  readonly wake: Wake;
  readonly truths: RequestTruths;
  readonly deadlines: Deadlines;
}

export function createDataPlane(
  deps: Pick<ServingDeps, 'clock' | 'limits' | 'monitor'>,
  { snapshots, inFlight, wake, truths, deadlines }: DataPlaneParts,
): DataPlane {
  const predictDeps = { clock: deps.clock, limits: deps.limits, deadlines, nextId: createPredictionIds() };

  const { monitor } = deps;
  monitor.watchInFlight(() => inFlight.count);

  // What does not exist gets no counter of its own: anyone could make as many as they like.
  const countFailed = (name: string, thrown: unknown, givenMs: number): void => {
    if (!snapshots.isEndpoint(name)) return;
    const error = toHeadraceError(thrown);
    monitor.endpoint(name).failed(error.code);
    if (isOwn(error, givenMs)) truths.of(name).failed(error);
  };
  const isOwn = ({ code }: HeadraceError, givenMs: number): boolean => {
    // A deadline that is shorter than the server's own says more of the client than of the endpoint.
    const isTooShort = code === 'HR_DEADLINE' && givenMs < deps.limits.requestTimeoutMs;
    return failureKind(code) === 'failed' && !isTooShort;
  };
  const noteAnswer = (name: string, { answeredRows, rows }: PredictAnswer, givenMs: number): void => {
    if (answeredRows > 0) return truths.of(name).answered();
    const own = rows.find(({ error }) => error !== undefined && isOwn(error, givenMs))?.error;
    if (own !== undefined) truths.of(name).failed(own);
  };

  const read = async (service: string, plan: () => ReadPlan, rows: unknown, scope: Scope): Promise<FeaturesRead> => {
    const startMs = performance.now();
    try {
      inFlight.enter();
      try {
        await wake.awake();
        const limits = { maxRows: deps.limits.maxRows, setting: 'server.maxRows' };
        const reading = readFeatures(plan(), rows, deps.clock.nowMicros(), limits, CLOCK_SKEW_MICROS);
        const answer = await deadlines.race(reading, scope, {
          now: 'features were read',
          rows: countSent(rows),
        });
        monitor.service(service).answered((performance.now() - startMs) * 1000, answer.source.rows);
        return answer;
      } finally {
        inFlight.leave();
      }
    } catch (thrown) {
      const isKnown = service === BY_REFERENCE || snapshots.isService(service);
      if (isKnown) monitor.service(service).failed(toHeadraceError(thrown).code);
      throw thrown;
    }
  };

  return {
    async predict(name, inputs, options, scope) {
      let plan: EndpointPlan | undefined;
      // The scope was made a moment ago.
      const givenMs = Math.ceil(scope.deadlineMs - performance.now()) + 1;
      try {
        inFlight.enter();
        try {
          const waking = wake.awake();
          if (waking !== undefined) await waking;
          plan = snapshots.endpoint(name);
          plan.inFlight++;
          const answer = await predict(predictDeps, plan, inputs, options, scope);
          noteAnswer(name, answer, givenMs);
          return answer;
        } finally {
          inFlight.leave();
          if (plan !== undefined) plan.inFlight--;
        }
      } catch (thrown) {
        countFailed(name, thrown, givenMs);
        throw thrown;
      }
    },
    readFeatures: (service, rows, scope) => read(service, () => snapshots.service(service), rows, scope),
    readReferences: (references, rows, scope) =>
      read(BY_REFERENCE, () => snapshots.references(references), rows, scope),
    refused(endpoint, thrown) {
      if (snapshots.isEndpoint(endpoint)) monitor.endpoint(endpoint).failed(toHeadraceError(thrown).code);
    },
  };
}
