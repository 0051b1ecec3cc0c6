// The Open Inference Protocol over HTTP: what comes in every form that its clients send, who may ask what, versions and aliases
// that move, models unloaded for all servers, and bodies that are none. Real sockets: nearly all requests take the short way.

import { gzipSync, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { registerModelFile, registerPlainModel } from '../../src/app/index.ts';
import {
  centeringModel,
  constantModel,
  linearModel,
  lookUpModel,
  patientModel,
  squaresModel,
  turnedModel,
} from '../support/onnx-model.ts';
import { scopeOf } from '../support/model-works.ts';
import { openOipServing } from '../support/oip-models.ts';
import { type OpenServing, serveProject } from '../support/open-serving.ts';
import { runs } from '../support/tier.ts';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}
type Json = Record<string, unknown> & { readonly outputs: { readonly name: string; readonly data: unknown[] }[] };

let open: OpenServing;

beforeAll(async () => {
  open = await openOipServing();
  await registerPlainModel(open.app, { model: 'sum', onnx: linearModel(3) });
  await registerPlainModel(open.app, { model: 'table', onnx: lookUpModel() });
  await registerPlainModel(open.app, { model: 'centering', onnx: centeringModel(2) });
  await open.serving.planes.inference.load('sum', { actor: 'test' });
}, 60_000);
afterAll(() => open.close());

async function ask(path: string, init: RequestInit = {}, url = open.serving.url): Promise<Answer> {
  const response = await fetch(`${url}${path}`, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: JSON.parse(text) as Json };
}

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers });

interface Figures {
  readonly version: string;
  readonly inference_count: number;
  readonly inference_stats: Readonly<Record<string, { readonly count: number; readonly ns: number }>>;
}

const sum = (data: unknown, shape: readonly number[] = [1, 3]) => ({
  inputs: [{ name: 'x', datatype: 'FP32', shape, data }],
});

describe('inference', () => {
  it('answers flat and nested data alike, with its id, model and version', async () => {
    const expected = {
      model_name: 'sum',
      model_version: '1',
      outputs: [{ name: 'probability', datatype: 'FP32', shape: [2, 1], data: [6, 15] }],
    };
    const flat = await post('/v2/models/sum/infer', { id: 'a', ...sum([1, 2, 3, 4, 5, 6], [2, 3]) });
    expect(flat).toMatchObject({ status: 200, body: { id: 'a', ...expected } });
    const nested = await post(
      '/v2/models/sum/infer',
      sum(
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
        [2, 3],
      ),
    ); // prettier-ignore
    expect(nested).toMatchObject({ status: 200, body: expected });
    expect(nested.body).not.toHaveProperty('id');
  });

  it('takes any media type, none, and packed bodies, on the short way and on the route', async () => {
    const body = JSON.stringify(sum([1, 2, 3]));
    const url = '/v2/models/sum/infer';
    const outputs = [{ name: 'probability', datatype: 'FP32', shape: [1, 1], data: [6] }];
    for (const type of ['application/json', 'application/octet-stream', 'text/plain; charset=utf-8', 'nonsense'])
      expect(await post(url, body, { 'content-type': type })).toMatchObject({ status: 200, body: { outputs } });
    // A Buffer has no type that fetch would add.
    expect(await ask(url, { method: 'POST', body: Buffer.from(body) })).toMatchObject({ status: 200 });
    for (const [encoding, pack] of [
      ['gzip', gzipSync],
      ['deflate', deflateSync],
    ] as const)
      expect(
        await ask(url, { method: 'POST', body: pack(body), headers: { 'content-encoding': encoding } }),
      ).toMatchObject({ status: 200, body: { outputs } });
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from(body));
        controller.close();
      },
    });
    // Without a length.
    const chunked = { method: 'POST', body: stream, duplex: 'half' } as RequestInit;
    expect(await ask(url, chunked)).toMatchObject({ status: 200, body: { outputs } });
    const injected = await open.serving.server.inject({ method: 'POST', url, payload: Buffer.from(body) });
    expect([injected.statusCode, injected.json()]).toMatchObject([200, { outputs }]);
  });

  it('refuses what is packed too well, and what is not packed as it says', async () => {
    const bomb = gzipSync(Buffer.alloc(40 * 1024 * 1024));
    const url = '/v2/models/sum/infer';
    const headers = { 'content-encoding': 'gzip' };
    expect((await ask(url, { method: 'POST', body: bomb, headers })).status).toBe(413);
    expect((await ask(url, { method: 'POST', body: Buffer.from('{}'), headers })).status).toBe(400);
    const other = { 'content-encoding': 'br' };
    expect(await ask(url, { method: 'POST', body: Buffer.from('{}'), headers: other })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining('Content-Encoding') },
    });
  });

  it('takes a body that is one input’s data and nothing else, and answers in binary', async () => {
    const data = Buffer.from(Float32Array.from([1, 2, 3, 4, 5, 6]).buffer);
    const response = await fetch(`${open.serving.url}/v2/models/sum/infer`, {
      method: 'POST',
      body: data,
      headers: { 'inference-header-content-length': '0', 'content-type': 'application/octet-stream' },
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const length = Number(response.headers.get('inference-header-content-length'));
    const json = JSON.parse(bytes.subarray(0, length).toString()) as Json;
    expect(json.outputs).toMatchObject([{ shape: [2, 1], parameters: { binary_data_size: 8 } }]);
    expect([bytes.readFloatLE(length), bytes.readFloatLE(length + 4)]).toEqual([6, 15]);
    const bad = { method: 'POST', body: data.subarray(1), headers: { 'inference-header-content-length': '0' } };
    expect((await ask('/v2/models/sum/infer', bad)).status).toBe(400);
  });

  it('packs a large answer as it is asked to', async () => {
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 1000], data: Array.from({ length: 1000 }, () => 0.5) }];
    for (const encoding of ['gzip', 'deflate']) {
      const answer = await post('/v2/models/wide/infer', { inputs }, { 'accept-encoding': encoding });
      expect(answer.headers.get('content-encoding')).toBe(encoding);
      expect(answer.body.outputs[0]?.data).toHaveLength(1000);
    }
    const none = await post('/v2/models/wide/infer', { inputs }, { 'accept-encoding': 'gzip;q=0, br' });
    expect(none.headers.get('content-encoding')).toBeNull();
  });

  it('keeps every digit of an int64, and tells NaN and infinities as texts', async () => {
    const types = (await ask('/v2/models/types')).body['inputs'] as { name: string; datatype: string }[];
    const inputs = types.map(({ name, datatype }) => {
      const data =
        datatype === 'INT64'
          ? '[9223372036854775807,-9007199254740993,"-9223372036854775808"]'
          : datatype === 'FP64'
            ? '[NaN,-Infinity,"Infinity"]'
            : datatype === 'BYTES'
              ? '["NaN","\\"Infinity\\"","ü"]'
              : datatype === 'BOOL'
                ? '[true,false,true]'
                : '[1,2,3]';
      return `{"name":"${name}","datatype":"${datatype}","shape":[1,3],"data":${data}}`;
    });
    const body = `{"inputs":[${inputs.join(',')}],"outputs":[{"name":"int64_out"},{"name":"fp64_out"},{"name":"bytes_out"}]}`;
    const response = await fetch(`${open.serving.url}/v2/models/types/infer`, { method: 'POST', body });
    const text = await response.text();
    expect(text).toContain('"data":[9223372036854775807,-9007199254740993,-9223372036854775808]');
    expect(text).toContain('"data":["NaN","-Infinity","Infinity"]');
    expect((JSON.parse(text) as Json).outputs.map(({ name, data }) => [name, data.length])).toEqual([
      ['int64_out', 3],
      ['fp64_out', 3],
      ['bytes_out', 3],
    ]);
    expect((JSON.parse(text) as Json).outputs[2]?.data).toEqual(['NaN', '"Infinity"', 'ü']);
  });

  it('says what is wrong, and never that the server is', async () => {
    const cases: [string, unknown, number, string][] = [
      ['/v2/models/nothing/infer', sum([1, 2, 3]), 404, "Request for unknown model: 'nothing' is not found"],
      ['/v2/models/sum/versions/2/infer', sum([1, 2, 3]), 404, "'sum' version 2 is not found"],
      ['/v2/models/returns/infer', sum([1, 2, 3]), 404, 'served by the name of its endpoint: checkout'],
      ['/v2/models/%E0%A4%A/infer', sum([1, 2, 3]), 400, 'is not a valid url component'],
      ['/v2/models/sum/infer', '{"inputs":', 400, 'is not JSON'],
      ['/v2/models/sum/infer', '', 400, 'empty'],
      ['/v2/models/sum/infer', { input: [] }, 400, 'Did you mean "inputs"?'],
      ['/v2/models/sum/infer', { inputs: [] }, 400, 'input "x" is missing'],
      [
        '/v2/models/sum/infer',
        { inputs: [{ name: 'X', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }] },
        400,
        'input "x" is missing, and the model has no input "X"',
      ],
      [
        '/v2/models/sum/infer',
        { inputs: [...sum([1, 2, 3]).inputs, { name: '__proto__', datatype: 'FP32', shape: [1], data: [1] }] },
        400,
        'the model has no input "__proto__"',
      ],
      ['/v2/models/sum/infer', sum([1, 2]), 400, 'has 3 elements, got 2'],
      ['/v2/models/sum/infer', sum([1, 2], [1, 2]), 400, 'has the shape [1, 2], expected [N, 3]'],
      ['/v2/models/sum/infer', sum([], [0, 3]), 400, 'has no rows'],
      ['/v2/models/sum/infer', { ...sum([1, 2, 3]), outputs: [{ name: 'nope' }] }, 400, 'it gives probability'],
      ['/v2/models/sum/infer', { ...sum([1, 2, 3]), parameters: { sequence_id: 5 } }, 400, 'sequences'],
      ['/v2/models/sum/infer', { ...sum([1, 2, 3]), parameters: { timeout: -1 } }, 400, 'parameters.timeout'],
      ['/v2/models/sum/infer', { ...sum([1, 2, 3]), parameters: { timeout: 1 } }, 504, 'deadline'],
      // The runtime throws: what is wrong with these inputs no signature says.
      ['/v2/models/table/infer', sum([99], [1, 1]), 400, 'can not be run on these inputs'],
      ['/v2/models/checkout/infer', { inputs: [] }, 400, 'customer: the input is missing'],
    ];
    for (const [path, body, status, part] of cases) {
      const answer = await post(path, body);
      expect([path, answer.status, answer.body]).toEqual([path, status, { error: expect.stringContaining(part) }]);
    }
    expect(await ask('/v2/models/sum/infer')).toMatchObject({ status: 405, body: { error: expect.any(String) } });
    expect(await ask('/v2/nothing')).toMatchObject({ status: 404, body: { error: expect.any(String) } });
  });

  it('answers rows that depend on each other by those that came with them alone', async () => {
    const rows = (first: number): object => ({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 2], data: [first, 0, 0, 0] }],
    });
    const answers = await Promise.all([2, 4, 6].map((first) => post('/v2/models/centering/infer', rows(first))));
    expect(answers.map(({ body }) => body.outputs[0]?.data)).toEqual([
      [1, 0, -1, 0],
      [2, 0, -2, 0],
      [3, 0, -3, 0],
    ]);
  });

  it('gives whatever rows a model makes of the one that it takes, and takes no second one with it', async () => {
    await registerPlainModel(open.app, { model: 'turned', onnx: turnedModel(3) });
    await open.serving.planes.inference.load('turned', { actor: 'test' });
    const outputs = [{ name: 'found', datatype: 'FP32', shape: [3, 1], data: [1, 2, 3] }];
    expect(await post('/v2/models/turned/infer', sum([1, 2, 3]))).toMatchObject({ status: 200, body: { outputs } });
    const both = await post('/v2/models/turned/infer', sum([1, 2, 3, 4, 5, 6], [2, 3]));
    expect(both).toMatchObject({
      status: 400,
      body: { error: expect.stringMatching(/gave 3 rows of "found" for 1 row\. Send the rows one by one/) },
    });
  });

  it('takes few rows that have nothing in them, however many a shape claims', async () => {
    await registerPlainModel(open.app, { model: 'squares', onnx: squaresModel() });
    await open.serving.planes.inference.load('squares', { actor: 'test' });
    const ask = (data: readonly number[], shape: readonly number[]) =>
      post('/v2/models/squares/infer', sum(data, shape));
    for (const rows of [2 ** 31, 2 ** 52]) expect((await ask([], [rows, 0])).status).toBe(400);
    expect(await ask([], [2, 0])).toMatchObject({ status: 200, body: { outputs: [{ data: [0, 0] }] } });
    expect(await ask([3, 4], [1, 2])).toMatchObject({ status: 200, body: { outputs: [{ data: [25] }] } });
  });

  it('answers whatever comes as a request or a mistake of the client', async () => {
    const good = Buffer.from(JSON.stringify(sum([1, 2, 3])));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
        fc.option(fc.nat(good.length)),
        fc.option(fc.oneof(fc.nat(200).map(String), fc.constantFrom('-1', '1e3', ' ', '99999999999999999999'))),
        fc.constantFrom('sum', 'table', 'types', 'checkout', 'nothing'),
        async (flips, cut, length, model) => {
          const body = Buffer.from(good);
          for (const [at, byte] of flips) body[at] = byte;
          const headers: Record<string, string> = length === null ? {} : { 'inference-header-content-length': length };
          const sent = { method: 'POST', body: cut === null ? body : body.subarray(0, cut), headers };
          const response = await fetch(`${open.serving.url}/v2/models/${model}/infer`, sent);
          await response.arrayBuffer();
          expect(response.status).toBeLessThan(500);
        },
      ),
      { numRuns: runs(300) },
    );
    expect((await post('/v2/models/sum/infer', sum([1, 2, 3]))).status).toBe(200);
  });
});

describe('an endpoint', () => {
  const rows = (more: object[] = []) => ({
    inputs: [{ name: 'customer', datatype: 'BYTES', shape: [2], data: ['ada', 'bob'] }, ...more],
  });

  it('is asked by its request columns, and answers as it does otherwise', async () => {
    const answer = await post('/v2/models/checkout/infer', rows());
    expect(answer).toMatchObject({
      status: 200,
      body: { model_name: 'checkout', model_version: '1', outputs: [{ name: 'probability', data: [0.25, 0.25] }] },
    });
    const amounts = { name: 'amount', datatype: 'INT32', shape: [2, 1], data: [1, 2] };
    expect(await post('/v2/models/checkout/infer', rows([amounts]))).toMatchObject({ status: 200 });
  });

  it('gives the ids by which outcomes are told where they are asked for', async () => {
    const outputs = [{ name: 'prediction_id' }, { name: 'probability' }];
    const { body } = await post('/v2/models/checkout/infer', { ...rows(), outputs });
    const ids = body.outputs[0]?.data as string[];
    expect(body.outputs.map(({ name }) => name)).toEqual(['prediction_id', 'probability']);
    const outcomes = ids.map((id) => ({ prediction_id: id, value: 1, observed_at: new Date().toISOString() }));
    expect((await open.post('/v1/endpoints/checkout/outcomes', { outcomes })).statusCode).toBe(200);
  });

  it('counts requests that fail for the version that they were for, where traffic has it', async () => {
    const failed = async (): Promise<number> => {
      const [stats] = (await ask('/v2/models/checkout/versions/1/stats')).body['model_stats'] as [Figures];
      return stats.inference_stats['fail']?.count ?? NaN;
    };
    const metric = async (): Promise<number> => {
      const text = await (await fetch(`${open.serving.url}/metrics`)).text();
      return Number(
        /headrace_request_errors_total\{endpoint="checkout",outcome="refused"\} (\d+)/.exec(text)?.[1] ?? 0,
      );
    };
    const [before, refused] = [await failed(), await metric()];
    const empty = { inputs: [] };
    expect((await post('/v2/models/checkout/infer', empty)).status).toBe(400);
    expect((await post('/v2/models/checkout/versions/1/infer', empty)).status).toBe(400);
    expect((await post('/v2/models/checkout/versions/7/infer', empty)).status).toBe(404);
    expect(await failed()).toBe(before + 2);
    // Whatever follows the path, and whether or not the body could be read.
    const large = { method: 'POST', body: Buffer.alloc(5 * 1024 * 1024) };
    expect((await ask('/v2/models/checkout/infer?of=no-use', large)).status).toBe(413);
    expect(await metric()).toBe(refused + 4);
  });

  it('makes no rows of more than a request may have', async () => {
    const inputs = [{ name: 'amount', datatype: 'BOOL', shape: [10_001], parameters: { binary_data_size: 10_001 } }];
    const json = Buffer.from(JSON.stringify({ inputs }));
    const headers = { 'inference-header-content-length': String(json.length) };
    const body = Buffer.concat([json, Buffer.alloc(10_001)]);
    // Before what lacks is told.
    expect(await ask('/v2/models/checkout/infer', { method: 'POST', body, headers })).toMatchObject({
      status: 413,
      body: { error: expect.stringContaining('server.maxRows') },
    });
  });

  it('names the row and column of a value that is none', async () => {
    const answer = async (more: object) => (await post('/v2/models/checkout/infer', rows([more]))).body;
    expect(await answer({ name: 'amount', datatype: 'BYTES', shape: [2], data: ['1', 'x'] })).toMatchObject({
      error: expect.stringMatching(/inputs\[0\]\.amount/),
    });
    expect(await answer({ name: 'amount', datatype: 'FP64', shape: [3], data: [1, 2, 3] })).toMatchObject({
      error: expect.stringContaining('has 3 rows, another input has 2'),
    });
    expect(await answer({ name: 'amont', datatype: 'FP64', shape: [2], data: [1, 2] })).toMatchObject({
      error: expect.stringContaining('amont'),
    });
  });

  it('answers by one of its versions as traffic has them', async () => {
    const { version } = await registerModelFile(open.app, { model: 'returns', onnx: constantModel(4, 0.75) });
    const registry = await open.app.registry();
    const split = [
      { name: 'stable', version: 1, weight: 50 },
      { name: 'next', version, weight: 50 },
    ];
    await registry.endpoints.setTraffic('checkout', { variants: split }, { actor: 'ann' });
    for (let tries = 0; tries < 50; tries++) {
      await open.serving.planes.control.refresh();
      const { body } = await ask('/v2/models/checkout');
      if ((body['versions'] as string[]).length === 2) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    for (const [asked, value] of [
      ['1', 0.25],
      ['2', 0.75],
    ] as const)
      expect(await post(`/v2/models/checkout/versions/${asked}/infer`, rows())).toMatchObject({
        status: 200,
        body: { model_version: asked, outputs: [{ data: [value, value] }] },
      });
    expect((await post('/v2/models/checkout/versions/3/infer', rows())).status).toBe(404);
    const stats = (await ask('/v2/models/checkout/stats')).body['model_stats'] as Record<string, unknown>[];
    expect(stats.map(({ version: own }) => own)).toEqual(['1', '2']);
  });
});

describe('who asks', () => {
  it('needs the role and the name, as for endpoints; health is open', async () => {
    const keyed = await openOipServing();
    try {
      const { keys } = await keyed.app.registry();
      let made = 0;
      const make = async (roles: ('read' | 'predict' | 'admin')[], endpoints?: string[]): Promise<string> =>
        (
          await keys.create(
            { name: `k${made++}`, roles, ...(endpoints === undefined ? {} : { endpoints }) },
            { actor: 'ann' },
          )
        ).token;
      const wide = await make(['predict'], ['wide']);
      const reader = await make(['read']);
      const admin = await make(['read', 'admin']);
      await keyed.serving.security.refresh();
      const at = (path: string, key: string | undefined, body?: unknown): Promise<Answer> =>
        ask(
          path,
          {
            headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
            ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
          },
          keyed.serving.url,
        );
      const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 1000], data: Array.from({ length: 1000 }, () => 1) }];
      const statuses = async (...asked: Promise<Answer>[]) => (await Promise.all(asked)).map(({ status }) => status);
      expect(await statuses(at('/v2/health/live', undefined), at('/v2/health/ready', undefined))).toEqual([200, 200]);
      expect(await statuses(at('/v2', undefined), at('/v2/models/wide', undefined))).toEqual([401, 401]);
      expect(await at('/v2/models/wide/infer', undefined, { inputs })).toMatchObject({
        status: 401,
        body: { error: expect.any(String) },
      });
      expect(await statuses(at('/v2/models/wide/infer', wide, { inputs }), at('/v2/models/wide', wide))).toEqual([
        200, 200,
      ]);
      expect(
        await statuses(
          at('/v2/models/types', wide),
          at('/v2/models/types/infer', wide, { inputs }),
          at('/v2/models/checkout/infer', wide, { inputs }),
          at('/v2/models/wide/infer', reader, { inputs }),
          at('/v2/repository/models/wide/unload', wide, {}),
          at('/v2/repository/models/wide/unload', reader, {}),
          at('/v2/models/wide/stats', wide),
        ),
      ).toEqual([403, 403, 403, 403, 403, 403, 403]);
      const narrow = await make(['read'], ['wide']);
      await keyed.serving.security.refresh();
      const index = (await at('/v2/repository/index', narrow, {})).body as unknown as { name: string }[];
      expect(index.map(({ name }) => name)).toEqual(['wide']);
      const all = (await at('/v2/models/stats', narrow)).body['model_stats'] as { name: string }[];
      expect(all.map(({ name }) => name)).toEqual(['wide']);
      expect((await at('/v2/repository/models/wide/unload', admin, {})).status).toBe(200);
      expect(await at('/v2/models/wide/infer', wide, { inputs })).toMatchObject({
        status: 503,
        body: { error: expect.stringContaining('unloaded') },
      });
    } finally {
      await keyed.close();
    }
  });
});

describe('versions', () => {
  it('answer as the newest, as stable where there is such an alias, and as asked', async () => {
    const register = (scale: number, alias?: string) =>
      registerPlainModel(open.app, {
        model: 'scaled',
        onnx: linearModel(1, { scale }),
        ...(alias === undefined ? {} : { alias }),
      });
    const { inference } = open.serving.planes;
    const { plainModels } = await open.app.registry();
    const answers = async (version?: string): Promise<unknown> => {
      const path = `/v2/models/scaled${version === undefined ? '' : `/versions/${version}`}/infer`;
      const { body } = await post(path, sum([1], [1, 1]));
      return body.outputs?.[0]?.data[0];
    };
    await register(1);
    await register(2);
    await inference.load('scaled', { actor: 'test' });
    expect([await answers(), await answers('latest'), await answers('1')]).toEqual([2, 2, 1]);
    await plainModels.setAlias('scaled', 'stable', '1', 'ann');
    await register(3);
    await inference.load('scaled', { actor: 'test' });
    await eventually(async () =>
      expect([await answers(), await answers('stable'), await answers('latest')]).toEqual([1, 1, 3]),
    );
    // Kept in memory by nobody: loaded for the request.
    expect(await answers('2')).toBe(2);
    await plainModels.retire('scaled', '2', 'ann');
    await eventually(async () =>
      expect((await post('/v2/models/scaled/versions/2/infer', sum([1], [1, 1]))).status).toBe(404),
    );
    expect((await ask('/v2/models/scaled')).body['versions']).toEqual(['1', '3']);
  });

  it('are unloaded and loaded on every server, at once where it is asked', async () => {
    const other = await serveProject(open.project);
    const statuses = async (): Promise<number[]> => {
      const asked = [open.serving.url, other.serving.url].map((url) => ask('/v2/models/sum/ready', {}, url));
      return (await Promise.all(asked)).map(({ status }) => status);
    };
    try {
      expect(await statuses()).toEqual([200, 200]);
      expect((await post('/v2/repository/models/sum/unload', '', { 'x-reason': 'not now' })).status).toBe(200);
      const { auditLog } = await open.app.registry();
      expect(await auditLog.list({ object: 'model/sum', limit: 1 })).toMatchObject([
        { action: 'model.unload', before: { isLoaded: true }, after: { isLoaded: false }, reason: 'not now' },
      ]);
      expect((await statuses())[0]).toBe(503);
      await eventually(async () => expect(await statuses()).toEqual([503, 503]));
      const answer = await post('/v2/models/sum/infer', sum([1, 2, 3]));
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
      for (const slip of [{ parameters: { config: '{}' } }, { parameters: 'config' }, { parameters: 5 }])
        expect((await post('/v2/repository/models/sum/load', slip)).status).toBe(400);
      expect(await post('/v2/repository/index', { ready: 'yes' })).toMatchObject({
        status: 400,
        body: { error: 'ready: expected true or false, got string "yes"' },
      });
      expect((await post('/v2/repository/models/sum/load', {})).status).toBe(200);
      expect((await post('/v2/models/sum/infer', sum([1, 2, 3]))).status).toBe(200);
      await eventually(async () => expect(await statuses()).toEqual([200, 200]));
    } finally {
      await other.serving.stop();
      await other.app.close();
    }
  });
});

describe('what a plain model has counted', () => {
  const infer = (version: string, rows: number) =>
    post(
      `/v2/models/counted/versions/${version}/infer`,
      sum(
        Array.from({ length: rows }, () => 1),
        [rows, 1],
      ),
    );
  const statistics = async (version: string): Promise<Figures> => {
    const { body } = await ask(`/v2/models/counted/versions/${version}/stats`);
    return (body['model_stats'] as readonly [Figures])[0];
  };
  const figures = async (): Promise<string> => (await fetch(`${open.serving.url}/metrics`)).text();

  beforeAll(async () => {
    // Files of their own: those of one content share what is in memory.
    for (const scale of [7, 9])
      await registerPlainModel(open.app, { model: 'counted', onnx: linearModel(1, { scale }) });
    await open.serving.planes.inference.load('counted', { actor: 'test' });
  });

  it('is told with what its rows waited, also of a version that is loaded for who asks for it', async () => {
    // The newest is kept in memory; the first is loaded by its number.
    for (const version of ['2', '1']) {
      expect((await statistics(version)).inference_stats['queue']).toEqual({ count: 0, ns: 0 });
      for (const rows of [2, 3]) expect((await infer(version, rows)).status).toBe(200);
      const { inference_count: count, inference_stats: stats } = await statistics(version);
      expect([count, stats['success']?.count, stats['queue']?.count]).toEqual([5, 2, 5]);
      expect(stats['queue']?.ns).toBeGreaterThan(0);
    }
  });

  it('is in the metrics as others are: requests, mistakes, time, and each version’s rows and their waiting', async () => {
    expect((await infer('1', 4)).status).toBe(200);
    expect((await post('/v2/models/counted/infer', sum([1], [1, 7]))).status).toBe(400);
    const text = await figures();
    for (const version of [1, 2]) {
      expect(text).toMatch(new RegExp(`headrace_model_rows_total\\{model="counted",version="${version}"\\} [5-9]`));
      const waited = `headrace_model_wait_seconds_total\\{model="counted",version="${version}"\\} [\\d.e-]*[1-9]`;
      expect(text).toMatch(new RegExp(waited));
    }
    expect(text).toMatch(/headrace_requests_total\{endpoint="counted"\} 5/);
    expect(text).toMatch(/headrace_request_errors_total\{endpoint="counted",outcome="refused"\} 1/);
    expect(text).toMatch(/headrace_request_duration_seconds_count\{endpoint="counted"\} 5/);
  });

  it('is not in the prediction log, which is of rows with features', async () => {
    const logged = async (): Promise<number> => {
      const text = await figures();
      const of = (name: string) => Number(new RegExp(`^headrace_prediction_log_${name} (\\d+)`, 'm').exec(text)?.[1]);
      return of('written_total') + of('queued');
    };
    const before = await logged();
    expect((await infer('2', 3)).status).toBe(200);
    expect(await logged()).toBe(before);
    await open.serving.planes.data.predict(
      'checkout',
      [{ customer: 'ann', amount: 1 }],
      { isPartial: false },
      scopeOf(),
    );
    expect(await logged()).toBe(before + 1);
  });
});

describe('a client that goes away', () => {
  it('takes what it waited for out of the queue', async () => {
    await registerPlainModel(open.app, { model: 'patient', onnx: patientModel() });
    const { inference } = open.serving.planes;
    await inference.load('patient', { actor: 'test' });
    const sent = (rounds: number, signal?: AbortSignal): Promise<unknown> =>
      ask('/v2/models/patient/infer', {
        method: 'POST',
        body: JSON.stringify(sum([rounds], [1, 1])),
        headers: { 'x-request-timeout-ms': '30000' },
        ...(signal === undefined ? {} : { signal }),
      }).then(
        ({ status }) => status,
        () => 'gone',
      );
    const gone = new AbortController();
    const before = Array.from({ length: 8 }, () => sent(100_000));
    const last = sent(100_000, gone.signal);
    await new Promise((resolve) => setTimeout(resolve, 50));
    gone.abort();
    expect(await last).toBe('gone');
    expect(await Promise.all(before)).toEqual(before.map(() => 200));
    await eventually(async () => expect(await figure('headrace_model_refused_total', 'reason="cancelled"')).toBe(1));
  });

  /** A figure of model `patient` as scrapes are told. */
  async function figure(name: string, label = ''): Promise<number> {
    const text = await (await fetch(`${open.serving.url}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) && line.includes('model="patient"'));
    return Number(
      lines
        .find((line) => line.includes(label))
        ?.split(' ')
        .at(-1) ?? NaN,
    );
  }
});

/** Servers look for changes three times a second. */
const eventually = (check: () => Promise<void>): Promise<void> => vi.waitFor(check, { timeout: 60_000, interval: 100 });
