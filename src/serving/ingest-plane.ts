// The ingestion plane: events that are pushed, and what became of predictions.

import { type Scope, toHeadraceError } from '../core/index.ts';
import type { Ingestion, PushResult } from '../ingestion/index.ts';
import { failureKind, type Monitor } from '../monitoring/index.ts';
import type { InFlight } from './in-flight.ts';
import { type OutcomeInput, readOutcomes } from './outcome-inputs.ts';
import type { ServingDeps } from './serving-deps.ts';
import type { Snapshots } from './open-snapshots.ts';
import type { Wake } from './wake.ts';

export interface IngestPlane {
  push(source: string, rows: unknown, idempotencyKey: string | undefined, scope: Scope): Promise<PushResult>;
  /** How many were taken; durable by then. */
  recordOutcomes(endpoint: string, outcomes: readonly OutcomeInput[], scope: Scope): Promise<number>;
}

export function createIngestPlane(
  deps: Pick<ServingDeps, 'clock' | 'minutes' | 'monitor' | 'predictionLog'>,
  given: {
    readonly snapshots: Snapshots;
    readonly ingestion: Ingestion;
    readonly inFlight: InFlight;
    readonly wake: Wake;
  },
): IngestPlane {
  const { snapshots, ingestion, inFlight, wake } = given;
  const { monitor } = deps;

  const bounded = async <T>(scope: Scope, rows: unknown, work: () => Promise<T>): Promise<T> => {
    inFlight.enter();
    try {
      await wake.awake();
      // What is begun is brought to its end: it is durable before it is answered.
      scope.check('the rows were read', Array.isArray(rows) ? rows.length : 1);
      return await work();
    } finally {
      inFlight.leave();
    }
  };

  return {
    push: (source, rows, idempotencyKey, scope) =>
      bounded(scope, rows, async () => {
        try {
          const result = await ingestion.push(source, rows, idempotencyKey);
          const outcome = result.duplicate ? 'repeated' : 'accepted';
          monitor.recordPush({ source, outcome, rows: result.accepted });
          return result;
        } catch (thrown) {
          countFailedPush(monitor, source, thrown);
          throw thrown;
        }
      }),
    recordOutcomes: (endpoint, outcomes, scope) =>
      bounded(scope, outcomes, async () => {
        // What happened is recorded whether or not its model can be loaded.
        const spec = snapshots.needEndpoint(endpoint);
        const checked = readOutcomes(spec, outcomes, deps.predictionLog, deps.clock.nowMicros());
        await deps.predictionLog.recordOutcomes(checked);
        for (const { predictionId, value } of checked) {
          const number = typeof value === 'boolean' ? Number(value) : typeof value === 'number' ? value : undefined;
          if (typeof predictionId === 'string') deps.minutes.outcome(endpoint, predictionId, number);
          else if (number !== undefined) deps.minutes.outcomeOfUnit(endpoint);
        }
        return checked.length;
      }),
  };
}

// A source that does not exist gets no counter of its own: anyone could make as many as they like.
function countFailedPush(monitor: Monitor, source: string, thrown: unknown): void {
  const error = toHeadraceError(thrown);
  if (error.code === 'HR_UNKNOWN_SOURCE') return;
  monitor.recordPush({ source, outcome: failureKind(error.code) === 'failed' ? 'failed' : 'refused', rows: 0 });
}
