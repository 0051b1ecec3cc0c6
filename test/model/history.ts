// One history of real writers, settlers, relinks and runs over a store and logs that are played: random steps, with what
// `moves.ts` lists between them. Every acknowledged event is counted once. It ends in rest, where all come back, what is dead
// is settled, every repeat is answered and a last run finishes.

import { createRandom } from '../support/chance.ts';
import { type ModelVersion, NOW } from './definitions.ts';
import { FakeRegistry } from './fake-registry.ts';
import { disturb } from './moves.ts';
import { check } from './oracle.ts';
import { inBackground, restartServers, send, startRun, startServer, switchReaders } from './processes.ts';
import { alive, createWorld, type ModelRules, type World, Wrong } from './world.ts';
import { delayBy } from './virtual-delay.ts';

export const ALL_RULES: ModelRules = {
  waitsForReplica: true,
  promisesReplica: true,
  keepsGreater: true,
  fences: true,
  basesFirst: true,
  locks: true,
  raisesHolder: true,
  standsForLost: true,
};

export interface Played {
  readonly seed: number;
  readonly counts: Readonly<Record<string, number>>;
  /** The first read that was wrong. */
  readonly wrong: string | undefined;
}

const STEPS = [120, 300];
const DISTURBANCES = 0.3;
const LONG = 4000;
const BETWEEN_LOOKS = 40;
/** Nothing is to be done after so many looks. */
const MOST_IDLE = 4;

export async function playHistory(seed: number, rules: ModelRules = ALL_RULES): Promise<Played> {
  const registry = await FakeRegistry.open();
  const world = createWorld(createRandom(seed), rules, registry);
  const undoDelays = delayBy((ms) => world.steps.delay(ms));
  let wrong: string | undefined;
  try {
    await play(world);
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    wrong = error.message;
  } finally {
    for (const process of [...world.servers, ...world.runners]) process.isAlive = false;
    undoDelays();
    await registry.close();
  }
  return { seed, counts: Object.fromEntries(world.counts), wrong };
}

async function play(world: World): Promise<void> {
  for (const machine of ['A', world.random.pick(['A', 'B'])]) world.servers.push(startServer(world, machine));
  // Twice: the second time upon finished runs.
  for (const length of [world.random.pick(STEPS), STEPS[0] as number]) {
    world.isAtRest = false;
    world.steps.slowness = world.traits.slowness;
    let seen = '';
    for (let left = length; left > 0; left--) {
      if (world.random.chance(DISTURBANCES)) await disturb(world);
      else if (!(await world.steps.next())) await world.steps.pass(100);
      const now = `${world.store.changes} ${world.counts.get('acknowledged')} ${world.complete.size}`;
      if (now !== seen) await checkAll(world);
      seen = now;
    }
    await comeToRest(world);
  }
}

async function checkAll(world: World): Promise<void> {
  if (world.failure !== undefined) throw world.failure;
  await check(world);
}

/** Until nobody has more to do, or so many steps. */
async function drain({ steps }: World, most = LONG): Promise<void> {
  for (let [left, idle] = [most, 0]; left > 0 && idle < MOST_IDLE; left--) {
    if (await steps.next()) idle = 0;
    else {
      idle++;
      await steps.pass(1000);
    }
  }
}

async function comeToRest(world: World): Promise<void> {
  world.isAtRest = true;
  world.steps.slowness = 0;
  for (const node of world.store.nodes) node.isReplicaAway = false;
  for (const server of world.servers) server.aheadMicros = 0;
  world.store.nowMicros = NOW;
  world.logs.forgetLost();
  world.logs.beat();
  restartServers(world);
  await drain(world);
  for (let rounds = 0; rounds < 3; rounds++) {
    for (const { ingestion } of alive(world)) inBackground(world, ingestion.settle());
    await drain(world);
    // As they do by themselves, every second: a log that could not be ended yet is ended.
    for (const server of alive(world)) {
      server.applied = world.applied;
      inBackground(world, server.ingestion.look());
    }
    await drain(world);
  }
  // All are back, and have written again what was lost of theirs.
  world.lacking.clear();
  await checkAll(world);
  await repeatAll(world);
  for (const version of world.applied.versions) await finishRun(world, version);
  await switchReaders(world);
  await checkAll(world);
}

/** A repeat is answered in the end, unless a lost machine took the answer. */
async function repeatAll(world: World): Promise<void> {
  for (const request of world.facts.requests) {
    const { idempotencyKey, event, before, isExpired } = request;
    const mayBeRefused = before !== undefined || isExpired || world.lostMachine !== undefined;
    if (idempotencyKey === undefined || event.isAcknowledged) continue;
    // It may be refused once, to be sent again.
    for (let tries = 0; tries < 2 && !event.isAcknowledged; tries++) {
      void send(world, world.random.pick(alive(world)), request);
      await drain(world);
    }
    if (!event.isAcknowledged && !mayBeRefused) throw new Wrong(`${idempotencyKey} is never answered`);
  }
  await checkAll(world);
}

async function finishRun(world: World, version: ModelVersion): Promise<void> {
  for (let tries = 0; tries < 6; tries++) {
    const runner = startRun(world, version, world.random.chance(0.5));
    for (let rounds = 0; rounds < 200 && runner.isAlive; rounds++) {
      for (const { ingestion } of alive(world)) inBackground(world, ingestion.look());
      await drain(world, BETWEEN_LOOKS);
    }
    await drain(world);
    await checkAll(world);
    if (runner.state?.startsWith('finished') !== true) continue;
    world.forgotten.delete(version.codec.version);
    await checkAll(world);
    return;
  }
  throw new Wrong(`${version.codec.version}: no run finishes`);
}
