// Telemetry of a server with two workers: spans come from the workers, figures from the primary alone; and without it nothing of
// OpenTelemetry is loaded.
// twin: test/integration/telemetry-otlp.test.ts > sends the same figures as /metrics shows, the last ones too

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { createServingProject, type Project, startServe } from '../support/serving-project.ts';

let project: Project;
beforeAll(() => {
  project = createServingProject();
  project.write(
    'loads.mjs',
    `import { registerHooks } from 'node:module';
registerHooks({ resolve(name, context, next) {
  if (name.startsWith('@opentelemetry/')) console.error('LOADS ' + name);
  return next(name, context);
} });`,
  );
});
afterAll(() => project.remove());

const predict = async (url: string): Promise<number> => {
  const response = await fetch(`${url}/v1/endpoints/checkout/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ inputs: [{ customer: 'ada', amount: 1 }] }),
    signal: AbortSignal.timeout(5000),
  });
  await response.arrayBuffer();
  return response.status;
};

describe('a server with two workers', { timeout: 90_000 }, () => {
  it('sends the spans of its workers, and once the figures of all', async () => {
    const receiver = await startOtlpReceiver();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, HEADRACE_TELEMETRY_SAMPLE_RATIO: '1' };
    const server = await startServe(project, ['--workers', '2'], env);
    for (let i = 0; i < 40; i++) expect(await predict(server.url)).toBe(200);
    expect(await server.stop()).toBe(0);
    await receiver.close();
    const requests = receiver.spans.filter(({ kind }) => kind === 2);
    expect(requests).toHaveLength(40);
    // A request's id begins with its process.
    const processes = requests.map(({ attributes }) => String(attributes['headrace.request_id']).split('-')[0]);
    expect(new Set(processes).size).toBe(2);
    expect(new Set(receiver.exports.flat().map(({ instance }) => instance)).size).toBe(1);
    // What the workers counted last, as they stopped.
    expect(receiver.exports.at(-1)?.find(({ metric }) => metric === 'headrace.requests')?.value).toBe(40);
  });

  it('loads nothing of OpenTelemetry where nobody asks for it', async () => {
    for (const asks of [false, true]) {
      const receiver = await startOtlpReceiver();
      const hooks = { NODE_OPTIONS: `--import=${project.file('loads.mjs')}` };
      const server = await startServe(project, [], asks ? { ...hooks, HEADRACE_TELEMETRY_OTLP: receiver.url } : hooks);
      expect(await predict(server.url)).toBe(200);
      expect(await server.stop()).toBe(0);
      await receiver.close();
      const loaded = [...server.log().matchAll(/^LOADS (.*)$/gm)].map(([, name]) => name);
      if (asks) expect(loaded).toContain('@opentelemetry/sdk-node');
      // prom-client brings it.
      else expect(new Set(loaded).difference(new Set(['@opentelemetry/api']))).toEqual(new Set());
    }
  });
});
