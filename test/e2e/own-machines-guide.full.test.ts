// The guide on one's own machines, typed from top to bottom, with a worker that has the registry and the artifacts alone.
// twin: test/integration/fleet.test.ts > each task runs once and is told once

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newestRun, runGuide } from '../support/run-guide.ts';
import { createServingProject, headrace, MAIN, type Project } from '../support/serving-project.ts';

const PAGE = join(import.meta.dirname, '../../docs/guides/own-machines.md');

let project: Project;
beforeAll(() => {
  project = createServingProject();
}, 60_000);
afterAll(() => project.remove());

it('runs its pipeline on a worker', async () => {
  // A folder of its own: nothing of the project is there.
  const elsewhere = mkdtempSync(join(tmpdir(), 'headrace-worker-'));
  const places = {
    HEADRACE_REGISTRY_URL: `sqlite:${project.file('.headrace/registry.db')}`,
    HEADRACE_ARTIFACTS_URL: `file:${project.file('.headrace/artifacts')}`,
  };
  expect(headrace(project, ['apply']).code).toBe(0);
  const worker = spawn(process.execPath, [MAIN, 'worker', '--slots', '2'], {
    cwd: elsewhere,
    env: { ...process.env, ...places },
  });
  let said = '';
  worker.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  worker.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    await expect.poll(() => said, { timeout: 30_000 }).toContain('Serving the fleet');
    runGuide(PAGE, project, places);
    expect(newestRun(project, places)).toMatchObject({
      state: 'succeeded',
      steps: [
        { name: 'each', counts: { succeeded: 20 } },
        { name: 'sum', result: 2470 },
      ],
    });
    worker.kill('SIGTERM');
    const [code] = (await once(worker, 'exit')) as [number | null];
    expect(code, said).toBe(0);
  } finally {
    worker.kill('SIGKILL');
    rmSync(elsewhere, { recursive: true, force: true });
  }
}, 120_000);
