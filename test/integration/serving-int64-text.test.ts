// int64 as text: in every answer that holds one where the client asks for it, and in every place that takes one.

import { describe, expect, it } from 'vitest';
import { openForAll } from '../support/open-for.ts';
import { headrace } from '../support/serving-project.ts';

const REPOSITORY = `import { entity, endpoint, featureService, featureView, latest, model, onDemandView, pushed, t } from 'headrace';

export const account = entity('account', { keys: { account: t.int64() } });
export const payments = pushed('payments', {
  columns: { account: t.int64(), cents: t.int64(), parts: t.list(t.int64()), at: t.timestamp() }, eventTime: 'at',
});
export const paid = featureView('paid', {
  entity: account, source: payments, features: { last: latest('cents'), parts: latest('parts') },
});
export const more = onDemandView('more', {
  inputs: { request: { fee: t.int64().default(9007199254740993n), fees: t.list(t.int64()).optional() }, paid },
  features: { total: t.int64(), fees: t.list(t.int64()) },
  transform: ({ request, paid }) => ({ total: paid.last == null || request.fee == null ? null : paid.last + request.fee, fees: request.fees }),
});
export const stored = featureService('stored', [paid]);
export const all = featureService('all', [paid, more]);
export const one = featureService('one', [more.pick('total')]);
export const returns = model('returns', { features: one, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['account'] });
`;
const ACCOUNT = '9007199254740993';
const CENTS = '9223372036854770000';
const AS_TEXT = { 'x-int64': 'string' };

describe('int64 as text', () => {
  const open = openForAll({ repository: REPOSITORY, features: 1 }, async ({ post }) => {
    const at = new Date(Date.now() - 60_000).toISOString();
    const rows = [{ account: ACCOUNT, cents: CENTS, parts: ['1', null, '-9223372036854775808'], at }];
    expect((await post('/v1/sources/payments/push', { rows }, AS_TEXT)).json()).toMatchObject({ accepted: 1 });
  });

  it.each([
    ['stored', {}],
    ['all', { more__total: '9223372036854770005', more__fees: ['7', '9007199254740993'] }],
  ])(
    'is in features of %s by rows and by columns, in lists too, and in none without the header',
    async (service, own) => {
      const rows = [{ account: ACCOUNT, fee: '5', fees: ['7', '9007199254740993'] }, { account: 1 }];
      const features = { paid__last: CENTS, paid__parts: ['1', null, '-9223372036854775808'], ...own };
      const [asRows, asColumns, plain] = await Promise.all([
        open.post(`/v1/services/${service}/read`, { rows }, AS_TEXT),
        open.post('/v1/features/read', { service, rows, options: { layout: 'columns' } }, AS_TEXT),
        open.post(`/v1/services/${service}/read`, { rows }),
      ]);
      expect((asRows.json()['rows'] as { features: object }[])[0]?.features).toEqual(features);
      const byColumn = Object.entries(asColumns.json()['features'] as Record<string, unknown[]>);
      expect(Object.fromEntries(byColumn.map(([name, values]) => [name, values[0]]))).toEqual(features);
      expect(plain.body).toContain(`"paid__last":${CENTS},"paid__parts":[1,null,-9223372036854775808]`);
    },
  );

  it('is in the features that a prediction returns', async () => {
    const body = { inputs: [{ account: ACCOUNT, fee: '-5' }], options: { return_features: true } };
    const text = await open.post('/v1/endpoints/checkout/predict', body, AS_TEXT);
    expect(text.json().predictions[0]?.features).toEqual({ more__total: '9223372036854769995' });
    const plain = await open.post('/v1/endpoints/checkout/predict', body);
    expect(plain.body).toContain('"more__total":9223372036854769995');
  });

  it.each([
    ['/v1/services/all', AS_TEXT, '"9007199254740993"'],
    ['/v1/services', AS_TEXT, '"9007199254740993"'],
    ['/v1/services', {}, '9007199254740993'],
  ])('is in the defaults that a list tells: %s %j', async (url, headers, told) => {
    expect((await open.get(url, headers)).body).toContain(`"default":${told}`);
  });

  it.each(['text', 'String', '', 'string, string'])('is refused under an unknown form: %j', async (asked) => {
    const headers = { 'x-int64': asked };
    const message = `expected string, or no such header, got ${JSON.stringify(asked)}`;
    for (const answer of [
      await open.post('/v1/services/stored/read', { rows: [] }, headers),
      await open.post('/v1/endpoints/checkout/predict', { inputs: [{ account: 1 }] }, headers),
      await open.get('/v1/services', headers),
    ])
      expect(answer.json()).toMatchObject({ status: 400, code: 'HR_INVALID', errors: [{ path: 'X-Int64', message }] });
  });

  const NONE = ['1.5', '0x1', ' 1', '1 ', '9223372036854775808', '-9223372036854775809', '', '+1', '01', '-01', '1e3'];
  it.each([...NONE, '1n', '１'])('is no int64 as %j, wherever it is sent', async (text) => {
    const at = new Date().toISOString();
    const sent = [
      ['/v1/services/all/read', { rows: [{ account: 1 }, { account: text }] }, 'rows[1].account'],
      ['/v1/features/read', { service: 'all', rows: [{ account: 1, fee: text }] }, 'rows[0].fee'],
      ['/v1/services/all/read', { rows: [{ account: 1, fees: ['1', text] }] }, 'rows[0].fees'],
      ['/v1/endpoints/checkout/predict', { inputs: [{ account: text }] }, 'inputs[0].account'],
      ['/v1/sources/payments/push', { rows: [{ account: 1, cents: text, parts: [], at }] }, 'rows[0].cents'],
      ['/v1/sources/payments/push', { rows: [{ account: 1, cents: 1, parts: [text], at }] }, 'rows[0].parts'],
    ] as const;
    for (const [url, body, path] of sent) {
      const answer = await open.post(url, body);
      expect(answer.json(), url).toMatchObject({ status: 400, code: 'HR_INVALID', errors: [{ path }] });
    }
  });

  it('is taken by `features get --rows`', () => {
    const get = (account: string) =>
      headrace(open.project, [
        'features',
        'get',
        '--service',
        'stored',
        '--json',
        '--rows',
        JSON.stringify([{ account }]),
      ]);
    expect(get(ACCOUNT).stdout).toContain(CENTS);
    const refused = get('01');
    expect(refused.code).not.toBe(0);
    expect(`${refused.stdout}${refused.stderr}`).toContain('rows[0].account: expected int64, got string "01"');
  });

  it('is told by the OpenAPI document', async () => {
    const document = (await open.get('/openapi.json')).json();
    const { parameters, schemas } = document['components'] as Record<string, Record<string, unknown>>;
    expect(parameters?.['Int64']).toMatchObject({ name: 'X-Int64', in: 'header', schema: { const: 'string' } });
    expect(schemas?.['AnsweredInt64']).toMatchObject({ oneOf: [{ type: 'integer' }, { type: 'string' }] });
    const paths = document['paths'] as Record<string, Record<string, { parameters?: readonly object[] }>>;
    for (const path of ['/v1/services/stored/read', '/v1/features/read', '/v1/endpoints/checkout/predict'])
      expect(paths[path]?.['post']?.parameters).toContainEqual({ $ref: '#/components/parameters/Int64' });
    expect(JSON.stringify(paths['/v1/services']?.['get'])).toContain('x-int64');
  });
});
