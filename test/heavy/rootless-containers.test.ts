// Steps in containers by podman without root, as a user that is made for it: containers see that user's id, and so do the files.

import { execFileSync, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { podmanImageRoot } from '../support/podman-image.ts';
import type { ContainerStepsOrder } from '../support/container-steps.ts';
import { until } from '../support/executor-world.ts';
import { skipBecause } from '../support/skips.ts';

const USER = 'headrace-podman';
const HOME = `/home/${USER}`;
const IMAGE = 'localhost/headrace-test:1';
const PROGRAM = join(import.meta.dirname, '..', 'support', 'container-steps.ts');
const NEEDED = ['podman', 'runc', 'catatonit', 'busybox', 'newuidmap', 'useradd'];

let user: { readonly uid: number; readonly gid: number } | undefined;

const env = {
  PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
  HOME,
  XDG_RUNTIME_DIR: join(HOME, 'run'),
  CONTAINERS_CONF: join(HOME, 'containers.conf'),
  CONTAINERS_STORAGE_CONF: join(HOME, 'storage.conf'),
};
const podman = (...args: string[]) =>
  spawnSync('podman', args, { ...user, cwd: HOME, env, encoding: 'utf8', timeout: 120_000 });

/** Gives why not. */
function makeUser(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can make a user for it';
  const missing = NEEDED.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  if (missing.length > 0)
    return `there is no ${missing.join(', no ')}: apt-get install podman runc catatonit busybox-static uidmap`;
  const made = spawnSync('useradd', ['--create-home', '--home-dir', HOME, USER], { encoding: 'utf8' });
  if (made.status !== 0) return `useradd: ${made.stderr.trim()}`;
  const id = (flag: string): number => Number(execFileSync('id', [flag, USER], { encoding: 'utf8' }));
  const own = { uid: id('-u'), gid: id('-g') };
  user = own;
  if (spawnSync('ls', [PROGRAM, process.execPath], own).status !== 0)
    return 'this folder is not for other users to read';
  mkdirSync(env.XDG_RUNTIME_DIR, { mode: 0o700 });
  // No network of its own: that needs a device which some machines keep for root.
  writeFileSync(
    env.CONTAINERS_CONF,
    '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\nnetns = "none"\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n',
  );
  writeFileSync(
    env.CONTAINERS_STORAGE_CONF,
    `[storage]\ndriver = "vfs"\ngraphroot = "${join(HOME, 'images')}"\nrunroot = "${join(HOME, 'layers')}"\n`,
  );
  podmanImageRoot(join(HOME, 'root'));
  execFileSync('tar', ['-cf', join(HOME, 'root.tar'), '-C', join(HOME, 'root'), '.']);
  for (const path of [env.XDG_RUNTIME_DIR, env.CONTAINERS_CONF, env.CONTAINERS_STORAGE_CONF, join(HOME, 'root.tar')])
    chownSync(path, own.uid, own.gid);
  for (const words of [
    ['import', join(HOME, 'root.tar'), IMAGE],
    ['run', '--rm', '--init', IMAGE, '/bin/sh', '-c', 'exit 0'],
  ]) {
    const run = podman(...words);
    if (run.status !== 0) return `podman ${words[0]} as a user: ${run.stderr.trim()}`;
  }
  return undefined;
}

const why = makeUser();
if (why !== undefined) skipBecause(`steps in containers without root: ${why}`);

afterAll(() => {
  if (user === undefined) return;
  // Its images have files of ids that are its own in a namespace alone.
  podman('unshare', 'rm', '-rf', join(HOME, 'images'), join(HOME, 'layers'));
  spawnSync('userdel', ['--remove', USER]);
});

describe.skipIf(why !== undefined)('a container step without root', () => {
  it('reads and writes as the user that runs it, and ends with a cancel', async () => {
    const directory = join(HOME, 'work');
    const order: ContainerStepsOrder = {
      directory,
      image: IMAGE,
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
    expect(await Promise.race([told, once(child, 'exit').then(([code]) => code)])).toMatchObject([{ kind: 'lasts' }]);
    const containers = (): string => podman('ps', '--all', '--quiet').stdout;
    await until(() => containers() !== '', 'its container');
    child.send('cancel');
    const [{ ends, owners }] = await once(child, 'message');
    expect(ends).toMatchObject([
      { end: { kind: 'succeeded' }, value: { uid: user?.uid, files: { 'id.txt': {} } }, log: '{"run":"r' },
      { end: { kind: 'failed', reason: 'exit code 3: no rows' } },
    ]);
    expect(owners).toEqual([user?.uid]);
    expect(containers()).toBe('');
    await once(child, 'exit');
  });
});
