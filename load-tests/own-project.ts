// The project that the load tests serve: features of 2,000 users that are pushed, a forest of trees over them, and beside it
// a model that takes about 20 ms and one that takes next to nothing.

import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { applyRepository, openApp, readEnvironment, registerModelFile } from '../src/app/index.ts';
import { silentLogger } from '../src/core/index.ts';
import { openIngestion } from '../src/ingestion/index.ts';
import { deepModel, linearModel, treesModel } from '../test/support/onnx-model.ts';
import { PUSHED_COLUMNS, pushedRow, USERS } from './requests.ts';

export interface LoadProject {
  readonly directory: string;
  /** What one row was measured to take in the slow model, alone. */
  readonly slowMs: number;
  /** Its ONNX file. */
  readonly slowFile: string;
  remove(): void;
}

/** Of the model `score`. */
export const SCORE_FEATURES = PUSHED_COLUMNS.length + 2;

/** Writes, applies and fills it, in a folder for temporary files. */
export async function createLoadProject(): Promise<LoadProject> {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-load-'));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  try {
    mkdirSync(join(directory, 'feature_repo'));
    writeFileSync(join(directory, 'headrace.config.ts'), `export default { project: 'load_${process.pid}' };\n`);
    writeFileSync(join(directory, 'feature_repo', 'load.ts'), repository());
    const slow = await slowModel();
    const slowFile = join(directory, 'slow.onnx');
    writeFileSync(slowFile, slow.onnx);
    const environment = { ...readEnvironment({}), workingDirectory: directory };
    const app = await openApp({ environment, logger: silentLogger });
    try {
      await applyRepository(app, {});
      const definitions = await app.applied();
      const ingestion = openIngestion(await app.ingestion(), { definitions: () => definitions });
      await ingestion.push(
        'events',
        Array.from({ length: USERS }, (_, user) => ({ ...pushedRow(user, Date.now() - 1000), user: `user${user}` })),
      );
      await ingestion.close();
      await registerModelFile(app, { model: 'score', onnx: treesModel(SCORE_FEATURES, 200, 5) });
      await registerModelFile(app, { model: 'deep', onnx: slow.onnx });
      await registerModelFile(app, { model: 'small', onnx: linearModel(1, { sigmoid: true }) });
    } finally {
      await app.close();
    }
    return { directory, slowMs: slow.ms, slowFile, remove };
  } catch (thrown) {
    remove();
    throw thrown;
  }
}

const SLOW_MS = 20;
const WIDTH = 512;
const PROBE_LAYERS = 200;
const [LEAST_LAYERS, MOST_LAYERS] = [100, 20_000];

/** A model whose one row takes about 20 ms on this machine; a row more in a batch costs less. */
async function slowModel(): Promise<{ readonly onnx: Uint8Array; readonly ms: number }> {
  const probeMs = await oneRowMs(deepModel(WIDTH, PROBE_LAYERS));
  const layers = Math.round((PROBE_LAYERS * SLOW_MS) / probeMs);
  const onnx = deepModel(WIDTH, Math.min(MOST_LAYERS, Math.max(LEAST_LAYERS, layers)));
  return { onnx, ms: await oneRowMs(onnx) };
}

// The shortest of several: whatever else runs only adds.
async function oneRowMs(onnx: Uint8Array): Promise<number> {
  const session = await InferenceSession.create(onnx, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const x = new Tensor('float32', Float32Array.of(0.5), [1, 1]);
  let shortestMs = Infinity;
  for (let run = 0; run < 30; run++) {
    const startMs = performance.now();
    await session.run({ x });
    shortestMs = Math.min(shortestMs, performance.now() - startMs);
  }
  await session.release();
  return shortestMs;
}

function repository(): string {
  const columns = PUSHED_COLUMNS.map((column) => `${column}: t.float64()`).join(', ');
  const features = PUSHED_COLUMNS.map((column) => `${column}: latest('${column}')`).join(', ');
  return `import { count, endpoint, entity, featureService, featureView, latest, model, onDemandView, pushed, t } from 'headrace';
export const user = entity('user', { keys: { user: t.string() } });
export const events = pushed('events', { columns: { user: t.string(), ${columns}, at: t.timestamp() }, eventTime: 'at' });
export const newest = featureView('newest', { entity: user, source: events, features: { ${features}, events_1d: count().over('1d') } });
export const asked = onDemandView('asked', {
  inputs: { request: { x: t.float64() }, newest },
  features: { ratio: t.float64() },
  transform: ({ request, newest }) => ({ ratio: request.x != null && newest.c0 ? request.x / newest.c0 : null }),
});
export const alone = onDemandView('alone', {
  inputs: { request: { x: t.float64() } },
  features: { x: t.float64() },
  transform: ({ request }) => ({ x: request.x }),
});
export const service = featureService('service', [newest, asked]);
export const bareService = featureService('bare_service', [alone]);
export const score = model('score', { features: service, outputs: { probability: t.float32() } });
export const deep = model('deep', { features: bareService, outputs: { probability: t.float32() } });
export const small = model('small', { features: bareService, outputs: { probability: t.float32() } });
export const live = endpoint('live', { model: score, unit: ['user'] });
export const slow = endpoint('slow', { model: deep, unit: ['x'] });
export const cheap = endpoint('cheap', { model: small, unit: ['x'] });
`;
}
