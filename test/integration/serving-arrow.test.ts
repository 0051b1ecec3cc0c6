// Arrow in and out over HTTP: the same values, statuses and times as in JSON, the same limits and the same errors.

import { readFileSync } from 'node:fs';
import * as arrow from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { parseJson, parseValue, stringifyJson, toJson } from '../../src/core/index.ts';
import type { DataType, Field, Value } from '../../src/core/index.ts';
import { resolveService } from '../../src/definitions/index.ts';
import { ARROW_REPOSITORY } from '../support/arrow-shop.ts';
import { columnsOf, encodingsOf, nullColumn, streamOf } from '../support/arrow-tables.ts';
import { passThroughModel } from '../support/onnx-model.ts';
import { openForAll } from '../support/open-for.ts';
import { programOutput } from '../support/program-output.ts';

const ARROW = 'application/vnd.apache.arrow.stream';
const JSON_TYPE = 'application/json';
const ACCOUNTS = [1n, 2n, 2n ** 53n + 1n, -(2n ** 63n)];

const FULL = {
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
const NONE = Object.fromEntries(Object.keys(FULL).map((name) => [name, null]));
const served = {
  repository: ARROW_REPOSITORY,
  features: 1,
  onnx: passThroughModel([{ name: 'label__points', type: 'int64', shape: [null] }]),
  settings: { HEADRACE_SERVER_BODY_LIMIT: '200KB', HEADRACE_SERVER_MAX_ROWS: '1000' },
};
const open = openForAll(served, async ({ post }) => {
  const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
  const rows = [
    { account: String(ACCOUNTS[0]), ...FULL, at: ago(60_000) },
    { account: String(ACCOUNTS[1]), ...NONE, double: 'Infinity', tags: [], at: ago(60_000) },
    { account: String(ACCOUNTS[2]), ...FULL, at: ago(40 * 86_400_000) },
  ];
  expect((await post('/v1/sources/facts/push', { rows })).json()).toMatchObject({ accepted: 3 });
});

async function ask(
  url: string,
  payload: Uint8Array | object,
  { accept, type = payload instanceof Uint8Array ? ARROW : JSON_TYPE, ...headers }: Record<string, string> = {},
) {
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

/** Rows as a stream, each column in the first encoding that holds all its values. */
function asStream(columns: readonly Field[], rows: readonly Readonly<Record<string, Value>>[]): Uint8Array {
  const vectors = columns.map(({ name, type }): [string, arrow.Vector] => {
    const values = rows.map((row) => row[name] ?? null);
    if (values.every((value) => value === null)) return [name, nullColumn(values.length)];
    const encoding = encodingsOf(type).find(({ holds = () => true }) =>
      values.every((one) => one === null || holds(one)),
    );
    if (encoding === undefined) throw new Error(`no column holds ${name}`);
    return [name, encoding.encode(values)];
  });
  return streamOf(Object.fromEntries(vectors));
}

/** Of the functions' own. */
const REQUEST: Readonly<Record<string, Value>> = {
  r_flag: true,
  r_small: -5,
  r_large: 2n ** 62n + 1n,
  r_single: 0.5,
  r_double: NaN,
  r_name: 'é😀',
  r_code: Uint8Array.of(1, 255),
  // A function sees it as a Date.
  r_seen: -1000,
  r_embedding: Float32Array.of(1, -2),
  r_tags: ['a', null, ''],
  r_counts: [[2n ** 60n, null], null, []],
};

describe('features in Arrow', () => {
  it.each(['stored', 'mixed', 'all'])('of %s are the values, statuses and times of the JSON answer', async (name) => {
    const definitions = await open.app.definitionsOf((await open.app.applied()).hash);
    const { requestColumns, features } = resolveService(definitions.manifest, name);
    const time = { kind: 'timestamp' } as const;
    const types = Object.fromEntries<DataType>(
      features.flatMap((one) => [[one.name, one.type] as const, [`${one.name}__event_time`, time] as const]),
    );
    // More than two bytes of bits, each account with and without the others.
    const given = Array.from({ length: 20 }, (_, at): Readonly<Record<string, Value>> => {
      const account = ACCOUNTS[(at * 7) % ACCOUNTS.length] as bigint;
      return { account, ...(at % 3 === 0 ? {} : REQUEST) };
    });
    for (const count of [0, 1, given.length]) {
      const sent = given.slice(0, count);
      const stream = asStream(requestColumns, sent);
      const cells = (one: (typeof given)[number]) =>
        requestColumns.map((column) => [column.name, toJson(column.type, one[column.name] ?? null)]);
      const rows = sent.map((one): unknown => Object.fromEntries(cells(one)));
      const url = `/v1/services/${name}/read`;
      const both = await ask(`${url}?statuses=true&event_times=true`, stream, { accept: ARROW });
      const in1 = await ask(url, stream);
      const out = await ask(`${url}?statuses=true&event_times=true`, { rows }, { accept: ARROW });
      const neither = await ask(url, { rows });
      expect([both, in1, out, neither].map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect([both.type, in1.type.split(';')[0]]).toEqual([ARROW, JSON_TYPE]);
      expect(in1.bytes.toString()).toBe(neither.bytes.toString());
      expect(out.bytes.equals(both.bytes)).toBe(true);
      type Of<T> = Readonly<Record<string, T>>;
      type Answered = { features: Of<unknown>; statuses: Of<string>; event_times: Of<string | null> };
      const answered = neither.json()['rows'] as readonly Answered[];
      const columns = columnsOf(both.bytes, types);
      const names = ['', '__status', '__event_time'].flatMap((end) => features.map((one) => `${one.name}${end}`));
      expect(Object.keys(columns)).toEqual(names);
      for (const { name: feature, type, from } of features) {
        const [role = ''] = feature.split('__');
        const times = answered.map((one) => (from.kind === 'read' ? parseValue(time, one.event_times[role]) : null));
        expect(columns[feature]).toEqual(answered.map((one) => parseValue(type, one.features[feature])));
        expect(columns[`${feature}__status`]).toEqual(answered.map((one) => one.statuses[feature] ?? 'PRESENT'));
        expect(columns[`${feature}__event_time`]).toEqual(times);
      }
    }
  });

  it('are of the types that are told, and may all be null', async () => {
    const answer = await ask('/v1/services/stored/read?statuses=true', { rows: [{ account: 7 }] }, { accept: ARROW });
    const { fields } = arrow.tableFromIPC(answer.bytes).schema;
    const told =
      'Bool Int32 Int64 Float32 Float64 Utf8 Binary Timestamp<MICROSECOND, UTC> FixedSizeList[3]<Float32> List<Utf8> List<Int64>';
    const types = fields.map(({ type }) => String(type));
    expect(types.slice(0, 11).join(' ')).toBe(told);
    expect(new Set(types.slice(11))).toEqual(new Set(['Dictionary<Int8, Utf8>']));
    expect(fields.every(({ nullable }) => nullable)).toBe(true);
  });

  it.each([
    [ARROW, ARROW],
    [ARROW.toUpperCase(), ARROW],
    [`${ARROW}, application/json;q=0.5`, ARROW],
    [`application/json, ${ARROW}`, ARROW],
    ['*/*', JSON_TYPE],
    ['application/json', JSON_TYPE],
    [`${ARROW};q=0`, JSON_TYPE],
    [`application/json, ${ARROW};q=0.9`, JSON_TYPE],
    ['text/html', JSON_TYPE],
  ])('of any service come to whoever asks for them: by %s %s', async (accept, expected) => {
    const { type } = await ask('/v1/features/read', { service: 'stored', rows: [{ account: 1 }] }, { accept });
    expect(type.split(';')[0]).toBe(expected);
  });

  it('come from several batches as from one', async () => {
    const part = (...accounts: bigint[]) =>
      new arrow.Table({ account: arrow.vectorFromArray(accounts, new arrow.Int64()) });
    const stream = arrow.tableToIPC(part(1n, 2n).concat(part(3n)), 'stream');
    expect(arrow.tableFromIPC(stream).batches).toHaveLength(2);
    expect((await ask('/v1/services/stored/read', stream)).json()['rows']).toHaveLength(3);
  });

  it('are saved by a command of the guide', async () => {
    const guide = readFileSync(new URL('../../docs/guides/arrow.md', import.meta.url), 'utf8');
    const [, command = ''] = /^```sh\n([\s\S]*?)^```$/m.exec(guide) ?? [];
    const { directory, file } = open.project;
    await programOutput('bash', ['-c', command.replace('http://127.0.0.1:8080', open.serving.url)], directory);
    const table = arrow.tableFromIPC(readFileSync(file('features.arrow')));
    expect(table.numRows).toBe(2);
    expect(table.getChild('known__name__status')?.toJSON()).toEqual(['PRESENT', 'NULL_VALUE']);
  });
});

const read = '/v1/services/stored/read';
const predict = '/v1/endpoints/checkout/predict';
const points = (...values: (bigint | null)[]) => arrow.vectorFromArray(values, new arrow.Int64());
const sent = (...values: (bigint | null)[]) => streamOf({ points: points(...values) });
const LARGE = 2n ** 62n + 1n;

describe('predictions in Arrow', () => {
  const inArrow = async (url: string, payload: Uint8Array | object) => {
    const { bytes } = await ask(url, payload, { accept: ARROW });
    const { schema } = arrow.tableFromIPC(bytes);
    const told = (name: string): unknown => JSON.parse(schema.metadata.get(name) ?? 'null');
    return { column: (name: string) => columnsOf(bytes, { points: { kind: 'int64' } })[name], told, schema };
  };

  it('are their outputs, then what each came from; the rest is in the metadata', async () => {
    const { column, schema } = await inArrow(predict, sent(7n, LARGE));
    const fields = schema.fields.map(({ name, type }) => `${name} ${String(type)}`);
    expect(fields).toEqual(['points Int64', 'prediction_id Utf8', 'version Int32', 'variant Utf8']);
    expect([column('points'), column('version')]).toEqual([
      [7n, LARGE],
      [1, 1],
    ]);
    expect(new Set(column('prediction_id')).size).toBe(2);
    expect(Object.fromEntries(schema.metadata)).toEqual({ endpoint: '"checkout"', model: '"returns"' });
  });

  it('are what JSON tells, in mixed forms too', async () => {
    const outputs = async (...asked: Parameters<typeof ask>) =>
      ((await ask(...asked)).json()['predictions'] as { outputs: object }[]).map((one) => one.outputs);
    expect(await outputs(predict, sent(7n, LARGE))).toEqual([{ points: 7 }, { points: LARGE }]);
    expect(await outputs(predict, sent(LARGE), { 'x-int64': 'string' })).toEqual([{ points: String(LARGE) }]);
    expect((await inArrow(predict, { inputs: [{ points: 5 }] })).column('points')).toEqual([5n]);
  });

  it('have the features that the model saw in their metadata, where they are asked for', async () => {
    const { told } = await inArrow(`${predict}?return_features=true`, sent(7n));
    expect(told('features')).toEqual([{ label__points: 7 }]);
    expect(told('statuses')).toEqual([{ label__points: 'PRESENT' }]);
  });

  it('tell where the time went in their metadata, where it is asked for', async () => {
    const told = { variant: 'stable', model: 'returns', version: 1, rows: 1, nodes: [] };
    const url = `${predict}?return_timings=true`;
    const [timed] = (await inArrow(url, sent(7n))).told('timings') as [Record<string, number>];
    expect(timed).toMatchObject(told);
    for (const name of ['features_ms', 'queue_ms', 'inference_ms']) expect(timed[name]).toBeGreaterThanOrEqual(0);
    expect((await ask(url, sent(7n))).json()['timings']).toMatchObject([told]);
    const inputs = [{ points: 5 }];
    const asked = { inputs, options: { return_timings: true } };
    expect((await inArrow(predict, asked)).told('timings')).toMatchObject([told]);
    expect((await inArrow(predict, { inputs })).told('timings')).toBeNull();
  });

  it('stand alone with ?partial=true: a row that fails is null, and its error in the metadata', async () => {
    const stream = streamOf({ points: points(7n, 8n, null), fails: arrow.vectorFromArray([false, true, null]) });
    const whole = await ask(predict, stream, { accept: ARROW });
    expect([whole.status, whole.type]).toEqual([400, 'application/problem+json']);
    expect(whole.json()['errors']).toMatchObject([{ path: 'inputs[2].points' }]);
    const { column, told } = await inArrow(`${predict}?partial=true`, stream);
    expect(column('points')).toEqual([7n, null, null]);
    const second = { code: 'HR_NULL_FEATURE', path: 'inputs[1]' };
    expect(told('errors')).toMatchObject([null, second, { code: 'HR_INVALID', path: 'inputs[2].points' }]);
    const { predictions } = (await ask(`${predict}?partial=true`, stream)).json();
    expect(predictions).toMatchObject([{ version: 1 }, { error: { code: 'HR_NULL_FEATURE' } }, { error: {} }]);
  });
});

describe('Arrow that is refused', () => {
  const good = () => streamOf({ account: points(1n) });

  it.each([
    [
      'a type that loses',
      { account: arrow.vectorFromArray([1.5], new arrow.Float64()) },
      'rows.account',
      'a column of Float64',
    ],
    ['text', { account: arrow.vectorFromArray(['1'], new arrow.Utf8()) }, 'rows.account', 'got a column of Utf8'],
    ['a null', { account: points(1n, null) }, 'rows[1].account', 'expected int64, got null'],
    [
      'no such column',
      { other: arrow.vectorFromArray([1], new arrow.Int32()) },
      'rows.account',
      'expected int64, got no column',
    ],
    ['a slip', { accuont: arrow.vectorFromArray([1], new arrow.Int32()) }, 'rows.accuont', 'Did you mean "account"?'],
  ])('names row and column: %s', async (_, columns, path, message) => {
    for (const accept of [JSON_TYPE, ARROW]) {
      const answer = await ask(read, streamOf(columns), { accept });
      expect([answer.status, answer.type]).toEqual([400, 'application/problem+json']);
      expect(answer.json()).toMatchObject({ code: 'HR_INVALID' });
      expect(answer.json()['errors']).toContainEqual({ path, message: expect.stringContaining(message) });
    }
  });

  it('tells what came and what is taken instead', async () => {
    const answer = await ask(predict, streamOf({ points: arrow.vectorFromArray([1.5], new arrow.Float64()) }));
    const message = 'expected int64, got a column of Float64; it goes as Int8 to Int64 or UInt8 to UInt64';
    expect(answer.json()['errors']).toEqual([{ path: 'inputs.points', message }]);
  });

  it.each([read, predict])('is 400 where it is no whole stream: %s', async (url) => {
    const none = [Buffer.alloc(0), good().subarray(0, -20), Buffer.from('{"rows":[]}'), Buffer.alloc(100, 255)];
    for (const bytes of none) {
      const answer = await ask(url, bytes, { accept: ARROW });
      expect([answer.status, answer.json()['code']]).toEqual([400, 'HR_MALFORMED_ARROW']);
    }
  });

  it('is 413 past the rows or the bytes that JSON may have', async () => {
    const rows = await ask(read, streamOf({ account: arrow.vectorFromArray(new BigInt64Array(1001)) }));
    const detail = 'rows has 1001 rows, the limit is 1000 (server.maxRows). Send them in parts.';
    expect(rows.json()).toMatchObject({ status: 413, detail });
    expect((await ask(read, Buffer.alloc(200_001))).json()).toMatchObject({ status: 413, code: 'HR_TOO_LARGE' });
  });

  it('is 504 past its deadline', async () => {
    const stream = streamOf({ points: arrow.vectorFromArray(new BigInt64Array(1000)) });
    expect((await ask(predict, stream, { 'x-request-timeout-ms': '1' })).status).toBe(504);
  });

  it('is 415 where only JSON is taken, and where it is encoded', async () => {
    for (const url of ['/v1/features/read', '/v1/sources/facts/push', '/v1/endpoints/checkout/outcomes']) {
      const answer = await ask(url, good());
      const detail: unknown = expect.stringContaining(`must be application/json, got "${ARROW}". Rows for predictions`);
      expect(answer.json()).toMatchObject({ status: 415, detail });
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
    const failures = async () => (await open.metric(/code="HR_MALFORMED_ARROW"/)) || 0;
    const before = await failures();
    await ask(predict, Buffer.from('no stream'));
    expect(await failures()).toBe(before + 1);
    expect(await open.metric('headrace_requests_in_flight_size_bytes')).toBe(0);
  });
});

// The last: from here on the server has keys.
it('Arrow from a stranger is refused as JSON is, before its body is looked at', async () => {
  const registry = await open.app.registry();
  const { token } = await registry.keys.create({ name: 'predicts', roles: ['predict'] }, { actor: 'ann' });
  await open.serving.security.refresh();
  const mine = { authorization: `Bearer ${token}`, accept: ARROW };
  expect((await ask(predict, Buffer.from('no stream'))).status).toBe(401);
  expect((await ask(read, Buffer.from('no stream'), mine)).status).toBe(403);
  expect((await ask(predict, Buffer.from('no stream'), mine)).status).toBe(400);
});
