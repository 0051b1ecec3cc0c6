// Killed at a random point and run again, materialize leaves the same store as an undisturbed run.
// twin: test/integration/crash-steps.test.ts > of a run

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { fixedClock, MICROS_PER_DAY } from '../../src/core/index.ts';
import { COLUMNS, dump, materializeDefinitions, sales, START } from '../support/materialize-world.ts';
import { openOfflineWorld, writeParquet } from '../support/offline-world.ts';
import { type OnlineStorePlace, onlineStoreKinds } from '../support/online-stores.ts';

const NOW = START + 2 * MICROS_PER_DAY;
const SCRIPT = new URL('../support/materialize-once.ts', import.meta.url).pathname;

/** Runs the process; kills it once it has said `killAfter` lines. Gives how it ended. */
function runOnce(directory: string, store: string, database: string, killAfter = Infinity): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ['--conditions=headrace-source', SCRIPT, directory, store, database, String(NOW)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let lines = 0;
    createInterface({ input: child.stdout }).on('line', () => {
      if (++lines >= killAfter) child.kill('SIGKILL');
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
  });
}

async function dumpOf(place: OnlineStorePlace, directory: string): Promise<string[]> {
  const store = await place.open(fixedClock(NOW));
  try {
    return await dump(materializeDefinitions(directory).manifest, store);
  } finally {
    await store.close();
  }
}

describe.each(onlineStoreKinds())('materialize into $name', ({ prepare }) => {
  it('gives the same store after SIGKILL at a random point and another run', { timeout: 60_000 }, async () => {
    const world = await openOfflineWorld();
    const [undisturbed, killed] = [await prepare(), await prepare()];
    try {
      await writeParquet(world.connection, join(world.directory, 'sales.parquet'), COLUMNS, sales(30_000, 9000));
      const database = (name: string) => `sqlite:${join(world.directory, `${name}.db`)}`;
      expect(await runOnce(world.directory, undisturbed.url, database('undisturbed'))).toBe('exit 0');

      // About twenty lines in all: each kill falls somewhere else, between two writes or inside one, and before the last view.
      const killAfter = 2 + Math.floor(Math.random() * 14);
      expect(
        await runOnce(world.directory, killed.url, database('killed'), killAfter),
        `after ${killAfter} lines`,
      ).toBe('SIGKILL');
      expect(await runOnce(world.directory, killed.url, database('killed')), `after ${killAfter} lines`).toBe('exit 0');
      const [wanted, got] = [await dumpOf(undisturbed, world.directory), await dumpOf(killed, world.directory)];
      expect(wanted.length).toBeGreaterThan(5000);
      expect(got.length).toBe(wanted.length);
      expect(
        got.filter((line, i) => line !== wanted[i]),
        `after ${killAfter} lines`,
      ).toEqual([]);
    } finally {
      await undisturbed.remove();
      await killed.remove();
      await world.close();
    }
  });
});
