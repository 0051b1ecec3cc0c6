// Traces and metrics as a collector gets them: over OTLP, by protobuf, from a server that serves.

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OtlpReceiver, type ReceivedPoint, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { fullIt, runs } from '../support/tier.ts';

const UNLUCKY = REPOSITORY.replace(
  'ratio: request.amount != null',
  'ratio: request.amount === 13 ? (null as unknown as { n: number }).n : request.amount != null',
);
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

describe('telemetry by OTLP', () => {
  let receiver: OtlpReceiver;
  let open: OpenServing;
  const serve = async (settings: Readonly<Record<string, string>>): Promise<void> => {
    open = await openServing({
      repository: UNLUCKY,
      features: 4,
      settings: { HEADRACE_TELEMETRY_OTLP: receiver.url, ...settings },
    });
  };
  const predict = (amount: unknown, headers: Record<string, string> = {}) =>
    open.post('/v1/endpoints/checkout/predict', { inputs: [{ customer: 'ada', amount }] }, headers);

  beforeEach(async () => {
    receiver = await startOtlpReceiver();
  });
  afterEach(() => receiver.close());

  it('leaves alone what is not sampled and what is no trace, and continues a sampled one: the request, and under it features and model', async () => {
    await serve({ HEADRACE_TELEMETRY_SAMPLE_RATIO: '0' });
    await predict(1);
    const unsampled = await predict(1, { traceparent: `00-${TRACE}-${PARENT}-00` });
    expect(unsampled.headers['traceparent']).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: fc.constantFrom(...'0123456789abcdef-fF') }), async (garbage) => {
        expect((await predict(1, { traceparent: garbage })).statusCode).toBe(200);
      }),
      { numRuns: runs(30) },
    );
    // The one that is sampled is the last: what comes is all of it.
    const { headers, statusCode } = await predict(1, {
      traceparent: `00-${TRACE}-${PARENT}-01`,
      'x-request-id': 'seen',
    });
    expect(statusCode).toBe(200);
    await open.close();
    expect(receiver.spans).toHaveLength(3);
    const [request] = receiver.spans.filter(({ kind }) => kind === 2);
    expect(request).toMatchObject({
      traceId: TRACE,
      parentId: PARENT,
      name: 'POST /v1/endpoints/{endpoint}/predict',
      status: 0,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/v1/endpoints/{endpoint}/predict',
        'http.response.status_code': 200,
        'headrace.endpoint': 'checkout',
        'headrace.request_id': 'seen',
      },
    });
    expect(headers['traceparent']).toBe(`00-${TRACE}-${request?.spanId}-01`);
    const children = receiver.spans.filter(({ kind }) => kind === 1);
    expect(children.map(({ name }) => name).sort()).toEqual(['features.read', 'model.run']);
    for (const child of children) expect(child).toMatchObject({ traceId: TRACE, parentId: request?.spanId });
    expect(children.find(({ name }) => name === 'model.run')?.attributes).toEqual({
      'headrace.variant': 'stable',
      'headrace.version': 1,
      'headrace.rows': 1,
    });
    for (const { nanos } of receiver.spans) expect(nanos).toBeGreaterThanOrEqual(0n);
  });

  it('begins traces by the ratio, and marks what failed: a client’s mistake is no error of the server', async () => {
    await serve({ HEADRACE_TELEMETRY_SAMPLE_RATIO: '1' });
    expect((await predict(13)).statusCode).toBe(422);
    expect((await predict('much')).statusCode).toBe(400);
    await open.serving.server.inject('/health/live');
    await open.serving.server.inject('/metrics');
    await open.close();
    const requests = receiver.spans.filter(({ kind }) => kind === 2);
    expect(requests).toMatchObject([
      {
        parentId: '',
        status: 2,
        attributes: { 'error.type': 'HR_TRANSFORM_FAILED', 'http.response.status_code': 422 },
      },
      { parentId: '', status: 0, attributes: { 'error.type': 'HR_INVALID', 'http.response.status_code': 400 } },
    ]);
    expect(receiver.spans.find(({ name }) => name === 'features.read')).toMatchObject({
      parentId: requests[0]?.spanId,
      status: 2,
    });
  });

  it('sends the same figures as /metrics shows, the last ones too', async () => {
    await serve({});
    for (let i = 0; i < 7; i++) await predict(1);
    await predict('much');
    const shown = (await open.serving.server.inject('/metrics')).body;
    await open.close();
    const last = receiver.exports.at(-1) ?? [];
    const point = (metric: string, attributes: object = {}): ReceivedPoint | undefined =>
      last.find((one) => one.metric === metric && JSON.stringify(one.attributes) === JSON.stringify(attributes));
    expect(point('headrace.requests', { endpoint: 'checkout' })).toMatchObject({
      value: 7,
      kind: 'sum',
      isMonotonic: true,
      unit: '{request}',
      service: 'headrace',
    });
    expect(point('headrace.request.errors', { endpoint: 'checkout', outcome: 'refused' })?.value).toBe(1);
    expect(point('headrace.predictions', { endpoint: 'checkout', variant: 'stable', version: '1' })?.value).toBe(7);
    const duration = point('headrace.request.duration', { endpoint: 'checkout' });
    expect(duration).toMatchObject({ kind: 'histogram', unit: 's', count: 7 });
    expect(duration?.buckets.reduce((sum, count) => sum + count, 0)).toBe(7);
    expect(shown).toContain(`headrace_request_duration_seconds_sum{endpoint="checkout"} ${duration?.value}\n`);
    expect(point('process.resident_memory')).toMatchObject({ kind: 'gauge', unit: 'By' });
  });

  const servesOn = async (url: string): Promise<void> => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const logged: unknown[] = [];
    const note = (fields: object, message: string): void => void logged.push({ ...fields, message });
    open = await openServing({
      repository: REPOSITORY,
      features: 4,
      settings: { HEADRACE_TELEMETRY_OTLP: url, HEADRACE_TELEMETRY_SAMPLE_RATIO: '1' },
      logger: { debug() {}, info() {}, warn: note, error: note },
    });
    for (let i = 0; i < 5; i++) expect((await predict(1)).statusCode).toBe(200);
    await open.close();
    expect(JSON.stringify(logged).match(/"message":"spans or metrics could not be sent"/g)).toHaveLength(1);
    // The exporter tries again for a while, though nobody waits for it.
    await expect.poll(timers).toBeLessThanOrEqual(before);
  };

  it('serves on while the collector refuses what comes, and says so once', () => servesOn(`${receiver.url}/nowhere`));

  // twin: test/integration/telemetry-otlp.test.ts > serves on while the collector refuses what comes, and says so once
  fullIt('serves on while the collector is away, and says so once', async () => {
    const { url } = receiver;
    await receiver.close();
    await servesOn(url);
    receiver = await startOtlpReceiver();
  });
});
