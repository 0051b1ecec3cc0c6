// The registration of models as a step.

import type { StepAction } from '../../definitions/index.ts';
import type { BuiltInTaskContext } from '../../orchestrator/index.ts';
import type { ModelVersion } from '../../registry/index.ts';
import type { App } from '../open-app.ts';
import { isRegisteredWith, moveAlias } from './promote.ts';

type RegisterModelAction = Extract<StepAction, { kind: 'registerModel' }>;

/**
 * Gives `{ model, version, artifact, metrics }`, or the array of them where needs have several models. Throws
 * HR_STEP_FAILED without a model, and as `registerModelFile`.
 */
export async function runRegisterModel(
  app: App,
  action: RegisterModelAction,
  context: BuiltInTaskContext,
): Promise<unknown> {
  const { modelCandidates } = await import('../../orchestrator/index.ts');
  const { registerModelFile } = await import('../register-model.ts');
  const { getBlob } = await import('../../storage/index.ts');
  const candidates = modelCandidates(context.needs, context.order.trainingSet ?? null);
  /** Of several models the alias is the last one's, which may be the same file as an earlier one. */
  const aliasOf = (artifact: string) => (artifact === candidates.at(-1)?.artifact ? action.alias : undefined);
  const all = [];
  for (const { artifact, metrics, trainingSet } of candidates) {
    let version: ModelVersion | undefined = await registeredBefore(app, action.model, context.runId, {
      artifact,
      trainingSet,
    });
    const alias = aliasOf(artifact);
    if (version !== undefined && alias !== undefined) {
      // Another step of the run may have registered it, without the alias.
      const move = { model: action.model, alias, version: version.version };
      if (!(await isRegisteredWith(app, move))) await moveAlias(app, move, context);
    }
    if (version === undefined) {
      const registered = await registerModelFile(app, {
        model: action.model,
        onnx: await getBlob(await app.objects(), artifact),
        metrics: { ...metrics, ...evaluatedMetrics(context.needs, artifact) },
        runId: context.runId,
        ...(trainingSet === null ? {} : { trainingSet }),
        ...(alias === undefined ? {} : { alias }),
      });
      for (const warning of registered.warnings) context.log(`warning: ${warning}`);
      version = registered;
    }
    context.log(`registered ${version.model} version ${version.version}`);
    all.push({ model: version.model, version: version.version, artifact, metrics: version.metrics });
  }
  return candidates.length === 1 ? all[0] : all;
}

// A kill may come after the registration and before its result is kept: the run's next try finds what it made.
async function registeredBefore(
  app: App,
  model: string,
  runId: string,
  { artifact, trainingSet }: Pick<ModelVersion, 'artifact' | 'trainingSet'>,
): Promise<ModelVersion | undefined> {
  const { models } = await app.registry();
  const isKnown = (await models.list()).some((known) => known.name === model);
  const versions = isKnown ? await models.versions(model) : [];
  // Another step of the run may have made the same file from other rows.
  return versions.find((one) => one.runId === runId && one.artifact === artifact && one.trainingSet === trainingSet);
}

/** What an evaluation among the needs measured of that very file: it goes before what its training said. */
function evaluatedMetrics(needs: BuiltInTaskContext['needs'], artifact: string): Record<string, number> {
  const results = Object.values(needs).flatMap((need): readonly unknown[] => (Array.isArray(need) ? need : [need]));
  const measured = results.flatMap((result) => {
    if (result === null || typeof result !== 'object') return [];
    if (!('artifact' in result) || result.artifact !== artifact || !('metrics' in result)) return [];
    return Object.entries(result.metrics ?? {});
  });
  const numbers = measured.filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return Object.fromEntries(numbers);
}
