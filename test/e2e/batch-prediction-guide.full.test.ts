// The guide on batch prediction, typed from top to bottom.
// twin: test/integration/predict.test.ts > a batch

import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPredictProject, inputSql, partsOf, readRows, writeRows } from '../support/predict-project.ts';
import { newestRun, runGuide } from '../support/run-guide.ts';
import type { Project } from '../support/serving-project.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/batch-prediction.md');
const END_MS = Date.now();

let project: Project;
beforeAll(async () => {
  project = await createPredictProject(END_MS);
  await writeRows(project.file('rows.parquet'), inputSql(1000, END_MS));
  await writeRows(
    project.file('with-bad-rows.csv'),
    `SELECT * REPLACE (CASE WHEN id % 50 = 3 THEN 'dear' ELSE CAST(price AS VARCHAR) END AS price) FROM (${inputSql(100, END_MS)})`,
  );
}, 60_000);
afterAll(() => project.remove());

it('shows what its commands print, and each of them does what it says', async () => {
  const shown = runGuide(GUIDE, project);
  expect(shown.length).toBe(2);
  for (const { command, shown: expected, printed } of shown) expect(printed, command).toBe(expected);
  const scores = (from: string) => readRows(`SELECT id, probability FROM ${from} ORDER BY id`);
  const whole = await scores(partsOf(project.file('predictions')));
  expect(whole.length).toBe(1000);
  expect(await scores(partsOf(project.file('by-variant')))).toEqual(whole);
  expect(await scores(partsOf(project.file('by-version')))).toEqual(whole);
  const run = newestRun(project, {}) as {
    readonly state: string;
    readonly steps: readonly { readonly result: readonly { readonly path: string }[] }[];
  };
  expect(run.state).toBe('succeeded');
  const [first] = run.steps[0]?.result ?? [];
  expect(await scores(`read_parquet('${first?.path}/../slice-*/part-*.parquet')`)).toEqual(whole);
}, 180_000);
