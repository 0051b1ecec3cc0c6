// One history: random steps of random processes, with disturbances between them; twice it ends in quiet, where all come
// back, what is dead is settled, every repeat is answered and a last run finishes.

import * as around from './environment.ts';
import { check } from './oracle.ts';
import { rowsOf } from './registry.ts';
import type { Rule } from './rules.ts';
import { startRun } from './run.ts';
import { startSettlement } from './settle.ts';
import { crash, find } from './store.ts';
import * as w from './world.ts';
import { startPush, startWriter } from './writer.ts';

export interface Played {
  readonly seed: number;
  readonly mode: w.World['mode'];
  readonly counts: ReadonlyMap<string, number>;
  /** The first read that the oracle denied. */
  readonly denied: string | undefined;
}

const LENGTHS = [150, 300, 600];
/** Of the files, before the first step. */
const EARLIER_CHANGES = [0, 0, 8];
const DISTURBANCES = 0.16;

export function playHistory(seed: number, without: readonly Rule[] = []): Played {
  const world = w.createWorld(seed, without);
  const writers = world.random.pick([2, 3]);
  for (let slot = 0; slot < writers; slot++) {
    world.slots.push(startWriter(world, slot === 0 ? 'A' : world.random.pick(['A', 'B'])));
  }
  for (let changes = world.random.pick(EARLIER_CHANGES); changes > 0; changes--) around.changeFiles(world);
  const played = { seed, mode: world.mode, counts: world.counts };
  const length = world.random.pick(LENGTHS);
  try {
    play(world, length);
    // Again, upon finished runs.
    play(world, Math.floor(length / 2));
  } catch (error) {
    if (!(error instanceof w.Denied)) throw error;
    return { ...played, denied: error.message };
  }
  return { ...played, denied: undefined };
}

function play(world: w.World, length: number): void {
  world.isAtRest = false;
  for (let left = length; left > 0; left--) {
    const ready = withThreads(world).filter(({ isPaused }) => !isPaused);
    if (ready.length === 0 || world.random.chance(DISTURBANCES)) {
      around.disturb(world);
      checkChanged(world);
    } else {
      step(world, world.random.pick(ready));
    }
  }
  comeToRest(world);
}

function step(world: w.World, process: w.Process): void {
  w.count(world, 'steps');
  const thread = world.random.pick(process.threads);
  if (thread.next().done) process.threads = process.threads.filter((other) => other !== thread);
  checkChanged(world);
}

function checkChanged(world: w.World): void {
  if (!world.hasChanged) return;
  world.hasChanged = false;
  check(world);
}

function withThreads(world: w.World): readonly w.Process[] {
  return world.processes.filter(({ isAlive, threads }) => isAlive && threads.length > 0);
}

/** Until nobody has more to do than keep its connections, or so many steps. */
function drain(world: w.World, steps: number): void {
  const isBusy = (process: w.Process) => {
    return (
      process.kind === 'run' || process.threads.length > world.nodes.length || process.up.size < world.nodes.length
    );
  };
  for (let left = steps; left > 0; left--) {
    const busy = withThreads(world).filter(isBusy);
    if (busy.length === 0) return;
    step(world, world.random.pick(busy));
  }
}

const LONG = 3000;

function comeToRest(world: w.World): void {
  for (const process of world.processes) {
    process.isPaused = false;
    if (process.kind === 'run' && process.isAlive && world.random.chance(0.5)) crash(world, process);
  }
  around.forgetLost(world);
  for (const [slot, { isAlive, machine }] of world.slots.entries()) {
    if (!isAlive && machine !== world.lostMachine) world.slots[slot] = startWriter(world, machine);
  }
  drain(world, LONG);
  const serving = around.servingWriters(world);
  for (const writer of serving) {
    for (const log of around.settleable(world, writer)) if (!log.lock?.isAlive) startSettlement(world, writer, log);
    drain(world, LONG);
  }
  writeAllAgain(world, serving);
  world.isAtRest = true;
  check(world);
  for (const request of world.requests) repeat(world, serving, request);
  for (const version of world.versions) finishRun(world, serving, version);
  around.switchReaders(world);
  check(world);
}

/** Until each has written again, at every node, its own log and those it settled; or so many steps. */
function writeAllAgain(world: w.World, serving: readonly around.Serving[]): void {
  for (let left = LONG; left > 0; left--) {
    const behind = serving.filter(({ log, held, up }) => {
      const isBehind = (node: w.StoreNode) => {
        return !up.has(node) || [log, ...held].some(({ refoldedAt }) => refoldedAt.get(node) !== node.generation);
      };
      return world.nodes.some(isBehind);
    });
    if (behind.length === 0) return;
    step(world, world.random.pick(behind));
  }
}

/** A repeat is answered in the end, unless a lost machine took the answer. */
function repeat(world: w.World, serving: readonly around.Serving[], request: w.Request): void {
  const { key, isClosed, isAcknowledged } = request;
  if (serving.length === 0 || key === undefined || isClosed || isAcknowledged) return;
  const held = find(w.claimsNode(world), { kind: 'claim', id: key, place: { writer: 0, offset: 0 }, isDone: false });
  if (held !== undefined && w.logOf(world, held.place.writer).isLost) return;
  const writer = world.random.pick(serving);
  startPush(world, writer, writer.log, request);
  drain(world, LONG);
  // It was false above, but the push may have changed it.
  if (!(request as w.Request).isAcknowledged) throw new w.Denied(`${key} is never answered`);
}

function finishRun(world: w.World, serving: readonly around.Serving[], version: w.Version): void {
  for (let tries = 6; tries > 0; tries--) {
    startRun(world, version, { isFull: world.random.chance(0.5), mayResume: false });
    for (let rounds = 60; rounds > 0; rounds--) {
      around.seeAskingRuns(world, serving);
      drain(world, 30);
    }
    if (rowsOf(world, version).at(-1)?.state === 'finished') {
      check(world);
      return;
    }
  }
  throw new w.Denied(`${version}: no run finishes`);
}
