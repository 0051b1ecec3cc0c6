// A writer: registers, keeps its connections up and what they may have lost written, and takes pushes.

import { holdsClaim } from '../../src/online/claims.ts';
import { claim, finishClaim, foldOf, partsOf, writeAgain, writePart } from './parts.ts';
import { readView } from './registry.ts';
import { connect, isUsable, send } from './store.ts';
import * as w from './world.ts';

export function startWriter(world: w.World, machine: w.Machine): w.Writer {
  const writer: w.Writer = {
    kind: 'writer',
    name: { kind: 'writer', process: world.processes.length },
    machine,
    ...w.begun(),
    log: undefined,
    settled: new Set(),
    done: new Set(),
    held: [],
    written: new Set(),
    up: new Set(),
    isCutting: false,
  };
  world.processes.push(writer);
  writer.threads.push(register(world, writer));
  return writer;
}

function* register(world: w.World, writer: w.Writer): w.Steps {
  yield;
  let view: w.CutView | undefined;
  if (!w.keeps(world, 'register-first')) view = readView(world);
  yield* w.hesitate(world);
  const log: w.Log = {
    number: world.logs.length + 1,
    process: writer,
    machine: writer.machine,
    lock: writer,
    holder: 0,
    n: 0,
    ...nothingYet(),
    cut: 0,
    shipped: 0,
    refoldedAt: new Map(world.nodes.map((node) => [node, node.generation])),
  };
  world.logs.push(log);
  yield;
  view ??= readView(world);
  yield* w.hesitate(world);
  openCut(log, view);
  yield;
  for (const version of view.keys()) world.firstCuts[version].set(log.number, log.cut);
  writer.log = log;
  for (const node of world.nodes) writer.threads.push(keepConnected(world, writer, log, node));
}

const nothingYet = () => {
  const flags = { hasEnded: false, isLost: false, isForgotten: false };
  return { ...flags, entries: [], views: new Map(), voids: new Set<number>(), sealed: new Map() };
};

export function openCut(log: w.Log, view: w.CutView): void {
  log.cut += 1;
  log.views.set(log.cut, view);
}

function* keepConnected(world: w.World, writer: w.Writer, own: w.Log, node: w.StoreNode): w.Steps {
  while (true) {
    yield;
    if (writer.up.has(node) && isUsable(writer.connections.get(node))) continue;
    connect(world, writer, node);
    writer.up.add(node);
    try {
      yield* writeAgain(world, writer, node, own, ({ offset }) => writer.settled.has(offset));
      if (!w.keeps(world, 'hold-settled')) continue;
      for (const log of writer.held) yield* writeAgain(world, writer, node, log, () => true);
    } catch (error) {
      takeDown(writer, node, error);
    }
  }
}

/** Sends a command until it is answered; made anew for each try, so that it carries what is known by then. */
export function* call<T>(world: w.World, writer: w.Writer, node: w.StoreNode, make: () => w.Operation<T>): w.Steps<T> {
  while (true) {
    yield* untilUp(writer, node);
    try {
      return yield* send(world, writer, node, make());
    } catch (error) {
      takeDown(writer, node, error);
    }
  }
}

export function* untilUp(writer: w.Writer, node: w.StoreNode): w.Steps {
  while (!writer.up.has(node)) yield;
}

/** Leaves it to keepConnected to connect again. Throws what is not a lost connection. */
export function takeDown(writer: w.Writer, node: w.StoreNode, error: unknown): void {
  if (!(error instanceof w.Lost)) throw error;
  writer.up.delete(node);
}

export function startPush(world: w.World, writer: w.Writer, log: w.Log, request: w.Request): void {
  request.at.push(writer);
  writer.threads.push(push(world, writer, log, request));
}

function* push(world: w.World, writer: w.Writer, log: w.Log, request: w.Request): w.Steps {
  yield;
  const entry: w.Entry = { offset: log.entries.length + 1, cut: log.cut, rows: request.rows, key: request.key };
  log.entries.push(entry);
  for (const event of request.rows) event.places.push({ log, entry });

  const { key, offset } = entry;
  const place = { writer: log.number, offset };
  if (key !== undefined) {
    const held = yield* call(world, writer, w.claimsNode(world), () => claim(world, key, place));
    if (!holdsClaim(place, held?.place)) {
      yield;
      log.voids.add(offset);
      writer.settled.add(offset);
      leave(request, writer);
      // Else it is answered with 503: another entry is at it.
      if (held !== undefined && isAnswered(world, held)) acknowledge(world, request);
      return;
    }
  }
  writer.settled.add(offset);

  const isDecided = (other: w.Entry) => writer.settled.has(other.offset);
  for (const part of partsOf(log, entry)) {
    yield* call(world, writer, w.nodeOf(world, part.key), () => {
      return writePart(world, log, part, foldOf(log, isDecided, part), [part.id]);
    });
  }
  if (key !== undefined) {
    yield* call(world, writer, w.claimsNode(world), () => finishClaim(world, key, place));
  }
  writer.done.add(offset);
  yield;
  leave(request, writer);
  acknowledge(world, request);
}

/** An ended writer's entries are all folded: its mark on the claim may be lost with who would write it again. */
function isAnswered(world: w.World, { isDone, place }: w.Claim): boolean {
  const { hasEnded, shipped, cut } = w.logOf(world, place.writer);
  return isDone || (w.keeps(world, 'ended-answers') && hasEnded && shipped === cut);
}

function leave(request: w.Request, writer: w.Writer): void {
  request.at.splice(request.at.indexOf(writer), 1);
}

function acknowledge(world: w.World, request: w.Request): void {
  world.hasChanged = true;
  request.isAcknowledged = true;
  for (const event of request.rows) event.isAcknowledged = true;
  w.count(world, 'acknowledged');
}
