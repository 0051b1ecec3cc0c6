// scripts/bootstrap.mjs from a bare clone: installs once, hands over to Node 24, passes arguments, exit code and signals.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { folderOfFile } from '../support/new-folder.ts';

const source = fileURLToPath(new URL('../../scripts/bootstrap.mjs', import.meta.url));
const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
const clone = folderOfFile();

beforeAll(() => {
  mkdirSync(join(clone, 'scripts'));
  copyFileSync(source, join(clone, 'scripts/bootstrap.mjs'));
  const own = { name: 'clone', version: '1.0.0' };
  const lock = { ...own, lockfileVersion: 3, requires: true, packages: { '': own } };
  writeFileSync(join(clone, 'package.json'), JSON.stringify(own));
  writeFileSync(join(clone, 'package-lock.json'), JSON.stringify(lock));
  writeFileSync(
    join(clone, 'scripts/show.ts'),
    'const words: string[] = process.argv.slice(2);\nconsole.log(JSON.stringify({ words, major: process.versions.node.split(".")[0] }));\nprocess.exitCode = 3;',
  );
  writeFileSync(
    join(clone, 'scripts/wait.ts'),
    'process.on("SIGTERM", () => { console.log("asked to stop"); process.exit(0); });\nsetInterval(() => {}, 1000);\nconsole.log("waiting");',
  );
});

it('installs when nothing is there, then not again until the lock changes', () => {
  const show = (...words: string[]) =>
    spawnSync(process.execPath, ['scripts/bootstrap.mjs', 'scripts/show.ts', ...words], {
      cwd: clone,
      encoding: 'utf8',
    });
  const first = show('a', 'b c');
  expect(first.stderr).toMatch(/No packages yet: npm ci …/);
  // Nothing but the script's own output: a program may read it.
  expect(JSON.parse(first.stdout)).toMatchObject({ words: ['a', 'b c'] });
  expect(first.status).toBe(3);
  expect(existsSync(join(clone, 'node_modules/.headrace-lock'))).toBe(true);
  expect(show().stderr).toBe('');
});

it('passes a stop on to the script', async () => {
  const child = spawn(process.execPath, ['scripts/bootstrap.mjs', 'scripts/wait.ts'], { cwd: clone, stdio });
  let printed = '';
  for await (const chunk of child.stdout) {
    printed += String(chunk);
    if (printed.includes('waiting') && !child.killed) child.kill('SIGTERM');
  }
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
  expect(printed).toContain('asked to stop');
  expect(code).toBe(0);
});

it('stops the script when the npm that ran it is gone', async () => {
  // The shell stands for npm's: ended at once, it passes nothing on.
  const words = [process.execPath, 'scripts/bootstrap.mjs', 'scripts/wait.ts'].map((word) => `'${word}'`).join(' ');
  const shell = spawn('sh', ['-c', `${words}; true`], {
    cwd: clone,
    stdio,
    env: { ...process.env, npm_lifecycle_event: 'headrace' },
  });
  let printed = '';
  // Ends when the last process that holds the pipe is gone.
  for await (const chunk of shell.stdout) {
    printed += String(chunk);
    if (printed.includes('waiting')) shell.kill('SIGKILL');
  }
  expect(printed).toContain('asked to stop');
});
