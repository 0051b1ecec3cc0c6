// What the routes of training sets are given: jobs in processes of their own, the records, and their files.

import type { StartJobProcess } from '../offline/index.ts';
import type { App } from './open-app.ts';
import { parseSpinePlaces, type TrainingSetRoutes } from '../serving/index.ts';
import { createArrowOpener } from './open-arrow.ts';
import { createJobStarter } from './start-job-process.ts';

/** `owner` is this process, as no other is called; `start` starts a job's process, by default one of its own. */
export async function openTrainingSets(
  app: App,
  owner: string,
  start: StartJobProcess = createJobStarter(app.config.file),
): Promise<TrainingSetRoutes> {
  const { values } = app.config;
  const { getTrainingSet, listTrainingSets, openTrainingSetFile, openTrainingSetJobs } = await import(
    '../offline/index.ts'
  );
  const database = await app.database();
  const dataDirectory = values['offline.path'];
  const jobs = await openTrainingSetJobs({
    database,
    dataDirectory,
    owner,
    start,
    async manifest() {
      const applied = await (await app.registry()).definitions.current();
      return applied === undefined ? (await app.applied()).manifest : applied.manifest;
    },
    atOnce: values['server.trainingSetJobs'],
    queued: values['server.trainingSetQueue'],
    clock: app.clock,
    logger: app.logger,
  });
  const openArrow = createArrowOpener(values);
  return {
    jobs,
    files: {
      list: () => listTrainingSets({ database }),
      get: (idOrName) => getTrainingSet({ database }, idOrName),
      open: (record) => openTrainingSetFile(record, dataDirectory),
      async openArrow(record) {
        const { file: opened, path } = await openTrainingSetFile(record, dataDirectory);
        await opened.close();
        return openArrow(
          path,
          record.features.map(({ name }) => name),
        );
      },
    },
    bounds: {
      maxBytes: values['server.maxSpine'],
      silenceMs: values['server.bodyTimeoutMs'],
      totalMs: values['server.spineTimeoutMs'],
      places: parseSpinePlaces(values['server.spinePlaces'] ?? ''),
    },
  };
}
