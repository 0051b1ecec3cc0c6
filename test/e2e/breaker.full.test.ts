// A version that fails every row, at half of the traffic of a server with two workers: its breakers send the requests to the
// base before anybody looks, and each answer says so.
// twin: test/property/serving-breaker.test.ts > closes by a probe that is answered, and counts from nothing then
// twin: test/unit/serving-arm-guard.test.ts > opens by failures, and closes by a probe that is answered

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOT_IN_TABLE, ONE_NUMBER } from '../support/one-number.ts';
import { linearModel, lookUpModel } from '../support/onnx-model.ts';
import {
  CONFIG,
  createProject,
  headraceJson,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';

let project: Project;
let server: ServerProcess;
beforeAll(async () => {
  project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': ONE_NUMBER,
    'given.onnx': linearModel(1),
    'broken.onnx': lookUpModel(),
  });
  headraceJson(project, ['apply']);
  headraceJson(project, ['models', 'register', 'returns', 'given.onnx']);
  headraceJson(project, ['models', 'register', 'returns', 'broken.onnx']);
  server = await startServe(project, ['--workers', '2']);
  headraceJson(project, ['endpoints', 'traffic', 'checkout', 'stable=1:50', 'candidate=2:50']);
}, 90_000);
afterAll(async () => {
  await server.stop();
  project.remove();
});

interface Answered {
  readonly atMs: number;
  readonly status: number;
  readonly version: number | undefined;
  readonly fallbackFrom: string | undefined;
}

// A connection each, so that either worker may get it.
async function predict(x: number): Promise<Answered> {
  const response = await fetch(`${server.url}/v1/endpoints/checkout/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ inputs: [{ x }] }),
  });
  const body = (await response.json()) as {
    readonly predictions?: readonly { readonly version: number; readonly fallback_from?: string }[];
  };
  const [row] = body.predictions ?? [];
  return { atMs: performance.now(), status: response.status, version: row?.version, fallbackFrom: row?.fallback_from };
}

const get = async (path: string): Promise<unknown> => (await fetch(`${server.url}${path}`)).json();

describe('a candidate that fails every row', { timeout: 60_000 }, () => {
  it('is answered for by the base within two seconds of load', async () => {
    const startMs = performance.now();
    const answers: Answered[] = [];
    let next = NOT_IN_TABLE;
    const clients = Array.from({ length: 8 }, async () => {
      while (performance.now() - startMs < 4000) answers.push(await predict(next++));
    });
    await Promise.all(clients);
    const late = answers.filter(({ atMs }) => atMs - startMs > 2000);
    expect(answers.some(({ status }) => status === 500)).toBe(true);
    expect(late.length).toBeGreaterThan(100);
    expect(late.filter(({ status }) => status !== 200)).toEqual([]);
    expect(new Set(late.map(({ version }) => version))).toEqual(new Set([1]));
    const stoodIn = late.filter(({ fallbackFrom }) => fallbackFrom === 'candidate').length;
    expect(stoodIn / late.length).toBeGreaterThan(0.3);
    expect(stoodIn / late.length).toBeLessThan(0.7);
  });

  it('is told of by health, the endpoint, metrics and the log', async () => {
    const breakers = [{ variant: 'candidate', version: 2, since: expect.any(String), probeAt: expect.any(String) }];
    expect(await get('/v1/endpoints/checkout')).toMatchObject({ state: 'serving', breakers });
    expect(await get('/health/ready')).toMatchObject({
      status: 'ready',
      endpoints: [{ endpoint: 'checkout', breakers }],
    });
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain('headrace_breaker_opens_total{endpoint="checkout",variant="candidate",version="2"} 2');
    // Those that the base answered are no events of the candidate: it got some at each worker, and no more.
    const [, failed] =
      /headrace_prediction_errors_total\{endpoint="checkout",variant="candidate",version="2",outcome="failed"\} (\d+)/.exec(
        metrics,
      ) ?? [];
    expect(Number(failed)).toBeGreaterThanOrEqual(40);
    expect(Number(failed)).toBeLessThan(80);
    expect(server.log()).toContain('a variant fails: its requests go to the base');
    const history = async (): Promise<number> => {
      const text = JSON.stringify(await get('/v1/monitoring/history?endpoint=checkout&arm=candidate'));
      return [...text.matchAll(/"breaker_opens":(\d+)/g)].reduce((sum, [, opens]) => sum + Number(opens), 0);
    };
    await expect.poll(history, { timeout: 15_000, interval: 500 }).toBe(2);
  });

  it('answers for itself again once a probe is answered', async () => {
    // What the base answers is within the table now. So many units that the endpoint's seed, which is random, gives some to each.
    const units = Array.from({ length: 32 }, (_, at) => at + 1);
    const versions = async (): Promise<unknown> =>
      (await Promise.all(units.map(predict))).map(({ version }) => version);
    await expect.poll(versions, { timeout: 25_000, interval: 200 }).toContain(2);
    expect(server.log()).toContain('a variant answers again: its requests go to it');
  });
});
