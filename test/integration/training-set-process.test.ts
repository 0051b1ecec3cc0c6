// The process of a training set's job, as a server starts it: what it makes is what the command makes, it says what went wrong,
// and nothing of the job is left.

import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createJobStarter } from '../../src/app/start-job-process.ts';
import type { Project } from '../support/serving-project.ts';
import { ask, bytesOf, CSV, fetchData, jobOf, QUERY, untilJob } from '../support/training-set-client.ts';
import {
  createTrainingSetProject,
  serveTrainingSets,
  spineSql,
  type TrainingSetServing,
  writeBySql,
} from '../support/training-set-server.ts';

let project: Project;
let serving: TrainingSetServing;
beforeAll(async () => {
  project = await createTrainingSetProject(500);
  const start = createJobStarter(project.file('headrace.config.ts'));
  serving = await serveTrainingSets(project, { start });
  await writeBySql(project.file('spine.csv'), spineSql(100));
}, 60_000);
afterAll(async () => {
  await serving.stop();
  project.remove();
});

const ended = async (query: Readonly<Record<string, string>>) => {
  const spine = readFileSync(project.file('spine.csv'));
  return untilJob(serving.url, (await jobOf(ask(serving.url, CSV, spine, query))).id);
};
const left = (): string[] => readdirSync(project.file('.headrace/offline/training-set-jobs'));

it('makes what the command makes', async () => {
  const { training_set } = await ended(QUERY);
  const made = await serving.make({ spine: 'spine.csv', out: 'made.parquet' });
  const answer = await fetchData(serving.url, training_set ?? '');
  expect((await bytesOf(answer)).equals(readFileSync(made.path))).toBe(true);
  expect(left()).toEqual([]);
});

it('says what went wrong', async () => {
  expect(await ended({ ...QUERY, timestamp: 'gone' })).toMatchObject({
    state: 'failed',
    error: { code: 'HR_SPINE', message: expect.stringContaining('gone') },
  });
  expect(left()).toEqual([]);
});
