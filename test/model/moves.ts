// What happens around the processes of a history: clients push, files change, runs start, processes die and come back, nodes
// fail over, connections end, late commands are done, clocks go wrong, claims are forgotten, a view gets a version, a machine
// is lost.

import { MICROS_PER_DAY } from '../../src/core/index.ts';
import { claimId } from '../../src/ingestion/claim-desk.ts';
import { APPLIED, NOW, SOURCE_NAME } from './definitions.ts';
import * as processes from './processes.ts';
import { settled } from './steps.ts';
import { alive, count, type World } from './world.ts';

type Move = (world: World) => Promise<void> | void;

/** Each with its weight. */
const MOVES: readonly (readonly [weight: number, move: Move])[] = [
  [36, push],
  [10, look],
  [8, settle],
  [12, run],
  [3, killRun],
  [6, (world) => world.facts.changeFiles()],
  [7, killServer],
  [8, processes.restartServers],
  [5, dropConnection],
  [2, turnReplica],
  [5, doLate],
  [6, failOver],
  [3, turnClock],
  [3, forgetClaims],
  [2, apply],
  [2, takeUp],
  [2, processes.switchReaders],
  [0.5, loseMachine],
  [0.5, (world) => world.logs.forgetLost()],
  [3, backUp],
  [3, goBack],
  [0.5, copyFolders],
  [4, (world) => world.steps.pass(1000)],
  [3, (world) => world.logs.beat()],
];
const WEIGHT = MOVES.reduce((sum, [weight]) => sum + weight, 0);

/** One thing, or nothing. */
export async function disturb(world: World): Promise<void> {
  let at = world.random.next() * WEIGHT;
  const found = MOVES.find(([weight]) => (at -= weight) < 0);
  await found?.[1](world);
  await settled();
}

function push(world: World): void {
  const servers = alive(world);
  if (servers.length === 0) return;
  const request = world.facts.nextRequest();
  if (request !== undefined) void processes.send(world, world.random.pick(servers), request);
}

function look(world: World): void {
  const servers = alive(world);
  if (servers.length > 0) processes.inBackground(world, world.random.pick(servers).ingestion.look());
}

function settle(world: World): void {
  const servers = alive(world);
  if (servers.length > 0) processes.inBackground(world, world.random.pick(servers).ingestion.settle());
}

/** Each takes the place of the one before. */
function run(world: World): void {
  const { random, runners, applied } = world;
  if (runners.some(({ isAlive }) => isAlive) && !random.chance(0.2)) return;
  processes.startRun(world, random.pick(applied.versions), random.chance(0.3));
}

function killRun(world: World): void {
  const runner = world.runners.find(({ isAlive }) => isAlive);
  if (runner === undefined) return;
  processes.kill(world, runner);
  count(world, 'runs killed');
}

function killServer(world: World): void {
  const servers = alive(world);
  if (servers.length === 0 || !world.random.chance(world.traits.crashiness * 10)) return;
  processes.kill(world, world.random.pick(servers));
  count(world, 'crashes');
}

function dropConnection(world: World): void {
  if (world.store.dropConnection()) count(world, 'connections lost');
}

function turnReplica({ random, store, traits }: World): void {
  if (!traits.failsOver) return;
  const node = random.pick(store.nodes);
  node.isReplicaAway = !node.isReplicaAway;
}

function doLate(world: World): void {
  if (world.store.doLate()) count(world, 'late commands');
}

function failOver(world: World): void {
  if (!world.traits.failsOver) return;
  const node = world.random.pick(world.store.nodes);
  world.store.failOver(node);
  world.lacking.add(node);
  world.hasFailedOver = true;
  count(world, 'failovers');
}

/** The clock of a server, or of the store, is a day ahead or back, or right again. Not both ahead: then nobody knows the time. */
function turnClock(world: World): void {
  const { random, store } = world;
  const servers = alive(world);
  if (!world.traits.hasWrongClocks || servers.length === 0) return;
  const aheadMicros = random.pick([MICROS_PER_DAY, -MICROS_PER_DAY, 0]);
  if (random.chance(0.3)) {
    if (aheadMicros <= 0 || servers.every((server) => server.aheadMicros <= 0)) store.nowMicros = NOW + aheadMicros;
  } else if (aheadMicros <= 0 || store.nowMicros <= NOW) random.pick(servers).aheadMicros = aheadMicros;
  count(world, 'clocks turned');
}

/** A day later, and nothing is on its way for as long. */
function forgetClaims(world: World): void {
  if (world.store.hasLate()) return;
  const due = new Map(
    world.facts.requests
      .filter((one) => one.event.isAcknowledged && !one.isExpired)
      .map((one) => [claimId(SOURCE_NAME, one.idempotencyKey ?? ''), one] as const),
  );
  const isBusy = (id: string): boolean =>
    world.facts.requests.some(
      ({ idempotencyKey, underWay }) =>
        claimId(SOURCE_NAME, idempotencyKey ?? '') === id && [...underWay].some(({ isAlive }) => isAlive),
    );
  const forgotten = world.store.forgetClaims(({ id }) => due.has(id) && !isBusy(id) && world.random.chance(0.5));
  for (const id of forgotten) {
    const request = due.get(id);
    if (request !== undefined) request.isExpired = true;
    count(world, 'claims forgotten');
  }
}

/** The view gets another version. */
function apply(world: World): void {
  const [, after] = APPLIED[world.facts.mode];
  if (world.applied === after || !world.random.chance(0.5)) return;
  world.applied = after;
  count(world, 'applies');
}

/** A server hears of what was applied. */
function takeUp(world: World): void {
  const servers = alive(world);
  if (servers.length > 0) world.random.pick(servers).applied = world.applied;
}

function loseMachine(world: World): void {
  if (!world.traits.losesMachine || world.lostMachine !== undefined) return;
  world.lostMachine = 'B';
  for (const server of alive(world)) if (server.machine === 'B') processes.kill(world, server);
  world.logs.loseMachine('B');
  count(world, 'lost machines');
}

async function backUp(world: World): Promise<void> {
  if (!world.traits.goesBack) return;
  world.backup = { runs: await world.registry.backup(), writers: world.logs.known() };
}

/**
 * The registry loses what came since a backup. Not while a number is given that the store has not seen yet: in these
 * milliseconds it may come again.
 */
async function goBack(world: World): Promise<void> {
  const { backup, registry, logs, versions } = world;
  if (backup === undefined) return;
  const seen = await world.store.of({ isAlive: true }).notes();
  if (seen.writer < Math.max(0, ...logs.known()) || seen.run < (await registry.lastRun())) return;
  await registry.goBack(backup.runs);
  logs.goBack(backup.writers);
  for (const { version, opened } of versions.values()) {
    world.forgotten.add(version);
    const rows = new Map((await registry.runs.ofVersion(version)).map((row) => [row.number, row.state]));
    for (const run of opened) run.isFinished = rows.get(run.number) === 'finished';
    opened.splice(0, opened.length, ...opened.filter(({ number }) => rows.has(number)));
  }
  count(world, 'registry went back');
}

/** The disk of machine B is copied to A, and settled by whoever comes first. */
function copyFolders(world: World): void {
  world.logs.copyFolders('B', 'A');
  count(world, 'copies');
}
