// An app by the definitions of an earlier revision: what a run's own steps go by, whatever was applied since the run was made.

import type { App } from './open-app.ts';

/**
 * `manifestHash`: of the run, as its orders have it. Left out, in orders of earlier versions, and where it is what is applied: the app
 * itself. Versions of views stay those that the registry keeps now. Throws HR_CODE_MISSING, HR_CODE_ALTERED.
 */
export async function appOfRevision(app: App, manifestHash: string | undefined): Promise<App> {
  if (manifestHash === undefined || manifestHash === (await app.applied()).hash) return app;
  const definitions = await app.definitionsOf(manifestHash);
  return {
    ...app,
    applied: async () => definitions,
    offline: async (progress) => ({ ...(await app.offline(progress)), definitions }),
  };
}
