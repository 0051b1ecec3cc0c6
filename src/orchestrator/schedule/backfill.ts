// A pipeline's runs for a range of times: those that have not succeeded, one after the other.

import { HeadraceError, messageOf, type Micros } from '../../core/index.ts';
import { drive } from '../drive.ts';
import { newOwner } from '../lease.ts';
import type { OrchestratorDeps } from '../orchestrator-deps.ts';
import { requirePipeline, resumeRun } from '../pipeline-runs.ts';
import { openRunStore } from '../rows/open-run-store.ts';
import { storeCode } from '../store-code.ts';
import { newRunOf } from './make-runs.ts';
import { scheduleOf, ticksBetween } from './ticks.ts';

export interface BackfillRequest {
  readonly pipeline: string;
  /** From the first on, before the second. */
  readonly over: readonly [Micros, Micros];
  /** From one to the next; left out, by the pipeline's schedule. */
  readonly every?: Micros;
  readonly params?: Readonly<Record<string, unknown>>;
  /** Before each that is run. */
  readonly onStart?: (run: { readonly id: string; readonly tick: Micros }) => void;
}

export interface Backfilled {
  readonly tick: Micros;
  readonly id: string;
  readonly state: 'succeeded' | 'failed' | 'cancelled';
  /** It had succeeded before. */
  readonly isKept: boolean;
  readonly error: string | null;
}

/** More are a mistake. */
const MOST_TICKS = 100_000;

/**
 * Runs what has not succeeded; what failed, was cancelled or skipped goes on from where it was, by the code of now. One that fails
 * is told, and the others run. Throws HR_UNKNOWN_PIPELINE, HR_INVALID for its parameters or times, HR_CONFLICT where interrupted.
 */
export async function backfill(deps: OrchestratorDeps, request: BackfillRequest): Promise<readonly Backfilled[]> {
  const pipeline = requirePipeline(deps, request.pipeline);
  const ticks = ticksOf(request, scheduleOf(pipeline));
  const { params = {} } = request;
  const manifestHash = deps.definitions.hash;
  await storeCode(deps.objects, deps.definitions, pipeline);
  const store = await openRunStore(deps.database, deps.clock);
  const done: Backfilled[] = [];
  for (const tick of ticks) {
    const made = await store.create(newRunOf(pipeline, { tick, manifestHash, params, state: 'running' }));
    const before = made.isNew ? undefined : (await store.get(made.id)).run.state;
    let error: string | null = null;
    if (before !== 'succeeded') {
      request.onStart?.({ id: made.id, tick });
      try {
        const driver = newOwner();
        if (made.isNew) await drive(deps, store, made.id, driver, await store.take(made.id, driver));
        else await resumeRun(deps, made.id);
      } catch (thrown) {
        if (!(thrown instanceof HeadraceError) || thrown.code !== 'HR_STEP_FAILED') throw thrown;
        error = messageOf(thrown);
      }
    }
    const { state } = (await store.get(made.id)).run;
    const end = state === 'succeeded' || state === 'cancelled' ? state : 'failed';
    done.push({ tick, id: made.id, state: end, isKept: before === 'succeeded', error });
  }
  return done;
}

function ticksOf(
  { pipeline, over: [from, to], every }: BackfillRequest,
  schedule: ReturnType<typeof scheduleOf>,
): readonly Micros[] {
  const ticks: Micros[] = [];
  const source = every === undefined ? schedule && ticksBetween(schedule, from - 1000, to - 1) : steps(from, to, every);
  if (source === undefined) {
    throw new HeadraceError(
      'HR_INVALID',
      `pipeline "${pipeline}" has no schedule, by which the times of a range would be known: say how far they are apart, as in \`--every 1d\``,
    );
  }
  for (const tick of source) {
    ticks.push(tick);
    if (ticks.length <= MOST_TICKS) continue;
    throw new HeadraceError('HR_INVALID', `the range holds more than ${MOST_TICKS} times; take a shorter one`);
  }
  return ticks;
}

function* steps(from: Micros, to: Micros, every: Micros): Generator<Micros> {
  for (let tick = from; tick < to; tick += every) yield tick;
}
