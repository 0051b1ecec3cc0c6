// A training set as a step.

import { stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { HeadraceError, silentProgress } from '../../core/index.ts';
import type { StepAction } from '../../definitions/index.ts';
import type { BuiltInTaskContext, StepFile } from '../../orchestrator/index.ts';
import type { App } from '../open-app.ts';

type TrainingSetAction = Extract<StepAction, { kind: 'trainingSet' }>;

/**
 * Gives `{ id, path, sha256, size, uri, rows, service, timestamp, labels, features }`; steps elsewhere get it from the artifact
 * store. Throws as `createTrainingSet`.
 */
export async function runTrainingSet(
  app: App,
  action: TrainingSetAction,
  context: BuiltInTaskContext,
): Promise<unknown> {
  const { createTrainingSet } = await import('../../offline/index.ts');
  const deps = await app.offline(silentProgress);
  const spine = spineOf(action.spine, context.directory);
  const scope = context.order.scope === '' ? '' : `-${context.order.scope.replaceAll('/', '-')}`;
  const name = `${context.runId}-${context.step}${scope}-${context.index}.parquet`;
  const record = await createTrainingSet(deps, {
    service: action.service,
    spine,
    directory: context.directory,
    timestamp: action.timestamp ?? (await spineTimestamp(app, action, spine, context.directory)),
    labels: action.labels,
    boundary: action.boundary,
    out: join(app.config.values['offline.path'], 'training-sets', name),
  });
  context.log(`training set ${record.id}: ${record.rows} rows, ${record.features.length} features, ${record.path}`);
  const { id, path, rows, service, timestamp, labels, contentHash: sha256 } = record;
  const file = await stored(app, path, context);
  const features = record.features.map((feature) => feature.name);
  return { id, path, sha256, ...file, rows, service, timestamp, labels, features };
}

/** Where it is in the artifact store; what that does not take at once stays on this machine alone. */
async function stored(app: App, path: string, { log }: BuiltInTaskContext): Promise<Partial<StepFile>> {
  const { putBlobFile } = await import('../../storage/index.ts');
  try {
    const sha256 = await putBlobFile(await app.objects(), path);
    return { sha256, size: (await stat(path)).size, uri: `blob:${sha256}` };
  } catch (error) {
    if (!(error instanceof HeadraceError) || error.code !== 'HR_TOO_LARGE') throw error;
    log(`warning: ${error.message}; steps on other machines can not read it`);
    return {};
  }
}

/** The spine as it is read: a path that starts at the repository is made absolute; a query, and a path elsewhere, stay. */
export function spineOf(spine: string, directory: string): string {
  const stays = isAbsolute(spine) || /^\s*(select|from|with)\s/i.test(spine) || /^[a-z0-9]+:\/\//i.test(spine);
  return stays ? spine : join(directory, spine);
}

/** The spine's only timestamp column that no feature takes; else its only one. */
async function spineTimestamp(app: App, action: TrainingSetAction, spine: string, directory: string): Promise<string> {
  const { resolveService } = await import('../../definitions/index.ts');
  const { manifest } = await app.applied();
  const taken = new Set(resolveService(manifest, action.service).requestColumns.map((column) => column.name));
  const connection = await (await app.duckdb()).connect();
  try {
    const isQuery = /^\s*(select|from|with)\s/i.test(spine);
    const { quoteText, startPathsAt } = await import('../../storage/index.ts');
    const from = isQuery ? `(${await startPathsAt(connection, spine, directory)}\n)` : quoteText(spine);
    const described = await connection.runAndReadAll(`DESCRIBE FROM ${from}`);
    const columns = described.getRowsJS().map((row) => ({ name: String(row[0]), type: String(row[1]) }));
    const timestamps = columns.filter((column) => column.type.startsWith('TIMESTAMP')).map((column) => column.name);
    const free = timestamps.filter((name) => !taken.has(name));
    const [only, second] = free.length > 0 ? free : timestamps;
    if (only !== undefined && second === undefined) return only;
    const found = timestamps.length === 0 ? 'no timestamp column' : `several: ${timestamps.join(', ')}`;
    throw new HeadraceError(
      'HR_SPINE',
      `trainingSet({ spine: "${action.spine}" }) needs \`timestamp\`: the spine has ${found}.`,
    );
  } finally {
    connection.closeSync();
  }
}
