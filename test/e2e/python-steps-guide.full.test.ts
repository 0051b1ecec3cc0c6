// The guide on Python steps, typed from top to bottom, and its script at the desk.
// twin: test/integration/python-step-module.test.ts > in a run gives what the step is given, and keeps result, metrics, files and cards

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newestRun, runGuide } from '../support/run-guide.ts';
import { createServingProject, headrace, type Project } from '../support/serving-project.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = join(ROOT, 'docs/guides/python-steps.md');

let project: Project;
beforeAll(() => {
  project = createServingProject();
  runGuide(PAGE, project);
}, 120_000);
afterAll(() => project.remove());

it('fits what it says, with metrics, files and cards', () => {
  const run = newestRun(project, {}) as { id: string; state: string; steps: { name: string; result: unknown }[] };
  const { id } = run;
  expect(run.state).toBe('succeeded');
  const resultOf = (name: string) => run.steps.find((step) => step.name === name)?.result;
  expect(resultOf('best')).toBe(1);
  expect(resultOf('fit')).toMatchObject([
    { power: 1, metrics: { error: expect.any(Number) }, files: { 'model.txt': {}, 'fit.md': {} } },
    { power: 2 },
    { power: 3 },
  ]);
  expect(headrace(project, ['runs', 'logs', id, '--step', 'fit']).stdout).toContain('power 3: off by');
  expect(headrace(project, ['runs', 'show', id, '--cards', 'cards']).code).toBe(0);
  expect(existsSync(project.file('cards'))).toBe(true);
});

it('runs at the desk', () => {
  const printed = execFileSync('python3', [project.file('feature_repo/desk.py')], {
    cwd: project.directory,
    env: { ...process.env, PYTHONPATH: join(ROOT, 'python') },
    encoding: 'utf8',
  });
  expect(printed).toBe('7 2\n');
});
