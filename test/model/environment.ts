// What happens around the processes: clients, growing files, crashes and restarts, failovers, late commands, the
// retention of claims, a second version, a machine that is lost.

import { isComplete } from '../../src/online/runs/marks.ts';
import { startCut } from './cut.ts';
import { markedRow, writerState } from './registry.ts';
import { startRun } from './run.ts';
import { isOver, releaseLocks, startSettlement } from './settle.ts';
import { crash, failOver, isUsable, remove } from './store.ts';
import * as w from './world.ts';
import { startPush, startWriter } from './writer.ts';

const LONGEST_LOSS = 12;
const MOST_TRIES = 4;

/** A writer that takes pushes. */
export type Serving = w.Writer & { readonly log: w.Log };

export function servingWriters(world: w.World): readonly Serving[] {
  return world.slots.filter((writer): writer is Serving => writer.isAlive && writer.log !== undefined);
}

/** One thing, or nothing. */
export function disturb(world: w.World): void {
  const { random } = world;
  const serving = servingWriters(world);
  const at = random.next();
  if (at < 0.38 && serving.length > 0) pushSomething(world, random.pick(serving));
  else if (at < 0.46 && serving.length > 0) startCut(world, random.pick(serving));
  else if (at < 0.56 && serving.length > 0) seeAskingRuns(world, serving);
  else if (at < 0.64) runSomething(world);
  else if (at < 0.69) changeFiles(world);
  else if (at < 0.69 + world.crashiness) crashSomething(world);
  else if (at < 0.8) restartSome(world);
  else if (at < 0.86 && serving.length > 0) settleSomething(world, random.pick(serving));
  else if (at < 0.875) pauseOrGoOn(world);
  else if (at < 0.915) doLateCommand(world);
  else if (at < 0.945 && world.failsOver) {
    failOver(world, random.pick(world.nodes), random.between(1, LONGEST_LOSS));
    w.count(world, 'failovers');
  } else if (at < 0.955) expireClaims(world);
  else if (at < 0.97) addVersion(world);
  else if (at < 0.985) switchReaders(world);
  else if (world.losesMachine && at > 0.99 && world.lostMachine === undefined) loseMachine(world);
  else forgetLost(world);
}

const unsent = () => ({ isSent: false, places: [], seenIn: new Set<w.Version>() });

/** A new event, of now or a little ahead. */
function addEvent(world: w.World): w.Event {
  const { random } = world;
  const key = random.pick(w.KEYS);
  world.lastTime += 1;
  const time =
    world.mode === 'keep'
      ? world.lastTime + random.pick([0, 0, 1, 2])
      : // What the files ever reached will not be pushed any more.
        Math.max(world.lastTime, world.filesEndMost + 1) + random.pick([0, 0, 3]);
  const event: w.Event = { id: world.events.length + 1, key, time, ...unsent(), isAcknowledged: false };
  world.events.push(event);
  return event;
}

function pushSomething(world: w.World, writer: Serving): void {
  const { random } = world;
  const repeatable = world.requests.filter(
    ({ key, isClosed, tries }) => key !== undefined && !isClosed && tries < MOST_TRIES,
  );
  const request = repeatable.length > 0 && random.chance(0.5) ? random.pick(repeatable) : newRequest(world);
  if (request === undefined) return;
  request.tries += 1;
  startPush(world, writer, writer.log, request);
}

function newRequest(world: w.World): w.Request | undefined {
  const { random } = world;
  const unpushed = world.events.filter(({ places }) => {
    return world.mode === 'until-materialized' && places.length === 0 && random.chance(0.5);
  });
  const rows =
    unpushed.length > 0
      ? [random.pick(unpushed)]
      : Array.from({ length: random.pick([1, 1, 2]) }, () => addEvent(world));
  if (rows.some(({ isSent }) => isSent)) return undefined;
  for (const event of rows) event.isSent = true;
  const key = random.chance(0.6) ? `K${world.requests.length}` : undefined;
  const request: w.Request = { rows, key, tries: 0, at: [], isClosed: false, isAcknowledged: false };
  world.requests.push(request);
  return request;
}

/** Writers look for runs that ask, and cut. */
export function seeAskingRuns(world: w.World, serving: readonly Serving[]): void {
  const asking = world.rows.filter(({ state }) => state === 'asked');
  for (const writer of serving) {
    if (asking.some(({ number }) => !w.hasAnswered(world, number, writer.log))) startCut(world, writer);
  }
}

function runSomething(world: w.World): void {
  const { random } = world;
  const version = random.pick(world.versions);
  const running = world.processes.filter(
    ({ kind, isAlive, threads }) => kind === 'run' && isAlive && threads.length > 0,
  );
  if (running.length >= 2) return;
  w.count(world, 'runs');
  startRun(world, version, { isFull: random.chance(world.fullness), mayResume: random.chance(0.5) });
}

export function changeFiles(world: w.World): void {
  const { random, events } = world;
  if (world.mode === 'keep') {
    const ids = [...world.files];
    if (ids.length > 0 && random.chance(0.15)) {
      world.files = new Set(random.sample(ids, Math.floor(ids.length / 2)));
      world.filesGone = ids.filter((id) => !world.files.has(id));
    } else if (random.chance(0.15)) {
      // Files that were away come back as they were.
      world.files = new Set([...ids, ...world.filesGone]);
    } else for (let left = 2; left > 0; left--) world.files.add(addEvent(world).id);
  } else if (random.chance(0.12) && world.filesEnd > 3) {
    // A shorter file: the boundary moves back.
    world.filesEnd -= random.between(1, 4);
    world.files = new Set([...world.files].filter((id) => w.eventOf(world, id).time <= world.filesEnd));
  } else {
    if (random.chance(0.5)) addEvent(world);
    // Up to a while ago.
    const reached = events.length > 2 ? events.slice(-6, -2).map(({ time }) => time) : [];
    world.filesEnd = Math.max(world.filesEnd, ...reached);
    world.filesEndMost = Math.max(world.filesEndMost, world.filesEnd);
    world.files = new Set(events.filter(({ time }) => time <= world.filesEnd).map(({ id }) => id));
  }
}

function crashSomething(world: w.World): void {
  const busy = world.processes.filter(({ isAlive, threads }) => isAlive && threads.length > 0);
  if (busy.length === 0) return;
  crash(world, world.random.pick(busy));
  w.count(world, 'crashes');
}

function restartSome(world: w.World): void {
  for (const [slot, { isAlive, machine }] of world.slots.entries()) {
    if (isAlive || machine === world.lostMachine || !world.random.chance(0.6)) continue;
    world.slots[slot] = startWriter(world, machine);
  }
}

function settleSomething(world: w.World, writer: Serving): void {
  releaseLocks(world, writer);
  const log = settleable(world, writer).find(isUnlocked(world));
  if (log !== undefined) startSettlement(world, writer, log);
}

/** Logs of the writer's machine that may have something left to settle, whoever holds them. */
export function settleable(world: w.World, writer: Serving): readonly w.Log[] {
  return world.logs.filter((log) => {
    return log !== writer.log && log.machine === writer.machine && !log.isLost && !isOver(world, log);
  });
}

/** Whether a log's lock can be had. */
function isUnlocked(world: w.World): (log: w.Log) => boolean {
  return ({ lock, process }) => {
    const isStolen = !w.keeps(world, 'lock') && process.isPaused && lock === process;
    return !lock?.isAlive || isStolen;
  };
}

/** A stopped process is not dead. */
function pauseOrGoOn(world: w.World): void {
  const process = world.random.pick(world.processes);
  if (process.isAlive) process.isPaused = !process.isPaused;
}

function doLateCommand(world: w.World): void {
  const late = world.nodes.filter(({ ghosts }) => ghosts.length > 0);
  if (late.length === 0) return;
  const node = world.random.pick(late);
  for (const { connection, operation } of node.ghosts.splice(world.random.between(0, node.ghosts.length), 1)) {
    if (!isUsable(connection)) continue;
    operation(node);
    w.count(world, 'late commands');
  }
}

function expireClaims(world: w.World): void {
  const node = w.claimsNode(world);
  for (const field of node.fields.values()) {
    if (field.kind !== 'claim') continue;
    const request = world.requests.find(({ key }) => key === field.id);
    if (request === undefined) continue;
    const log = w.logOf(world, field.place.writer);
    const cut = log.entries[field.place.offset - 1]?.cut ?? 0;
    // Nothing is on its way for longer than the retention.
    const isBusy = request.at.some(({ isAlive }) => isAlive) || node.ghosts.length > 0;
    if (!request.isClosed) request.isClosed = !isBusy && world.random.chance(0.4);
    if (!request.isClosed || isBusy || (w.keeps(world, 'claim-seal') && !log.sealed.has(cut))) continue;
    remove(world, node, field);
    w.count(world, 'expired');
  }
}

function addVersion(world: w.World): void {
  if (!world.versions.includes('v2') && world.random.chance(0.5)) world.versions.push('v2');
}

/** Readers move to the second version, where it is complete. */
export function switchReaders(world: w.World): void {
  if (!world.versions.includes('v2')) return;
  const marks = world.nodes.map((node) => markedRow(world, node, 'v2'));
  if (marks.includes(undefined)) return;
  const writers = world.logs.map((log) => writerState(world, log));
  if (w.keeps(world, 'switch-cut') && !isComplete(marks, writers, world.firstCuts.v2)) return;
  world.complete.add('v2');
  world.hasChanged = true;
  w.count(world, 'switches');
}

function loseMachine(world: w.World): void {
  world.lostMachine = 'B';
  w.count(world, 'lost machines');
  for (const process of world.processes) {
    if (process.kind === 'writer' && process.machine === 'B' && process.isAlive) crash(world, process);
  }
  for (const log of world.logs) {
    if (log.machine === 'B' && !(log.hasEnded && log.shipped === log.cut)) log.isLost = true;
  }
}

/** `headrace log forget`. */
export function forgetLost(world: w.World): void {
  if (world.lostMachine === undefined) return;
  for (const log of world.logs) if (log.isLost) log.isForgotten = true;
}
