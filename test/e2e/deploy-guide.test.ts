// The guide on deploying a model, typed from top to bottom beside a server that runs.

import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runGuide } from '../support/run-guide.ts';
import { createServingProject, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/deploy-a-model.md');

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

it('shows what its commands print', () => {
  const shown = runGuide(GUIDE, project, { HEADRACE_URL: server.url });
  expect(shown.length).toBe(7);
  for (const { command, shown: expected, printed } of shown) expect(printed, command).toBe(expected);
}, 120_000);
