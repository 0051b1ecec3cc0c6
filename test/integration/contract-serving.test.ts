// Values of the native API that were worked out by hand.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { linearModel } from '../support/onnx-model.ts';
import { openServing, type OpenServing } from '../support/open-serving.ts';

const DEFINITIONS = `import { count, endpoint, entity, featureService, featureView, latest, model, onDemandView, pushed, sum, t } from 'headrace';
export const user = entity('user', { keys: { k: t.string() } });
export const clicks = pushed('clicks', {
  columns: { k: t.string(), n: t.int64(), x: t.float64(), by: t.bytes(), l: t.list(t.float64()), v: t.vector(2), ok: t.bool(), f: t.float32(), e: t.timestamp(), known: t.timestamp() },
  eventTime: 'e', knownTime: 'known',
});
export const seen = featureView('seen', { entity: user, source: clicks, features: {
  n: latest('n'), x: latest('x'), by: latest('by'), l: latest('l'), v: latest('v'), ok: latest('ok'), f: latest('f'), e: latest('e'),
  c: count().over('1h'), s: sum('n').over('1h'),
} });
export const plus = onDemandView('plus', { inputs: { request: { amount: t.float64() }, seen }, features: { a: t.float64() },
  transform: ({ request, seen }) => ({ a: request.amount == null || seen.x == null ? null : request.amount + seen.x }) });
export const twice = onDemandView('twice', { inputs: { plus }, features: { b: t.float32() }, transform: ({ plus }) => ({ b: plus.a == null ? null : plus.a * 2 }) });
export const whole = featureService('whole', [seen]);
export const numbers = featureService('numbers', [seen.pick('x'), twice]);
export const returns = model('returns', { features: numbers, outputs: { score: t.float32() } });
export const door = endpoint('door', { model: returns, unit: ['k'] });
`;

let open: OpenServing;
beforeAll(async () => {
  open = await openServing({ repository: DEFINITIONS, features: 2, onnx: linearModel(2, { output: 'score' }) });
});
afterAll(() => open.close());

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

async function call(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const answer = await open.serving.server.inject({
    method: 'POST',
    url: path,
    headers: { 'content-type': 'application/json', ...headers },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: answer.statusCode, headers: answer.headers, text: answer.body, body: answer.json() };
}

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
const push = (rows: unknown, headers = {}) => call('/v1/sources/clicks/push', { rows }, headers);
const read = (k: string) => call('/v1/features/read', { service: 'whole', rows: [{ k }] });
const predict = (inputs: unknown, headers = {}) =>
  call('/v1/endpoints/door/predict', { inputs, options: { return_features: true } }, headers);

describe('push and read', () => {
  it('keeps every type whole, digits and microseconds included', async () => {
    const at = `${minutesAgo(5).slice(0, 19)}.000001Z`;
    const row = `{"k":"types","n":9007199254740993,"x":"NaN","by":"/wAB","l":[1.5,null,"Infinity"],"v":[1,2],"ok":true,"f":"-Infinity","e":"${at}"}`;
    expect((await call('/v1/sources/clicks/push', `{"rows":[${row}]}`)).status).toBe(200);
    const { text } = await read('types');
    for (const part of [
      '"seen__n":9007199254740993,',
      '"seen__x":"NaN"',
      '"seen__by":"/wAB"',
      '"seen__l":[1.5,null,"Infinity"]',
      '"seen__v":[1,2]',
      '"seen__ok":true',
      '"seen__f":"-Infinity"',
      `"seen__e":"${at}"`,
      '"seen__c":1,"seen__s":9007199254740993',
    ])
      expect(text).toContain(part);
  });

  it('keeps the newest by event and known time, and the later arrival of equals', async () => {
    const [e, known] = [minutesAgo(10), minutesAgo(9)];
    await push([
      { k: 'order', n: 1, e, known },
      { k: 'order', n: 9, e: minutesAgo(20), known },
    ]);
    expect((await read('order')).text).toContain('"seen__n":1,');
    await push([{ k: 'order', n: 0, e, known }]);
    expect((await read('order')).text).toContain('"seen__n":0,');
    await push([{ k: 'order', n: 5, e, known: minutesAgo(9.5) }]);
    expect((await read('order')).text).toMatch(/"seen__n":0,.*"seen__c":4,"seen__s":15/);
  });
});

it('a prediction runs on-demand views of on-demand views, and echoes the request’s id', async () => {
  await push([{ k: 'ada', x: 2.5, e: minutesAgo(3) }]);
  const { status, headers, body } = await predict([{ k: 'ada', amount: 1 }], { 'x-request-id': 'mine' });
  expect([status, headers['x-request-id']]).toEqual([200, 'mine']);
  expect(body).toMatchObject({
    endpoint: 'door',
    predictions: [
      {
        outputs: { score: 9.5 },
        model: 'returns',
        version: 1,
        variant: 'stable',
        features: { seen__x: 2.5, twice__b: 7 },
        statuses: { seen__x: 'PRESENT', twice__b: 'PRESENT' },
      },
    ],
  });
});

it('a model file that was cut is refused', async () => {
  const onnx = Buffer.from(linearModel(2, { output: 'score' }).subarray(0, 60));
  await expect(registerModelFile(open.app, { model: 'returns', onnx })).rejects.toMatchObject({
    code: 'HR_MODEL_UNREADABLE',
  });
});
