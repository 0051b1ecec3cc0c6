// The ends of a launcher and of a driver: whichever it is, nothing that they started runs on, and no folder of theirs is left.

import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import type { LauncherOptions, ToLauncher } from '../../src/orchestrator/executors/local/messages.ts';
import { scratchDirectory } from '../../src/orchestrator/executors/local/sweep.ts';
import { attemptMark, MARK } from '../../src/orchestrator/step/marks.ts';
import { killProcess } from '../../src/orchestrator/step/process-tree.ts';
import { processesWith, until } from '../support/executor-world.ts';
import { ownWorld } from '../support/opened.ts';

const LAUNCHER = fileURLToPath(new URL('../../src/orchestrator/executors/local/launcher-main.ts', import.meta.url));

/** Whatever is left of the driver where a test fails. */
const endsWithTest = (driver: string) =>
  onTestFinished(() => {
    for (const pid of processesWith(driver)) killProcess(pid);
  });

it.each([
  { what: 'its driver is gone', isDriverGone: true },
  { what: 'it is told to close', isDriverGone: false },
])(
  'a launcher ends all that it started once $what, starts nothing of what waits, and leaves no folder',
  async ({ isDriverGone }) => {
    // Orders and artifacts; its own executor starts no launcher.
    const world = ownWorld();
    const { directory } = world;
    const driver = `launched/${process.pid}/${isDriverGone}`;
    const scratch = scratchDirectory(join(directory, 'work'), driver);
    const launcher = fork(LAUNCHER, {
      env: { ...process.env, [MARK]: `${driver}:launcher:0:0` },
      execArgv: ['--conditions=headrace-source'],
    });
    endsWithTest(driver);
    const tell = (message: ToLauncher) => launcher.send(message);
    const options: LauncherOptions = {
      driver,
      artifactsUrl: `file:${join(directory, 'artifacts')}`,
      cacheDirectory: join(directory, 'cache'),
      environmentsDirectory: join(directory, 'environments'),
      python: 'python3',
      scratch,
      workDirectory: join(directory, 'work'),
      repository: directory,
      cpus: 2,
      memoryBytes: 2 ** 40,
      graceMs: 100,
    };
    tell({ kind: 'open', options });
    const place = join(directory, 'started');
    const command = `trap "" TERM; echo x >> ${place}; setsid sleep 1000 & sleep 1000`;
    const spec = await world.order({ kind: 'shell', command });
    tell({ kind: 'submit', slices: Array.from({ length: 30 }, () => world.slice(spec)) });
    const sleeps = () => processesWith('sleep\u00001000').filter((pid) => processesWith(driver).includes(pid));
    await until(() => sleeps().length === 4, 'two tasks');
    expect(existsSync(scratch)).toBe(true);
    if (isDriverGone) launcher.disconnect();
    else tell({ kind: 'close' });
    await once(launcher, 'exit');
    expect(processesWith(driver)).toEqual([]);
    expect(readFileSync(place, 'utf8')).toBe('x\nx\n');
    expect(existsSync(scratch)).toBe(false);
  },
);

it('slices of a driver that died are gone for whoever adopts them, with all that it left', async () => {
  const { executor, directory } = ownWorld();
  const driver = `died/${process.pid}/1`;
  const scratch = scratchDirectory(join(directory, 'work'), driver);
  mkdirSync(scratch, { recursive: true });
  const env = { ...process.env, [MARK]: attemptMark(driver, 'slice', 0, 1) };
  const orphan = spawn('sleep', ['1000'], { env, detached: true, stdio: 'ignore' });
  const end = once(orphan, 'exit');
  endsWithTest(driver);
  await until(() => processesWith(driver).length > 0, 'the orphan');
  expect(await executor.adopt([{ slice: 'slice', at: driver }])).toEqual(['gone']);
  expect(processesWith(driver)).toEqual([]);
  expect(await end).toEqual([null, 'SIGKILL']);
  expect(existsSync(scratch)).toBe(false);
});
