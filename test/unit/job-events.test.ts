// How many clients follow jobs at once.

import fastify from 'fastify';
import { afterEach, expect, it } from 'vitest';
import { HeadraceError, silentLogger, toHeadraceError } from '../../src/core/index.ts';
import type { Job, TrainingSetJobs } from '../../src/offline/index.ts';
import { createJobEvents } from '../../src/serving/http/training-sets/job-events.ts';

const JOB: Job = {
  id: 'j',
  state: 'running',
  progress: null,
  trainingSet: null,
  error: null,
  unshipped: [],
  createdAtMicros: 0,
  finishedAtMicros: null,
};
let state: Job['state'] = 'running';
/** A job that goes on until it is told to end. */
const jobs: Pick<TrainingSetJobs, 'get' | 'changed'> = {
  async get(id) {
    // As long as a registry takes: all that ask wait here together.
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (id !== JOB.id) throw new HeadraceError('HR_UNKNOWN_JOB', 'there is none');
    return { ...JOB, state };
  },
  changed: () => new Promise((resolve) => setTimeout(resolve, 5)),
};
const app = fastify({ forceCloseConnections: true });
afterEach(() => app.close());

it('are bounded, however many ask at the same moment, and those that find no job count for nothing', async () => {
  const events = createJobEvents({
    // The two that it calls.
    jobs: jobs as TrainingSetJobs,
    maxStreams: 2,
    isStillAdmitted: async () => true,
    logger: silentLogger,
  });
  app.get<{ Params: { id: string } }>('/:id', (request, reply) => events.open(request, reply, request.params.id));
  app.setErrorHandler((thrown, _request, reply) => {
    const { code, status } = toHeadraceError(thrown);
    return reply.code(status).send({ code });
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const ask = async (id: string): Promise<number> => (await fetch(`${url}/${id}`)).status;
  for (let times = 0; times < 3; times++) expect(await ask('x')).toBe(404);
  const statuses = await Promise.all(['j', 'j', 'j', 'j', 'j'].map(ask));
  expect(statuses.toSorted()).toEqual([200, 200, 429, 429, 429]);
  state = 'done';
  await expect.poll(() => ask('j')).toBe(200);
});
