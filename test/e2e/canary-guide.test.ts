// The guide on canaries, typed from top to bottom beside a server that runs.

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

const GUIDE = join(import.meta.dirname, '../../docs/guides/canary.md');

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
  expect(shown.length).toBe(2);
  for (const { command, shown: expected, printed } of shown) expect(printed, command).toBe(expected);
  const { rollouts } = headraceJson(project, ['rollout', 'list']) as {
    rollouts: { state: string; candidate: number }[];
  };
  expect(rollouts).toMatchObject([
    { state: 'aborted', candidate: 1 },
    { state: 'promoted', candidate: 2 },
  ]);
}, 120_000);
