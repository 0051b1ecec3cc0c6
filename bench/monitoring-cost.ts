// What it costs a prediction to be counted and logged: the same server with prediction log, metrics and minutes, and without,
// in turns.

import { openApp, readEnvironment, registerModelFile } from '../src/app/index.ts';
import { silentLogger } from '../src/core/index.ts';
import { checkPredictions } from './check-predict.ts';
import { inTurn, rateOf } from './in-turn.ts';
import type { LoadResult } from './load.ts';
import { createPredictProject } from './predict-project.ts';
import type { Figure, Section } from './report.ts';
import { type BenchServer, startScript } from './servers.ts';

/** Of requests a second without. */
const LEAST = 0.9;
const CONNECTIONS = 64;

export async function monitoringCostSection({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const figures: Figure[] = [];
  for (const endpoint of ['live', 'given'] as const) {
    const [on, off] = await measure(endpoint, isQuick ? 2 : 9);
    const ratio = on.requestsPerSecond / off.requestsPerSecond;
    const hasFailures = on.failures + off.failures > 0;
    figures.push({
      name: endpoint === 'live' ? 'stored features' : 'features in the request',
      value: rateOf(on),
      floor: `neither counted nor logged: ${rateOf(off)}`,
      ratio: ratio.toFixed(3),
      mustBe: `≥ ${LEAST}`,
      isReached: ratio >= LEAST && !hasFailures,
    });
  }
  return {
    title: 'What monitoring costs',
    about: `One row a request, 500 different ones in turn; an MLP; ${CONNECTIONS} connections; one worker; two variants in a rollout, so that units are kept and minutes are written each second. With: prediction log, metrics, minutes. Without: the same server, which counts and logs nothing.`,
    figures,
  };
}

async function measure(
  endpoint: 'live' | 'given',
  rounds: number,
): Promise<readonly [on: LoadResult, off: LoadResult]> {
  const project = await createPredictProject('lmdb:.headrace/online', 'mlp');
  const servers: BenchServer[] = [];
  try {
    const { bodies, onnx } = project.endpoints[endpoint];
    await startRollout(project.directory, endpoint, onnx);
    const urls: string[] = [];
    for (const watched of ['on', 'off']) {
      const server = await startScript('watched-server.ts', [watched], project.directory);
      servers.push(server);
      const url = `${server.url}/v1/endpoints/${endpoint}/predict`;
      await checkPredictions(url, project.endpoints[endpoint]);
      urls.push(url);
    }
    const loads = urls.map((url) => ({ url, body: bodies }));
    const [on, off] = await inTurn(loads, CONNECTIONS, 2, rounds);
    if (on === undefined || off === undefined) throw new Error('a load has no result');
    return [on, off];
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    project.remove();
  }
}

/** Half of the traffic goes to the same model once more. */
async function startRollout(directory: string, endpoint: string, onnx: Uint8Array): Promise<void> {
  const environment = { ...readEnvironment({}), workingDirectory: directory };
  const app = await openApp({ environment, logger: silentLogger });
  try {
    const model = endpoint === 'live' ? 'score' : 'given_score';
    await registerModelFile(app, { model, onnx: Buffer.from(onnx) });
    const variants = [
      { name: 'stable', version: 1, weight: 50 },
      { name: 'candidate', version: 2, weight: 50 },
    ];
    const { endpoints } = await app.registry();
    await endpoints.setTraffic(
      endpoint,
      { variants },
      { actor: 'bench', rollout: { id: 'bench', candidate: { name: 'candidate', version: 2 } } },
    );
  } finally {
    await app.close();
  }
}
