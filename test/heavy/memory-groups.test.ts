// `memory` of a step held by the kernel: by that of this machine, or by User Mode Linux over the files of this machine.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StepAction } from '../../src/definitions/index.ts';
import { findGroupsFolder } from '../../src/orchestrator/step/groups-folder.ts';
import { type ExecutorWorld, openExecutorWorld, until } from '../support/executor-world.ts';
import { folderOfTest } from '../support/new-folder.ts';
import { skipBecause } from '../support/skips.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const KERNEL = '/usr/bin/linux.uml';
const base = findGroupsFolder();

const shell = (command: string): StepAction => ({ kind: 'shell', command });
/** Takes 300 MiB, with nothing in its environment that tells whose it is. */
const grow = (seconds: number) =>
  `env -i setsid python3 -c 'import time; held = bytearray(300 * 2**20); time.sleep(${seconds})'`;

describe.skipIf(base === undefined)('memory of a step, held by the kernel', () => {
  const groups = () => readdirSync(base ?? '').filter((name) => name.startsWith('headrace-'));
  let world: ExecutorWorld;
  beforeEach(() => void (world = openExecutorWorld({ cpus: 4 })));
  afterEach(async () => {
    await world.close();
    expect(groups()).toEqual([]);
  });

  it('ends all of a script that goes past it, and no other', async () => {
    const limits = { resources: { memory: '100Mi' } };
    const other = world.run(shell('echo $$; sleep 3; cat /proc/self/cgroup'), limits);
    await until(() => groups().length > 0, 'a group');
    const began = performance.now();
    const [end] = await world.run(shell(`${grow(60)} & wait; sleep 60`), limits);
    const reason = expect.stringContaining('used more memory than the 100 MiB that `resources.memory` allows');
    expect(end).toMatchObject({ kind: 'failed', cause: 'memory', isFinal: false, reason });
    expect(performance.now() - began).toBeLessThan(30_000);
    expect((await other)[0]).toMatchObject({ kind: 'succeeded' });
    await until(() => groups().length === 0, 'the end of the groups');
  });

  it('counts a page that is read from a file as none that is in the way', async () => {
    const file = join(world.directory, 'large');
    const write = `head -c 200M /dev/zero > ${file} && cat ${file} > /dev/null`;
    const [end] = await world.run(shell(write), { resources: { memory: '500Mi' } });
    expect(end).toMatchObject({ kind: 'succeeded' });
  });

  it('fails the one function that goes past it, and goes on with those that wait behind it', async () => {
    const action = await world.task(
      `module.exports = async (_, { index }) => {
        if (index !== 1) return index;
        globalThis.held = Buffer.alloc(600 * 2 ** 20, 1);
        await new Promise((done) => setTimeout(done, 60000));
      };`,
    );
    const items = { foreach: { kind: 'range' as const, start: 0, end: 4 }, resources: { memory: '300Mi' } };
    const ends = await world.run(action, items, 4);
    const well = { kind: 'succeeded' };
    expect(ends).toMatchObject([well, { kind: 'failed', cause: 'memory' }, well, well]);
  });

  it('a success leaves nothing behind, not even what has no mark', async () => {
    const [end] = await world.run(shell(`${grow(1000)} > /dev/null 2>&1 & sleep 1`), { resources: { memory: '1Gi' } });
    expect(end).toMatchObject({ kind: 'succeeded' });
    await until(() => groups().length === 0, 'the end of the group');
    expect(processesOf('held = bytearray')).toEqual([]);
  });

  it('a launcher that was killed leaves groups, which a sweep ends with what is in them', async () => {
    const slice = world.slice(await world.order(shell(`${grow(1000)} & wait`), { resources: { memory: '1Gi' } }));
    await world.executor.submit([slice]);
    await until(() => processesOf('held = bytearray').length > 0, 'the process');
    process.kill(world.executor.launcherPid ?? 0, 'SIGKILL');
    const [end] = await world.ends(slice);
    expect(end).toMatchObject({ kind: 'lost' });
    expect(groups()).toEqual([]);
    await until(() => processesOf('held = bytearray').length === 0, 'the end of the process');
  });
});

describe.skipIf(base === undefined || process.getuid?.() !== 0)('where groups may be made', () => {
  const unit = join(base ?? '', `unit-${process.pid}`);
  const started: ChildProcess[] = [];
  beforeEach(() => mkdirSync(unit));
  afterEach(async () => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
    const remove = () =>
      spawnSync('find', [unit, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']) && !existsSync(unit);
    await until(remove, 'the end of the unit');
  });

  /** What a process finds that is started in this group, as this user. */
  function found(group: string, user = 0): string {
    const node = `'${process.execPath}' --conditions=headrace-source test/support/print-groups-folder.ts`;
    const asUser = user === 0 ? '' : `setpriv --reuid ${user} --regid ${user} --clear-groups`;
    // Its parent is in the group as well, as a driver is.
    const command = `echo $$ > ${group}/cgroup.procs && ${asUser} ${node}; exit $?`;
    const { stdout, stderr } = spawnSync('/bin/sh', ['-c', command], { cwd: ROOT, encoding: 'utf8' });
    expect(stderr).toBe('');
    return stdout.trim();
  }

  it('in a unit that is its own: it moves aside, and the next one finds the same', () => {
    expect(found(unit)).toBe(unit);
    expect(existsSync(join(unit, 'headrace'))).toBe(true);
    expect(readFileSync(join(unit, 'cgroup.subtree_control'), 'utf8').trim()).toBe('memory');
    expect(found(join(unit, 'headrace'))).toBe(unit);
  });

  it('in none that holds processes of others', async () => {
    const other = spawn('/bin/sh', ['-c', `echo $$ > ${unit}/cgroup.procs; exec sleep 1000`], { detached: true });
    started.push(other);
    await until(() => readFileSync(join(unit, 'cgroup.procs'), 'utf8').includes(`${other.pid}`), 'the other');
    expect(found(unit)).toBe('');
    expect(readFileSync(join(unit, 'cgroup.procs'), 'utf8').trim()).toBe(`${other.pid}`);
  });

  it('in none whose memory is not its own to share out', () => {
    mkdirSync(join(unit, 'within'));
    expect(found(join(unit, 'within'))).toBe('');
  });

  it('by another user only where the unit was handed over', () => {
    expect(found(unit, 65534)).toBe('');
    const files = ['.', 'cgroup.procs', 'cgroup.subtree_control'].map((name) => join(unit, name));
    spawnSync('chown', ['65534:65534', ...files]);
    expect(found(unit, 65534)).toBe(unit);
  });
});

/** A sentence where there is no such kernel here either. */
const why =
  base !== undefined || existsSync(KERNEL)
    ? undefined
    : 'memory of a step held by the kernel: no control group of version 2 with memory may be made here (on Debian, `apt-get install user-mode-linux` brings a kernel to run it on)';
if (why !== undefined) skipBecause(why);

it.skipIf(base !== undefined || why !== undefined)(
  'passes on a kernel of its own',
  async () => {
    const folder = folderOfTest();
    const init = join(folder, 'init.sh');
    const report = join(folder, 'report.txt');
    const lines = [
      '#!/bin/sh',
      'mount -t proc proc /proc',
      'mount -t sysfs sys /sys',
      'mount -t cgroup2 cgroup /sys/fs/cgroup',
      'mount -t tmpfs tmpfs /run',
      'ip link set lo up 2> /dev/null',
      `export PATH='${process.env['PATH']}' HOME=/run TMPDIR=/run NO_COLOR=1 HEADRACE_TEST_TIER=heavy`,
      `cd '${ROOT}'`,
      `'${process.execPath}' node_modules/vitest/vitest.mjs run test/heavy/memory-groups.test.ts > '${report}' 2>&1`,
      `echo "ended with $?" >> '${report}'`,
      'sync',
      'echo o > /proc/sysrq-trigger',
      'sleep 10',
    ];
    writeFileSync(init, `${lines.join('\n')}\n`, { mode: 0o755 });
    const options = ['mem=4G', 'rootfstype=hostfs', 'rw', `init=${init}`, 'con=null', 'quiet'];
    const machine = spawn(KERNEL, options, { stdio: 'ignore', detached: true });
    const timer = setTimeout(() => process.kill(-(machine.pid ?? 0), 'SIGKILL'), 600_000);
    await new Promise((resolve) => machine.once('exit', resolve));
    clearTimeout(timer);
    const said = existsSync(report) ? readFileSync(report, 'utf8') : 'it did not start';
    expect(said).toMatch(/ended with 0\n$/);
    expect(said).toMatch(/Tests {2}9 passed/);
  },
  700_000,
);

function processesOf(text: string): number[] {
  const { stdout } = spawnSync('pgrep', ['-f', `^python3 .*${text}`], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}
