// A writer: registers, keeps its connections up and what they may have lost written, and takes pushes.

import { holdsClaim } from '../../src/online/claims.ts';
import { claim, finishClaim, foldOf, partsOf, writeAgain, writePart } from './parts.ts';
import { readView } from './registry.ts';
import { connect, isUsable, send } from './store.ts';
import {
  type Claim,
  claimsNode,
  count,
  type CutView,
  type Entry,
  hesitate,
  keeps,
  type Log,
  logOf,
  Lost,
  type Machine,
  nodeOf,
  type Operation,
  type Request,
  type Steps,
  type StoreNode,
  type World,
  type Writer,
} from './world.ts';

export function startWriter(world: World, machine: Machine): Writer {
  const writer: Writer = {
    kind: 'writer',
    name: { kind: 'writer', process: world.processes.length },
    machine,
    connections: new Map(),
    pending: new Set(),
    threads: [],
    isAlive: true,
    isPaused: false,
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

function* register(world: World, writer: Writer): Steps {
  yield;
  let view: CutView | undefined;
  if (!keeps(world, 'register-first')) view = readView(world);
  yield* hesitate(world);
  const log: Log = {
    number: world.logs.length + 1,
    process: writer,
    machine: writer.machine,
    lock: writer,
    holder: 0,
    n: 0,
    entries: [],
    views: new Map(),
    voids: new Set(),
    sealed: new Map(),
    cut: 0,
    shipped: 0,
    hasEnded: false,
    isLost: false,
    isForgotten: false,
    refoldedAt: new Map(world.nodes.map((node) => [node, node.generation])),
  };
  world.logs.push(log);
  yield;
  view ??= readView(world);
  yield* hesitate(world);
  openCut(log, view);
  yield;
  for (const version of view.keys()) world.firstCuts[version].set(log.number, log.cut);
  writer.log = log;
  for (const node of world.nodes) writer.threads.push(keepConnected(world, writer, log, node));
}

export function openCut(log: Log, view: CutView): void {
  log.cut += 1;
  log.views.set(log.cut, view);
}

function* keepConnected(world: World, writer: Writer, own: Log, node: StoreNode): Steps {
  while (true) {
    yield;
    if (writer.up.has(node) && isUsable(writer.connections.get(node))) continue;
    connect(world, writer, node);
    writer.up.add(node);
    try {
      yield* writeAgain(world, writer, node, own, ({ offset }) => writer.settled.has(offset));
      if (!keeps(world, 'hold-settled')) continue;
      for (const log of writer.held) yield* writeAgain(world, writer, node, log, () => true);
    } catch (error) {
      takeDown(writer, node, error);
    }
  }
}

/** Sends a command until it is answered; made anew for each try, so that it carries what is known by then. */
export function* call<T>(world: World, writer: Writer, node: StoreNode, make: () => Operation<T>): Steps<T> {
  while (true) {
    yield* untilUp(writer, node);
    try {
      return yield* send(world, writer, node, make());
    } catch (error) {
      takeDown(writer, node, error);
    }
  }
}

export function* untilUp(writer: Writer, node: StoreNode): Steps {
  while (!writer.up.has(node)) yield;
}

/** Leaves it to keepConnected to connect again. Throws what is not a lost connection. */
export function takeDown(writer: Writer, node: StoreNode, error: unknown): void {
  if (!(error instanceof Lost)) throw error;
  writer.up.delete(node);
}

export function startPush(world: World, writer: Writer, log: Log, request: Request): void {
  request.at.push(writer);
  writer.threads.push(push(world, writer, log, request));
}

function* push(world: World, writer: Writer, log: Log, request: Request): Steps {
  yield;
  const entry: Entry = { offset: log.entries.length + 1, cut: log.cut, rows: request.rows, key: request.key };
  log.entries.push(entry);
  for (const event of request.rows) event.places.push({ log, entry });

  const { key, offset } = entry;
  const place = { writer: log.number, offset };
  if (key !== undefined) {
    const held = yield* call(world, writer, claimsNode(world), () => claim(world, key, place));
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

  const isDecided = (other: Entry) => writer.settled.has(other.offset);
  for (const part of partsOf(log, entry)) {
    yield* call(world, writer, nodeOf(world, part.key), () => {
      return writePart(world, log, part, foldOf(log, isDecided, part), [part.id]);
    });
  }
  if (key !== undefined) {
    yield* call(world, writer, claimsNode(world), () => finishClaim(world, key, place));
  }
  writer.done.add(offset);
  yield;
  leave(request, writer);
  acknowledge(world, request);
}

/** An ended writer's entries are all folded: its mark on the claim may be lost with who would write it again. */
function isAnswered(world: World, { isDone, place }: Claim): boolean {
  const { hasEnded, shipped, cut } = logOf(world, place.writer);
  return isDone || (keeps(world, 'ended-answers') && hasEnded && shipped === cut);
}

function leave(request: Request, writer: Writer): void {
  request.at.splice(request.at.indexOf(writer), 1);
}

function acknowledge(world: World, request: Request): void {
  world.hasChanged = true;
  request.isAcknowledged = true;
  for (const event of request.rows) event.isAcknowledged = true;
  count(world, 'acknowledged');
}
