// The guide on schedules, typed from top to bottom, and the scheduler that it starts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runGuide } from '../support/run-guide.ts';
import { createServingProject, MAIN, type Project } from '../support/serving-project.ts';

const PAGE = join(import.meta.dirname, '../../docs/guides/schedule-pipelines.md');

let project: Project;
beforeAll(() => {
  project = createServingProject();
}, 60_000);
afterAll(() => project.remove());

it('shows what its commands print, and starts a scheduler', async () => {
  const shown = runGuide(PAGE, project);
  expect(shown).toHaveLength(2);
  for (const { command, shown: expected, printed } of shown) expect(printed, command).toBe(expected);
  const words = /^```bash\nheadrace (.+)$/m.exec(readFileSync(PAGE, 'utf8'))?.[1] ?? '';
  const scheduler = spawn(process.execPath, [MAIN, ...words.split(' ')], { cwd: project.directory });
  let log = '';
  scheduler.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  try {
    await expect.poll(() => log, { timeout: 30_000 }).toContain('Scheduling, 4 runs at once at most');
    scheduler.kill('SIGTERM');
    const [code] = (await once(scheduler, 'exit')) as [number | null];
    expect(code, log).toBe(0);
  } finally {
    scheduler.kill('SIGKILL');
  }
}, 120_000);
