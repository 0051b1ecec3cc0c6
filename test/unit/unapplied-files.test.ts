// What is told of scripts that were changed since they were applied.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { describeUnapplied } from '../../src/app/index.ts';
import { sha256Hex } from '../../src/core/index.ts';
import { flightsManifest } from '../support/manifests.ts';

const directory = mkdtempSync(join(tmpdir(), 'headrace-unapplied-'));
afterAll(() => rmSync(directory, { recursive: true }));

it('names files of the pipeline’s steps that are other than what was applied, and none that is not here', () => {
  const files = ['a.py', 'b.py', 'gone.py'].map((path) => ({ path, hash: sha256Hex(path) }));
  const step = { name: 's', needs: {}, retry: 1, timeoutMicros: null, resources: {} } as const;
  const action = { kind: 'python', script: 'a.py', args: {}, files } as const;
  const manifest = { ...flightsManifest, pipelines: { p: { name: 'p', params: [], steps: [{ ...step, action }] } } };
  const told = (pipeline = 'p') => describeUnapplied({ manifest, directory }, pipeline);
  for (const path of ['a.py', 'b.py']) writeFileSync(join(directory, path), path);
  expect(told()).toBeUndefined();
  expect(told('other')).toBeUndefined();
  writeFileSync(join(directory, 'b.py'), 'print(1)');
  expect(told()).toBe('b.py changed since `headrace apply`: this run goes by what was applied.');
  writeFileSync(join(directory, 'a.py'), 'print(1)');
  expect(told()).toBe('a.py and 1 other file changed since `headrace apply`: this run goes by what was applied.');
});
