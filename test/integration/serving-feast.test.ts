// Feast's HTTP API over what is served; requests are injected.

import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ADA, FEAST_REPOSITORY } from '../support/feast-shop.ts';
import { openForAll } from '../support/open-for.ts';
import { isFull, runs } from '../support/tier.ts';

const at = (agoMs: number): string => new Date(Date.now() - agoMs).toISOString();
const EPOCH = '1970-01-01T00:00:00Z';

interface OnlineFeatures {
  readonly metadata: { readonly feature_names: readonly string[] };
  readonly results: readonly Readonly<Record<'values' | 'statuses' | 'event_timestamps', readonly unknown[]>>[];
}

/** What Feast's clients make of an error: a JSON string that holds JSON. */
const detailOf = ({ statusCode, body }: { readonly statusCode: number; readonly body: string }) => ({
  status: statusCode,
  ...(JSON.parse(JSON.parse(body) as string) as Record<'module' | 'class' | 'message', string>),
});

describe('Feast’s HTTP API', () => {
  const bought = at(60_000);
  const open = openForAll({ repository: FEAST_REPOSITORY, features: 1 }, async ({ post }) => {
    const rows = [{ ...ADA, bought_at: bought }];
    expect((await post('/v1/sources/purchases/push', { rows })).statusCode).toBe(200);
  });
  const ONLINE = '/get-online-features';
  const online = (asked: object, headers?: Record<string, string>) => open.post(ONLINE, asked, headers);
  /** Of what is answered. */
  const got = async (asked: object): Promise<OnlineFeatures> => {
    const answer = await online(asked);
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json() as unknown as OnlineFeatures;
  };
  /** A body as text, of no Content-Type unless one is given. */
  const raw = (payload: string, headers = {}, url = ONLINE) =>
    open.serving.server.inject({ method: 'POST', url, headers, payload });

  it('answers references by columns, join keys first, with statuses and times', async () => {
    const answer = await online({
      features: ['history:amount', 'history:points', 'history:code', 'recent:amount'],
      entities: { customer: ['ada', 'bob'] },
      full_feature_names: true,
    });
    expect(answer.statusCode, answer.body).toBe(200);
    const column = (value: unknown): object => ({
      values: [value, null],
      statuses: ['PRESENT', 'NOT_FOUND'],
      event_timestamps: [bought.replace('.000Z', 'Z'), EPOCH],
    });
    const none = { statuses: ['NOT_FOUND', 'NOT_FOUND'], event_timestamps: [EPOCH, EPOCH] };
    const feature_names = ['customer', 'history__amount', 'history__points', 'history__code', 'recent__amount'];
    expect(answer.body).toContain('[3.0,null]');
    expect(answer.body).toContain('[9223372036854775807,null]');
    expect(answer.json()).toEqual({
      metadata: { feature_names },
      results: [
        { values: ['ada', 'bob'], statuses: ['PRESENT', 'PRESENT'], event_timestamps: [EPOCH, EPOCH] },
        column(3),
        column(Number('9223372036854775807')),
        column('AQID'),
        { values: [null, null], ...none },
      ],
    });
  });

  it('answers a service by short names, what functions compute too', async () => {
    const entities = { customer: ['ada', 'bob'], price: [6, 1] };
    const { metadata, results } = await got({ feature_service: 'shop', entities });
    expect(metadata.feature_names).toEqual(['customer', 'points', 'mean_7d', 'ratio']);
    // Request data is no join key: it is not answered.
    const event_timestamps = [EPOCH, EPOCH];
    expect(results[3]).toEqual({ values: [2, null], statuses: ['PRESENT', 'NULL_VALUE'], event_timestamps });
  });

  it('takes columns that nobody asks for, references with @latest, and no rows at all', async () => {
    const features = ['history@latest:amount'];
    await got({ features, entities: { customer: ['ada'], other: [null] } });
    const none = await got({ features, entities: { customer: [] } });
    const column = { values: [], statuses: [], event_timestamps: [] };
    expect(none).toEqual({ metadata: { feature_names: ['customer', 'amount'] }, results: [column, column] });
  });

  it('reads by the same keys and deadlines as our own reads', async () => {
    const asked = { features: ['history:amount'], entities: { customer: ['ada'] } };
    const late = await online(asked, { 'x-request-timeout-ms': 'soon' });
    expect(detailOf(late)).toMatchObject({ status: 400, class: 'FeastError' });
    expect(await open.metric(/service="\(by reference\)"/)).toBeGreaterThan(0);
  });

  const ROW = 'RequestDataNotFoundInEntityRowsException';
  const TWICE = 'FeatureNameCollisionError';
  // Before it is looked up what they are: lists are kept, and of different references there are so many.
  const again = ['recent:amount', 'no:such', 'recent@latest:amount'];
  it.each<[string, number, object, RegExp]>([
    [
      'FeatureViewNotFoundException',
      404,
      { features: ['histroy:amount'] },
      /HR_UNKNOWN_VIEW: .*Did you mean "history"/,
    ],
    ['FeastError', 404, { features: ['history:amuont'] }, /HR_UNKNOWN_FEATURE: .*Did you mean "amount"/],
    ['FeatureServiceNotFoundException', 404, { feature_service: 'stoerd' }, /Did you mean "stored"/],
    [TWICE, 400, { features: ['history:amount', 'recent:amount'] }, /"full_feature_names": true/],
    [TWICE, 400, { features: again }, /features\[2\]: "recent:amount" is asked for twice/],
    ['FeastError', 400, { features: ['history@v2:amount'] }, /version "v2".*Leave "@v2" out/],
    ['FeastError', 400, { features: ['amount'] }, /expected VIEW:FEATURE/],
    ['FeastError', 400, { features: [] }, /features: expected references/],
    ['FeastError', 400, { features: ['recent:amount'], full_feature_names: 'yes' }, /full_feature_names/],
    [ROW, 400, { features: ['balances:cents'] }, /entities\.account: expected int64/],
    [ROW, 400, { features: ['basket:ratio'] }, /entities\.price/],
  ])('says %s (%d) of %j', async (name, status, asked, told) => {
    const message: unknown = expect.stringMatching(told);
    const answer = await online({ entities: { customer: ['ada'] }, ...asked });
    expect(detailOf(answer)).toEqual({ status, class: name, module: 'feast.errors', message });
  });

  it.each([
    [
      { customer: ['ada'], account: [1, 2] },
      /\.account: expected as many values as entities\.customer has \(1\), got 2/,
    ],
    [{ customer: 'ada' }, /entities\.customer: expected a list of values, got string "ada"/],
    [{ customer: ['ada', 7] }, /entities\.customer\[1\]: expected string, got number 7/],
    [{ customer: [null] }, /entities\.customer\[0\]/],
    [{}, /entities: expected at least one column/],
    [[{ customer: 'ada' }], /entities: expected an object of columns/],
  ])('refuses entities %j', async (entities, message) => {
    const answer = await online({ features: ['history:amount'], entities });
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
    expect((await got(asked)).results[1]?.values).toEqual([1, 2]);
  });

  it('counts the same rows twice only where another Idempotency-Key says so', async () => {
    const event = { ...ADA, customer: 'twice', bought_at: at(120_000) };
    const df = Object.fromEntries(Object.entries(event).map(([name, value]) => [name, [value]]));
    for (const headers of [{}, {}, { 'idempotency-key': 'another' }])
      await open.post('/push', { push_source_name: 'purchases', df }, headers);
    const asked = { features: ['history:purchases_1d'], entities: { customer: ['twice'] } };
    expect((await got(asked)).results[1]?.values).toEqual([2]);
  });

  it('takes what pandas’ to_dict() gives', async () => {
    const df = { customer: { 0: 'ed' }, amount: { 0: 9 }, at: { 0: at(1000) } };
    expect((await open.post('/push', { push_source_name: 'visits', df })).statusCode).toBe(200);
    const unlike = await open.post('/push', { push_source_name: 'visits', df: { ...df, amount: { 1: 9 } } });
    const message: unknown = expect.stringMatching(/df\.amount: has other indexes/);
    expect(detailOf(unlike)).toMatchObject({ status: 400, message });
  });

  const VISITS = { push_source_name: 'visits' };
  const a = ['a'];
  it.each<[string, object, RegExp]>([
    [
      'PushSourceNotFoundException',
      { push_source_name: 'visit', df: {} },
      /HR_UNKNOWN_SOURCE: .*Did you mean "visits"/,
    ],
    ['FeastError', { df: { customer: a }, to: 'offline' }, /to: expected "online" or "online_and_offline": an event/],
    ['FeastError', { df: { customer: a }, to: 'nowhere' }, /got string "nowhere"/],
    ['FeastError', { df: [{ customer: 'a' }] }, /df: expected an object of columns/],
    ['FeastError', { df: { customer: a, amount: [] } }, /df\.amount: expected as many/],
    ['FeastError', { df: { customer: a, amount: [1] } }, /event time/],
    ['FeastError', { df: { customer: a, at: [1_790_000_000_000] } }, /expected timestamp/],
    ['FeastError', { df: { customer: a, at: [at(0)], amout: [1] } }, /amout/],
    ['FeastError', { push_source_name: undefined, df: {} }, /push_source_name: expected text/],
  ])('says %s of the push %j', async (name, body, message) => {
    const { status, ...detail } = detailOf(await open.post('/push', { ...VISITS, ...body }));
    expect(status).toBeLessThan(500);
    expect(detail).toMatchObject({ class: name, message: expect.stringMatching(message) });
  });

  it('writes to a view that is the newest row of its source', async () => {
    const account = ['9007199254740993'];
    const df = { account, cents: [7], memo: ['n'], event_timestamp: [at(5000).replace('Z', '')], created: [null] };
    const answer = await open.post('/write-to-online-store', { feature_view_name: 'balances', df });
    expect([answer.statusCode, answer.body]).toEqual([200, 'null']);
    const read = await online({ features: ['balances:cents', 'balances:memo'], entities: { account } });
    expect(read.body).toContain('"values":[9007199254740993]');
    expect(read.json()['results']).toMatchObject([{}, { values: [7] }, { values: ['n'] }]);
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
    expect((await raw(payload)).statusCode).toBe(200);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded'])
      expect((await raw(payload, { 'content-type': type })).statusCode).toBe(200);
    for (const bad of ['', '{', '[]', 'null', '"x"', '{"features": NaN}'])
      expect(detailOf(await raw(bad))).toMatchObject({ status: 400, class: 'FeastError' });
  });

  it('refuses a number past what a double holds, and fits int64 of all digits', async () => {
    const sent = (price: string, account: string) =>
      raw(
        `{"features":["basket:ratio","balances:cents"],"entities":{"customer":["ada"],"price":[${price}],"account":[${account}]}}`,
      );
    const told = (name: string) => ({ status: 400, message: expect.stringContaining(`entities.${name}[0]`) as string });
    expect(detailOf(await sent('1e400', '1'))).toMatchObject(told('price'));
    expect(detailOf(await sent('1', '9223372036854775808'))).toMatchObject(told('account'));
    const most = await sent('1', '-9223372036854775808');
    expect(most.statusCode, most.body).toBe(200);
    expect(most.body).toContain('{"values":[-9223372036854775808],"statuses":["PRESENT"]');
  });

  it('is healthy when the server is ready', async () => {
    expect(await open.get('/health')).toMatchObject({ statusCode: 200, body: '' });
  });

  it('answers no garbage with a fault', async () => {
    const references = ['history:amount', 'recent:amount', 'basket:ratio', 'balances:cents', ':', '__proto__:x'];
    const text = fc.constantFrom(...references, 'visits', 'balances', 'online');
    const odd = fc.constantFrom('ada', 1, -0, 1e308, 2 ** 53, null, '\ud800', '\0', '2026-01-01', 1e12);
    const value = fc.oneof(text, fc.jsonValue({ maxDepth: 2 }), odd);
    const indexed = fc.dictionary(fc.constantFrom('0', '1', '__proto__'), value);
    const column = fc.oneof(fc.array(value, { maxLength: 3 }), indexed, value);
    const keys = ['customer', 'account', 'price', 'amount', 'at', 'event_timestamp', 'cents', 'created', '__proto__'];
    const columns = fc.oneof(fc.dictionary(fc.constantFrom(...keys, 'constructor'), column), value);
    // What is right, what is absent, what is something else of its kind, or anything.
    const member = (right: unknown, ...others: readonly fc.Arbitrary<unknown>[]) =>
      fc.oneof({ weight: 6, arbitrary: fc.constant(right) }, fc.constant(undefined), ...others, value);
    const body = fc.record({
      features: member(['history:amount'], fc.array(fc.oneof(text, value), { maxLength: 3 })),
      feature_service: member(undefined, fc.constantFrom('both', 'shop', 'stored', 'constructor')),
      full_feature_names: member(undefined, fc.boolean()),
      entities: member({ customer: ['ada'] }, columns),
      push_source_name: member('visits', fc.constantFrom('transfers', 'purchases', '__proto__')),
      feature_view_name: member('balances', fc.constantFrom('recent', 'toString')),
      to: fc.constantFrom('online', 'offline', undefined, 3),
      df: member({ account: [1], customer: ['a'], at: [at(0)] }, columns),
    });
    const sent = fc.oneof({ weight: 9, arbitrary: body }, value);
    const path = fc.constantFrom(ONLINE, '/push', '/write-to-online-store');
    const codes = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(path, sent, async (url, json) => {
        const answer = await open.post(url, json);
        codes.set(answer.statusCode, (codes.get(answer.statusCode) ?? 0) + 1);
        if (answer.statusCode === 200) return;
        expect(answer.statusCode, answer.body).toBeLessThan(500);
        expect(detailOf(answer).module, answer.body).toBe('feast.errors');
      }),
      { numRuns: runs(1500) },
    );
    // All kinds were met.
    expect([200, 400, 404].map((code) => (codes.get(code) ?? 0) > (isFull ? 10 : 0))).toEqual([true, true, true]);
  });

  describe('large answers over sockets, whose memory is reused, and never before the client has them,', () => {
    const [TEXT_LENGTH, ROWS] = [3000, 200];
    const noteOf = (user: number): string => String.fromCharCode(97 + (user % 26)).repeat(TEXT_LENGTH);

    /** Of some of the users, so that answers differ in what they hold and how long they are. */
    function askedOf(n: number): { readonly request: string; readonly notes: readonly string[] } {
      const users = Array.from({ length: 60 + (n % 7) * 20 }, (_, row) => (n * 37 + row * (1 + (n % 5))) % ROWS);
      const body = JSON.stringify({
        features: ['balances:memo'],
        entities: { account: users.map((user) => 1000 + user) },
      });
      const request = `POST /get-online-features HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      return { request, notes: users.map(noteOf) };
    }

    /** The bodies of answers that follow each other, as they come; it ends with the connection. */
    async function* answersOf(socket: Socket): AsyncGenerator<string> {
      let kept = '';
      for await (const chunk of socket.setEncoding('latin1')) {
        kept += String(chunk);
        for (;;) {
          const [head, length] = /^[^]*?content-length: (\d+)[^]*?\r\n\r\n/i.exec(kept) ?? [];
          if (head === undefined || kept.length < head.length + Number(length)) break;
          yield kept.slice(head.length, head.length + Number(length));
          kept = kept.slice(head.length + Number(length));
        }
      }
    }

    const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

    /** Sends so many requests in a row, and reads their answers so much later; leaves without reading where that is undefined. */
    async function client(first: number, count: number, pauseMs: number | undefined): Promise<void> {
      const socket = connect(Number(new URL(open.serving.url).port), '127.0.0.1');
      socket.on('error', () => {});
      const asked = Array.from({ length: count }, (_, at) => askedOf(first + at));
      socket.write(asked.map(({ request }) => request).join(''));
      await later(pauseMs ?? 50);
      const told: unknown[] = [];
      if (pauseMs !== undefined)
        for await (const answer of answersOf(socket)) {
          told.push((JSON.parse(answer) as { results: [object, { values: unknown[] }] }).results[1].values);
          if (told.length === count) break;
        }
      expect(told).toEqual(pauseMs === undefined ? [] : asked.map(({ notes }) => notes));
      socket.destroy();
    }

    it('are whole, whoever reads them how', async () => {
      const noted = (user: number) => ({ account: 1000 + user, cents: 1, note: noteOf(user), at: at(1000) });
      const rows = Array.from({ length: ROWS }, (_, user) => noted(user));
      expect((await open.post('/v1/sources/transfers/push', { rows })).statusCode).toBe(200);
      // More than the system holds for a connection that nobody reads.
      const slow = [0, 1, 2].map((at) => client(at * 100, 40, 500));
      const gone = [3, 4].map((at) => client(at * 100, 40, undefined));
      const quick = async (at: number): Promise<void> => {
        for (let round = 0; round < 30; round++) await client(at * 100 + round, 1, 0);
      };
      await Promise.all([...slow, ...gone, quick(5), quick(6)]);
    }, 60_000);
  });
});
