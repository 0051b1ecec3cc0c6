// A run that another system drives, brought into the registry: its rows are made of what its tasks left in the artifact store. It is
// done under the lease of a driver, so of two at once one waits, and of one that is killed the next goes on.

import { HeadraceError, toHeadraceError } from '../../core/index.ts';
import type { RunState } from '../engine/batch.ts';
import { firstRows, graphOf } from '../engine/graph.ts';
import { newOwner } from '../lease.ts';
import type { RunsDeps } from '../orchestrator-deps.ts';
import { openRunStore } from '../rows/open-run-store.ts';
import { RunHeldError } from '../rows/run-lease.ts';
import type { Hold, RunStore, StoredRun, StoredStep } from '../rows/run-store.ts';
import { changedResults, isOvertaken, strayResults } from './check-results.ts';
import { type EndDocument, storeEnd } from './end-document.ts';
import { createKeepModels, type KeptModel, type RegisterSynced } from './kept-models.ts';
import { collectProblems, type SyncProblem } from './problems.ts';
import { checkRunId, readRunDocument, runKey } from './run-document.ts';
import { whileHeld } from '../while-held.ts';
import { syncRows, type Taken } from './sync-rows.ts';

export interface SyncDeps extends RunsDeps {
  /** Left out: models that were registered elsewhere stay there. */
  readonly registerModel?: RegisterSynced;
  readonly signal?: AbortSignal;
  /** Told once while another has the run: whose it is. */
  readonly onWait?: (sentence: string) => void;
}

export interface SyncedRun {
  readonly id: string;
  readonly pipeline: string;
  readonly state: RunState;
  readonly error: string | null;
  /** The registry had not known of it. */
  readonly isNew: boolean;
  /** Tasks that ended since its rows were made last. */
  readonly taken: Readonly<Taken>;
  /** Steps whose tasks the other system can run now. */
  readonly open: readonly OpenStep[];
  readonly models: readonly KeptModel[];
  /** The first hundred, and how many there are. */
  readonly problems: readonly SyncProblem[];
  readonly problemCount: number;
}

export interface OpenStep {
  readonly step: string;
  readonly scope: string;
  /** Of its order: `blob:<SHA-256>`. */
  readonly spec: string;
  readonly tasks: number;
  /** Of them, those without a result, or a failure for good. */
  readonly left: number;
}

/**
 * Makes the rows of a run. `ended`: the system that drives it has ended, and said nothing. Throws HR_UNKNOWN_RUN, HR_CONFLICT for a run that
 * is driven here, HR_ARTIFACT_UNREADABLE for its `run.json`, HR_STORAGE_UNAVAILABLE; what was written until then holds.
 */
export async function syncRun(
  deps: SyncDeps,
  id: string,
  { ended }: { readonly ended?: Pick<EndDocument, 'state' | 'reason'> } = {},
): Promise<SyncedRun> {
  checkRunId(id);
  const { objects } = deps;
  const store = await openRunStore(deps.database, deps.clock);
  const problems = collectProblems();
  const onProblem = problems.add;
  const models = createKeepModels(objects, deps.registerModel, onProblem);
  const isNew = await makeRow(deps, store, id);
  if (ended !== undefined) await storeEnd(objects, id, { ...ended, at: deps.clock.nowMicros() });
  let taken: Taken = { succeeded: 0, failed: 0 };
  const hold = await takeUnlessOver(deps, store, id);
  if (hold !== undefined) {
    try {
      const { signal } = deps;
      const rows = { store, objects, models, onProblem, ...(signal === undefined ? {} : { signal }) };
      taken = await syncRows(rows, await store.load(id), hold);
    } finally {
      // Where another has it, or it has ended, there is nothing to let go of.
      await store.release(id, hold.epoch).catch(() => {});
    }
  }
  const { run, steps } = await store.get(id);
  if (hold === undefined && run.state !== 'cancelled')
    for await (const problem of changedResults({ store, objects }, id, steps)) onProblem(problem);
  if (run.state !== 'cancelled') for await (const problem of strayResults(objects, run, steps)) onProblem(problem);
  const { pipeline, state, error } = run;
  const told = { problems: problems.list(), problemCount: problems.count };
  return { id, pipeline, state, error, isNew, taken, open: openSteps(steps), models: models.list(), ...told };
}

/** Of a run that the registry has not, by its `run.json`. Gives whether it had none. */
async function makeRow({ objects }: SyncDeps, store: RunStore, id: string): Promise<boolean> {
  if ((await findRun(store, id)) !== undefined) return false;
  const document = await readRunDocument(objects, id);
  if (document === undefined) {
    const sentence = `there is no run "${id}": the registry has none, and the artifact store has no ${runKey(id)}, by which its rows could be made; \`headrace runs list\` shows those that there are`;
    throw new HeadraceError('HR_UNKNOWN_RUN', sentence);
  }
  const { pipeline, params, definitions, keepGoing, by, createdAt } = document;
  const { isNew } = await store.create({
    id,
    pipeline,
    params,
    manifestHash: definitions,
    keepGoing,
    elsewhere: by,
    createdAt,
    state: 'queued',
    steps: firstRows(graphOf(pipeline)),
  });
  return isNew;
}

export async function findRun(
  store: RunStore,
  id: string,
): Promise<{ readonly run: StoredRun; readonly steps: readonly StoredStep[] } | undefined> {
  try {
    return await store.get(id);
  } catch (error) {
    if (toHeadraceError(error).code === 'HR_UNKNOWN_RUN') return undefined;
    throw error;
  }
}

/** Undefined where the run is over, and no result tells otherwise. */
async function takeUnlessOver(deps: SyncDeps, store: RunStore, id: string): Promise<Hold | undefined> {
  const driver = newOwner();
  const waiting = { signal: deps.signal, onWait: deps.onWait, onHeld: refuseDriven };
  for (;;) {
    const { run, steps } = await store.get(id);
    const isOver = run.state !== 'queued' && run.state !== 'running';
    if (run.elsewhere !== null && run.state !== 'cancelled' && (await isOvertaken({ ...deps, store }, run, steps)))
      await whileHeld(waiting, () => store.restart(id));
    else if (run.elsewhere !== null && isOver) return undefined;
    try {
      return await whileHeld(waiting, () => store.take(id, driver, { isElsewhere: true }));
    } catch (error) {
      if (run.elsewhere === null || error instanceof RunHeldError) throw error;
      // It has ended meanwhile: another has brought it there.
      if (toHeadraceError(error).code !== 'HR_CONFLICT') throw error;
    }
  }
}

/** One that is driven here is its driver's: that is not waited for. */
function refuseDriven(error: RunHeldError): void {
  if (!error.isElsewhere) throw error;
}

function openSteps(steps: readonly StoredStep[]): readonly OpenStep[] {
  return steps.flatMap(({ step, scope, state, order, children, counts }) => {
    if (state !== 'open' || order === null || children === null) return [];
    const left = children - counts.succeeded - counts.failed - counts.cancelled;
    return [{ step, scope, spec: order, tasks: children, left }];
  });
}
