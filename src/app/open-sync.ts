// What it takes to make rows of runs that other systems drive; models that were registered there are registered here too.

import type { RegisterSynced, SyncDeps } from '../orchestrator/index.ts';
import type { ModelVersion } from '../registry/index.ts';
import type { App } from './open-app.ts';
import { openRuns } from './open-runs.ts';

export async function openSync(app: App, options: Pick<SyncDeps, 'signal' | 'onWait'> = {}): Promise<SyncDeps> {
  return { ...(await openRuns(app)), registerModel: registerSynced(app), ...options };
}

/** One version for a run, file and training set, whoever registers it: here it may be there already. */
function registerSynced(app: App): RegisterSynced {
  return async ({ model, artifact, metrics, runId, trainingSet }) => {
    const { models } = await app.registry();
    const isKnown = (await models.list()).some(({ name }) => name === model);
    const versions = isKnown ? await models.versions(model) : [];
    const isOfSet = (one: ModelVersion): boolean => trainingSet === undefined || one.trainingSet === trainingSet;
    const found = versions.find((one) => one.runId === runId && one.artifact === artifact && isOfSet(one));
    if (found !== undefined) return { version: found.version, isNew: false };
    const { registerModelFile } = await import('./register-model.ts');
    const { getBlob } = await import('../storage/index.ts');
    const onnx = await getBlob(await app.objects(), artifact);
    const { version } = await registerModelFile(app, {
      model,
      onnx,
      metrics,
      runId,
      ...(trainingSet === undefined ? {} : { trainingSet }),
    });
    return { version, isNew: true };
  };
}
