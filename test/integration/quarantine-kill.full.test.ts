// A process is killed while it sets rows apart: what it answered is in quarantine and in the features, each once, also when
// its pushes are repeated elsewhere.
// twin: test/integration/push-checks.test.ts > under one key from two processes at once sets its rows apart once
// twin: test/property/quarantine.test.ts > sound rows alone count

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openQuarantine } from '../../src/checks/index.ts';
import { checkedEvents } from '../support/checked-events.ts';
import { definitionsOf } from '../support/event-definitions.ts';
import { type IngestionWorld, openIngestionWorld } from '../support/ingestion-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

interface Answered {
  readonly key: string;
  readonly i: number;
  readonly accepted: number;
  readonly quarantined: number;
}

const [lmdb] = onlineStoreKinds();
const ROUNDS = 4;

describe('a process that is killed while it sets rows apart', () => {
  let world: IngestionWorld;
  beforeEach(async () => {
    world = await openIngestionWorld(lmdb as NonNullable<typeof lmdb>);
  });
  afterEach(() => world.close());

  it('has kept what it answered, once', async () => {
    const manifest = checkedEvents();
    const quarantine = await openQuarantine(world.database, { maxBytes: 1e9 });
    const answered: Answered[] = [];
    for (let round = 0; round < ROUNDS; round++) answered.push(...(await pushUntilKilled(world, 3 + round * 2)));
    expect(answered.length).toBeGreaterThan(ROUNDS);
    // Past what they took: it is known since it came.
    world.clock.now = Date.now() * 1000;
    const server = await world.open({
      definitions: () => definitionsOf(manifest),
      quarantine: async () => quarantine,
    });
    await server.ingestion.settle();
    const held = (await quarantine.rows('events')).map(({ row }) => (JSON.parse(row) as { x: number }).x);
    // Of each process at most its last push was not answered, and may be there all the same.
    const expected = answered.map(({ i }) => -1 - i);
    expect(held.length - expected.length).toBeGreaterThanOrEqual(0);
    expect(held.length - expected.length).toBeLessThanOrEqual(ROUNDS);
    for (const x of new Set(expected)) {
      expect(held.filter((one) => one === x).length).toBeGreaterThanOrEqual(expected.filter((one) => one === x).length);
    }
    const before = held.length;
    const happened = new Date(world.clock.now / 1000 - 120_000).toISOString();
    for (const { key, i } of answered.slice(-3)) {
      // Its rows are others now, by their time: nothing of them is kept.
      const rows = [
        { k: 'a', happened, x: i },
        { k: 'a', happened, x: -1 - i },
      ];
      await expect(server.ingestion.push('events', rows, key)).rejects.toMatchObject({ code: 'HR_IDEMPOTENCY' });
    }
    expect(await quarantine.rows('events')).toHaveLength(before);
    const counted = Number((await world.valuesOf(manifest, 'a'))['rows']);
    expect(counted - answered.length).toBeGreaterThanOrEqual(0);
    expect(counted - answered.length).toBeLessThanOrEqual(ROUNDS);
  }, 120_000);
});

/** Killed once so many pushes were answered. */
function pushUntilKilled(world: IngestionWorld, answers: number): Promise<Answered[]> {
  const { registry, objects, online } = world.places;
  const path = world.logPath('a');
  mkdirSync(path, { recursive: true });
  const script = new URL('../support/quarantine-forever.ts', import.meta.url).pathname;
  const args = ['--conditions=headrace-source', script, registry, objects, path, online.replace('lmdb:', '')];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const told: Answered[] = [];
  createInterface(child.stdout).on('line', (line) => {
    told.push(JSON.parse(line) as Answered);
    if (told.length >= answers) child.kill('SIGKILL');
  });
  return new Promise((resolve) => child.once('close', () => resolve(told)));
}
