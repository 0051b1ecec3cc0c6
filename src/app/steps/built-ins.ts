// The kinds of steps that run in the driver's own process: what each needs is loaded when the first of it runs.

import type { BuiltInTaskContext, BuiltInTasks } from '../../orchestrator/index.ts';
import { appOfRevision } from '../app-of-revision.ts';
import type { App } from '../open-app.ts';

/** Each by the definitions of its run's own revision, whatever is applied by the time that it runs. */
export function createBuiltIns(app: App): BuiltInTasks {
  const ofRun = ({ order }: BuiltInTaskContext): Promise<App> => appOfRevision(app, order.definitions);
  return {
    trainingSet: async (action, context) =>
      (await import('./training-set.ts')).runTrainingSet(await ofRun(context), action, context),
    registerModel: async (action, context) =>
      (await import('./register-model.ts')).runRegisterModel(await ofRun(context), action, context),
    materialize: async (action, context) => (await import('./materialize.ts')).runMaterialize(app, action, context),
    evaluate: async (action, context) =>
      (await import('./evaluate.ts')).runEvaluate(await ofRun(context), action, context),
    predict: async (action, context) =>
      (await import('./predict.ts')).runPredict(await ofRun(context), action, context),
    gc: async (_action, context) => (await import('./gc.ts')).runGc(app, context),
    promote: async (action, context) => (await import('./promote.ts')).runPromote(app, action, context),
  };
}
