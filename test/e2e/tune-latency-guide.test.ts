// The guide on latency, typed from top to bottom beside a server that runs.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { scenarios } from '../../load-tests/scenarios.ts';
import { runGuide } from '../support/run-guide.ts';
import { createServingProject, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/tune-latency.md');

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
  expect(shown.length).toBeGreaterThanOrEqual(3);
  for (const { command, shown: expected, printed } of shown) expect(printed, command).toBe(expected);
  expect(JSON.parse(readFileSync(project.file('answer.json'), 'utf8'))).toMatchObject({ endpoint: 'checkout' });
}, 120_000);

it('shows load tests that there are, with options that they take', () => {
  const program = readFileSync(join(import.meta.dirname, '../../load-tests/run.ts'), 'utf8');
  const lines = [...readFileSync(GUIDE, 'utf8').matchAll(/^npm run load -- (.+)$/gm)].map(([, line = '']) =>
    line.split(' '),
  );
  expect(lines.length).toBeGreaterThan(2);
  for (const words of lines) {
    const [name = ''] = words;
    if (!name.startsWith('--')) expect(scenarios.map((scenario) => scenario.name)).toContain(name);
    for (const option of words.filter((word) => word.startsWith('--'))) expect(program).toContain(`  ${option}`);
  }
});
