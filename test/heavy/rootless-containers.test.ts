// Steps in containers by podman without root, as a user that is made for it: containers see that user's id, and so do the files.

import { execFileSync, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lackOf, makeImage, PODMAN_IMAGE, preparePodman } from '../support/podman-image.ts';
import type { ContainerStepsOrder } from '../support/container-steps.ts';
import { until } from '../support/executor-world.ts';
import { skipBecause } from '../support/skips.ts';

const USER = 'headrace-podman';
const HOME = `/home/${USER}`;
const PROGRAM = join(import.meta.dirname, '..', 'support', 'container-steps.ts');

let user: { readonly uid: number; readonly gid: number } | undefined;

const env: Record<string, string> = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', XDG_RUNTIME_DIR: join(HOME, 'run') };
const podman = (...args: string[]) =>
  spawnSync('podman', args, { ...user, cwd: HOME, env, encoding: 'utf8', timeout: 120_000 });

/** Gives why not. */
function makeUser(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can make a user for it';
  const needed = ['podman', 'runc', 'catatonit', 'busybox', 'newuidmap', 'useradd'];
  const lack = lackOf(needed, 'podman runc catatonit busybox-static uidmap');
  if (lack !== undefined) return lack;
  const made = spawnSync('useradd', ['--create-home', '--home-dir', HOME, USER], { encoding: 'utf8' });
  if (made.status !== 0) return `useradd: ${made.stderr.trim()}`;
  const id = (flag: string): number => Number(execFileSync('id', [flag, USER], { encoding: 'utf8' }));
  const own = { uid: id('-u'), gid: id('-g') };
  user = own;
  if (spawnSync('ls', [PROGRAM, process.execPath], own).status !== 0)
    return 'this folder is not for other users to read';
  mkdirSync(join(HOME, 'run'), { mode: 0o700 });
  // No network of its own: that needs a device which some machines keep for root.
  Object.assign(env, preparePodman(HOME, 'netns = "none"\n'));
  for (const name of ['run', 'containers.conf', 'storage.conf', 'root.tar'])
    chownSync(join(HOME, name), own.uid, own.gid);
  return makeImage(HOME, { ...own, cwd: HOME, env, timeout: 120_000 });
}

const why = makeUser();
if (why !== undefined) skipBecause(`steps in containers without root: ${why}`);

afterAll(async () => {
  if (user === undefined) return;
  const { uid } = user;
  // Its images have files of ids that are its own in a namespace alone, which a process of podman's holds.
  podman('unshare', 'rm', '-rf', join(HOME, 'images'), join(HOME, 'layers'));
  for (const pid of processesOf(uid)) process.kill(pid, 'SIGKILL');
  await until(() => processesOf(uid).length === 0, 'the end of its processes');
  expect(spawnSync('userdel', ['--remove', USER], { encoding: 'utf8' })).toMatchObject({ status: 0 });
});

function processesOf(uid: number): number[] {
  return readdirSync('/proc').flatMap((name) => {
    const owner = /^\d+$/.test(name) ? statSync(`/proc/${name}`, { throwIfNoEntry: false })?.uid : undefined;
    return owner === uid ? [Number(name)] : [];
  });
}

describe.skipIf(why !== undefined)('a container step without root', () => {
  it('reads and writes as the user that runs it, and ends with a cancel', async () => {
    const directory = join(HOME, 'work');
    const order: ContainerStepsOrder = {
      directory,
      image: PODMAN_IMAGE,
      commands: [
        'id > $HEADRACE_STEP_OUTPUT/id.txt; head -c 9 $HEADRACE_STEP_INPUT; echo "\\"$(id -u)\\"" > $HEADRACE_STEP_OUTPUT/uid.json; echo "{\\"uid\\": $(id -u)}" > $HEADRACE_STEP_OUTPUT/result.json',
        'echo "no rows" >&2; exit 3',
      ],
      lasting: 'sleep 600',
    };
    const child = fork(PROGRAM, [JSON.stringify(order)], {
      ...user,
      cwd: HOME,
      env,
      execArgv: ['--conditions=headrace-source'],
    });
    const told = once(child, 'message');
    const gone = once(child, 'exit');
    const [first] = await Promise.race([told, gone]);
    expect(first).toEqual({ kind: 'lasts' });
    const containers = (): string => podman('ps', '--all', '--quiet').stdout;
    await until(() => containers() !== '', 'its container');
    child.send('cancel');
    const [{ ends, owners }] = await once(child, 'message');
    expect(ends).toMatchObject([
      { end: { kind: 'succeeded' }, value: { uid: user?.uid, files: { 'id.txt': {} } }, log: '{"index":' },
      { end: { kind: 'failed', reason: 'exit code 3: no rows' } },
    ]);
    expect(owners).toEqual([user?.uid]);
    expect(containers()).toBe('');
    await gone;
  });
});
