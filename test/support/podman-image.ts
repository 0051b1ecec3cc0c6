// Podman as this machine lets it run, and an image made here of one static program under several names: no registry.

import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PROGRAMS = ['sh', 'cat', 'echo', 'sleep', 'env', 'head', 'id'];

export const PODMAN_IMAGE = 'localhost/headrace-test:1';

/** Those of the programs that are not there, as a sentence says it; undefined where all are. */
export function lackOf(programs: readonly string[], packages: string): string | undefined {
  const missing = programs.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  return missing.length === 0 ? undefined : `there is no ${missing.join(', no ')}: apt-get install ${packages}`;
}

/**
 * Writes podman's configuration and an image's files into the folder, which is as HOME to it. Some machines lack a user's session, a
 * second version of groups, or layered folders. `more`: lines of the part `containers`.
 */
export function preparePodman(home: string, more = ''): Record<string, string> {
  const [containers, storage, root] = ['containers.conf', 'storage.conf', 'root'].map((name) => join(home, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(
    containers,
    `[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n${more}[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n`,
  );
  const roots = `graphroot = "${join(home, 'images')}"\nrunroot = "${join(home, 'layers')}"\n`;
  writeFileSync(storage, `[storage]\ndriver = "vfs"\n${roots}`);
  for (const folder of ['bin', 'tmp', 'etc']) mkdirSync(join(root, folder), { recursive: true });
  const busybox = execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim();
  copyFileSync(busybox, join(root, 'bin/busybox'));
  for (const name of PROGRAMS) symlinkSync('busybox', join(root, 'bin', name));
  execFileSync('tar', ['-cf', `${root}.tar`, '-C', root, '.']);
  return { HOME: home, CONTAINERS_CONF: containers, CONTAINERS_STORAGE_CONF: storage };
}

/** Makes the image of what was prepared, and tries it; a sentence where podman can not. */
export function makeImage(home: string, options: Parameters<typeof spawnSync>[2]): string | undefined {
  for (const words of [
    ['import', join(home, 'root.tar'), PODMAN_IMAGE],
    ['run', '--rm', '--init', PODMAN_IMAGE, '/bin/sh', '-c', 'exit 0'],
  ]) {
    const run = spawnSync('podman', words, options);
    if (run.status !== 0) return `podman ${words[0]}: ${String(run.stderr).trim()}`;
  }
  return undefined;
}
