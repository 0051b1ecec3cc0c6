// The settlement of a dead writer's log by a living one: every entry is decided, written, answered; the log ends.

import { holdsClaim } from '../../src/online/claims.ts';
import { claim, finishClaim, writeAgain } from './parts.ts';
import { covers, markedRow } from './registry.ts';
import { cutOff } from './store.ts';
import { claimsNode, keeps, type Log, type Steps, type World, type Writer } from './world.ts';
import { call, takeDown, untilUp } from './writer.ts';

export function startSettlement(world: World, writer: Writer, log: Log): void {
  writer.threads.push(settle(world, writer, log));
}

/** Whether nothing of an ended log can be needed again: every mark covers it whole. */
export function isOver(world: World, log: Log): boolean {
  if (!log.hasEnded) return false;
  if (!keeps(world, 'hold-lock')) return true;
  return world.versions.every((version) =>
    world.nodes.every((node) => {
      const mark = markedRow(world, node, version);
      return mark !== undefined && covers(mark, log.number, log.cut);
    }),
  );
}

/** A settler lets go of logs that are over; should a failover take a mark back, somebody settles them again. */
export function releaseLocks(world: World, writer: Writer): void {
  for (const log of writer.held.filter((log) => isOver(world, log))) {
    writer.held.splice(writer.held.indexOf(log), 1);
    writer.written.delete(log);
    log.lock = undefined;
  }
}

function* settle(world: World, writer: Writer, log: Log): Steps {
  yield;
  if ((keeps(world, 'lock') && log.lock?.isAlive) || log.isLost) return;
  log.lock = writer;
  if (keeps(world, 'holder')) log.holder += 1;
  log.n = 0;
  yield;
  if (keeps(world, 'settle-fence')) cutOff(world, (name) => name === log.process.name);

  const voids = yield* findVoids(world, writer, log);
  yield;
  if (!log.hasEnded) for (const offset of voids) log.voids.add(offset);
  writer.held.push(log);
  for (const node of world.nodes) {
    while (true) {
      yield* untilUp(writer, node);
      try {
        yield* writeAgain(world, writer, node, log, () => true);
        break;
      } catch (error) {
        takeDown(writer, node, error);
      }
    }
  }
  // From here on, and not from the log's end: a failover may take what is marked next.
  writer.written.add(log);
  for (const { key, offset } of log.entries) {
    if (key === undefined || log.voids.has(offset)) continue;
    yield* call(world, writer, claimsNode(world), () => finishClaim(world, key, { writer: log.number, offset }));
  }

  yield;
  for (let cut = 1; cut <= log.cut; cut++) {
    if (!log.sealed.has(cut)) log.sealed.set(cut, new Set(log.voids));
  }
  log.hasEnded = true;
  yield;
  if (!log.isLost) log.shipped = log.cut;
}

/** Keyed entries of unsealed cuts that don't hold their claim. */
function* findVoids(world: World, writer: Writer, log: Log): Steps<readonly number[]> {
  const found: number[] = [];
  for (const { key, cut, offset } of log.entries) {
    if (key === undefined || log.sealed.has(cut) || log.voids.has(offset)) continue;
    const place = { writer: log.number, offset };
    const held = yield* call(world, writer, claimsNode(world), () => {
      return claim(world, key, keeps(world, 'settle-void') ? undefined : place);
    });
    if (!holdsClaim(place, held?.place)) found.push(offset);
  }
  return found;
}
