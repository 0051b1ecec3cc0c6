// The Open Inference Protocol over HTTP: what comes in every form that its clients send, who may ask what, versions and aliases
// that move, models unloaded for all servers, and bodies that are none. Real sockets: nearly all requests take the short way.

import { gzipSync, deflateSync } from 'node:zlib';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { registerModelFile, registerPlainModel } from '../../src/app/index.ts';
import { constantModel, linearModel, lookUpModel, patientModel } from '../support/onnx-model.ts';
import { openOipServing } from '../support/oip-models.ts';
import { BY, openedForAll } from '../support/open-for.ts';
import { serveProject } from '../support/open-serving.ts';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}
type Json = Record<string, unknown> & { readonly outputs: { readonly name: string; readonly data: unknown[] }[] };

interface Figures {
  readonly version: string;
  readonly inference_count: number;
  readonly inference_stats: Readonly<Record<string, { readonly count: number; readonly ns: number }>>;
}

const open = openedForAll(openOipServing);
const load = (model: string) => open.serving.planes.inference.load(model, { actor: 'test' });
const register = (model: string, onnx: Uint8Array, more = {}) => registerPlainModel(open.app, { model, onnx, ...more });
beforeAll(async () => {
  await register('sum', linearModel(3));
  await register('table', lookUpModel());
  await load('sum');
});

async function ask(path: string, init: RequestInit = {}, { url } = open.serving): Promise<Answer> {
  const response = await fetch(`${url}${path}`, init);
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) as Json };
}
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(path, { method: 'POST', body: body instanceof Uint8Array ? body : JSON.stringify(body), headers } as RequestInit);
const metrics = async (): Promise<string> => (await fetch(`${open.serving.url}/metrics`)).text();
const figure = async (line: string): Promise<number> =>
  Number(new RegExp(`^headrace_${line} (\\S+)$`, 'm').exec(await metrics())?.[1] ?? 0);
const error = (part: string | RegExp) => ({
  error: typeof part === 'string' ? expect.stringContaining(part) : expect.stringMatching(part),
});
/** Servers look for changes three times a second. */
const eventually = (check: () => Promise<void>): Promise<void> => vi.waitFor(check, { timeout: 60_000, interval: 100 });

const sum = (data: unknown, shape: readonly number[] = [1, 3]) => ({
  inputs: [{ name: 'x', datatype: 'FP32', shape, data }],
});
const SUM = '/v2/models/sum/infer';
const outputs = [{ name: 'probability', datatype: 'FP32', shape: [1, 1], data: [6] }];

describe('inference', () => {
  it('takes any media type, none, and packed bodies, on the short way and on the route', async () => {
    const body = Buffer.from(JSON.stringify({ id: 'a', ...sum([1, 2, 3]) }));
    const answer = { status: 200, body: { id: 'a', model_name: 'sum', model_version: '1', outputs } };
    for (const type of ['application/json', 'application/octet-stream', 'text/plain; charset=utf-8', 'nonsense'])
      expect(await post(SUM, body, { 'content-type': type })).toMatchObject(answer);
    // A Buffer has no type that fetch would add.
    expect(await post(SUM, body)).toMatchObject(answer);
    expect(await post(SUM, gzipSync(body), { 'content-encoding': 'gzip' })).toMatchObject(answer);
    expect(await post(SUM, deflateSync(body), { 'content-encoding': 'deflate' })).toMatchObject(answer);
    // Without a length.
    const chunked = { method: 'POST', body: new Blob([body]).stream(), duplex: 'half' } as RequestInit;
    expect(await ask(SUM, chunked)).toMatchObject(answer);
    const injected = await open.serving.server.inject({ method: 'POST', url: SUM, payload: body });
    expect([injected.statusCode, injected.json()]).toMatchObject([200, answer.body]);
    expect((await post(SUM, sum([[1, 2, 3]]))).body).not.toHaveProperty('id');
  });

  it('refuses what is packed too well, and what is not packed as it says', async () => {
    const bomb = gzipSync(Buffer.alloc(40 * 1024 * 1024));
    expect((await post(SUM, bomb, { 'content-encoding': 'gzip' })).status).toBe(413);
    expect((await post(SUM, {}, { 'content-encoding': 'gzip' })).status).toBe(400);
    const other = await post(SUM, {}, { 'content-encoding': 'br' });
    expect(other).toMatchObject({ status: 400, body: error('Content-Encoding') });
  });

  it('takes a body that is one input’s data and nothing else, and answers in binary', async () => {
    const data = Buffer.from(Float32Array.from([1, 2, 3, 4, 5, 6]).buffer);
    const headers = { 'inference-header-content-length': '0', 'content-type': 'application/octet-stream' };
    const response = await fetch(`${open.serving.url}${SUM}`, { method: 'POST', body: data, headers });
    const bytes = Buffer.from(await response.arrayBuffer());
    const length = Number(response.headers.get('inference-header-content-length'));
    const json = JSON.parse(bytes.subarray(0, length).toString()) as Json;
    expect(json.outputs).toMatchObject([{ shape: [2, 1], parameters: { binary_data_size: 8 } }]);
    expect([bytes.readFloatLE(length), bytes.readFloatLE(length + 4)]).toEqual([6, 15]);
    expect((await post(SUM, data.subarray(1), headers)).status).toBe(400);
    for (const lie of ['-1', '1e3', ' ', '25', '99999999999999999999'])
      expect((await post(SUM, data, { 'inference-header-content-length': lie })).status).toBe(400);
  });

  it('packs a large answer as it is asked to', async () => {
    const x = { name: 'x', datatype: 'FP32', shape: [1, 1000], data: Array.from({ length: 1000 }, () => 0.5) };
    for (const [asked, packed] of [
      ['gzip', 'gzip'],
      ['deflate', 'deflate'],
      ['gzip;q=0, br', null],
    ] as const) {
      const answer = await post('/v2/models/wide/infer', { inputs: [x] }, { 'accept-encoding': asked });
      expect(answer.headers.get('content-encoding')).toBe(packed);
      expect(answer.body.outputs[0]?.data).toHaveLength(1000);
    }
  });

  it('keeps every digit of an int64, and tells NaN and infinities as texts', async () => {
    const types = (await ask('/v2/models/types')).body['inputs'] as { name: string; datatype: string }[];
    const texts: Readonly<Record<string, string>> = {
      INT64: '[9223372036854775807,-9007199254740993,"-9223372036854775808"]',
      FP64: '[NaN,-Infinity,"Infinity"]',
      BYTES: '["NaN","\\"Infinity\\"","ü"]',
      BOOL: '[true,false,true]',
    };
    const inputs = types.map(
      ({ name, datatype }) =>
        `{"name":"${name}","datatype":"${datatype}","shape":[1,3],"data":${texts[datatype] ?? '[1,2,3]'}}`,
    );
    const body = `{"inputs":[${inputs.join(',')}],"outputs":[{"name":"int64_out"},{"name":"fp64_out"},{"name":"bytes_out"}]}`;
    const text = await (await fetch(`${open.serving.url}/v2/models/types/infer`, { method: 'POST', body })).text();
    expect(text).toContain('"data":[9223372036854775807,-9007199254740993,-9223372036854775808]');
    expect((JSON.parse(text) as Json).outputs.slice(1)).toMatchObject([
      { name: 'fp64_out', data: ['NaN', '-Infinity', 'Infinity'] },
      { name: 'bytes_out', data: ['NaN', '"Infinity"', 'ü'] },
    ]);
  });

  it.each<[path: string, body: unknown, status: number, part: string]>([
    ['nothing', sum([1, 2, 3]), 404, "Request for unknown model: 'nothing' is not found"],
    ['sum/versions/2', sum([1, 2, 3]), 404, "'sum' version 2 is not found"],
    ['returns', sum([1, 2, 3]), 404, 'served by the name of its endpoint: checkout'],
    ['%E0%A4%A', sum([1, 2, 3]), 400, 'is not a valid url component'],
    ['sum', Buffer.from('{"inputs":'), 400, 'is not JSON'],
    ['sum', Buffer.from(''), 400, 'empty'],
    ['sum', { input: [] }, 400, 'Did you mean "inputs"?'],
    ['sum', { inputs: [] }, 400, 'input "x" is missing'],
    [
      'sum',
      { inputs: [{ ...sum([1, 2, 3]).inputs[0], name: 'X' }] },
      400,
      '"x" is missing, and the model has no input "X"',
    ],
    [
      'sum',
      { inputs: [...sum([1, 2, 3]).inputs, { ...sum([1], [1]).inputs[0], name: '__proto__' }] },
      400,
      'no input "__proto__"',
    ],
    ['sum', sum([1, 2]), 400, 'has 3 elements, got 2'],
    ['sum', sum([1, 2], [1, 2]), 400, 'has the shape [1, 2], expected [N, 3]'],
    ['sum', sum([], [0, 3]), 400, 'has no rows'],
    ['sum', { ...sum([1, 2, 3]), outputs: [{ name: 'nope' }] }, 400, 'it gives probability'],
    ['sum', { ...sum([1, 2, 3]), parameters: { sequence_id: 5 } }, 400, 'sequences'],
    ['sum', { ...sum([1, 2, 3]), parameters: { timeout: -1 } }, 400, 'parameters.timeout'],
    ['sum', { ...sum([1, 2, 3]), parameters: { timeout: 1 } }, 504, 'deadline'],
    // The runtime throws: what is wrong with these inputs no signature says.
    ['table', sum([99], [1, 1]), 400, 'can not be run on these inputs'],
    ['checkout', { inputs: [] }, 400, 'customer: the input is missing'],
  ])('says what is wrong, and never that the server is: %s %j', async (path, body, status, part) => {
    expect(await post(`/v2/models/${path}/infer`, body)).toMatchObject({ status, body: error(part) });
  });

  it('says of a path what it takes, and whether there is one', async () => {
    expect(await ask(SUM)).toMatchObject({ status: 405, body: error('') });
    expect(await ask('/v2/nothing')).toMatchObject({ status: 404, body: error('') });
  });
});

describe('an endpoint', () => {
  const CHECKOUT = '/v2/models/checkout/infer';
  const rows = (...more: object[]) => ({
    inputs: [{ name: 'customer', datatype: 'BYTES', shape: [2], data: ['ada', 'bob'] }, ...more],
  });
  const amount = (datatype: string, data: unknown[], shape = [data.length]) => ({
    name: 'amount',
    datatype,
    shape,
    data,
  });

  it('is asked by its request columns, and answers as it does otherwise', async () => {
    const body = { model_name: 'checkout', model_version: '1', outputs: [{ name: 'probability', data: [0.25, 0.25] }] };
    for (const asked of [rows(), rows(amount('INT32', [1, 2], [2, 1]))])
      expect(await post(CHECKOUT, asked)).toMatchObject({ status: 200, body });
  });

  it('gives the ids by which outcomes are told where they are asked for', async () => {
    const { body } = await post(CHECKOUT, { ...rows(), outputs: [{ name: 'prediction_id' }, { name: 'probability' }] });
    expect(body.outputs.map(({ name }) => name)).toEqual(['prediction_id', 'probability']);
    const ids = body.outputs[0]?.data as string[];
    const outcomes = ids.map((id) => ({ prediction_id: id, value: 1, observed_at: new Date().toISOString() }));
    expect((await open.post('/v1/endpoints/checkout/outcomes', { outcomes })).statusCode).toBe(200);
  });

  it('counts requests that fail for the version that they were for, where traffic has it', async () => {
    const failed = async (): Promise<number> => {
      const [stats] = (await ask('/v2/models/checkout/versions/1/stats')).body['model_stats'] as [Figures];
      return stats.inference_stats['fail']?.count ?? NaN;
    };
    const refusals = () => figure('request_errors_total\\{endpoint="checkout",outcome="refused"\\}');
    const [before, refused] = [await failed(), await refusals()];
    for (const [path, status] of [
      ['', 400],
      ['/versions/1', 400],
      ['/versions/7', 404],
    ] as const)
      expect((await post(`/v2/models/checkout${path}/infer`, { inputs: [] })).status).toBe(status);
    expect(await failed()).toBe(before + 2);
    // Whatever follows the path, and whether or not the body could be read.
    expect((await post(`${CHECKOUT}?of=no-use`, Buffer.alloc(5 * 1024 * 1024))).status).toBe(413);
    expect(await refusals()).toBe(refused + 4);
  });

  it('makes no rows of more than a request may have', async () => {
    const inputs = [{ name: 'amount', datatype: 'BOOL', shape: [10_001], parameters: { binary_data_size: 10_001 } }];
    const json = Buffer.from(JSON.stringify({ inputs }));
    const headers = { 'inference-header-content-length': String(json.length) };
    // Before what lacks is told.
    const answer = await post(CHECKOUT, Buffer.concat([json, Buffer.alloc(10_001)]), headers);
    expect(answer).toMatchObject({ status: 413, body: error('server.maxRows') });
  });

  it.each([
    [amount('BYTES', ['1', 'x']), 'inputs[0].amount'],
    [amount('FP64', [1, 2, 3]), 'has 3 rows, another input has 2'],
    [{ ...amount('FP64', [1, 2]), name: 'amont' }, 'amont'],
  ])('names the row and column of a value that is none: %j', async (input, part) => {
    expect((await post(CHECKOUT, rows(input))).body).toMatchObject(error(part));
  });

  it('answers by one of its versions as traffic has them', async () => {
    const { version } = await registerModelFile(open.app, { model: 'returns', onnx: constantModel(4, 0.75) });
    const variants = [1, version].map((one) => ({ name: `v${one}`, version: one, weight: 50 }));
    await (await open.app.registry()).endpoints.setTraffic('checkout', { variants }, BY);
    await eventually(async () => {
      await open.serving.planes.control.refresh();
      expect((await ask('/v2/models/checkout')).body['versions']).toHaveLength(2);
    });
    for (const [asked, value] of Object.entries({ 1: 0.25, 2: 0.75 }))
      expect(await post(`/v2/models/checkout/versions/${asked}/infer`, rows())).toMatchObject({
        status: 200,
        body: { model_version: asked, outputs: [{ data: [value, value] }] },
      });
    expect((await post('/v2/models/checkout/versions/3/infer', rows())).status).toBe(404);
    const stats = (await ask('/v2/models/checkout/stats')).body['model_stats'] as Figures[];
    expect(stats.map(({ version: own }) => own)).toEqual(['1', '2']);
  });
});

it('who asks needs the role and the name, as for endpoints; health is open', async () => {
  const keyed = await openOipServing();
  onTestFinished(() => keyed.close());
  const { keys } = await keyed.app.registry();
  const make = async (name: string, roles: ('read' | 'predict' | 'admin')[], more = {}): Promise<string> =>
    (await keys.create({ name, roles, ...more }, BY)).token;
  const endpoints = ['wide'];
  const wide = await make('wide', ['predict'], { endpoints });
  const [reader, admin] = [await make('reader', ['read']), await make('admin', ['read', 'admin'])];
  const narrow = await make('narrow', ['read'], { endpoints });
  await keyed.serving.security.refresh();
  const at = (path: string, key?: string, body?: unknown): Promise<Answer> => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    return ask(`/v2${path}`, { headers, ...sent }, keyed.serving);
  };
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 1000], data: Array.from({ length: 1000 }, () => 1) }];
  for (const [status, path, key, body] of [
    [200, '/health/live'],
    [200, '/health/ready'],
    [401, ''],
    [401, '/models/wide'],
    [401, '/models/wide/infer', undefined, { inputs }],
    [200, '/models/wide', wide],
    [200, '/models/wide/infer', wide, { inputs }],
    [403, '/models/types', wide],
    [403, '/models/types/infer', wide, { inputs }],
    [403, '/models/checkout/infer', wide, { inputs }],
    [403, '/models/wide/infer', reader, { inputs }],
    [403, '/repository/models/wide/unload', wide, {}],
    [403, '/repository/models/wide/unload', reader, {}],
    [403, '/models/wide/stats', wide],
  ] as const) {
    const answer = await at(path, key, body);
    expect([path, answer.status]).toEqual([path, status]);
    if (status > 200) expect(answer.body).toMatchObject(error(''));
  }
  expect((await at('/repository/index', narrow, {})).body).toMatchObject([{ name: 'wide' }]);
  expect((await at('/models/stats', narrow)).body['model_stats']).toMatchObject([{ name: 'wide' }]);
  expect((await at('/repository/models/wide/unload', admin, {})).status).toBe(200);
  expect(await at('/models/wide/infer', wide, { inputs })).toMatchObject({ status: 503, body: error('unloaded') });
});

describe('versions', () => {
  it('answer as the newest, as stable where there is such an alias, and as asked', async () => {
    const { plainModels } = await open.app.registry();
    const infer = (path = '') => post(`/v2/models/scaled${path}/infer`, sum([1], [1, 1]));
    const value = async (version: string) => (await infer(`/versions/${version}`)).body.outputs?.[0]?.data[0];
    const newest = async () => (await infer()).body.outputs?.[0]?.data[0];
    const scaled = (scale: number) => register('scaled', linearModel(1, { scale }));
    await scaled(1);
    await scaled(2);
    await load('scaled');
    expect([await newest(), await value('latest'), await value('1')]).toEqual([2, 2, 1]);
    await plainModels.setAlias('scaled', 'stable', '1', 'ann');
    await scaled(3);
    await load('scaled');
    await eventually(async () =>
      expect([await newest(), await value('stable'), await value('latest')]).toEqual([1, 1, 3]),
    );
    // Kept in memory by nobody: loaded for the request.
    expect(await value('2')).toBe(2);
    await plainModels.retire('scaled', '2', 'ann');
    await eventually(async () => expect((await infer('/versions/2')).status).toBe(404));
    expect((await ask('/v2/models/scaled')).body['versions']).toEqual(['1', '3']);
  });

  it('are unloaded and loaded on every server, at once where it is asked', async () => {
    const other = await serveProject(open.project);
    onTestFinished(async () => {
      await other.serving.stop();
      await other.app.close();
    });
    const statuses = async (): Promise<number[]> => {
      const asked = [open.serving, other.serving].map((one) => ask('/v2/models/sum/ready', {}, one));
      return (await Promise.all(asked)).map(({ status }) => status);
    };
    const change = (what: string, body: unknown, headers = {}) => post(`/v2/repository/${what}`, body, headers);
    expect(await statuses()).toEqual([200, 200]);
    expect((await change('models/sum/unload', Buffer.from(''), { 'x-reason': 'not now' })).status).toBe(200);
    const { auditLog } = await open.app.registry();
    expect(await auditLog.list({ object: 'model/sum', limit: 1 })).toMatchObject([
      { action: 'model.unload', before: { isLoaded: true }, after: { isLoaded: false }, reason: 'not now' },
    ]);
    expect((await statuses())[0]).toBe(503);
    await eventually(async () => expect(await statuses()).toEqual([503, 503]));
    const answer = await post(SUM, sum([1, 2, 3]));
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    for (const slip of [{ parameters: { config: '{}' } }, { parameters: 'config' }, { parameters: 5 }])
      expect((await change('models/sum/load', slip)).status).toBe(400);
    const wrong = { error: 'ready: expected true or false, got string "yes"' };
    expect(await change('index', { ready: 'yes' })).toMatchObject({ status: 400, body: wrong });
    expect((await change('models/sum/load', {})).status).toBe(200);
    expect((await post(SUM, sum([1, 2, 3]))).status).toBe(200);
    await eventually(async () => expect(await statuses()).toEqual([200, 200]));
  });
});

describe('what a plain model has counted', () => {
  const infer = async (version: string, rows: number) => {
    const data = Array.from({ length: rows }, () => 1);
    expect((await post(`/v2/models/counted/versions/${version}/infer`, sum(data, [rows, 1]))).status).toBe(200);
  };
  const statistics = async (version: string): Promise<Figures> =>
    ((await ask(`/v2/models/counted/versions/${version}/stats`)).body['model_stats'] as [Figures])[0];
  beforeAll(async () => {
    // Files of their own: those of one content share what is in memory.
    for (const scale of [7, 9]) await register('counted', linearModel(1, { scale }));
    await load('counted');
  });

  it('is told with what its rows waited, also of a version that is loaded for who asks for it', async () => {
    // The newest is kept in memory; the first is loaded by its number.
    for (const version of ['2', '1']) {
      expect((await statistics(version)).inference_stats['queue']).toEqual({ count: 0, ns: 0 });
      for (const rows of [2, 3]) await infer(version, rows);
      const { inference_count: count, inference_stats: stats } = await statistics(version);
      expect([count, stats['success']?.count, stats['queue']?.count]).toEqual([5, 2, 5]);
      expect(stats['queue']?.ns).toBeGreaterThan(0);
    }
  });

  it('is in the metrics as others are: requests, mistakes, time, and each version’s rows and their waiting', async () => {
    await infer('1', 4);
    expect((await post('/v2/models/counted/infer', sum([1], [1, 7]))).status).toBe(400);
    for (const [version, rows] of [
      [1, 9],
      [2, 5],
    ]) {
      expect(await figure(`model_rows_total\\{model="counted",version="${version}"\\}`)).toBe(rows);
      expect(await figure(`model_wait_seconds_total\\{model="counted",version="${version}"\\}`)).toBeGreaterThan(0);
    }
    expect(await figure('requests_total\\{endpoint="counted"\\}')).toBe(5);
    expect(await figure('request_errors_total\\{endpoint="counted",outcome="refused"\\}')).toBe(1);
    expect(await figure('request_duration_seconds_count\\{endpoint="counted"\\}')).toBe(5);
  });

  it('is not in the prediction log, which is of rows with features', async () => {
    const logged = async () => (await figure('prediction_log_written_total')) + (await figure('prediction_log_queued'));
    const before = await logged();
    await infer('2', 3);
    expect(await logged()).toBe(before);
    await open.post('/v1/endpoints/checkout/predict', { inputs: [{ customer: 'ann', amount: 1 }] });
    expect(await logged()).toBe(before + 1);
  });
});

it('a client that goes away takes what it waited for out of the queue', async () => {
  await register('patient', patientModel());
  await load('patient');
  const headers = { 'x-request-timeout-ms': '30000' };
  const sent = (rounds: number, more: RequestInit = {}): Promise<unknown> =>
    ask('/v2/models/patient/infer', {
      method: 'POST',
      body: JSON.stringify(sum([rounds], [1, 1])),
      headers,
      ...more,
    }).then(
      ({ status }) => status,
      () => 'gone',
    );
  const ofPatient = '\\{(?=[^}]*model="patient")[^}]*\\}';
  const cancelled = 'model_refused_total\\{(?=[^}]*model="patient")(?=[^}]*reason="cancelled")[^}]*\\}';
  // The client goes once its row is seen to wait. Where the run before it ended first, a longer one is tried.
  for (let rounds = 500_000; (await figure(cancelled)) === 0; rounds *= 2) {
    expect(rounds).toBeLessThan(10_000_000);
    let ended = false;
    const running = sent(rounds).finally(() => (ended = true));
    const gone = new AbortController();
    const waiting = sent(1, { signal: gone.signal });
    while (!ended && (await figure(`model_queued${ofPatient}`)) === 0)
      await new Promise((resolve) => setTimeout(resolve, 2));
    gone.abort();
    expect(await running).toBe(200);
    expect(['gone', 200]).toContain(await waiting);
  }
  expect(await figure(cancelled)).toBe(1);
});
