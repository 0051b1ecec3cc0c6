import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { root } from '../../scripts/test/root.ts';
import { folderOfTest } from '../support/new-folder.ts';
import { makeOwnedFolder, removeLeftFolders } from '../support/owned-folder.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

let project: string;

/** The ids of the processes whose working directory is `folder`. */
function workingIn(folder: string): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(join('/proc', name, 'cwd')) === folder;
    } catch {
      // It ended.
      return false;
    }
  });
}

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'headrace-ended-'));
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

describe('a run of tests that is ended by a signal', () => {
  beforeAll(() => {
    for (const name of ['scripts', 'node_modules']) symlinkSync(join(root, name), join(project, name));
    writeFileSync(
      join(project, 'one.test.ts'),
      `import { spawn } from 'node:child_process';
       import { writeFileSync } from 'node:fs';
       import { it } from 'vitest';
       it('starts a server and waits', async () => {
         writeFileSync('server', String(spawn('sleep', ['1000'], { stdio: 'ignore' }).pid));
         await new Promise(() => {});
       }, 1e6);`,
    );
    writeFileSync(
      join(project, 'run.ts'),
      `import { runVitest } from './scripts/test/run-vitest.ts';
       await runVitest({ tier: 'quick', files: [], project: ${JSON.stringify(project)} });`,
    );
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('by %s leaves no process and no folder', async (signal) => {
    const temporary = join(project, signal);
    mkdirSync(temporary);
    const run = spawn(process.execPath, [join(project, 'run.ts')], {
      cwd: project,
      env: { ...process.env, TMPDIR: temporary },
      stdio: 'ignore',
    });
    const exited = once(run, 'exit');
    const server = join(project, 'server');
    await expect.poll(() => existsSync(server) && readFileSync(server, 'utf8')).toMatch(/^\d+$/);
    const pid = Number(readFileSync(server, 'utf8'));
    rmSync(server);
    run.kill(signal);
    expect((await exited)[0]).toBe(128 + constants.signals[signal]);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(readdirSync(temporary).filter((name) => name.startsWith('headrace-'))).toEqual([]);
  });
});

it('a run in which a test never yields is ended, names the file and leaves no process', async () => {
  const hanging = folderOfTest();
  for (const name of ['scripts', 'node_modules']) symlinkSync(join(root, name), join(hanging, name));
  writeFileSync(join(hanging, 'one.test.ts'), "import { it } from 'vitest';\nit('never yields', () => { for (;;); });");
  const ended = join(hanging, 'ended.json');
  writeFileSync(
    join(hanging, 'run.ts'),
    `import { writeFileSync } from 'node:fs';
     import { runVitest } from './scripts/test/run-vitest.ts';
     const how = { tier: 'quick', files: [], project: ${JSON.stringify(hanging)}, silenceMs: 1000 };
     writeFileSync(${JSON.stringify(ended)}, JSON.stringify(await runVitest(how)));`,
  );
  const run = spawn(process.execPath, [join(hanging, 'run.ts')], { cwd: hanging, stdio: 'ignore' });
  await once(run, 'exit');
  const report = { isHung: true, files: [{ file: 'one.test.ts', state: 'failed' }] };
  expect(JSON.parse(readFileSync(ended, 'utf8'))).toMatchObject({ code: 1, report });
  expect(workingIn(hanging)).toEqual([]);
});

it('a folder whose process is gone is removed, others are left', async () => {
  const ended = spawn('true');
  await once(ended, 'exit');
  const parent = join(project, 'folders');
  for (const name of [`run-${ended.pid}-abc123`, `runs-${ended.pid}-abc123`, 'run-abc123'])
    mkdirSync(join(parent, name, 'in'), { recursive: true });
  const own = makeOwnedFolder(parent, 'run');
  removeLeftFolders(parent, 'run');
  const left = [own, join(parent, `runs-${ended.pid}-abc123`), join(parent, 'run-abc123')];
  expect(
    readdirSync(parent)
      .map((name) => join(parent, name))
      .sort(),
  ).toEqual(left.sort());
});

it('what is mounted in a folder whose process is gone is unmounted, in the folder of a living one it stays', async () => {
  const ended = spawn('true');
  await once(ended, 'exit');
  const parent = join(project, 'mounts');
  const [dead, own] = [join(parent, `run-${ended.pid}-abc123`), join(parent, `run-${process.pid}-abc123`)];
  const disks = [dead, own].map((folder) => {
    mkdirSync(join(folder, 'with a blank'), { recursive: true });
    return mountSmallDisk(1, join(folder, 'with a blank'));
  });
  onTestFinished(() => {
    for (const disk of disks) disk?.remove();
  });
  if (disks.includes(undefined)) return skipBecause('a mount that a dead run left: this user may not mount one');
  removeLeftFolders(parent, 'run');
  expect(readdirSync(parent)).toEqual([basename(own)]);
  const mounts = readFileSync('/proc/self/mounts', 'utf8').replaceAll(String.raw`\040`, ' ');
  expect(disks.map((disk) => mounts.includes(` ${disk?.path} `))).toEqual([false, true]);
});
