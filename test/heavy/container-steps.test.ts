// Steps in containers, by a real podman: an image made here of one static program, no registry.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { StepAction } from '../../src/definitions/index.ts';
import { type ExecutorWorld, until } from '../support/executor-world.ts';
import { ownWorld } from '../support/opened.ts';
import { lackOf, makeImage, PODMAN_IMAGE, preparePodman } from '../support/podman-image.ts';
import { skipBecause } from '../support/skips.ts';

const directory = mkdtempSync(join(tmpdir(), 'headrace-containers-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let variables: Record<string, string> = {};
let why = lackOf(['podman', 'runc', 'catatonit', 'busybox'], 'podman runc catatonit busybox-static');
if (why === undefined) {
  // Of the two that steps are run by, podman alone. None of `sh` and the like come from its folder, where docker may be.
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  const podman = execFileSync('sh', ['-c', 'command -v podman'], { encoding: 'utf8' }).trim();
  symlinkSync(podman, join(bin, 'podman'));
  variables = { PATH: `${bin}:/usr/sbin:/sbin:/bin`, ...preparePodman(directory) };
  why = makeImage(directory, { env: variables });
}
if (why !== undefined) skipBecause(`steps in containers: ${why}`);

const world = (more = {}): ExecutorWorld => ownWorld({ variables: { ...variables, ...more } });
const containers = (): string =>
  execFileSync('podman', ['ps', '--all', '--quiet'], { env: variables, encoding: 'utf8' });
const sh = (command: string): StepAction => ({
  kind: 'container',
  image: PODMAN_IMAGE,
  command: ['/bin/sh', '-c', command],
});

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
    const failed = { kind: 'failed', reason: 'exit code 3: no rows', isFinal: false };
    expect(await made.run(sh('echo "no rows" >&2; exit 3'))).toMatchObject([failed]);
    expect(await made.run(sh('exit 78'))).toMatchObject([{ kind: 'failed', isFinal: true }]);
    const absent = await made.run({ kind: 'container', image: 'localhost/nowhere:1', command: ['true'] });
    const reason = expect.stringMatching(/podman could not start the container/);
    expect(absent).toMatchObject([{ kind: 'failed', reason }]);
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
    const made = world({ SHOP_KEY: 'hunter2-secret' });
    const order = { secrets: { KEY: { env: 'SHOP_KEY' } } };
    const [end] = await made.run(sh('test "$KEY" = hunter2-secret && echo "$KEY"'), order);
    expect(end).toMatchObject({ kind: 'succeeded' });
    expect(made.log()).toBe('***\n');
  });
});
