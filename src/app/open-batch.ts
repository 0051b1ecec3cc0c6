// A batch prediction with what the app has: the arm from the registry, features by offline's means, all cores.

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { ArmChoice, BatchMeans, BatchRequest, PredictedFile } from '../batch-prediction/index.ts';
import type { Progress } from '../core/index.ts';
import { providersOf } from './model-providers.ts';
import type { App } from './open-app.ts';

export interface PredictRequest extends Omit<BatchRequest, 'arm'>, ArmChoice {
  readonly endpoint: string;
}

/** Throws as `chooseArm` and `predictFile`, which takes `means`. */
export async function predictInBatch(
  app: App,
  request: PredictRequest,
  progress: Progress,
  means?: Partial<BatchMeans>,
): Promise<PredictedFile> {
  const { chooseArm, predictFile } = await import('../batch-prediction/index.ts');
  const arm = await chooseArm(
    {
      registry: await app.registry(),
      objects: await app.objects(),
      applied: await app.applied(),
      definitionsOf: app.definitionsOf,
      earlierDefinitions: app.earlierDefinitions,
    },
    request.endpoint,
    request,
  );
  const { values } = app.config;
  const deps = {
    offline: { ...(await app.offline(progress)), definitions: arm.definitions },
    objects: await app.objects(),
    progress,
    providersOf: providersOf(values),
    providerShare: values['models.providerShare'],
    threads: values['offline.threads'] ?? availableParallelism(),
    memoryBytes: values['offline.memory'],
    spill: join(values['offline.path'], 'spill'),
    scratch: join(values['offline.path'], 'predictions'),
  };
  return predictFile(deps, { ...request, arm }, means);
}
