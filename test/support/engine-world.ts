// A world for the reducer: rows that batches are written to, prepares and attempts that end in any order, drivers that die.

import type {
  Batch,
  DroppedTasks,
  StepChange,
  TaskChange,
  TaskCounts,
  TaskState,
} from '../../src/orchestrator/engine/batch.ts';
import { takeBatch } from '../../src/orchestrator/engine/changes.ts';
import type { Attempt, Command, EngineEvent, Prepared } from '../../src/orchestrator/engine/events.ts';
import { type Graph, scopeInside } from '../../src/orchestrator/engine/graph.ts';
import { wantedSlots } from '../../src/orchestrator/driver/wanted-slots.ts';
import { claimable, next, nextDue } from '../../src/orchestrator/engine/next.ts';
import { type ItemList, placeAnew } from '../../src/orchestrator/placement.ts';
import { type KeptTask, type RunInHand, takeInHand } from '../../src/orchestrator/engine/run-in-hand.ts';

/** What becomes of an attempt. */
export type Fate =
  | { readonly kind: 'succeeds'; readonly json: string }
  | { readonly kind: 'fails'; readonly isFinal: boolean }
  | { readonly kind: 'lost' };

export interface Script {
  fate(task: Attempt): Fate;
  /** Items of a foreach; 1 where there is none. */
  children(node: string, scope: string): number;
  /** What is kept of a task of a cached step; null where nothing is. */
  cached(step: string, scope: string, index: number): string | null;
  /** What a needed gate gave. */
  gate(step: string, scope: string): boolean;
}

export type Chance = (below: number) => number;

/** Slots as a database has them: this run's, and those of all the others together. */
interface KeptPool {
  readonly size: number;
  slots: number;
  others: number;
}

type Kept = Omit<StepChange, 'counts'> & { readonly counts: TaskCounts };

interface RunRows {
  readonly steps: ReadonlyMap<string, Kept>;
  readonly tasks: ReadonlyMap<string, TaskChange>;
}

/** What a row opened with: of this world its order is no more than that. */
export const listOf = (order: string | null): ItemList => JSON.parse(order ?? '{}') as ItemList;

/** Items are numbers from 0 on. */
function opened(
  run: RunInHand,
  { step, scope }: { readonly step: string; readonly scope: string },
  children: number,
): Pick<Prepared, 'order' | 'anew'> {
  const row = run.rows.get(step)?.get(scope);
  const isPlain = run.graph.nodes.get(step)?.foreach === undefined;
  const list: ItemList = isPlain ? {} : { foreach: { kind: 'range', start: 0, end: children } };
  if (row === undefined || row.nextIndex === 0) return { order: JSON.stringify(list) };
  const { placement, end, dropped } = placeAnew(listOf(row.order), row.nextIndex, list);
  return {
    order: JSON.stringify({ ...list, placement }),
    anew: { placement: null, end, dropped, words: null },
  };
}

/** The rows as a database has them; of a run that goes on, as `resumed` leaves them. */
function keptRows(graph: Graph, pools: ReadonlyMap<string, KeptPool> = new Map(), before?: RunRows) {
  const steps = new Map<string, Kept>(before?.steps);
  const tasks = new Map<string, TaskChange>(before?.tasks);
  const state: { end: string | null; error: string | null } = { end: null, error: null };
  for (const node of graph.inside.get('') ?? []) {
    if (steps.has(`${node.name} `)) continue;
    const none = { running: 0, retry: 0, succeeded: 0, failed: 0, cancelled: 0 };
    const row = { step: node.name, scope: '', state: 'waiting', children: null, nextIndex: 0, end: null } as const;
    const notYet = { order: null, items: null, placement: null, error: null, openedAt: null, endedAt: null };
    steps.set(`${node.name} `, { ...row, counts: none, ...notYet });
  }
  const drop = ({ step, scope, numbers, inside }: DroppedTasks): void => {
    for (const [first, count] of numbers)
      for (let number = first; number < first + count; number++) {
        if (inside === undefined) {
          if (!tasks.delete(`${step} ${scope} ${number}`)) throw new Error(`${step} ${scope} ${number} is not there`);
          continue;
        }
        const item = scopeInside(scope, number);
        const isInside = (one: { readonly step: string; readonly scope: string }): boolean =>
          [...inside.direct, ...inside.deeper].includes(one.step) &&
          (one.scope === item || one.scope.startsWith(`${item}/`));
        for (const [key, task] of tasks) if (isInside(task)) tasks.delete(key);
        for (const [key, row] of steps) if (isInside(row)) steps.delete(key);
      }
  };
  const write = (batch: Batch): void => {
    for (const step of batch.steps) steps.set(`${step.step} ${step.scope}`, step);
    for (const { step, scope, from, count, slice, at, code } of batch.fresh) {
      for (let index = from; index < from + count; index++) {
        const key = `${step} ${scope} ${index}`;
        if (tasks.has(key)) throw new Error(`${key} was claimed for the first time twice`);
        const row = { step, scope, index, attempt: 1, failures: 0, losses: 0, notBefore: 0, output: null, error: null };
        tasks.set(key, {
          ...row,
          expects: null,
          state: 'running',
          from: null,
          slice,
          code,
          startedAt: at,
          endedAt: null,
        });
      }
    }
    for (const task of batch.tasks) {
      const key = `${task.step} ${task.scope} ${task.index}`;
      const before = tasks.get(key);
      if (task.expects === null && before === undefined) {
        tasks.set(key, task);
        continue;
      }
      if (before === undefined || before.attempt !== task.expects) throw new Error(`${key} is not at what it expects`);
      if (before.state === 'succeeded') throw new Error(`${key} was committed twice`);
      tasks.set(key, task);
    }
    for (const { pool, slots } of batch.pools) {
      const kept = pools.get(pool);
      if (kept === undefined || slots > kept.slots) throw new Error(`${pool} can only be given back`);
      kept.slots = slots;
    }
    for (const one of batch.dropped ?? []) drop(one);
    if (batch.run === null) return;
    Object.assign(state, { end: batch.run.state, error: batch.run.error });
    for (const kept of pools.values()) kept.slots = 0;
  };
  const load = (keepsGoing: boolean, isCancelled: boolean): RunInHand => {
    const inHand = [...tasks.values()].filter(({ state: of }) => of === 'running' || of === 'retry');
    // Those that are running or to be tried again have a slice and a start.
    return takeInHand(
      { id: 'r', graph, keepsGoing, isCancelled },
      [...steps.values()],
      inHand as unknown as KeptTask[],
      [...pools].map(([pool, { slots }]) => ({ pool, slots })),
    );
  };
  return { steps, tasks, state, pools, write, load };
}

/** What is asked for by `requestResume` where what is done is kept, as its statements do it. */
export function resumed(graph: Graph, { steps, tasks }: RunRows): RunRows {
  const itemOf = ({ step, scope }: Kept): string => `${graph.nodes.get(step)?.around.at(-1) ?? ''} ${scope}`;
  const broken = new Set(
    [...steps.values()].filter(({ state }) => state === 'failed' || state === 'cancelled').map(itemOf),
  );
  const stepAgain = (row: Kept): Kept => {
    const { running, retry, succeeded, failed, cancelled } = row.counts;
    const isKept = row.state === 'skipped' ? row.scope !== '' && !broken.has(itemOf(row)) : row.state === 'succeeded';
    if (isKept) return row;
    const counts =
      graph.nodes.get(row.step)?.kind === 'group'
        ? { running: running + failed + cancelled, retry, succeeded, failed: 0, cancelled: 0 }
        : { running, retry: retry + failed + cancelled, succeeded, failed: 0, cancelled: 0 };
    return { ...row, state: 'waiting', error: null, endedAt: null, counts };
  };
  const again = new Map([...steps].map(([key, row]) => [key, stepAgain(row)]));
  const taskAgain = (row: TaskChange): TaskChange => {
    if (row.state === 'succeeded' || again.get(`${row.step} ${row.scope}`)?.state === 'skipped') return row;
    const fresh = { ...row, failures: 0, losses: 0 };
    return row.state === 'running' ? fresh : { ...fresh, state: 'retry', notBefore: 0, endedAt: null };
  };
  return { steps: again, tasks: new Map([...tasks].map(([key, row]) => [key, taskAgain(row)])) };
}

export interface Played {
  readonly rows: ReturnType<typeof keptRows>;
  readonly isCancelled: boolean;
  /** Of how many moments at which tasks were at work in a pool that was full. */
  readonly fullMoments: number;
}

/** Plays a run to its end. `chance(n)` decides: 0 to n - 1. */
export function playRun(
  graph: Graph,
  script: Script,
  options: {
    readonly keepsGoing: boolean;
    readonly mostDeaths: number;
    readonly mayCancel: boolean;
    readonly chance: Chance;
    /** By name. */
    readonly pools?: ReadonlyMap<string, number>;
    /** Rows that it goes on from: of what they have as running some still runs, and some died with its driver. */
    readonly before?: RunRows;
    /** Nobody drives it any more after so many. */
    readonly mostTurns?: number;
  },
): Played {
  const { keepsGoing, mostDeaths, mayCancel, chance } = options;
  const pools = new Map(
    [...(options.pools ?? [])].map(([name, size]): [string, KeptPool] => [name, { size, slots: 0, others: 0 }]),
  );
  const rows = keptRows(graph, pools, options.before);
  let at = 1000;
  let deaths = 0;
  let isCancelled = false;
  let run = rows.load(keepsGoing, false);
  /** What the executor has, which outlives drivers. */
  const atWork = new Map<string, Attempt>();
  let prepares: { readonly step: string; readonly scope: string }[] = [];
  let lookUps: Extract<Command, { kind: 'look up' }>[] = [];
  let asks: Extract<Command, { kind: 'ask' }>[] = [];
  let unsent: Command[] = [];
  let fullMoments = 0;
  const past: EngineEvent[] = [];
  const tell = (event: EngineEvent): void => {
    past.push(event);
    for (const command of next(run, event, at)) {
      if (command.kind === 'prepare') prepares.push(command);
      else if (command.kind === 'look up') lookUps.push(command);
      else unsent.push(command);
    }
  };
  const flush = (): void => {
    const batch = takeBatch(run, at);
    if (batch !== null) rows.write(batch);
    for (const command of unsent) {
      if (command.kind === 'ask') asks.push(command);
      if (command.kind === 'submit') {
        const { step, scope, tasks } = command.slice;
        for (const { index, attempt } of tasks)
          atWork.set(`${step} ${scope} ${index} ${attempt}`, { step, scope, index, attempt });
      }
      if (command.kind === 'drop')
        for (const one of command.attempts) atWork.delete(`${one.step} ${one.scope} ${one.index} ${one.attempt}`);
      if (command.kind === 'cancel') {
        const stopped = [...atWork.values()];
        atWork.clear();
        unsent = [];
        for (const one of stopped) tell({ kind: 'stopped', ...one });
        return;
      }
    }
    unsent = [];
  };
  const die = (): void => {
    deaths += 1;
    run = rows.load(keepsGoing, isCancelled);
    prepares = [];
    lookUps = [];
    asks = [];
    answers.length = 0;
    unsent = [];
    const known = new Set<string>();
    for (const [step, scopes] of run.rows)
      for (const [scope, row] of scopes)
        for (const task of row.tasks.values()) {
          if (!task.isRunning) continue;
          const key = `${step} ${scope} ${task.index} ${task.attempt}`;
          known.add(key);
          // Adopted, or gone with its machine.
          if (atWork.has(key) && !isCancelled && chance(2) === 0) continue;
          atWork.delete(key);
          const gone = { step, scope, index: task.index, attempt: task.attempt };
          tell({ kind: 'stopped', ...gone });
        }
    // What runs without a row is swept.
    for (const key of atWork.keys()) if (!known.has(key)) atWork.delete(key);
    tell({ kind: 'begin' });
  };
  const endOne = (): void => {
    const [key, attempt] = [...atWork][chance(atWork.size)] ?? [];
    if (key === undefined || attempt === undefined) return;
    atWork.delete(key);
    const fate = script.fate(attempt);
    if (fate.kind === 'succeeds') tell({ kind: 'succeeded', ...attempt, output: { json: fate.json } });
    else if (fate.kind === 'lost') tell({ kind: 'lost', ...attempt, reason: 'its worker died' });
    else tell({ kind: 'failed', ...attempt, reason: 'it fails', isFinal: fate.isFinal });
  };
  const prepareOne = (): void => {
    const [one] = prepares.splice(chance(prepares.length), 1);
    const node = one === undefined ? undefined : graph.nodes.get(one.step);
    if (one === undefined || node === undefined) return;
    const children = script.children(one.step, one.scope);
    const { when, unless } = node.kind === 'step' ? node.spec : {};
    const gate = when ?? unless;
    const passes = gate === undefined || script.gate(gate, one.scope) === (when !== undefined);
    tell({ kind: 'prepared', step: one.step, scope: one.scope, children, passes, ...opened(run, one, children) });
  };
  const lookUpOne = (): void => {
    const [one] = lookUps.splice(chance(lookUps.length), 1);
    if (one === undefined) return;
    const { step, scope, from, count } = one;
    const hits = Array.from({ length: count }, (_, at) => ({
      index: from + at,
      json: script.cached(step, scope, from + at),
    }));
    const found = hits.flatMap(({ index, json }) =>
      json === null ? [] : [{ index, output: { json }, run: 'earlier' }],
    );
    tell({ kind: 'looked up', step, scope, from, count, hits: found });
  };
  /** Of several asks the database answers any, and what it gave is heard at some time. */
  const answers: Extract<EngineEvent, { kind: 'slots' }>[] = [];
  const askOne = (): void => {
    const [one] = asks.splice(chance(asks.length), 1);
    const pool = one === undefined ? undefined : pools.get(one.pool);
    if (one === undefined || pool === undefined) return;
    const most = Math.max(pool.slots, Math.min(one.slots, pool.size - pool.others));
    pool.slots += chance(most - pool.slots + 1);
    answers.push({ kind: 'slots', pool: one.pool, held: pool.slots, share: chance(pool.size + 1) });
  };
  /** Other runs take and give back. */
  const others = (): void => {
    for (const pool of pools.values()) {
      const free = pool.size - pool.slots - pool.others;
      pool.others += chance(2) === 0 ? -chance(pool.others + 1) : chance(free + 1);
    }
    tell({ kind: 'pools changed' });
  };
  const wish = (): void => {
    for (const [pool, slots] of wantedSlots(run, at, () => ({ of: 'here', tasks: 3 })))
      tell({ kind: 'wanted', pool, slots });
  };
  /** Tasks at work, and those that are on their way by what is written, are never more than the slots. */
  const checkPools = (): void => {
    for (const [name, pool] of pools) {
      const ofPool = ({ step }: { readonly step: string }): boolean => {
        const node = graph.nodes.get(step);
        return node?.kind === 'step' && node.spec.pool === name;
      };
      const working = [...atWork.values()].filter(ofPool).length;
      const written = [...rows.tasks.values()].filter((task) => task.state === 'running' && ofPool(task)).length;
      if (working > pool.slots || written > pool.slots || pool.slots + pool.others > pool.size)
        throw new Error(`${name}: ${working} at work, ${written} written, ${pool.slots} slots of ${pool.size}`);
      if (working > 0 && pool.slots + pool.others === pool.size) fullMoments += 1;
    }
  };
  if (options.before === undefined) tell({ kind: 'begin' });
  else {
    for (const { step, scope, index, attempt, state } of rows.tasks.values())
      if (state === 'running') atWork.set(`${step} ${scope} ${index} ${attempt}`, { step, scope, index, attempt });
    die();
  }
  for (let turn = 0; turn < 20_000; turn++) {
    checkPools();
    if (turn === options.mostTurns || rows.state.end !== null) return { rows, isCancelled, fullMoments };
    if (pools.size > 0) {
      const dice = chance(12);
      if (dice === 0) others();
      else if (dice < 4 && asks.length > 0) askOne();
      else if (dice < 7) {
        const answer = answers.shift();
        if (answer !== undefined) tell(answer);
      } else if (dice < 9) wish();
    }
    const dice = chance(24);
    if (dice < 3 && lookUps.length > 0) lookUpOne();
    else if (dice < 6 && prepares.length > 0) prepareOne();
    else if (dice < 12 && atWork.size > 0) endOne();
    else if (dice < 17) {
      for (const { node, scope } of claimable(run, at))
        tell({
          kind: 'room',
          step: node.name,
          scope,
          tasks: 1 + chance(3),
          perSlice: 1 + chance(2),
          executor: 'local',
        });
    } else if (dice < 21) flush();
    else if (dice === 21) at = Number.isFinite(nextDue(run)) ? Math.max(at + 1, nextDue(run)) : at + 1;
    // It is told again, or late.
    else if (dice === 22 && past.length > 0) {
      const again = past[chance(past.length)];
      if (again !== undefined && !['cancel', 'slots', 'prepared', 'unprepared'].includes(again.kind)) tell(again);
    } else if (dice === 23 && deaths < mostDeaths && chance(3) === 0) die();
    else if (mayCancel && !isCancelled && chance(40) === 0) {
      isCancelled = true;
      tell({ kind: 'cancel' });
    }
  }
  throw new Error(`it does not end: ${JSON.stringify([...rows.steps.values()])}`);
}

export function countTasks(rows: ReturnType<typeof keptRows>, step: string, scope: string): TaskCounts {
  const counts: Record<TaskState, number> = { running: 0, retry: 0, succeeded: 0, failed: 0, cancelled: 0 };
  for (const task of rows.tasks.values()) if (task.step === step && task.scope === scope) counts[task.state] += 1;
  return counts;
}
