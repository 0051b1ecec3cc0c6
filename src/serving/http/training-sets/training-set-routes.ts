// All routes of training sets, in a scope of their own: what bodies they take is theirs.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from '../../../core/index.ts';
import type { TrainingSetJobs } from '../../../offline/index.ts';
import { createJobEvents } from './job-events.ts';
import { addJobRoutes } from './job-routes.ts';
import { addRecordRoutes, type TrainingSetFiles } from './record-routes.ts';
import type { SpineBounds } from './spine-body.ts';

export interface TrainingSetRoutes {
  readonly jobs: TrainingSetJobs;
  readonly files: TrainingSetFiles;
  readonly bounds: SpineBounds;
}

export interface TrainingSetRoutesOptions {
  readonly maxStreams: number;
  readonly isStillAdmitted: (request: FastifyRequest) => Promise<boolean>;
  readonly logger: Logger;
}

export async function addTrainingSetRoutes(
  app: FastifyInstance,
  { jobs, files, bounds }: TrainingSetRoutes,
  options: TrainingSetRoutesOptions,
): Promise<void> {
  const events = createJobEvents({ ...options, jobs });
  app.addHook('preClose', (done) => {
    events.endAll();
    done();
  });
  await app.register((scope) => {
    addJobRoutes(scope, jobs, events, bounds);
    addRecordRoutes(scope, files);
    return Promise.resolve();
  });
}
