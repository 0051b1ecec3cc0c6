// The guide on experiments, typed from top to bottom beside a server that runs.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runGuide } from '../support/run-guide.ts';
import {
  createServingProject,
  headraceJson,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/experiments.md');

let project: Project;
let server: ServerProcess;
beforeAll(async () => {
  project = createServingProject();
  server = await startServe(project);
}, 120_000);
afterAll(async () => {
  await server.stop();
  project.remove();
});

it('shows what its commands print, and leaves a page and two reports', () => {
  const shown = runGuide(GUIDE, project, { HEADRACE_URL: server.url });
  expect(shown.length).toBe(1);
  for (const { command, shown: expected, printed } of shown) expect(printed, command).toBe(expected);
  expect(readFileSync(project.file('trial.html'), 'utf8')).toContain('<h1>trial</h1>');
  const found = headraceJson(project, ['experiments', 'show', 'trial']);
  expect(found).toMatchObject({
    state: 'ended',
    phases: [{ phase: 1 }, { phase: 2, end_reason: 'decided for version 2' }],
    reports: [{ phase: '1' }],
  });
  const report = headraceJson(project, ['experiments', 'report', 'trial', '--phase', '1']);
  // Who was asked about, each in some arm.
  expect(report).toMatchObject({
    srm: { is_mismatch: false },
    metrics: [{ name: 'spent' }, { name: 'p90' }, { name: 'returned' }],
  });
}, 120_000);
