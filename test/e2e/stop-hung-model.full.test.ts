// A server that is told to stop while a model's run does not come back: it ends in time and well, and has logged all that it
// answered.
// twin: test/unit/app-stop-serving.test.ts > waits a second for a model that hangs, and no longer

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { constantModel, patientModel } from '../support/onnx-model.ts';
import { CONFIG, createProject, headraceJson, type Project, startServe } from '../support/serving-project.ts';

const DRAIN_MS = 1500;
/** More than a minute, on any machine. */
const FOREVER = 1e9;
const REPOSITORY = `import { endpoint, featureService, model, onDemandView, t } from 'headrace';
const asked = onDemandView('asked', {
  inputs: { request: { rounds: t.float64() } },
  features: { all: t.float64() },
  transform: ({ request }) => ({ all: request.rounds }),
});
const service = featureService('asked_features', [asked]);
const outputs = { probability: t.float32() };
export const slow = endpoint('slow', { model: model('patient', { features: service, outputs }) });
export const quick = endpoint('quick', { model: model('constant', { features: service, outputs }) });
`;

let project: Project;
beforeAll(() => {
  project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/asked.ts': REPOSITORY,
    // Slow enough for a thread of its own.
    'patient.onnx': patientModel(20_000),
    'constant.onnx': constantModel(1, 0.5),
  });
  headraceJson(project, ['apply']);
  headraceJson(project, ['models', 'register', 'patient', 'patient.onnx', '--alias', 'champion']);
  headraceJson(project, ['models', 'register', 'constant', 'constant.onnx', '--alias', 'champion']);
});
afterAll(() => project.remove());

/** The ids of what was answered; none when it was not. */
async function predict(url: string, endpoint: string, rounds: number): Promise<string[]> {
  try {
    const response = await fetch(`${url}/v1/endpoints/${endpoint}/predict`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-timeout-ms': '30000' },
      body: JSON.stringify({ inputs: [{ rounds }] }),
    });
    if (response.status !== 200) return [];
    const { predictions } = (await response.json()) as { predictions: { prediction_id: string }[] };
    return predictions.map(({ prediction_id: id }) => id);
  } catch {
    // Cut off: the server has stopped.
    return [];
  }
}

function logged(): Set<string> {
  const all = headraceJson(project, ['logs', 'query', 'quick', '--limit', '100000']);
  const { rows } = all as { rows: { prediction_id: string }[] };
  return new Set(rows.map(({ prediction_id: id }) => id));
}

describe.each([1, 2])('%d worker(s) with a model that hangs', { timeout: 120_000 }, (workers) => {
  it('stop in time, with 0, and nothing is missing from the prediction log', async () => {
    const env = { HEADRACE_SERVER_DRAIN_TIMEOUT_MS: String(DRAIN_MS) };
    const server = await startServe(project, ['--workers', String(workers)], env);
    let isOver = false;
    try {
      expect(await predict(server.url, 'slow', 1)).toHaveLength(1);
      const hung = Array.from({ length: 4 * workers }, () => predict(server.url, 'slow', FOREVER));
      const answered: string[] = [];
      const loops = Array.from({ length: 4 }, async () => {
        while (!isOver) answered.push(...(await predict(server.url, 'quick', 1)));
      });
      await expect.poll(() => answered.length).toBeGreaterThan(10);
      const code = await server.stop();
      isOver = true;
      await Promise.all([...hung, ...loops]);
      expect({ code, log: server.log().includes('is killed') }).toEqual({ code: 0, log: false });
      const kept = logged();
      expect(answered.filter((id) => !kept.has(id))).toEqual([]);
    } finally {
      isOver = true;
      server.process.kill('SIGKILL');
    }
  });
});
