// Traces and metrics as a collector gets them: over OTLP, by protobuf, from a server that serves.

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordLog } from '../support/open-for.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { type OtlpReceiver, type ReceivedPoint, startOtlpReceiver } from '../support/otlp-receiver.ts';
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
  const serve = async (ratio?: string, url = receiver.url, logger = recordLog().logger): Promise<void> => {
    const sampled: Record<string, string> = ratio === undefined ? {} : { HEADRACE_TELEMETRY_SAMPLE_RATIO: ratio };
    const settings = { HEADRACE_TELEMETRY_OTLP: url, ...sampled };
    open = await openServing({ repository: UNLUCKY, features: 4, settings, logger });
  };
  const predict = (amount: unknown, headers: Record<string, string> = {}) =>
    open.post('/v1/endpoints/checkout/predict', { inputs: [{ customer: 'ada', amount }] }, headers);
  const spansOf = (wanted: number) => receiver.spans.filter(({ kind }) => kind === wanted);

  beforeEach(async () => {
    receiver = await startOtlpReceiver();
  });
  afterEach(() => receiver.close());

  it('leaves alone what is not sampled and what is no trace, and continues a sampled one: the request, and under it features and model', async () => {
    await serve('0');
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
    const asked = { traceparent: `00-${TRACE}-${PARENT}-01`, 'x-request-id': 'seen' };
    const { headers, statusCode } = await predict(1, asked);
    expect(statusCode).toBe(200);
    await open.close();
    expect(receiver.spans).toHaveLength(3);
    const [request] = spansOf(2);
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
    const children = spansOf(1).toSorted((a, b) => a.name.localeCompare(b.name));
    const under = { traceId: TRACE, parentId: request?.spanId };
    expect(children).toMatchObject([
      { ...under, name: 'features.read' },
      { ...under, name: 'model.run' },
    ]);
    const run = { 'headrace.variant': 'stable', 'headrace.version': 1, 'headrace.rows': 1 };
    expect(children[1]?.attributes).toEqual(run);
    for (const { nanos } of receiver.spans) expect(nanos).toBeGreaterThanOrEqual(0n);
  });

  it('begins traces by the ratio, and marks what failed: a client’s mistake is no error of the server', async () => {
    await serve('1');
    expect((await predict(13)).statusCode).toBe(422);
    expect((await predict('much')).statusCode).toBe(400);
    for (const path of ['/health/live', '/metrics']) await open.serving.server.inject(path);
    await open.close();
    const root = (status: number, type: string, code: number) => {
      const attributes = { 'error.type': type, 'http.response.status_code': code };
      return { parentId: '', status, attributes };
    };
    expect(spansOf(2)).toMatchObject([root(2, 'HR_TRANSFORM_FAILED', 422), root(0, 'HR_INVALID', 400)]);
    const read = receiver.spans.find(({ name }) => name === 'features.read');
    expect(read).toMatchObject({ parentId: spansOf(2)[0]?.spanId, status: 2 });
  });

  it('sends the same figures as /metrics shows, the last ones too', async () => {
    await serve();
    for (let i = 0; i < 7; i++) await predict(1);
    await predict('much');
    const shown = (await open.serving.server.inject('/metrics')).body;
    await open.close();
    const last = receiver.exports.at(-1) ?? [];
    const point = (metric: string, attributes: object = {}): ReceivedPoint | undefined =>
      last.find((one) => one.metric === metric && JSON.stringify(one.attributes) === JSON.stringify(attributes));
    const endpoint = 'checkout';
    const counter = { value: 7, kind: 'sum', isMonotonic: true, unit: '{request}', service: 'headrace' };
    expect(point('headrace.requests', { endpoint })).toMatchObject(counter);
    expect(point('headrace.request.errors', { endpoint, outcome: 'refused' })?.value).toBe(1);
    expect(point('headrace.predictions', { endpoint, variant: 'stable', version: '1' })?.value).toBe(7);
    const duration = point('headrace.request.duration', { endpoint });
    expect(duration).toMatchObject({ kind: 'histogram', unit: 's', count: 7 });
    expect(duration?.buckets.reduce((sum, count) => sum + count, 0)).toBe(7);
    expect(shown).toContain(`headrace_request_duration_seconds_sum{endpoint="checkout"} ${duration?.value}\n`);
    expect(point('process.resident_memory')).toMatchObject({ kind: 'gauge', unit: 'By' });
  });

  const servesOn = async (url: string): Promise<void> => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const { logger, of } = recordLog();
    await serve('1', url, logger);
    for (let i = 0; i < 5; i++) expect((await predict(1)).statusCode).toBe(200);
    await open.close();
    expect(of('spans or metrics could not be sent')).toHaveLength(1);
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
