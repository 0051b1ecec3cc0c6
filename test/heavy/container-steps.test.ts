// Steps in containers, by a real podman: an image made here of one static program, no registry.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { StepAction } from '../../src/definitions/index.ts';
import { type ExecutorWorld, openExecutorWorld, until } from '../support/executor-world.ts';
import { podmanImageRoot } from '../support/podman-image.ts';
import { skipBecause } from '../support/skips.ts';

const IMAGE = 'localhost/headrace-test:1';
const NEEDED = ['podman', 'runc', 'catatonit', 'busybox'];

const directory = mkdtempSync(join(tmpdir(), 'headrace-containers-'));

/** As this machine lets containers run: some lack a user's session, a second version of groups, or layered folders. */
function variablesOf(): Record<string, string> {
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  // Of the two that steps are run by, podman alone.
  const podman = execFileSync('sh', ['-c', 'command -v podman'], { encoding: 'utf8' }).trim();
  symlinkSync(podman, join(bin, 'podman'));
  const configuration = join(directory, 'containers.conf');
  writeFileSync(
    configuration,
    '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n',
  );
  const storage = join(directory, 'storage.conf');
  writeFileSync(
    storage,
    `[storage]\ndriver = "vfs"\ngraphroot = "${join(directory, 'images')}"\nrunroot = "${join(directory, 'run')}"\n`,
  );
  // None of `sh` and the like come from the folder of podman, where docker may be.
  return {
    PATH: `${bin}:/usr/sbin:/sbin:/bin`,
    HOME: directory,
    CONTAINERS_CONF: configuration,
    CONTAINERS_STORAGE_CONF: storage,
  };
}

function makeImage(variables: Record<string, string>): string | undefined {
  const root = join(directory, 'root');
  podmanImageRoot(root);
  execFileSync('tar', ['-cf', join(directory, 'root.tar'), '-C', root, '.']);
  for (const words of [
    ['import', join(directory, 'root.tar'), IMAGE],
    ['run', '--rm', '--init', IMAGE, '/bin/sh', '-c', 'exit 0'],
  ]) {
    const run = spawnSync('podman', words, { env: { ...variables }, encoding: 'utf8' });
    if (run.status !== 0) return `podman ${words[0]}: ${run.stderr.trim()}`;
  }
  return undefined;
}

const missing = NEEDED.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
let variables: Record<string, string> = {};
let why: string | undefined =
  missing.length === 0
    ? undefined
    : `there is no ${missing.join(', no ')}: apt-get install podman runc catatonit busybox-static`;
if (why === undefined) {
  variables = variablesOf();
  why = makeImage(variables);
}
if (why !== undefined) skipBecause(`steps in containers: ${why}`);

const worlds: ExecutorWorld[] = [];
const world = (): ExecutorWorld => {
  const made = openExecutorWorld({ variables });
  worlds.push(made);
  return made;
};
const containers = (): string =>
  execFileSync('podman', ['ps', '--all', '--quiet'], { env: variables, encoding: 'utf8' });
const sh = (command: string): StepAction => ({ kind: 'container', image: IMAGE, command: ['/bin/sh', '-c', command] });

afterEach(async () => {
  for (const one of worlds.splice(0)) await one.close();
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.skipIf(why !== undefined)('a container step', () => {
  it('reads its input, and gives its result and files', async () => {
    const made = world();
    const command =
      'cat $HEADRACE_STEP_INPUT > $HEADRACE_STEP_OUTPUT/input.txt; echo "{\\"mode\\": \\"$MODE\\", \\"home\\": \\"$CONTAINERS_CONF\\"}" > $HEADRACE_STEP_OUTPUT/result.json; echo said';
    const [end] = await made.run(sh(command), { env: { MODE: 'quiet' }, params: { seed: 7 } });
    expect(await made.value(end)).toMatchObject({ mode: 'quiet', home: '', files: { 'input.txt': {} } });
    expect(made.log()).toContain('said');
    await until(() => containers() === '');
  });

  it('fails with its exit code, and the last line that it left', async () => {
    const made = world();
    expect((await made.run(sh('echo "no rows" >&2; exit 3')))[0]).toMatchObject({
      kind: 'failed',
      reason: 'exit code 3: no rows',
      isFinal: false,
    });
    expect((await made.run(sh('exit 78')))[0]).toMatchObject({ kind: 'failed', isFinal: true });
    const [absent] = await made.run({ kind: 'container', image: 'localhost/nowhere:1', command: ['true'] });
    expect(absent).toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(/podman could not start the container/),
    });
  });

  it('ends at its timeout, and at a cancel, with no container left', async () => {
    const made = world();
    const [late] = await made.run(sh('sleep 600'), { timeoutMs: 3000 });
    expect(late).toMatchObject({ kind: 'failed', cause: 'timeout' });
    expect(containers()).toBe('');
    const slice = made.slice(await made.order(sh('sleep 600')));
    const handles = await made.executor.submit([slice]);
    await until(() => containers() !== '');
    await made.executor.cancel(handles);
    expect(containers()).toBe('');
  });

  it('keeps a secret out of the list of processes, and in the container', async () => {
    const made = openExecutorWorld({ variables: { ...variables, SHOP_KEY: 'hunter2-secret' } });
    worlds.push(made);
    const order = { secrets: { KEY: { env: 'SHOP_KEY' } } };
    const [end] = await made.run(sh('test "$KEY" = hunter2-secret && echo "$KEY"'), order);
    expect(end).toMatchObject({ kind: 'succeeded' });
    expect(made.log()).toBe('***\n');
  });
});
