// Arrow in and out over HTTP: the same values, statuses and times as in JSON, the same limits and the same errors.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import {
  Float64,
  Int32,
  Int64,
  Table,
  tableFromIPC,
  tableToIPC,
  Utf8,
  type Vector,
  vectorFromArray,
} from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type DataType,
  type Field,
  parseJson,
  parseValue,
  stringifyJson,
  toJson,
  type Value,
} from '../../src/core/index.ts';
import { type Definitions, resolveService } from '../../src/definitions/index.ts';
import { ARROW_REPOSITORY } from '../support/arrow-shop.ts';
import { columnsOf, encodingsOf, nullColumn, streamOf } from '../support/arrow-tables.ts';
import { passThroughModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { runs } from '../support/tier.ts';

const ARROW = 'application/vnd.apache.arrow.stream';
const JSON_TYPE = 'application/json';
const ACCOUNTS = [1n, 2n, 2n ** 53n + 1n, -(2n ** 63n)];

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly bytes: Buffer;
  json(): Record<string, unknown>;
}

let open: OpenServing;
let definitions: Definitions;
beforeAll(async () => {
  open = await openServing({
    repository: ARROW_REPOSITORY,
    features: 1,
    onnx: passThroughModel([{ name: 'label__points', type: 'int64', shape: [null] }]),
    settings: { HEADRACE_SERVER_BODY_LIMIT: '200KB', HEADRACE_SERVER_MAX_ROWS: '1000' },
  });
  definitions = await open.app.definitionsOf((await open.app.applied()).hash);
  const at = new Date(Date.now() - 60_000).toISOString();
  const full = {
    flag: true,
    small: -5,
    large: '9223372036854775807',
    single: 0.1,
    double: 0.1,
    name: 'Ünïcode 😀 and more than thirty-two bytes of it',
    code: 'AQID',
    seen: '1969-12-31T23:59:59.999999Z',
    embedding: [1, 'NaN', 3],
    tags: ['a', null, ''],
    counts: ['1', null],
  };
  const none = Object.fromEntries(Object.keys(full).map((name) => [name, null]));
  const rows = [
    { account: String(ACCOUNTS[0]), ...full, at },
    { account: String(ACCOUNTS[1]), ...none, double: 'Infinity', tags: [], at },
    { account: String(ACCOUNTS[2]), ...full, at: new Date(Date.now() - 40 * 86_400_000).toISOString() },
  ];
  expect((await open.post('/v1/sources/facts/push', { rows })).json()).toMatchObject({ accepted: 3 });
});
afterAll(() => open.close());

async function ask(
  url: string,
  payload: Uint8Array | object,
  { accept, type = payload instanceof Uint8Array ? ARROW : JSON_TYPE, ...headers }: Record<string, string> = {},
): Promise<Answer> {
  const answer = await open.serving.server.inject({
    method: 'POST',
    url,
    headers: { 'content-type': type, ...(accept === undefined ? {} : { accept }), ...headers },
    payload: payload instanceof Uint8Array ? Buffer.from(payload) : stringifyJson(payload),
  });
  const bytes = answer.rawPayload;
  const json = () => parseJson(bytes.toString()) as Record<string, unknown>;
  return { status: answer.statusCode, type: String(answer.headers['content-type']), bytes, json };
}

const service = (name: string) => resolveService(definitions.manifest, name);

/** Rows as a stream, each column in the first encoding that holds all its values. */
function asStream(columns: readonly Field[], rows: readonly Readonly<Record<string, Value>>[]): Uint8Array {
  return streamOf(
    Object.fromEntries(
      columns.map(({ name, type }): [string, Vector] => {
        const values = rows.map((row) => row[name] ?? null);
        if (values.every((value) => value === null)) return [name, nullColumn(values.length)];
        const encoding = encodingsOf(type).find(({ holds }) =>
          values.every((value) => value === null || (holds?.(value) ?? true)),
        );
        if (encoding === undefined) throw new Error(`no column holds ${name}`);
        return [name, encoding.encode(values)];
      }),
    ),
  );
}

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const double = fc.double().map((value) => (value === 0 ? 0 : value));
const REQUEST: Readonly<Record<string, fc.Arbitrary<Value>>> = {
  r_flag: fc.boolean(),
  r_small: fc.integer(),
  r_large: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  r_single: double.map((value) => (Math.fround(value) === 0 ? 0 : Math.fround(value))),
  r_double: double,
  r_name: text,
  r_code: fc.uint8Array({ maxLength: 4 }),
  // A function sees it as a Date.
  r_seen: fc.integer({ min: -(2 ** 41), max: 2 ** 41 }).map((ms) => ms * 1000),
  r_embedding: fc.tuple(fc.integer(), fc.integer()).map((items) => Float32Array.from(items)),
  r_tags: fc.array(fc.option(text), { maxLength: 3 }),
  r_counts: fc.array(fc.option(fc.array(fc.option(fc.bigInt({ min: -9n, max: 2n ** 60n })), { maxLength: 2 })), {
    maxLength: 2,
  }),
};
const row = fc.record({
  account: fc.constantFrom<Value>(...ACCOUNTS),
  ...Object.fromEntries(Object.entries(REQUEST).map(([name, values]) => [name, fc.option(values)])),
}) as fc.Arbitrary<Readonly<Record<string, Value>>>;

describe('features in Arrow', () => {
  it.each(['stored', 'mixed', 'all'])('of %s are the values, statuses and times of the JSON answer', async (name) => {
    const { requestColumns, features } = service(name);
    const types = Object.fromEntries([
      ...features.map((feature) => [feature.name, feature.type] as const),
      ...features.map((feature) => [`${feature.name}__event_time`, { kind: 'timestamp' }] as const),
    ]) as Record<string, DataType>;
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 12 }), async (rows) => {
        const stream = asStream(requestColumns, rows);
        const json = rows.map((one) =>
          Object.fromEntries(
            requestColumns.map(({ name: column, type }) => [column, toJson(type, one[column] ?? null)]),
          ),
        );
        const url = `/v1/services/${name}/read`;
        const [both, in1, out, neither] = await Promise.all([
          ask(`${url}?statuses=true&event_times=true`, stream, { accept: ARROW }),
          ask(url, stream),
          ask(`${url}?statuses=true&event_times=true`, { rows: json }, { accept: ARROW }),
          ask(url, { rows: json }),
        ]);
        expect([both, in1, out, neither].map(({ status }) => status)).toEqual([200, 200, 200, 200]);
        expect([both.type, in1.type.split(';')[0]]).toEqual([ARROW, JSON_TYPE]);
        expect(in1.bytes.toString()).toBe(neither.bytes.toString());
        expect(out.bytes.equals(both.bytes)).toBe(true);
        const answered = neither.json()['rows'] as readonly {
          readonly features: Readonly<Record<string, unknown>>;
          readonly statuses: Readonly<Record<string, string>>;
          readonly event_times: Readonly<Record<string, string | null>>;
        }[];
        const columns = columnsOf(both.bytes, types);
        expect(Object.keys(columns)).toEqual([
          ...features.map((feature) => feature.name),
          ...features.map((feature) => `${feature.name}__status`),
          ...features.map((feature) => `${feature.name}__event_time`),
        ]);
        for (const { name: feature, type, from } of features) {
          const [role = ''] = feature.split('__');
          const timeOf = (time: string | null | undefined) => parseValue({ kind: 'timestamp' }, time);
          expect(columns[feature]).toEqual(answered.map((one) => parseValue(type, one.features[feature])));
          expect(columns[`${feature}__status`]).toEqual(answered.map((one) => one.statuses[feature] ?? 'PRESENT'));
          expect(columns[`${feature}__event_time`]).toEqual(
            answered.map((one) => (from.kind === 'read' ? timeOf(one.event_times[role]) : null)),
          );
        }
      }),
      { numRuns: runs(40) },
    );
  });

  it('are of the types that are told, and may all be null', async () => {
    const answer = await ask('/v1/services/stored/read?statuses=true', { rows: [{ account: 7 }] }, { accept: ARROW });
    const { schema } = tableFromIPC(answer.bytes);
    const [features, statuses] = [schema.fields.slice(0, 11), schema.fields.slice(11)];
    expect(features.map(({ type }) => String(type))).toEqual([
      'Bool',
      'Int32',
      'Int64',
      'Float32',
      'Float64',
      'Utf8',
      'Binary',
      'Timestamp<MICROSECOND, UTC>',
      'FixedSizeList[3]<Float32>',
      'List<Utf8>',
      'List<Int64>',
    ]);
    expect(new Set(statuses.map(({ type }) => String(type)))).toEqual(new Set(['Dictionary<Int8, Utf8>']));
    expect(schema.fields.every(({ nullable }) => nullable)).toBe(true);
  });

  it('of any service come to whoever asks for them, and JSON stays what is sent otherwise', async () => {
    const body = { service: 'stored', rows: [{ account: 1 }] };
    const types: string[] = [];
    for (const accept of [
      ARROW,
      ARROW.toUpperCase(),
      `${ARROW}, application/json;q=0.5`,
      `application/json, ${ARROW}`,
      '*/*',
      'application/json',
      `${ARROW};q=0`,
      `application/json, ${ARROW};q=0.9`,
      'text/html',
    ])
      types.push((await ask('/v1/features/read', body, { accept })).type.split(';')[0] as string);
    expect(types).toEqual([...Array<string>(4).fill(ARROW), ...Array<string>(5).fill(JSON_TYPE)]);
  });

  it('come from several batches as from one', async () => {
    const part = (...accounts: bigint[]) => new Table({ account: vectorFromArray(accounts, new Int64()) });
    const [first, second] = [part(1n, 2n), part(3n)];
    const stream = tableToIPC(first.concat(second), 'stream');
    expect(tableFromIPC(stream).batches).toHaveLength(2);
    const answer = await ask('/v1/services/stored/read', stream);
    expect(answer.json()['rows']).toHaveLength(3);
  });
});

describe('the guide', () => {
  it('shows a command that saves a stream', async () => {
    const guide = readFileSync(new URL('../../docs/guides/arrow.md', import.meta.url), 'utf8');
    const [, command = ''] = /^```sh\n([\s\S]*?)^```$/m.exec(guide) ?? [];
    const run = spawn('bash', ['-c', command.replace('http://127.0.0.1:8080', open.serving.url)], {
      cwd: open.project.directory,
    });
    expect(await new Promise((resolve) => run.once('close', resolve))).toBe(0);
    const table = tableFromIPC(readFileSync(open.project.file('features.arrow')));
    expect(table.numRows).toBe(2);
    expect(table.getChild('known__name__status')?.toJSON()).toEqual(['PRESENT', 'NULL_VALUE']);
  });
});

describe('predictions in Arrow', () => {
  const url = '/v1/endpoints/checkout/predict';
  const points = (...values: (bigint | null)[]) => vectorFromArray(values, new Int64());

  it('are their outputs, then what each came from; the rest is in the metadata', async () => {
    const answer = await ask(url, streamOf({ points: points(7n, 2n ** 62n + 1n) }), { accept: ARROW });
    expect([answer.status, answer.type]).toEqual([200, ARROW]);
    const table = tableFromIPC(answer.bytes);
    expect(table.schema.fields.map(({ name, type }) => `${name} ${String(type)}`)).toEqual([
      'points Int64',
      'prediction_id Utf8',
      'version Int32',
      'variant Utf8',
    ]);
    expect(Array.from(table.getChild('points') as Vector)).toEqual([7n, 2n ** 62n + 1n]);
    expect(Array.from(table.getChild('version') as Vector)).toEqual([1, 1]);
    expect(new Set(table.getChild('prediction_id') as Vector).size).toBe(2);
    expect(Object.fromEntries(table.schema.metadata)).toEqual({ endpoint: '"checkout"', model: '"returns"' });
  });

  it('are what JSON tells, in mixed forms too', async () => {
    const outputs = (answer: Answer) =>
      (answer.json()['predictions'] as { outputs: Record<string, unknown> }[]).map((one) => one.outputs['points']);
    const asJson = await ask(url, streamOf({ points: points(7n, 2n ** 62n + 1n) }));
    expect(outputs(asJson)).toEqual([7, 2n ** 62n + 1n]);
    const asText = await ask(url, streamOf({ points: points(2n ** 62n + 1n) }), { 'x-int64': 'string' });
    expect(outputs(asText)).toEqual([String(2n ** 62n + 1n)]);
    const asArrow = await ask(url, { inputs: [{ points: 5 }] }, { accept: ARROW });
    expect(Array.from(tableFromIPC(asArrow.bytes).getChild('points') as Vector)).toEqual([5n]);
  });

  it('have the features that the model saw in their metadata, where they are asked for', async () => {
    const answer = await ask(`${url}?return_features=true`, streamOf({ points: points(7n) }), { accept: ARROW });
    const { metadata } = tableFromIPC(answer.bytes).schema;
    expect(JSON.parse(metadata.get('features') ?? '')).toEqual([{ label__points: 7 }]);
    expect(JSON.parse(metadata.get('statuses') ?? '')).toEqual([{ label__points: 'PRESENT' }]);
  });

  it('tell where the time went in their metadata, where it is asked for', async () => {
    const told = { variant: 'stable', model: 'returns', version: 1, rows: 1, nodes: [] };
    const timingsOf = (answer: Answer) => tableFromIPC(answer.bytes).schema.metadata.get('timings');
    const rows = await ask(`${url}?return_timings=true`, streamOf({ points: points(7n) }), { accept: ARROW });
    const [timed] = JSON.parse(timingsOf(rows) ?? '') as [Record<string, number>];
    expect(timed).toMatchObject(told);
    for (const name of ['features_ms', 'queue_ms', 'inference_ms']) expect(timed[name]).toBeGreaterThanOrEqual(0);
    const inJson = await ask(`${url}?return_timings=true`, streamOf({ points: points(7n) }));
    expect(inJson.json()['timings']).toMatchObject([told]);
    const asked = { inputs: [{ points: 5 }], options: { return_timings: true } };
    expect(JSON.parse(timingsOf(await ask(url, asked, { accept: ARROW })) ?? '')).toMatchObject([told]);
    expect(timingsOf(await ask(url, { inputs: [{ points: 5 }] }, { accept: ARROW }))).toBeUndefined();
  });

  it('stand alone with ?partial=true: a row that fails is null, and its error in the metadata', async () => {
    const fails = vectorFromArray([false, true, null]);
    const stream = streamOf({ points: points(7n, 8n, null), fails });
    const whole = await ask(url, stream, { accept: ARROW });
    expect([whole.status, whole.type]).toEqual([400, 'application/problem+json']);
    expect(whole.json()['errors']).toMatchObject([{ path: 'inputs[2].points' }]);
    const answer = await ask(`${url}?partial=true`, stream, { accept: ARROW });
    const table = tableFromIPC(answer.bytes);
    expect(Array.from(table.getChild('points') as Vector)).toEqual([7n, null, null]);
    expect(Array.from(table.getChild('version') as Vector)).toEqual([1, null, null]);
    expect(JSON.parse(table.schema.metadata.get('errors') ?? '')).toMatchObject([
      null,
      { code: 'HR_NULL_FEATURE', path: 'inputs[1]' },
      { code: 'HR_INVALID', path: 'inputs[2].points' },
    ]);
    const asJson = await ask(`${url}?partial=true`, stream);
    expect(asJson.json()['predictions']).toMatchObject([
      { version: 1 },
      { error: { code: 'HR_NULL_FEATURE' } },
      { error: {} },
    ]);
  });
});

describe('Arrow that is refused', () => {
  const read = '/v1/services/stored/read';
  const predict = '/v1/endpoints/checkout/predict';
  const good = () => streamOf({ account: vectorFromArray([1n], new Int64()) });

  it.each([
    [
      'a type that loses',
      { account: vectorFromArray([1.5], new Float64()) },
      'rows.account',
      'got a column of Float64',
    ],
    ['text', { account: vectorFromArray(['1'], new Utf8()) }, 'rows.account', 'got a column of Utf8'],
    ['a null', { account: vectorFromArray([1n, null], new Int64()) }, 'rows[1].account', 'expected int64, got null'],
    ['no such column', { other: vectorFromArray([1], new Int32()) }, 'rows.account', 'expected int64, got no column'],
    ['a slip', { accuont: vectorFromArray([1], new Int32()) }, 'rows.accuont', 'Did you mean "account"?'],
  ])('names row and column: %s', async (_, columns, path, message) => {
    for (const accept of [JSON_TYPE, ARROW]) {
      const answer = await ask(read, streamOf(columns), { accept });
      expect([answer.status, answer.type]).toEqual([400, 'application/problem+json']);
      expect(answer.json()).toMatchObject({ code: 'HR_INVALID' });
      expect(answer.json()['errors']).toContainEqual({ path, message: expect.stringContaining(message) });
    }
  });

  it('tells what came and what is taken instead', async () => {
    const answer = await ask(predict, streamOf({ points: vectorFromArray([1.5], new Float64()) }));
    expect(answer.json()['errors']).toEqual([
      {
        path: 'inputs.points',
        message: 'expected int64, got a column of Float64; it goes as Int8 to Int64 or UInt8 to UInt64',
      },
    ]);
  });

  it('is 400 where it is no whole stream', async () => {
    for (const url of [read, predict]) {
      for (const bytes of [
        Buffer.alloc(0),
        good().subarray(0, -20),
        Buffer.from('{"rows":[]}'),
        Buffer.alloc(100, 255),
      ]) {
        const answer = await ask(url, bytes, { accept: ARROW });
        expect([answer.status, answer.json()['code']]).toEqual([400, 'HR_MALFORMED_ARROW']);
      }
    }
  });

  it('is 413 past the rows or the bytes that JSON may have', async () => {
    const rows = await ask(read, streamOf({ account: vectorFromArray(new BigInt64Array(1001)) }));
    expect([rows.status, rows.json()['detail']]).toEqual([
      413,
      'rows has 1001 rows, the limit is 1000 (server.maxRows). Send them in parts.',
    ]);
    const bytes = await ask(read, Buffer.alloc(200_001));
    expect([bytes.status, bytes.json()['code']]).toEqual([413, 'HR_TOO_LARGE']);
  });

  it('is 504 past its deadline', async () => {
    const late = await ask(predict, streamOf({ points: vectorFromArray(new BigInt64Array(1000)) }), {
      'x-request-timeout-ms': '1',
    });
    expect(late.status).toBe(504);
  });

  it('is 415 where only JSON is taken, and where it is encoded', async () => {
    for (const url of ['/v1/features/read', '/v1/sources/facts/push', '/v1/endpoints/checkout/outcomes']) {
      const answer = await ask(url, good());
      expect([answer.status, answer.json()['detail']]).toEqual([
        415,
        expect.stringContaining(`must be application/json, got "${ARROW}". Rows for predictions`),
      ]);
    }
    expect((await ask(read, good(), { 'content-encoding': 'gzip' })).status).toBe(415);
  });

  it.each([
    [`${read}?status=true`, '?status', 'Did you mean "statuses"?'],
    [`${read}?statuses=1`, '?statuses', 'expected true or false, got string "1"'],
    [`${read}?statuses=true&statuses=false`, '?statuses', 'got an array of 2'],
  ])('is 400 for a parameter that there is not: %s', async (url, path, message) => {
    const answer = await ask(url, good(), { accept: ARROW });
    expect(answer.json()).toMatchObject({ status: 400, errors: [{ path, message: expect.stringContaining(message) }] });
  });

  it('is counted for its endpoint, and holds no bytes any more', async () => {
    const sumOf = async (pattern: RegExp): Promise<number> => {
      const { body } = await open.serving.server.inject({ method: 'GET', url: '/metrics' });
      return [...body.matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0);
    };
    const failures = /^headrace\w+\{[^}]*code="HR_MALFORMED_ARROW"[^}]*\} (\d+)$/gm;
    const before = await sumOf(failures);
    await ask(predict, Buffer.from('no stream'));
    expect(await sumOf(failures)).toBe(before + 1);
    expect(await sumOf(/^headrace_requests_in_flight_size_bytes (\d+)$/gm)).toBe(0);
  });
});

describe('Arrow from a stranger', () => {
  // The last: from here on the server has keys.
  it('is refused as JSON is, before its body is looked at', async () => {
    const registry = await open.app.registry();
    const { token } = await registry.keys.create({ name: 'predicts', roles: ['predict'] }, { actor: 'ann' });
    await open.serving.security.refresh();
    const [read, predict] = ['/v1/services/stored/read', '/v1/endpoints/checkout/predict'];
    const mine = { authorization: `Bearer ${token}`, accept: ARROW };
    expect((await ask(predict, Buffer.from('no stream'))).status).toBe(401);
    expect((await ask(read, Buffer.from('no stream'), mine)).status).toBe(403);
    expect((await ask(predict, Buffer.from('no stream'), mine)).status).toBe(400);
  });
});
