// Verify with what it asks: the prediction log, the registry's versions, the facts. The log of events is shipped first, so that
// what was seen is there to be read.

import { type Micros, type Progress, silentProgress } from '../core/index.ts';
import type { VerifyReport, VerifyRequest } from '../control/index.ts';
import type { App } from './open-app.ts';

export interface VerifyOptions extends VerifyRequest {
  readonly endpoint?: string;
  readonly since?: Micros;
  /** How long writers are waited for. */
  readonly timeoutMs: number;
}

export async function verify(app: App, options: VerifyOptions, progress: Progress): Promise<VerifyReport> {
  const [{ verifyServed }, { checkServed, shipLog }, { queryPredictionLog }, { placedDefinitions }] = await Promise.all(
    [
      import('../control/index.ts'),
      import('../offline/index.ts'),
      import('../monitoring/index.ts'),
      import('../definitions/index.ts'),
    ],
  );
  progress.start('ask the writers for what they took');
  const shipping = { log: await app.log(), runs: await app.runs(), clock: app.clock };
  const silent = await shipLog(shipping, options.timeoutMs);
  progress.done();
  const applied = await app.applied();
  const offline = await app.offline(silentProgress);
  const { models } = await app.registry();
  const duckdb = await app.duckdb();
  const { endpoint, since, sample, prediction } = options;
  progress.start('compute again what was served');
  const report = await verifyServed(
    {
      query: (sql, limit) =>
        queryPredictionLog(duckdb, {
          directory: app.config.values['predictionLog.path'],
          startsAt: app.environment.workingDirectory,
          sql,
          limit,
          ...(endpoint === undefined ? {} : { endpoint }),
          ...(since === undefined ? {} : { from: since }),
        }),
      async modelVersion(model, version) {
        const isKnown = (await models.list()).some(({ name }) => name === model);
        const versions = isKnown ? await models.versions(model) : [];
        return versions.find((one) => one.version === version);
      },
      definitionsOf: async (hash) => placedDefinitions(await app.definitionsOf(hash), applied),
      applied,
      check: (definitions, service) => {
        // As a run of its versions reads: null where a function can't take a row.
        const forgiving = { rows: definitions === applied ? 'log' : 'all', onFailedValue: () => {} } as const;
        return checkServed({ ...offline, forgiving, definitions }, service);
      },
      unshipped:
        silent.length === 0
          ? null
          : `writer ${silent.map(({ number }) => number).join(', ')} did not answer, so not all that was pushed can be read`,
    },
    { sample, ...(prediction === undefined ? {} : { prediction }) },
  );
  progress.done();
  return report;
}
