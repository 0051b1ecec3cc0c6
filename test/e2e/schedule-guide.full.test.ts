// The guide on schedules, typed from top to bottom beside the scheduler that it starts.
// twin: test/contract/shown-schedules.test.ts > its coming times, over the night that clocks change, before and after a scheduler has seen it

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runGuide } from '../support/run-guide.ts';
import { killed, type Scheduler, startScheduler, untilSo } from '../support/scheduler-process.ts';
import { createServingProject, headrace, type Project } from '../support/serving-project.ts';

const PAGE = join(import.meta.dirname, '../../docs/guides/schedule-pipelines.md');
const TEXT = readFileSync(PAGE, 'utf8');

let project: Project;
let scheduler: Scheduler;
beforeAll(async () => {
  project = createServingProject();
  expect(/^```bash\n(.+)$/m.exec(TEXT)?.[1]).toBe('headrace scheduler');
  scheduler = startScheduler(project);
  await untilSo('the scheduler', () => scheduler.log().includes('Scheduling, 4 runs at once at most'), [scheduler]);
}, 60_000);
afterAll(async () => {
  await killed(scheduler.process);
  project.remove();
});

it('shows what its commands print', () => {
  const shown = runGuide(PAGE, project);
  expect(shown).toHaveLength(7);
  for (const { command, shown: expected, printed } of shown) expect(printed, command).toBe(expected);
}, 240_000);

it('shows the table as it is, but for its times', () => {
  const lines = /```text\n(NAME[\s\S]*?)```/.exec(TEXT)?.[1]?.trimEnd().split('\n') ?? [];
  const cellsOf = (line: string): string[] => line.split(/ {2,}/);
  const printed = headrace(project, ['schedules']).stdout.trimEnd().split('\n');
  expect(cellsOf(printed[0] ?? '')).toEqual(cellsOf(lines[0] ?? ''));
  const [shown, is] = [lines, printed].map((all) => cellsOf(all.find((line) => line.startsWith('daily_sales')) ?? ''));
  expect(is?.slice(0, 2)).toEqual(shown?.slice(0, 2));
  // Of the night's two times of the year that are an hour apart.
  expect(is?.at(-1)?.replace(/^\d+-\d+-\d+|\+.*$/g, '')).toBe(shown?.at(-1)?.replace(/^\d+-\d+-\d+|\+.*$/g, ''));
  expect(printed.at(-1)).toMatch(/^1 scheduler: \S+\/\d+$/);
  expect(lines.at(-1)).toMatch(/^1 scheduler: \S+\/\d+$/);
}, 60_000);

it('stops the scheduler', async () => {
  scheduler.process.kill('SIGTERM');
  const [code] = (await once(scheduler.process, 'exit')) as [number | null];
  expect(code, scheduler.log()).toBe(0);
  expect(headrace(project, ['schedules']).stdout).toContain('No scheduler looks');
}, 60_000);
