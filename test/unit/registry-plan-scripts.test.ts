// What a plan tells of the files that travel with Python steps.

import { expect, it } from 'vitest';
import type { Manifest } from '../../src/definitions/index.ts';
import { flightsManifest } from '../support/manifests.ts';
import { lines } from '../support/plans.ts';

const withFiles = (given: Readonly<Record<string, string>>): Manifest => {
  const files = Object.entries(given).map(([path, digit]) => ({ path, hash: digit.repeat(64) }));
  const action = { kind: 'python', script: 'fit/train.py', requirements: 'requirements.txt', args: {}, files } as const;
  const fit = { name: 'fit', action, needs: {}, retry: 0, timeoutMicros: null, resources: {} };
  return { ...flightsManifest, pipelines: { train: { name: 'train', params: [], steps: [fit] } } };
};
const linesOf = (before: Manifest, after: Manifest): string[] =>
  lines(before, after).filter((line) => !/^(add|change) /.test(line));

it('a plan tells of a pipeline that comes which text files travel with its steps', () => {
  const files = { 'fit/account.json': 'a', 'fit/rows.sql': 'b', 'fit/train.py': 'c', 'requirements.txt': 'd' };
  expect(linesOf(flightsManifest, withFiles(files))).toEqual([
    'about: step "fit" takes along fit/account.json, fit/rows.sql',
  ]);
  expect(linesOf(flightsManifest, withFiles({ 'fit/train.py': 'c' }))).toEqual([]);
});

it('a plan tells which files of a step come, go and change', () => {
  const before = withFiles({ 'fit/params.json': 'a', 'fit/train.py': 'b' });
  const after = withFiles({ 'fit/account.json': 'd', 'fit/train.py': 'c' });
  expect(linesOf(before, after)).toEqual([
    'meaning: steps.fit.action.files.fit/params.json: - code aaaaaaaa',
    'code: steps.fit.action.files.fit/train.py: code bbbbbbbb → code cccccccc',
    'meaning: steps.fit.action.files.fit/account.json: + code dddddddd',
  ]);
});
