// A disk whose syncs and truncations fail (by a preloaded library): a push that was refused is never read, whatever the
// failed write left behind.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { LogWriter } from '../../src/events/index.ts';
import { eventLogWorld, numbersOf } from '../support/event-logs.ts';
import { skipBecause } from '../support/skips.ts';

const support = (name: string): string => fileURLToPath(new URL(`../support/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'headrace-failing-disk-'));
const library = join(folder, 'failing-disk.so');
const compiled = spawnSync('cc', ['-shared', '-fPIC', '-o', library, support('event-log-failing-disk.c'), '-ldl']);
const isHere = process.platform === 'linux' && compiled.status === 0;
if (!isHere) skipBecause('an event log on a failing disk: no C compiler (cc) to make one with');

describe.skipIf(!isHere)('an event log on a failing disk', () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What each of `last` appends said, and what is read once the process was killed. */
  const run = async (failures: string, last: number): Promise<{ outcomes: string[]; read: number[] }> => {
    const world = await eventLogWorld();
    const control = join(folder, `fails-${failures}-${last}`);
    writeFileSync(control, '');
    const script = support('event-log-on-failing-disk.ts');
    const words = [script, world.path, world.url, world.objectFolder, failures, `${last}`];
    const env = { ...process.env, LD_PRELOAD: library, FAILING_DISK: control };
    const child = spawn(process.execPath, words, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const outcomes: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === 'done') child.kill('SIGKILL');
      else outcomes.push(line.slice(line.indexOf(' ') + 1));
    }
    if (child.signalCode === null) await once(child, 'exit');
    const [writer] = (await (await world.open()).adopt()) as [LogWriter];
    const read = numbersOf(await Array.fromAsync(writer.entries(1, 1)));
    await world.remove();
    return { outcomes, read };
  };

  it.each([
    ['a sync', 's'],
    ['a sync, and the truncation after it', 'st'],
  ])('keeps nothing of a push when %s fails, and goes on', async (_, failures) => {
    for (const last of [2, 3]) {
      const { outcomes, read } = await run(failures, last);
      expect(outcomes[1]).toMatch(/^HR_STORAGE_UNAVAILABLE .*nothing of this was kept/);
      expect(outcomes.filter((outcome) => outcome === 'kept')).toHaveLength(last - 1);
      expect(read).toEqual([1, 3].slice(0, last - 1));
    }
  });

  it('says so when it cannot tell whether a push was kept, and knows from the next one on', async () => {
    const { outcomes, read } = await run('sts', 3);
    expect(outcomes[1]).toMatch(/^HR_STORAGE_UNAVAILABLE .*whether this was kept/);
    expect(outcomes[2]).toBe('kept');
    expect(read).toEqual([1, 3]);
  });
});
