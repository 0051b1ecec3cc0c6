// Runs as they are looked at: lists and pictures from the steps' counts, tasks where they are asked for.

import type { Json, Micros } from '../core/index.ts';
import { addUpRows } from './add-up-rows.ts';
import { readWaits } from './committed/run-waits.ts';
import { sentenceOf } from './describe-edit.ts';
import { openResults, type StepResults } from './driver/step-results.ts';
import type { RunState, StepState, TaskCounts } from './engine/batch.ts';
import { type Graph, graphOf } from './engine/graph.ts';
import type { RunsDeps } from './orchestrator-deps.ts';
import { openPlaces } from './placement.ts';
import { openRunStore } from './rows/open-run-store.ts';
import type {
  RunStore,
  RunSummary as StoredSummary,
  RunTrigger,
  StepCode,
  StoredStep,
  StoredTask,
} from './rows/run-store.ts';
import { codesOf } from './task-code.ts';

export interface RunSummary {
  readonly id: string;
  readonly pipeline: string;
  /** `interrupted`: unfinished, and nobody drives it; it can be resumed. */
  readonly state: RunState | 'interrupted';
  /** The time of a schedule, or of a range, that it is for. */
  readonly tickMicros: Micros | null;
  readonly createdAtMicros: Micros;
  /** When a driver first took it; null before. */
  readonly startedAtMicros: Micros | null;
  readonly finishedAtMicros: Micros | null;
  readonly error: string | null;
  /** Who prepared it, where another system drives it; left out of those that are driven here. */
  readonly elsewhere?: string;
  /** Left out where no trigger made it. */
  readonly trigger?: RunTrigger;
}

export interface RunResult extends RunSummary {
  readonly params: Readonly<Record<string, unknown>>;
  /** What was edited of its pipeline as it was gone on with, and what became of items. Left out where nothing was. */
  readonly edits?: readonly RunEdit[];
  readonly steps: readonly RunStep[];
}

export interface RunEdit {
  readonly atMicros: Micros;
  readonly step: string;
  /** The item of each group around it; '' at the top. */
  readonly scope: string;
  /** `"fit": items: 3 kept, 3 new, 3 dropped`. */
  readonly sentence: string;
}

/** A step or a group; of one in a group, all its items together. */
export interface RunStep {
  readonly name: string;
  readonly state: StepState;
  /** Of those that have opened: tasks of a step, items of a group. Null until one opens. */
  readonly children: number | null;
  readonly counts: TaskCounts;
  readonly error: string | null;
  /** By which code its tasks are run now: `bundle:<SHA-256>`. Left out of a group. */
  readonly code?: string;
  /** Where finished tasks of it were made by other code, or in another run: how many by each. */
  readonly codes?: readonly Omit<StepCode, 'step'>[];
  /** When it opened, the last time that it did, or its first item; null before. */
  readonly openedAtMicros: Micros | null;
  /** When it ended, or its last item; null before. */
  readonly endedAtMicros: Micros | null;
  /** Once it has succeeded, of steps and groups at the top, where it is not large: what it gave. */
  readonly result?: Json;
  /** Of an open step whose run waits for slots: who has them. */
  readonly waitsForPool?: WaitsForPool;
  /** Of an open step on a cluster that does not begin its tasks: why, in a sentence. */
  readonly waitsFor?: string;
  /** Where they are asked for: those that were ever claimed, in order. */
  readonly tasks?: readonly ShownTask[];
}

export interface WaitsForPool {
  readonly pool: string;
  readonly size: number;
  /** Of this run, and how many it could use in all. */
  readonly slots: number;
  readonly wanted: number;
  /** The others that have some. `isDriven`: false where their driver died; they keep theirs until they go on, or are cancelled. */
  readonly holders: readonly { readonly run: string; readonly slots: number; readonly isDriven: boolean }[];
}

export type ShownTask = StoredTask & {
  /** By which its log and its row are found: the place of its item, unless items were edited since it began. */
  readonly number: number;
};

/** Results of steps with more tasks than this are not shown with the run. */
const MOST_SHOWN = 1000;

/** The newest runs first. */
export async function listRuns(
  deps: RunsDeps,
  options: { readonly pipeline?: string; readonly limit?: number } = {},
): Promise<readonly RunSummary[]> {
  const store = await openRunStore(deps.database, deps.clock);
  return (await store.list(options)).map(summaryOf);
}

/** A run with its steps and results. Throws HR_UNKNOWN_RUN. */
export async function getRun(
  deps: RunsDeps,
  id: string,
  { hasTasks = false }: { readonly hasTasks?: boolean } = {},
): Promise<RunResult> {
  const store = await openRunStore(deps.database, deps.clock);
  const { run, steps } = await store.get(id);
  const graph = graphOf(run.spec);
  const results = openResults({ store, objects: deps.objects }, { id, graph, rows: new Map() });
  const waits = run.state === 'running' ? await waitsOf(store, id, graph) : new Map<string, WaitsForPool>();
  const held = run.state === 'running' ? await readWaits(deps.objects, id, run.driver) : new Map<string, string>();
  const edits = (await store.edits(id)).map(
    (event): RunEdit => ({
      atMicros: event.at,
      step: event.step ?? '',
      scope: event.scope ?? '',
      sentence: sentenceOf(event),
    }),
  );
  const codes = codesOf(graph, run.manifestHash);
  // Of a run that was never gone on with all tasks are by the code of its row.
  const made = edits.length === 0 && run.parent === null ? [] : await store.codes(id);
  const shown: RunStep[] = [];
  for (const { name, around } of inOrder(
    [...graph.nodes.values()],
    run.spec.steps.map((step) => step.name),
  )) {
    const rows = steps.filter(({ step }) => step === name);
    const step = together(name, rows);
    const isShown = around.length === 0 && step.state === 'succeeded' && (step.children ?? 0) <= MOST_SHOWN;
    const tasks: ShownTask[] = [];
    if (hasTasks) for (const { scope } of rows) tasks.push(...(await tasksOf(store, results, { id, name, scope })));
    const node = graph.nodes.get(name);
    const pool = node?.kind === 'step' && step.state === 'open' ? waits.get(node.spec.pool ?? '') : undefined;
    const why = step.state === 'open' ? held.get(name) : undefined;
    const waiting = {
      ...(pool === undefined ? {} : { waitsForPool: pool }),
      ...(why === undefined ? {} : { waitsFor: why }),
    };
    shown.push({
      ...step,
      ...codeOf(name, codes.get(name), made),
      ...waiting,
      ...(isShown ? { result: await results.of(name, '') } : {}),
      ...(hasTasks ? { tasks } : {}),
    });
  }
  const trigger = run.tick === null ? undefined : await triggerOf(store, id);
  const more = { ...(trigger === undefined ? {} : { trigger }), ...(edits.length === 0 ? {} : { edits }) };
  return { ...summaryOf(run), ...more, params: run.params, steps: shown };
}

/** In the order of their items: after an edit that is not the order of their numbers. */
async function tasksOf(
  store: RunStore,
  results: StepResults,
  { id, name, scope }: { readonly id: string; readonly name: string; readonly scope: string },
): Promise<readonly ShownTask[]> {
  const { placeOf } = openPlaces(await results.placementOf(name, scope));
  const tasks = await store.tasks(id, name, { scope, limit: MOST_SHOWN });
  return tasks
    .map(({ index, ...task }): ShownTask => ({ ...task, index: placeOf(index) ?? index, number: index }))
    .sort((one, other) => one.index - other.index);
}

async function triggerOf(store: RunStore, id: string): Promise<RunTrigger | undefined> {
  const message = (await store.events(id)).find(({ kind }) => kind === 'created')?.message ?? null;
  // Whoever made the run wrote it.
  return message === null ? undefined : (JSON.parse(message) as RunTrigger);
}

/** By pool, where the run could use more slots than it has. */
async function waitsOf(store: RunStore, id: string, { nodes }: Graph): Promise<ReadonlyMap<string, WaitsForPool>> {
  const pools = [...nodes.values()].flatMap((node) =>
    node.kind === 'step' && node.spec.pool !== undefined ? [node.spec.pool] : [],
  );
  const all = await store.poolHolders([...new Set(pools)]);
  return new Map(
    all
      .filter(({ run, slots, wanted }) => run === id && wanted > slots)
      .map(({ pool, size, slots, wanted }) => {
        const others = all.filter((one) => one.pool === pool && one.run !== id && one.slots > 0);
        const holders = others.map(({ run, slots: of, isDriven }) => ({ run, slots: of, isDriven }));
        return [pool, { pool, size, slots, wanted, holders }];
      }),
  );
}

/** Groups after what is in them, as they end. */
function inOrder<N extends { readonly name: string }>(nodes: readonly N[], declared: readonly string[]): readonly N[] {
  const place = ({ name }: N): number => (declared.includes(name) ? declared.indexOf(name) : declared.length);
  return [...nodes].sort((one, other) => place(one) - place(other));
}

function codeOf(name: string, code: string | undefined, made: readonly StepCode[]): Pick<RunStep, 'code' | 'codes'> {
  if (code === undefined) return {};
  const own = made.filter(({ step }) => step === name).map(({ code: by, from, tasks }) => ({ code: by, from, tasks }));
  const isMixed = own.some((one) => one.from !== null || (one.code !== null && one.code !== code));
  return { code, ...(isMixed ? { codes: own } : {}) };
}

function together(name: string, rows: readonly StoredStep[]): RunStep {
  return {
    name,
    state: stateOf(rows.map(({ state }) => state)),
    ...addUpRows(rows),
    error: rows.find(({ error }) => error !== null)?.error ?? null,
    ...timesOf(rows),
  };
}

/** Of rows that never opened there are none. */
function timesOf(rows: readonly StoredStep[]): Pick<RunStep, 'openedAtMicros' | 'endedAtMicros'> {
  const opened = rows.filter(({ children, openedAt }) => children !== null && openedAt !== null);
  if (opened.length === 0) return { openedAtMicros: null, endedAtMicros: null };
  // One after another: there may be more items than a call takes arguments.
  const first = opened.reduce((least, { openedAt }) => Math.min(least, openedAt ?? least), Infinity);
  const last = opened.reduce((most, { endedAt }) => Math.max(most, endedAt ?? Infinity), 0);
  return { openedAtMicros: first, endedAtMicros: last === Infinity ? null : last };
}

/** Of one that lies in a group: what matters most among its items. */
function stateOf(states: readonly StepState[]): StepState {
  for (const state of ['failed', 'open', 'cancelled', 'waiting', 'succeeded', 'skipped'] as const)
    if (states.includes(state)) return state;
  return 'waiting';
}

export function summaryOf(run: StoredSummary & Pick<RunSummary, 'trigger'>): RunSummary {
  const { id, pipeline, state, isDriven, tick, createdAt, startedAt, endedAt, error, elsewhere, trigger } = run;
  return {
    id,
    pipeline,
    // Of one that is driven elsewhere no driver is ever seen.
    state: state === 'running' && !isDriven && elsewhere === null ? 'interrupted' : state,
    tickMicros: tick,
    createdAtMicros: createdAt,
    startedAtMicros: startedAt,
    finishedAtMicros: endedAt,
    error,
    ...(elsewhere === null ? {} : { elsewhere }),
    ...(trigger === undefined ? {} : { trigger }),
  };
}
