// Who opens an embedded store and who commits to it keep out of each other's way, and nobody waits for the dead.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openAlone } from '../../src/online/lmdb/opening-lock.ts';

let folder: string;
let children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-opening-'));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

async function hold(how: 'commits' | 'alone') {
  const script = fileURLToPath(new URL('../support/hold-opening-lock.ts', import.meta.url));
  const child = spawn(process.execPath, [script, folder, how], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return {
    async kill() {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    },
  };
}

const openNow = () => openAlone(folder, () => 'opened', 300);

it('opens only once those that commit are through, and says so where they never are', async () => {
  const holder = await hold('commits');
  expect(openNow).toThrow(
    expect.objectContaining({ code: 'HR_ONLINE_UNAVAILABLE', message: expect.stringContaining('does not go on') }),
  );
  await holder.kill();
  const { opened, lock } = openNow();
  expect(opened).toBe('opened');
  await lock.close();
});

it('commits only while nobody opens', async () => {
  const { lock } = openNow();
  await hold('alone');
  const isLetGo = () => existsSync(join(folder, 'let-go'));
  const many = lock.commits(async () => isLetGo());
  await delay(1);
  expect(lock.commit(isLetGo)).toBe(true);
  expect(await many).toBe(true);
  await lock.close();
});

it('opens where a power loss left the gate without its pages', async () => {
  await openNow().lock.close();
  const gate = join(folder, 'gate', 'data.mdb');
  writeFileSync(gate, Buffer.alloc(statSync(gate).size));
  const { opened, lock } = openNow();
  expect([opened, lock.commit(() => 'done')]).toEqual(['opened', 'done']);
  await lock.close();
});

it('gives who opens a turn though commits follow each other without a gap', async () => {
  const { lock } = openNow();
  let isOver = false;
  const commits = async (): Promise<void> => {
    while (!isOver) await lock.commits(() => delay(5));
  };
  const all = Promise.all([commits(), delay(2).then(commits), delay(4).then(commits)]);
  await hold('alone');
  isOver = true;
  await all;
  await lock.close();
});

it('opens a second time within a process that is in the middle of a commit', async () => {
  const first = openNow();
  const under = first.lock.commits(() => delay(50));
  await delay(10);
  const second = openNow();
  expect(second.opened).toBe('opened');
  await under;
  for (const { lock } of [first, second]) await lock.close();
});
