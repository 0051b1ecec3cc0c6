// Why a step's tasks were run, or their outputs taken from an earlier run: compares the parts of its cache key with those of the run
// before, and where the parts are equal, says why the earlier output was not taken.

import { HeadraceError } from '../core/index.ts';
import { cacheKeys, type CacheParts, sharedParts, taskParts } from './driver/cache-keys.ts';
import type { RunsDeps } from './orchestrator-deps.ts';
import { openPlaces } from './placement.ts';
import { openRunStore } from './rows/open-run-store.ts';
import type { RunStore, StoredStep, StoredTask } from './rows/run-store.ts';
import { placeOf, readOrder, type StepOrder } from './step/order.ts';

export interface WhyStep {
  readonly step: string;
  /** How many of its tasks were taken from earlier runs, and how many it had, over all items of groups around it. */
  readonly copied: number;
  readonly children: number;
  /** The latest run before with that step; null where there is none. */
  readonly comparedWith: string | null;
  /** The parts of the key that differ from that run's: each value as canonical JSON, or 'nothing' where a run lacks the part. */
  readonly differences: readonly Difference[];
  /** A sentence that says why tasks were run although no part of their key differs. */
  readonly reason?: string;
}

interface Difference {
  readonly part: string;
  readonly was: string;
  readonly is: string;
}

/** A row of the step that has opened, with its order. */
interface Opened {
  readonly row: StoredStep;
  readonly order: StepOrder;
}

const MOST_RUNS = 50;
const MOST_TASKS = 1000;

/** Throws HR_UNKNOWN_RUN, HR_INVALID for a step that the run has not opened. */
export async function whyStep(deps: RunsDeps, id: string, step: string): Promise<WhyStep> {
  const store = await openRunStore(deps.database, deps.clock);
  const { run, steps } = await store.get(id);
  const rows = steps.filter((row) => row.step === step);
  const { copied, children, ran } = await countCopied(store, id, rows);
  // In groups: the item in which a task was run, else the first.
  const scope = ran?.scope ?? rows.find((row) => row.order !== null)?.scope;
  const now = await openedOf(deps, rows, scope);
  if (now === undefined) {
    const opened = [...new Set(steps.filter((row) => row.order !== null).map((row) => row.step))];
    throw new HeadraceError(
      'HR_INVALID',
      `run ${id} has not opened a step "${step}"; it has opened ${opened.join(', ') || 'none'}`,
    );
  }
  const isCached = run.spec.steps.some((spec) => spec.name === step && spec.cache === true);
  for (const before of await store.list({ pipeline: run.pipeline, before: run, limit: MOST_RUNS })) {
    const earlier = await store.get(before.id);
    const earlierRows = earlier.steps.filter((row) => row.step === step);
    const past = (await openedOf(deps, earlierRows, scope)) ?? (await openedOf(deps, earlierRows));
    if (past === undefined) continue;
    const compared = { step, copied, children, comparedWith: before.id };
    const found = await missOf(store, { now, past, run: before.id, ran: isCached ? ran : undefined });
    const wasCached = earlier.run.spec.steps.some((spec) => spec.name === step && spec.cache === true);
    const reason = reasonOf({ now, past, isCached, wasCached, hasRun: ran !== undefined }) ?? found.reason;
    return { ...compared, differences: found.differences, ...(reason === undefined ? {} : { reason }) };
  }
  return { step, copied, children, comparedWith: null, differences: [] };
}

async function openedOf(
  { objects }: RunsDeps,
  rows: readonly StoredStep[],
  scope?: string,
): Promise<Opened | undefined> {
  const row = rows.find((one) => one.order !== null && (scope === undefined || one.scope === scope));
  if (row === undefined || row.order === null) return undefined;
  return { row, order: await readOrder(objects, row.order) };
}

/** `ran`: the first task that was not taken from an earlier run. */
async function countCopied(store: RunStore, id: string, rows: readonly StoredStep[]) {
  let copied = 0;
  let children = 0;
  let ran: StoredTask | undefined;
  for (const { step, scope, children: of } of rows) {
    children += of ?? 0;
    for await (const task of tasksOf(store, id, step, scope)) {
      if (task.from !== null) copied += 1;
      else ran ??= task;
    }
  }
  return { copied, children, ran };
}

async function* tasksOf(store: RunStore, id: string, step: string, scope: string): AsyncGenerator<StoredTask> {
  for (let from = 0; ; from += MOST_TASKS) {
    const tasks = await store.tasks(id, step, { scope, from, limit: MOST_TASKS });
    yield* tasks;
    if (tasks.length < MOST_TASKS) return;
  }
}

interface Compared {
  readonly now: Opened;
  readonly past: Opened;
  /** The id of the run of `past`. */
  readonly run: string;
  /** The task of `now` that was run; undefined where none was, or the step has no cache. */
  readonly ran: StoredTask | undefined;
}

/** What differs; where nothing does, why the earlier run has no output of the same task to take. */
async function missOf(
  store: RunStore,
  { now, past, run, ran }: Compared,
): Promise<Pick<WhyStep, 'differences' | 'reason'>> {
  const differences = differencesOf(sharedParts(past.order), sharedParts(now.order));
  if (differences.length > 0 || ran === undefined) return { differences };
  const key = cacheKeys(now.order)(ran.index);
  const pastKey = cacheKeys(past.order);
  const count = past.row.children ?? 0;
  const { numberAt } = openPlaces(past.order.placement);
  let place = 0;
  while (place < count && pastKey(numberAt(place)) !== key) place += 1;
  const number = numberAt(place);
  if (place === count) {
    const own = taskParts(now.order, ran.index);
    const at = placeOf(now.order, ran.index);
    const atItsPlace = at < count ? taskParts(past.order, numberAt(at)) : new Map<string, string>();
    return { differences: differencesOf(atItsPlace, own) };
  }
  const [found] = await store.tasks(run, past.row.step, { scope: past.row.scope, from: number, limit: 1 });
  const task = `the same task of run ${run}`;
  if (found === undefined || found.index !== number) return { differences, reason: `${task} was never run.` };
  if (found.state !== 'succeeded') return { differences, reason: `${task} had not succeeded: it is ${found.state}.` };
  if (found.error !== null) return { differences, reason: `${task} had failed, and its step has \`catch\`.` };
  const reason = `${task} succeeded, but its result was not kept any more: the run that made it was collected, its result or a file of it is gone from the artifact store, what it read had changed while it ran, or both ran at the same time.`;
  return { differences, reason };
}

/** Parts whose values differ, in the order of `now`, then those that `now` lacks. */
export function differencesOf(before: CacheParts, now: CacheParts): readonly Difference[] {
  return [...new Set([...now.keys(), ...before.keys()])].flatMap((part) => {
    const [was, is] = [before.get(part) ?? 'nothing', now.get(part) ?? 'nothing'];
    return was === is ? [] : [{ part, was: shorten(was), is: shorten(is) }];
  });
}

function reasonOf({
  now,
  past,
  isCached,
  wasCached,
  hasRun,
}: {
  readonly now: Opened;
  readonly past: Opened;
  readonly isCached: boolean;
  readonly wasCached: boolean;
  readonly hasRun: boolean;
}): string | undefined {
  if (!isCached) return 'The step has no `cache: true`, so that it is run each time.';
  const { off } = now.order.cache ?? {};
  if (off !== undefined) return `Its cache is off: ${off}.`;
  if (!hasRun) return undefined;
  if (!wasCached) return 'The step had no `cache: true` in that run, which kept no result of it.';
  const before = past.order.cache?.off;
  return before === undefined ? undefined : `Its cache was off in that run: ${before}.`;
}

const shorten = (text: string): string => (text.length > 200 ? `${text.slice(0, 199)}…` : text);
