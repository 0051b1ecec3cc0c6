// The project that the push benchmarks serve: a source of ten floats with a view of the latest row, a source of amounts
// with a view of three windows, and an endpoint over both, for predictions while batches come in.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyRepository, openApp, readEnvironment, registerModelFile } from '../src/app/index.ts';
import { silentLogger } from '../src/core/index.ts';
import { treesModel } from '../test/support/onnx-model.ts';

export const FLOATS = Array.from({ length: 10 }, (_, at) => `c${at}`);

export type PushedSource = 'floats' | 'amounts';

export interface PushProject {
  readonly directory: string;
  remove(): void;
}

/** Writes and applies it. `onlineUrl` is absolute, or `lmdb:` relative to the project; `name` tells two in one store apart. */
export async function createPushProject(onlineUrl: string, name = 'one'): Promise<PushProject> {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  mkdirSync(join(directory, 'feature_repo', 'data'), { recursive: true });
  writeFileSync(
    join(directory, 'headrace.config.ts'),
    `export default { project: 'bench_${name}_${process.pid}', online: { url: ${JSON.stringify(onlineUrl)} } };\n`,
  );
  writeFileSync(join(directory, 'feature_repo', 'bench.ts'), repository());
  const environment = { ...readEnvironment({}), workingDirectory: directory };
  const app = await openApp({ environment, logger: silentLogger });
  try {
    await applyRepository(app, {});
    await registerModelFile(app, { model: 'score', onnx: treesModel(FLOATS.length + 3, 200, 5) });
  } finally {
    await app.close();
  }
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

function repository(): string {
  return `import { count, endpoint, entity, featureService, featureView, latest, mean, model, parquet, sum, t } from 'headrace';
export const user = entity('user', { keys: { user: t.string() } });
export const floats = parquet('floats', {
  path: 'data/floats-*.parquet',
  columns: { user: t.string(), ${FLOATS.map((column) => `${column}: t.float64()`).join(', ')}, at: t.timestamp() },
  eventTime: 'at',
});
export const amounts = parquet('amounts', {
  path: 'data/amounts-*.parquet',
  columns: { user: t.string(), amount: t.float64(), at: t.timestamp() },
  eventTime: 'at',
});
export const newest = featureView('newest', {
  entity: user, source: floats,
  features: { ${FLOATS.map((column) => `${column}: latest('${column}')`).join(', ')} },
});
export const spent = featureView('spent', {
  entity: user, source: amounts,
  features: { events_1h: count().over('1h'), sum_1d: sum('amount').over('1d'), mean_7d: mean('amount').over('7d') },
});
export const service = featureService('service', [newest, spent]);
export const newestOnly = featureService('newest_only', [newest]);
export const spentOnly = featureService('spent_only', [spent]);
export const score = model('score', { features: service, outputs: { probability: t.float32() } });
export const live = endpoint('live', { model: score, unit: ['user'] });
`;
}
