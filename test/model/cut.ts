// A cut: the next is opened under the boundaries now in force, the old one is sealed and shipped, and the runs that
// asked are answered.

import { readView } from './registry.ts';
import { hesitate, keeps, type Log, type Steps, type World, type Writer } from './world.ts';
import { openCut } from './writer.ts';

/** How long shipping takes: mostly at once. */
const SHIPPING_STEPS = [1, 1, 60];

/** One at a time, so that cuts are sealed and shipped in order. */
export function startCut(world: World, writer: Writer): void {
  if (writer.isCutting || writer.log === undefined) return;
  writer.isCutting = true;
  writer.threads.push(cut(world, writer, writer.log));
}

function* cut(world: World, writer: Writer, log: Log): Steps {
  yield;
  let asking = askingRuns(world);
  const view = readView(world);
  yield* hesitate(world);
  const old = log.cut;
  openCut(log, view);
  const isSettled = () =>
    log.entries
      .filter((entry) => entry.cut === old)
      .every(({ offset }) => writer.done.has(offset) || log.voids.has(offset));
  while (keeps(world, 'seal-settled') && !isSettled()) yield;
  yield;
  log.sealed.set(old, new Set(log.voids));
  yield* hesitate(world, SHIPPING_STEPS);
  log.shipped = old;
  yield;
  if (!keeps(world, 'asked-first')) asking = askingRuns(world);
  for (const run of asking) answer(world, run, log);
  for (const version of view.keys()) {
    const firstCuts = world.firstCuts[version];
    if (!firstCuts.has(log.number)) firstCuts.set(log.number, log.cut);
  }
  writer.isCutting = false;
}

function askingRuns(world: World): readonly number[] {
  return world.rows.filter(({ state }) => state === 'asked').map(({ number }) => number);
}

function answer(world: World, run: number, log: Log): void {
  const writers = world.answers.get(run) ?? new Set();
  world.answers.set(run, writers.add(log.number));
}
