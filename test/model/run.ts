// A materialize run: asks, plans, opens its row, fences earlier runs, writes bases and marks node by node, finishes.

import { forgettable, mayGoOn, type OpenPlan, type RunChanges } from '../../src/online/runs/plan-run.ts';
import { planModelRun } from './plan.ts';
import { covers, markOf, rowsOf } from './registry.ts';
import { connect, cutOff, put, remove, send } from './store.ts';
import * as w from './world.ts';

/** How long a run waits for the writers, unless there is rest. */
const WAITING_STEPS = [5, 40, 150];
/** Where the files' rows come out of order, a run proposes a boundary that lies before the newest. */
const COMPLETE_AFTER = [0, 0, 2, 4];

interface RunOptions {
  readonly isFull: boolean;
  readonly mayResume: boolean;
}

export function startRun(world: w.World, version: w.Version, options: RunOptions): w.Run {
  const run: w.Run = { kind: 'run', name: { kind: 'run', version, run: 0 }, ...w.begun() };
  world.processes.push(run);
  run.threads.push(materialize(world, run, version, options));
  return run;
}

function* materialize(world: w.World, run: w.Run, version: w.Version, { isFull, mayResume }: RunOptions): w.Steps {
  yield;
  const { row, isResumed } = takeRow(world, run, version, mayResume);
  run.name = { kind: 'run', version, run: row.number };
  if (!isResumed) {
    const waiting = yield* waitForWriters(world, row);
    yield;
    const plan = planModelRun(world, row, isFull, waiting);
    // What it read may be old by the time its row is open.
    yield* w.hesitate(world);
    if (!isMine(run, row)) return;
    if (plan.kind === 'stop') {
      row.state = 'abandoned';
      return;
    }
    open(world, row, plan);
  }
  yield;
  if (w.keeps(world, 'fence')) {
    cutOff(world, (name) => name.kind === 'run' && name.version === version && name.run < row.number);
  }
  for (const node of world.nodes) {
    const isMarked = yield* writeNode(world, run, row, node);
    if (!isMarked) return;
  }
  yield;
  if (isMine(run, row)) finish(world, row);
}

/** One transaction of the registry. */
function takeRow(
  world: w.World,
  run: w.Run,
  version: w.Version,
  mayResume: boolean,
): { row: w.Row; isResumed: boolean } {
  const last = rowsOf(world, version).at(-1);
  if (last?.state === 'open' && !last.isUnwritten && mayResume) {
    last.owner = run;
    w.count(world, 'resumed');
    return { row: last, isResumed: true };
  }
  if (last !== undefined && last.state !== 'finished') last.state = 'abandoned';
  const files = new Set(world.files);
  const row: w.Row = {
    number: world.rows.length + 1,
    version,
    owner: run,
    state: 'asked',
    files,
    snapshot: [...files].map((id) => ({ path: `${id}.parquet`, size: 1, etag: '' })),
    proposed: proposedBoundary(world),
    boundary: null,
    coverage: null,
    isFull: false,
    since: 0,
    keys: new Set(),
    isUnwritten: false,
    markedAt: new Map(),
    isForgotten: false,
  };
  world.rows.push(row);
  return { row, isResumed: false };
}

function proposedBoundary(world: w.World): number {
  if (world.mode === 'keep' || world.files.size === 0) return -Infinity;
  return world.filesEnd - world.random.pick(COMPLETE_AFTER);
}

/** Gives those that did not answer in time. */
function* waitForWriters(world: w.World, row: w.Row): w.Steps<readonly w.Log[]> {
  let waiting: readonly w.Log[] = [];
  for (let left = world.isAtRest ? Infinity : world.random.pick(WAITING_STEPS); left > 0; left--) {
    yield;
    waiting = world.logs.filter((log) => !log.hasEnded && !log.isForgotten && !w.hasAnswered(world, row.number, log));
    if (waiting.length === 0) break;
  }
  return waiting;
}

function isMine(run: w.Run, row: w.Row): boolean {
  return row.owner === run && (row.state === 'asked' || row.state === 'open');
}

function open(world: w.World, row: w.Row, plan: OpenPlan): void {
  row.boundary = plan.boundary;
  row.coverage = plan.coverage;
  row.isFull = plan.isFull;
  row.since = plan.since;
  row.keys = plan.changes === null ? new Set(w.KEYS) : changedKeys(world, row, plan.changes);
  row.state = 'open';
  row.isUnwritten = !w.keeps(world, 'row-first');
  world.hasChanged = true;
}

function changedKeys(world: w.World, row: w.Row, { files, cuts, passed }: RunChanges): ReadonlySet<w.Key> {
  const keys = new Set(files.map(({ path }) => w.eventOf(world, Number.parseInt(path, 10)).key));
  const isPassed = (time: number) => {
    if (passed === null || !w.keeps(world, 'moved-B')) return false;
    return Math.min(passed.after, passed.upTo) < time && time <= Math.max(passed.after, passed.upTo);
  };
  for (const id of row.files) {
    const { key, time } = w.eventOf(world, id);
    if (isPassed(time)) keys.add(key);
  }
  for (const log of world.logs) {
    const added = cuts.find(({ writer }) => writer === log.number);
    for (const { cut, rows } of readableEntries(row, log)) {
      const isNew = added !== undefined && added.after < cut && cut <= added.upTo;
      for (const { key, time } of rows) if (isNew || isPassed(time)) keys.add(key);
    }
  }
  return keys;
}

/** What the run can read of the cuts that it covers. */
function readableEntries(row: w.Row, log: w.Log) {
  return log.entries.filter(({ cut }) => covers(row, log.number, cut) && !(log.isLost && cut > log.shipped));
}

/** A base's fold: up to the boundary the files' rows, past it the log's; with `keep` both. */
function factsOf(world: w.World, row: w.Row, key: w.Key): w.Ids {
  const boundary = row.boundary ?? -Infinity;
  const isKeep = world.mode === 'keep';
  const ofFiles = [...row.files].filter((id) => {
    const event = w.eventOf(world, id);
    return event.key === key && (isKeep || event.time <= boundary);
  });
  const ofLogs = world.logs.flatMap((log) =>
    readableEntries(row, log)
      .filter(({ cut, offset }) => !(log.sealed.get(cut) ?? log.voids).has(offset))
      .flatMap(({ rows }) => rows)
      .filter((event) => event.key === key && (isKeep || event.time > boundary))
      .map(({ id }) => id),
  );
  return [...ofFiles, ...ofLogs];
}

/** Whether it could: not when another run has taken over, or the node's mark has gone back behind the run's start. */
function* writeNode(world: w.World, run: w.Run, row: w.Row, node: w.StoreNode): w.Steps<boolean> {
  const all = w.KEYS.filter((key) => row.keys.has(key) && w.nodeOf(world, key) === node);
  let left: w.Key[] | undefined;
  while (true) {
    if (!w.keeps(world, 'named-then-open') && !isMine(run, row)) return false;
    yield* w.hesitate(world);
    if (!run.connections.has(node)) connect(world, run, node);
    yield;
    if (w.keeps(world, 'fence') && w.keeps(world, 'named-then-open') && !isMine(run, row)) return false;
    if (w.keeps(world, 'recheck-mark') && !mayGoOn(row, markOf(node, row.version))) {
      row.state = 'abandoned';
      return false;
    }
    if (left === undefined || w.keeps(world, 'redo-node')) left = [...all];
    try {
      if (!w.keeps(world, 'mark-last')) yield* writeMark(world, run, row, node);
      while (left[0] !== undefined) {
        yield* writeKey(world, run, row, node, left[0]);
        left.shift();
      }
      if (w.keeps(world, 'mark-last')) yield* writeMark(world, run, row, node);
      return true;
    } catch (error) {
      if (!(error instanceof w.Lost)) throw error;
      run.connections.delete(node);
    }
  }
}

function* writeKey(world: w.World, run: w.Run, row: w.Row, node: w.StoreNode, key: w.Key): w.Steps {
  const base: w.Base = { kind: 'base', key, version: row.version, run: row.number, ids: factsOf(world, row, key) };
  const writeBase = () => send(world, run, node, () => put(world, node, base));
  if (w.keeps(world, 'base-first')) yield* writeBase();
  const counted = [...node.fields.values()].filter((field): field is w.Part => {
    return (
      field.kind === 'part' &&
      field.key === key &&
      field.version === row.version &&
      covers(row, field.writer, field.cut)
    );
  });
  for (const part of counted) yield* send(world, run, node, () => remove(world, node, part));
  if (!w.keeps(world, 'base-first')) yield* writeBase();
}

function* writeMark(world: w.World, run: w.Run, row: w.Row, node: w.StoreNode): w.Steps {
  yield* send(world, run, node, () => {
    put(world, node, { kind: 'mark', version: row.version, run: row.number });
    row.markedAt.set(node, node.generation);
  });
}

function finish(world: w.World, row: w.Row): void {
  row.state = 'finished';
  world.hasChanged = true;
  w.count(world, row.isFull ? 'finished full' : 'finished incremental');
  if (row.boundary !== row.proposed) w.count(world, 'boundary held');
  for (const old of forgettable(rowsOf(world, row.version))) old.isForgotten = true;
}
