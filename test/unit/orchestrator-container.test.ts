// The command that starts a container, and what is told where there is none to start it by.

import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { containerCommand } from '../../src/orchestrator/step/run-container.ts';

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'headrace-container-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const command = () =>
  containerCommand(
    { driver: 'd', variables: { PATH: `/nowhere:${folder}` } } as never, // all that it reads of a host
    { kind: 'container', image: 'alpine', command: ['true'] },
    { code: folder, inputFile: join(folder, 'input.json'), output: join(folder, 'output') },
    {
      environment: {},
      own: [],
      files: join(folder, 'files'),
      cpu: undefined,
      memoryBytes: null,
      mark: 'd:s:0:1',
    },
  );

it('says what is missing where there is neither docker nor podman', async () => {
  const reason = expect.stringMatching(/^the image alpine needs docker or podman on the PATH/);
  expect(await command()).toMatchObject({ kind: 'failed', isFinal: true, reason });
});

it('takes an exit code of 125, and no other, for a container that docker could not start', async () => {
  // A daemon that is away answers nothing.
  symlinkSync('/bin/false', join(folder, 'docker'));
  const made = await command();
  if (!('command' in made)) throw new Error(made.reason);
  expect(made.command).toBe(join(folder, 'docker'));
  expect(made.explain?.(125)).toMatch(/^docker could not start the container .* is its daemon running/);
  expect(made.explain?.(1)).toBeUndefined();
});
