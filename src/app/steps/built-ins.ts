// The kinds of steps that run in the driver's own process: what each needs is loaded when the first of it runs.

import type { BuiltInTasks } from '../../orchestrator/index.ts';
import type { App } from '../open-app.ts';

export function createBuiltIns(app: App): BuiltInTasks {
  return {
    trainingSet: async (action, context) => (await import('./training-set.ts')).runTrainingSet(app, action, context),
    registerModel: async (action, context) =>
      (await import('./register-model.ts')).runRegisterModel(app, action, context),
    materialize: async (action, context) => (await import('./materialize.ts')).runMaterialize(app, action, context),
    evaluate: async (action, context) => (await import('./evaluate.ts')).runEvaluate(app, action, context),
    predict: async (action, context) => (await import('./predict.ts')).runPredict(app, action, context),
    gc: async (_action, context) => (await import('./gc.ts')).runGc(app, context),
    promote: async (action, context) => (await import('./promote.ts')).runPromote(app, action, context),
  };
}
