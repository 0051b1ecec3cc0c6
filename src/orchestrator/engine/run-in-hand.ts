// A run in memory, as its driver has it: rows of steps and groups that have yet to end, and tasks in hand. What has ended lies in
// the database alone, so a run of a million tasks takes no more room than one of a thousand.

import type { Micros } from '../../core/index.ts';
import type {
  PoolChange,
  RunEvent,
  RunState,
  SliceChange,
  StepState,
  TaskChange,
  TaskCounts,
  DroppedTasks,
  FreshClaims,
  StepChange,
} from './batch.ts';
import { createDueTasks, type DueTasks } from './due-tasks.ts';
import type { CacheHit } from './events.ts';
import { type KeptSlots, poolOf, poolsInHand, type PoolInHand } from './pools.ts';
import { type Graph, type Node, scopeAround, scopeItems } from './graph.ts';

/** A step or a group, in one scope. */
export interface Row {
  readonly node: Node;
  readonly scope: string;
  state: StepState;
  /** Somebody gathers what it needs. */
  isPreparing: boolean;
  /** How it ends once nothing of it runs any more: nothing of it is begun until then. */
  ending: { readonly state: 'failed' | 'skipped' | 'cancelled'; readonly error: string | null } | null;
  /** Tasks of a step, items of a group; null until it opens. */
  children: number | null;
  /** Children from this number on were never begun. */
  nextIndex: number;
  /** The numbers of its children end before this one; null until it opens. */
  end: number | null;
  counts: { -readonly [State in keyof TaskCounts]: TaskCounts[State] };
  order: string | null;
  /** Of a group: where its items lie. */
  list: string | null;
  /** Where it lies which child is which item's; null where each has the number of its place. */
  placement: string | null;
  error: string | null;
  openedAt: Micros | null;
  endedAt: Micros | null;
  /** Of a step: those that run, or are to be tried again. */
  readonly tasks: Map<number, Task>;
  readonly due: DueTasks;
  /** Of an open step whose tasks may be cached. */
  ahead: LookAhead | null;
  /** Of a group: items whose rows have yet to end. */
  readonly items: Map<number, OpenItem>;
  /** Of a group: items whose rows have all ended, and that are still to be counted. */
  readonly done: number[];
}

/** What is known of tasks that are next to be claimed. */
export interface LookAhead {
  /** Of tasks from here on it is not known yet. */
  until: number;
  isLooking: boolean;
  readonly hits: Map<number, CacheHit>;
}

export interface Task {
  readonly index: number;
  isRunning: boolean;
  attempt: number;
  failures: number;
  losses: number;
  slice: string;
  code: string | null;
  startedAt: Micros;
}

/** An item of a group, or the run itself. */
export interface OpenItem {
  /** Rows right inside it that have yet to end. */
  left: number;
  hasFailed: boolean;
  hasCancelled: boolean;
}

export interface RunInHand {
  readonly id: string;
  readonly graph: Graph;
  /** By step, what is kept with its tasks as the code that they are run by. */
  readonly codes: ReadonlyMap<string, string>;
  /** Whether a failure stops what does not need what failed. */
  readonly keepsGoing: boolean;
  /** By node and scope: those in hand. */
  readonly rows: ReadonlyMap<string, Map<string, Row>>;
  /** Open steps that may have something to claim. */
  readonly claimable: Set<Row>;
  /** Tasks that run, by step over all scopes. */
  readonly running: Map<string, number>;
  /** By name. */
  readonly pools: ReadonlyMap<string, PoolInHand>;
  /** The rows at the top. */
  readonly whole: OpenItem;
  runningTasks: number;
  preparing: number;
  /** The first failure for good. */
  failure: string | null;
  isCancelled: boolean;
  end: Exclude<RunState, 'queued' | 'running'> | null;
  /** What is to be looked at before the next event: rows that may be ready, groups that may take another item. */
  readonly agenda: Row[];
  readonly changes: Changes;
}

/** What has yet to be written. */
export interface Changes {
  hasEnded: boolean;
  readonly rows: Set<Row>;
  readonly pools: Map<string, PoolChange>;
  fresh: FreshClaims[];
  tasks: TaskChange[];
  dropped: DroppedTasks[];
  slices: SliceChange[];
  events: RunEvent[];
  /** The newest event of a kind, step, scope and attempt, which the next may continue. */
  readonly newest: Map<string, number>;
}

/** A task that is kept as running, or to be tried again. */
export interface KeptTask {
  readonly step: string;
  readonly scope: string;
  readonly index: number;
  readonly state: 'running' | 'retry';
  readonly attempt: number;
  readonly failures: number;
  readonly losses: number;
  readonly notBefore: Micros;
  readonly slice: string;
  readonly code: string | null;
  readonly startedAt: Micros;
}

/** A run from its rows: those at the top are all there, those of an item of a group all or none. */
export function takeInHand(
  run: {
    readonly id: string;
    readonly graph: Graph;
    readonly codes?: RunInHand['codes'];
    readonly keepsGoing: boolean;
    readonly isCancelled: boolean;
  },
  kept: readonly StepChange[],
  tasks: readonly KeptTask[],
  slots: readonly KeptSlots[] = [],
): RunInHand {
  const { id, graph, codes = new Map(), keepsGoing, isCancelled } = run;
  const inHand: RunInHand = {
    id,
    graph,
    codes,
    keepsGoing,
    rows: new Map([...graph.nodes.keys()].map((name) => [name, new Map<string, Row>()])),
    claimable: new Set(),
    running: new Map(),
    pools: poolsInHand(graph.nodes.values(), slots),
    whole: { left: 0, hasFailed: false, hasCancelled: false },
    runningTasks: 0,
    preparing: 0,
    failure: null,
    isCancelled,
    end: null,
    agenda: [],
    changes: {
      hasEnded: false,
      rows: new Set(),
      pools: new Map(),
      fresh: [],
      tasks: [],
      dropped: [],
      slices: [],
      events: [],
      newest: new Map(),
    },
  };
  // An item all of whose rows have ended is counted in its group's row.
  const open = openItems(graph, kept);
  const outerFirst = [...kept].sort((one, other) => scopeItems(one.scope).length - scopeItems(other.scope).length);
  for (const row of outerFirst) {
    const node = graph.nodes.get(row.step);
    if (node === undefined || !open.has(itemKey(node, row.scope, node.around.length))) continue;
    const made = addRow(inHand, node, row.scope, row);
    if (made.state === 'open' && node.kind === 'step') inHand.claimable.add(made);
  }
  // A step that the pipeline has since.
  for (const node of graph.inside.get('') ?? [])
    if (inHand.rows.get(node.name)?.has(TOP) === false) inHand.changes.rows.add(addRow(inHand, node, TOP));
  for (const { step, state, counts, error } of kept) {
    if (state !== 'failed' && counts.failed === 0) continue;
    inHand.failure ??= `step "${step}" failed${error === null ? '' : `: ${error}`}`;
  }
  for (const one of tasks) {
    const row = inHand.rows.get(one.step)?.get(one.scope);
    if (row === undefined) continue;
    const { index, attempt, failures, losses, slice, code, startedAt } = one;
    const isRunning = one.state === 'running';
    row.tasks.set(index, { index, isRunning, attempt, failures, losses, slice, code, startedAt });
    if (isRunning) countRunning(inHand, row, 1);
    else row.due.add(index, one.notBefore);
  }
  return inHand;
}

/** Adds a row that is in hand from now on, to what it lies in, too. */
export function addRow(run: RunInHand, node: Node, scope: string, kept?: StepChange): Row {
  const row: Row = {
    node,
    scope,
    state: kept?.state ?? 'waiting',
    isPreparing: false,
    ending: null,
    children: kept?.children ?? null,
    nextIndex: kept?.nextIndex ?? 0,
    end: kept?.end ?? kept?.children ?? null,
    counts: { ...(kept?.counts ?? NONE) },
    order: kept?.order ?? null,
    list: kept?.items ?? null,
    placement: kept?.placement ?? null,
    error: kept?.error ?? null,
    openedAt: kept?.openedAt ?? null,
    endedAt: kept?.endedAt ?? null,
    tasks: new Map(),
    due: createDueTasks(),
    ahead: aheadOf(node, kept?.nextIndex ?? 0),
    items: new Map(),
    done: [],
  };
  run.rows.get(node.name)?.set(scope, row);
  const item = itemOf(run, row, true);
  if (item === undefined) return row;
  if (!hasEnded(row.state)) item.left += 1;
  noteEnd(item, row.state);
  return row;
}

export function aheadOf(node: Node, next: number): LookAhead | null {
  return node.kind === 'step' && node.spec.cache === true ? { until: next, isLooking: false, hits: new Map() } : null;
}

/** What a row lies in: the run, or an item of the group around it. */
export function itemOf(run: RunInHand, { node, scope }: Row, isNew = false): OpenItem | undefined {
  const group = groupOf(run, { node, scope });
  if (group === undefined) return run.whole;
  const index = scopeItems(scope).at(-1) ?? 0;
  let item = group.items.get(index);
  if (item === undefined && isNew) group.items.set(index, (item = { left: 0, hasFailed: false, hasCancelled: false }));
  return item;
}

export function groupOf(run: RunInHand, { node, scope }: Pick<Row, 'node' | 'scope'>): Row | undefined {
  const group = node.around.at(-1);
  return group === undefined ? undefined : run.rows.get(group)?.get(scopeAround(scope, node.around.length - 1));
}

export function noteEnd(item: OpenItem, state: StepState): void {
  if (state === 'failed') item.hasFailed = true;
  if (state === 'cancelled') item.hasCancelled = true;
}

export function countRunning(run: RunInHand, { node }: Row, by: 1 | -1): void {
  run.runningTasks += by;
  run.running.set(node.name, (run.running.get(node.name) ?? 0) + by);
  const pool = poolOf(run, node);
  if (pool !== undefined) pool.running += by;
}

export function hasEnded(state: StepState): boolean {
  return state !== 'waiting' && state !== 'open';
}

/** Items in which something has yet to end, in groups inside them, too; and the top. */
function openItems(graph: Graph, kept: readonly StepChange[]): ReadonlySet<string> {
  const open = new Set([TOP]);
  for (const { step, state, scope } of kept) {
    const node = graph.nodes.get(step);
    if (node === undefined || hasEnded(state)) continue;
    for (let depth = node.around.length; depth > 0; depth--) open.add(itemKey(node, scope, depth));
  }
  return open;
}

/** Groups side by side have items of the same numbers. */
function itemKey({ around }: Node, scope: string, depth: number): string {
  return depth === 0 ? TOP : `${around[depth - 1]} ${scopeAround(scope, depth)}`;
}

const TOP = '';

const NONE: TaskCounts = { running: 0, retry: 0, succeeded: 0, failed: 0, cancelled: 0 };
