// Controllers of rollouts as processes: one that is killed, and one that is stopped past its lease and goes on after another
// took over. What it had decided is written by nobody.
// twin: test/contract/rollout-crashes.test.ts > at every step, over and over: it is %s in the end
// twin: test/contract/rollouts.test.ts > goes on by the row alone when another controller takes over, and the former one writes nothing

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { takeLease } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { expectConsistent } from '../support/rollout-invariants.ts';
import { openRolloutWorld, SECOND } from '../support/rollout-world.ts';

const SCRIPT = fileURLToPath(new URL('../support/rollout-controller-process.ts', import.meta.url));
const TTL_MS = 1000;
/** What the controller writes by itself, beside what goes with a change of the traffic. */
const FAULTS = [
  ['before database.transaction 2', 'SIGSTOP'],
  ['after database.transaction 2', 'SIGKILL'],
] as const;

describe.each(testDatabases('controllers as processes'))('a controller on $name', (databases) => {
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());

  it.each(FAULTS)('gives way %s by %s, and the next one goes on', { timeout: 60_000 }, async (step, signal) => {
    const url = await databases.newUrl();
    const world = await openRolloutWorld(url);
    world.servers.clear();
    const child = spawn(process.execPath, [SCRIPT, url, signal, step, String(TTL_MS)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    const ended = once(child, 'exit');
    try {
      await world.start({ holdMicros: 3600 * SECOND });
      await expect.poll(() => printed, { timeout: 30_000 }).toContain(`fault ${step.replace(/ \d+$/, '')}`);
      const name = 'job rollouts';
      const take = () => takeLease(world.database, { name, holder: 'next', ttlMs: TTL_MS });
      let lease = await take();
      for (; lease === undefined; lease = await take()) await sleep(50);
      const next = await world.newController();
      for (let looks = 0; looks < 6; looks++) await world.look(lease, next);
      const { rollout, events } = await world.shown();
      expect(rollout).toMatchObject({ state: 'watching', step: 1, leaseEpoch: lease.epoch });
      child.kill('SIGCONT');
      await ended;
      await expectConsistent(world);
      expect(await world.shown()).toMatchObject({ rollout: { stateVersion: rollout.stateVersion }, events });
    } finally {
      child.kill('SIGKILL');
      await ended;
      await world.close();
    }
  });
});
