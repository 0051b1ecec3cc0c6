// Processes of a history: servers that take pushes and settle, and runs. Each is the product's own, given ways into the store,
// the logs and the registry that all processes share.

import { HeadraceError, silentLogger } from '../../src/core/index.ts';
import { openIngestion } from '../../src/ingestion/index.ts';
import { isComplete } from '../../src/online/index.ts';
import { LIMITS } from '../support/ingestion-limits.ts';
import { type ModelVersion, NOW, SOURCE_NAME } from './definitions.ts';
import { jsonOf, type Request } from './facts.ts';
import { materialize } from './model-run.ts';
import { count, type Runner, type Server, type World, Wrong } from './world.ts';

export function startServer(world: World, machine: string): Server {
  const { steps, store, logs, registry, traits } = world;
  const owner = { isAlive: true, machine, applied: world.applied, aheadMicros: 0 };
  const ingestion = openIngestion(
    {
      log: logs.of(owner, machine),
      store: store.of(owner),
      runs: registry.runsOf(owner, steps),
      schemas: registry.schemas,
      versions: registry.firstCutsOf(owner, steps),
      deriver: () => (rows) => rows,
      clock: { nowMicros: () => NOW + owner.aheadMicros },
      logger: silentLogger,
      limits: { ...LIMITS, timeoutMs: 600_000, memoryBytes: traits.memoryBytes },
    },
    {
      definitions: () => owner.applied.definitions,
      versions: () => owner.applied.live,
      refresh: () => steps.wait(owner, 'registry: definitions', () => (owner.applied = world.applied)),
      // Each look looks for dead writers, too, and ends what could not be ended yet.
      settleEveryMs: 0,
    },
  );
  return Object.assign(owner, { ingestion });
}

/** What comes of it is seen by what is read. */
export function inBackground(world: World, work: Promise<unknown>): void {
  work.catch(() => count(world, 'refused'));
}

export async function send(world: World, server: Server, request: Request): Promise<void> {
  const { event, idempotencyKey, before } = request;
  request.tries++;
  request.underWay.add(server);
  // Its rows are the same each time.
  const row = jsonOf(event, event.digit % 2 === 0);
  try {
    await server.ingestion.push(SOURCE_NAME, [row], idempotencyKey);
  } catch {
    count(world, 'push refused');
    return;
  } finally {
    request.underWay.delete(server);
  }
  event.isAcknowledged = true;
  count(world, 'acknowledged');
  if (before === undefined) return;
  count(world, 'keys reused');
  if (!before.isExpired) world.failure ??= new Wrong(`${idempotencyKey} was taken with another row`);
}

/** SIGKILL: what was sent may still be done. */
export function kill(world: World, process: Server | Runner): void {
  process.isAlive = false;
  world.steps.take(({ owner, channel }) => owner === process && channel === undefined);
  world.store.kill(process);
  world.steps.take(({ owner }) => owner === process);
}

/** But for a machine that is gone for good. */
export function restartServers(world: World): void {
  for (const [slot, { isAlive, machine }] of world.servers.entries()) {
    if (!isAlive && machine !== world.lostMachine) world.servers[slot] = startServer(world, machine);
  }
}

export function startRun(world: World, version: ModelVersion, isFull: boolean): Runner {
  const owner: Runner = { isAlive: true, state: undefined };
  world.runners.push(owner);
  materialize(world, owner, version, isFull)
    .then(
      (state) => {
        owner.state = state;
        count(world, `run ${state}`);
      },
      (error: unknown) => {
        if (!(error instanceof HeadraceError)) world.failure ??= error;
        count(world, 'run failed');
      },
    )
    .finally(() => (owner.isAlive = false));
  return owner;
}

/** Readers move to the new version, where it is complete. */
export async function switchReaders(world: World): Promise<void> {
  const [fresh] = world.applied.versions;
  if (fresh === undefined || world.complete.has(fresh.codec.version)) return;
  const { version } = fresh.codec;
  const { registry, store, logs } = world;
  const reader = { isAlive: true };
  const marks = await store.of(reader).marks(version);
  const rows = await Promise.all(
    marks.map(async ({ run }) => (run === undefined ? undefined : registry.runs.row(run))),
  );
  const writers = await logs.of(reader, 'R').writers();
  if (!isComplete(rows, writers, registry.firstCuts(version))) return;
  world.complete.add(version);
  count(world, 'switches');
}
