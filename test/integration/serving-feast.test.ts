// Feast's HTTP API over what is served: references and services, columns, statuses and times, pushes and writes, and errors in
// Feast's form; requests are injected.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADA, FEAST_REPOSITORY } from '../support/feast-shop.ts';
import { openServing, type OpenServing } from '../support/open-serving.ts';
import { isFull, runs } from '../support/tier.ts';

const at = (agoMs: number): string => new Date(Date.now() - agoMs).toISOString();

describe('Feast’s HTTP API', () => {
  let open: OpenServing;
  const bought = at(60_000);
  beforeAll(async () => {
    open = await openServing({ repository: FEAST_REPOSITORY, features: 1 });
    const rows = [{ ...ADA, bought_at: bought }];
    expect((await open.post('/v1/sources/purchases/push', { rows })).statusCode).toBe(200);
  });
  afterAll(() => open.close());

  it('answers references by columns, join keys first, with statuses and times', async () => {
    const answer = await open.post('/get-online-features', {
      features: ['history:amount', 'history:points', 'history:code', 'recent:amount'],
      entities: { customer: ['ada', 'bob'] },
      full_feature_names: true,
    });
    expect(answer.statusCode, answer.body).toBe(200);
    const none = '1970-01-01T00:00:00Z';
    const time = bought.replace('.000Z', 'Z');
    const column = (values: readonly unknown[]): object => ({
      values,
      statuses: ['PRESENT', 'NOT_FOUND'],
      event_timestamps: [time, none],
    });
    expect(answer.body).toContain('[3.0,null]');
    expect(answer.body).toContain('[9223372036854775807,null]');
    expect(answer.json()).toEqual({
      metadata: {
        feature_names: ['customer', 'history__amount', 'history__points', 'history__code', 'recent__amount'],
      },
      results: [
        { values: ['ada', 'bob'], statuses: ['PRESENT', 'PRESENT'], event_timestamps: [none, none] },
        column([3, null]),
        column([Number('9223372036854775807'), null]),
        column(['AQID', null]),
        { values: [null, null], statuses: ['NOT_FOUND', 'NOT_FOUND'], event_timestamps: [none, none] },
      ],
    });
  });

  it('answers a service by short names, what functions compute too', async () => {
    const entities = { customer: ['ada', 'bob'], price: [6, 1] };
    const answer = await open.post('/get-online-features', { feature_service: 'shop', entities });
    const none = ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z'];
    const { metadata, results } = answer.json() as unknown as OnlineFeatures;
    expect(metadata.feature_names).toEqual(['customer', 'points', 'mean_7d', 'ratio']);
    // Request data is no join key: it is not answered.
    expect(results[3]).toEqual({ values: [2, null], statuses: ['PRESENT', 'NULL_VALUE'], event_timestamps: none });
  });

  it('takes columns that nobody asks for, references with @latest, and no rows at all', async () => {
    const features = ['history@latest:amount'];
    const more = await open.post('/get-online-features', { features, entities: { customer: ['ada'], other: [null] } });
    expect(more.statusCode, more.body).toBe(200);
    const none = await open.post('/get-online-features', { features, entities: { customer: [] } });
    const column = { values: [], statuses: [], event_timestamps: [] };
    expect(none.json()).toEqual({ metadata: { feature_names: ['customer', 'amount'] }, results: [column, column] });
  });

  it('reads by the same keys and deadlines as our own reads', async () => {
    const entities = { customer: ['ada'] };
    const asked = { features: ['history:amount'], entities };
    const headers = { 'x-request-timeout-ms': 'soon' };
    const late = await open.post('/get-online-features', asked, headers);
    expect(detailOf(late)).toMatchObject({ status: 400, class: 'FeastError' });
    const { body } = await open.serving.server.inject({ method: 'GET', url: '/metrics' });
    expect(body).toMatch(/headrace_\w+\{[^}]*service="\(by reference\)"/);
  });

  it.each([
    [
      'FeatureViewNotFoundException',
      404,
      { features: ['histroy:amount'] },
      /HR_UNKNOWN_VIEW: .*Did you mean "history"/,
    ],
    ['FeastError', 404, { features: ['history:amuont'] }, /HR_UNKNOWN_FEATURE: .*Did you mean "amount"/],
    ['FeatureServiceNotFoundException', 404, { feature_service: 'stoerd' }, /Did you mean "stored"/],
    ['FeatureNameCollisionError', 400, { features: ['history:amount', 'recent:amount'] }, /"full_feature_names": true/],
    // Before it is looked up what they are: lists are kept, and of different references there are so many.
    [
      'FeatureNameCollisionError',
      400,
      { features: ['recent:amount', 'no:such', 'recent@latest:amount'] },
      /features\[2\]: "recent:amount" is asked for twice/,
    ],
    ['FeastError', 400, { features: ['history@v2:amount'] }, /version "v2".*Leave "@v2" out/],
    ['FeastError', 400, { features: ['amount'] }, /expected VIEW:FEATURE/],
    ['FeastError', 400, { features: [] }, /features: expected references/],
    ['FeastError', 400, { features: ['recent:amount'], full_feature_names: 'yes' }, /full_feature_names/],
    [
      'RequestDataNotFoundInEntityRowsException',
      400,
      { features: ['balances:cents'] },
      /entities\.account: expected int64/,
    ],
    ['RequestDataNotFoundInEntityRowsException', 400, { features: ['basket:ratio'] }, /entities\.price/],
  ])('says %s (%d) of %j', async (name, status, asked, message) => {
    const answer = await open.post('/get-online-features', { entities: { customer: ['ada'] }, ...asked });
    expect(detailOf(answer)).toEqual({
      status,
      class: name,
      module: 'feast.errors',
      message: expect.stringMatching(message),
    });
  });

  it.each([
    [
      { customer: ['ada'], account: [1, 2] },
      /entities\.account: expected as many values as entities\.customer has \(1\), got 2/,
    ],
    [{ customer: 'ada' }, /entities\.customer: expected a list of values, got string "ada"/],
    [{ customer: ['ada', 7] }, /entities\.customer\[1\]: expected string, got number 7/],
    [{ customer: [null] }, /entities\.customer\[0\]/],
    [{}, /entities: expected at least one column/],
    [[{ customer: 'ada' }], /entities: expected an object of columns/],
  ])('refuses entities %j', async (entities, message) => {
    const answer = await open.post('/get-online-features', { features: ['history:amount'], entities });
    expect(detailOf(answer)).toMatchObject({ status: 400, message: expect.stringMatching(message) });
  });

  it('pushes events with Feast’s names for times, once, however often they are sent', async () => {
    const df = {
      customer: ['cy', 'di'],
      amount: [1, 2],
      event_timestamp: [Math.floor(Date.now() / 1000) - 60, at(60_000).replace('Z', '').replace('T', ' ')],
      created: [null, null],
    };
    for (const to of ['online', 'online_and_offline', undefined]) {
      const answer = await open.post('/push', { push_source_name: 'visits', df, to, allow_registry_cache: true });
      expect([answer.statusCode, answer.body]).toEqual([200, 'null']);
    }
    const asked = { features: ['recent:amount'], entities: { customer: ['cy', 'di'] } };
    const { results } = (await open.post('/get-online-features', asked)).json() as unknown as OnlineFeatures;
    expect(results[1]?.values).toEqual([1, 2]);
  });

  it('counts the same rows twice only where another Idempotency-Key says so', async () => {
    const event = { ...ADA, customer: 'twice', bought_at: at(120_000) };
    const df = Object.fromEntries(Object.entries(event).map(([name, value]) => [name, [value]]));
    const body = { push_source_name: 'purchases', df };
    for (const key of [undefined, undefined, 'another'])
      await open.post('/push', body, key === undefined ? {} : { 'idempotency-key': key });
    const asked = { features: ['history:purchases_1d'], entities: { customer: ['twice'] } };
    const { results } = (await open.post('/get-online-features', asked)).json() as unknown as OnlineFeatures;
    expect(results[1]?.values).toEqual([2]);
  });

  it('takes what pandas’ to_dict() gives', async () => {
    const df = { customer: { 0: 'ed' }, amount: { 0: 9 }, at: { 0: at(1000) } };
    expect((await open.post('/push', { push_source_name: 'visits', df })).statusCode).toBe(200);
    const unlike = await open.post('/push', { push_source_name: 'visits', df: { ...df, amount: { 1: 9 } } });
    expect(detailOf(unlike)).toMatchObject({
      status: 400,
      message: expect.stringMatching(/df\.amount: has other indexes/),
    });
  });

  it.each([
    [
      'PushSourceNotFoundException',
      { push_source_name: 'visit', df: {} },
      /HR_UNKNOWN_SOURCE: .*Did you mean "visits"/,
    ],
    [
      'FeastError',
      { push_source_name: 'visits', df: { customer: ['a'] }, to: 'offline' },
      /to: expected "online" or "online_and_offline": an event/,
    ],
    ['FeastError', { push_source_name: 'visits', df: { customer: ['a'] }, to: 'nowhere' }, /got string "nowhere"/],
    ['FeastError', { push_source_name: 'visits', df: [{ customer: 'a' }] }, /df: expected an object of columns/],
    ['FeastError', { push_source_name: 'visits', df: { customer: ['a'], amount: [] } }, /df\.amount: expected as many/],
    ['FeastError', { push_source_name: 'visits', df: { customer: ['a'], amount: [1] } }, /event time/],
    [
      'FeastError',
      { push_source_name: 'visits', df: { customer: ['a'], at: [1_790_000_000_000] } },
      /expected timestamp/,
    ],
    ['FeastError', { push_source_name: 'visits', df: { customer: ['a'], at: [at(0)], amout: [1] } }, /amout/],
    ['FeastError', { df: {} }, /push_source_name: expected text/],
  ])('says %s of the push %j', async (name, body, message) => {
    const { status, ...detail } = detailOf(await open.post('/push', body));
    expect(status).toBeLessThan(500);
    expect(detail).toMatchObject({ class: name, message: expect.stringMatching(message) });
  });

  it('writes to a view that is the newest row of its source', async () => {
    const df = {
      account: ['9007199254740993'],
      cents: [7],
      memo: ['n'],
      event_timestamp: [at(5000).replace('Z', '')],
      created: [null],
    };
    const answer = await open.post('/write-to-online-store', { feature_view_name: 'balances', df });
    expect([answer.statusCode, answer.body]).toEqual([200, 'null']);
    const asked = { features: ['balances:cents', 'balances:memo'], entities: { account: ['9007199254740993'] } };
    const read = await open.post('/get-online-features', asked);
    expect(read.body).toContain('"values":[9007199254740993]');
    expect((read.json() as unknown as OnlineFeatures).results.slice(1).map(({ values }) => values)).toEqual([
      [7],
      ['n'],
    ]);
  });

  it.each([
    ['nothing', 404, 'FeatureViewNotFoundException', /there is no feature view "nothing"/],
    ['basket', 404, 'FeatureViewNotFoundException', /there is no feature view "basket"/],
    ['history', 400, 'FeastError', /"purchases_1d" is computed from all events of source "purchases"\. Push events/],
  ])('does not write to view %s', async (view, status, name, message) => {
    const answer = await open.post('/write-to-online-store', { feature_view_name: view, df: { customer: ['a'] } });
    expect(detailOf(answer)).toMatchObject({ status, class: name, message: expect.stringMatching(message) });
  });

  it('takes bodies of any Content-Type, or none, and says what is none', async () => {
    const payload = JSON.stringify({ features: ['history:amount'], entities: { customer: ['ada'] } });
    for (const headers of [
      {},
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/x-www-form-urlencoded' },
    ]) {
      const answer = await open.serving.server.inject({
        method: 'POST',
        url: '/get-online-features',
        headers,
        payload,
      });
      expect(answer.statusCode, answer.body).toBe(200);
    }
    for (const bad of ['', '{', '[]', 'null', '"x"', '{"features": NaN}']) {
      const answer = await open.serving.server.inject({ method: 'POST', url: '/get-online-features', payload: bad });
      expect(detailOf(answer)).toMatchObject({ status: 400, class: 'FeastError' });
    }
  });

  it('refuses a number past what a double holds, and fits int64 of all digits', async () => {
    const sent = (price: string, account: string): string =>
      `{"features":["basket:ratio","balances:cents"],"entities":{"customer":["ada"],"price":[${price}],"account":[${account}]}}`;
    const ask = (payload: string) =>
      open.serving.server.inject({ method: 'POST', url: '/get-online-features', payload });
    const far = await ask(sent('1e400', '1'));
    expect(detailOf(far)).toMatchObject({ status: 400, message: expect.stringMatching(/entities\.price\[0\]/) });
    const wide = await ask(sent('1', '9223372036854775808'));
    expect(detailOf(wide)).toMatchObject({ status: 400, message: expect.stringMatching(/entities\.account\[0\]/) });
    const most = await ask(sent('1', '-9223372036854775808'));
    expect(most.statusCode, most.body).toBe(200);
    expect(most.body).toContain('{"values":[-9223372036854775808],"statuses":["PRESENT"]');
  });

  it('is healthy when the server is ready', async () => {
    const { statusCode, body } = await open.serving.server.inject({ method: 'GET', url: '/health' });
    expect([statusCode, body]).toEqual([200, '']);
  });

  it('answers no garbage with a fault', async () => {
    const text = fc.constantFrom(
      'history:amount',
      'recent:amount',
      'basket:ratio',
      'balances:cents',
      ':',
      '__proto__:x',
      'visits',
      'balances',
      'online',
    );
    const value = fc.oneof(
      text,
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom('ada', 1, -0, 1e308, 2 ** 53, null, '\ud800', '\0', '2026-01-01', 1e12),
    );
    const column = fc.oneof(
      fc.array(value, { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('0', '1', '__proto__'), value),
      value,
    );
    const columns = fc.oneof(
      fc.dictionary(
        fc.constantFrom(
          'customer',
          'account',
          'price',
          'amount',
          'at',
          'event_timestamp',
          'cents',
          'created',
          '__proto__',
          'constructor',
        ),
        column,
      ),
      value,
    );
    const member = (own: fc.Arbitrary<unknown>) => fc.oneof({ weight: 4, arbitrary: own }, value);
    const body = fc.record(
      {
        features: member(fc.array(fc.oneof(text, value), { maxLength: 3 })),
        feature_service: fc.oneof(
          fc.constant(undefined),
          fc.constantFrom('both', 'shop', 'stored', 'constructor'),
          value,
        ),
        full_feature_names: fc.oneof(fc.boolean(), value),
        entities: columns,
        push_source_name: member(fc.constantFrom('visits', 'transfers', 'purchases', '__proto__')),
        feature_view_name: member(fc.constantFrom('balances', 'recent', 'toString')),
        to: fc.constantFrom('online', 'offline', undefined, 3),
        df: columns,
      },
      { requiredKeys: [] },
    );
    const good = fc.constant({
      features: ['history:amount'],
      entities: { customer: ['ada'] },
      push_source_name: 'visits',
      feature_view_name: 'balances',
      df: { account: [1], customer: ['a'], at: [at(0)] },
    });
    // One that is right but for a member of garbage.
    const slip = fc
      .tuple(good, body)
      .chain(([right, wrong]) =>
        fc
          .constantFrom(...Object.keys(right))
          .map((name) => ({ ...right, [name]: (wrong as object as typeof right)[name as keyof typeof right] })),
      );
    const url = fc.constantFrom('/get-online-features', '/push', '/write-to-online-store');
    const codes = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(
        url,
        fc.oneof({ weight: 6, arbitrary: body }, { weight: 3, arbitrary: slip }, good, value),
        async (path, json) => {
          const answer = await open.post(path, json);
          codes.set(answer.statusCode, (codes.get(answer.statusCode) ?? 0) + 1);
          if (answer.statusCode === 200) return;
          expect(answer.statusCode, answer.body).toBeLessThan(500);
          expect(detailOf(answer).module, answer.body).toBe('feast.errors');
        },
      ),
      { numRuns: runs(1500) },
    );
    // All kinds were met.
    expect([200, 400, 404].map((code) => (codes.get(code) ?? 0) > (isFull ? 10 : 0))).toEqual([true, true, true]);
  });
});

interface OnlineFeatures {
  readonly metadata: { readonly feature_names: readonly string[] };
  readonly results: readonly Readonly<Record<'values' | 'statuses' | 'event_timestamps', readonly unknown[]>>[];
}

/** What Feast's clients make of an error: a JSON string that holds JSON. */
function detailOf({ statusCode, body }: { readonly statusCode: number; readonly body: string }): Detail {
  return { status: statusCode, ...(JSON.parse(JSON.parse(body) as string) as Omit<Detail, 'status'>) };
}

interface Detail {
  readonly status: number;
  readonly module: string;
  readonly class: string;
  readonly message: string;
}
