// Predictions are answered by the server itself where they come as usual, and by a route else: both answer the same. What
// goes over a socket is held against what is injected into the route.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openForAll } from '../support/open-for.ts';
import { openRaw } from '../support/raw-http.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { runs } from '../support/tier.ts';

const open = openForAll({
  repository: REPOSITORY,
  features: 4,
  settings: { HEADRACE_SERVER_BODY_LIMIT: '8KB', HEADRACE_SERVER_MAX_ROWS: '20' },
});

interface Sent {
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}
const USUAL = '/v1/endpoints/checkout/predict';
const JSON_TYPE = { 'content-type': 'application/json' };

async function overSocket({ url = USUAL, headers = JSON_TYPE, body }: Sent): Promise<object> {
  // A Buffer has no type that fetch would add.
  const sent = { method: 'POST', headers, body: Buffer.from(body) };
  const answer = await fetch(`${open.serving.url}${url}`, sent);
  return alike(answer.status, Object.fromEntries(answer.headers), await answer.text());
}

async function injected({ url = USUAL, headers = JSON_TYPE, body }: Sent): Promise<object> {
  const host = new URL(open.serving.url).host;
  // What fetch sends by itself.
  const own = { host, accept: '*/*', 'accept-encoding': 'gzip, deflate' };
  const asked = { method: 'POST' as const, url, headers: { ...own, ...headers }, payload: body };
  const answer = await open.serving.server.inject(asked);
  return alike(answer.statusCode, answer.headers, answer.body);
}

/** Without what differs from one request to the next. */
function alike(status: number, headers: Readonly<Record<string, unknown>>, text: string): object {
  const own = ['date', 'connection', 'keep-alive', 'x-request-id', 'content-length'];
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => !own.includes(name)));
  const body = JSON.parse(text.replaceAll(/"(prediction|request)_id":"[^"]*"/g, '"$1_id":""')) as object;
  return { status, headers: kept, body };
}

const row = { customer: 'ada', amount: 3 };
const whole = (inputs: unknown, options?: unknown): string => JSON.stringify({ inputs, options });

describe('what goes over a socket', () => {
  it.each<[string, Sent]>([
    ['a row', { body: whole([row]) }],
    ['its charset said', { body: whole([row]), headers: { 'content-type': 'application/json; charset=utf-8' } }],
    ['rows', { body: whole([row, { customer: 'bob', amount: null }]) }],
    ['rows with features', { body: whole([row], { return_features: true }) }],
    ['rows that stand alone', { body: whole([row, {}, { customer: 1 }], { partial: true }) }],
    ['no row', { body: whole([]) }],
    ['a row of nothing', { body: whole([{}]) }],
    ['too many rows', { body: whole(Array.from({ length: 21 }, () => row)) }],
    ['an unknown option', { body: whole([row], { all: true }) }],
    ['a slip of the pen', { body: JSON.stringify({ input: [row] }) }],
    ['another one', { body: JSON.stringify({ inputs: [row], option: { return_features: true } }) }],
    ['members of other names', { body: JSON.stringify({ inputs: [row], comment: 'mine' }) }],
    ['no JSON', { body: '{' }],
    ['no object', { body: '[]' }],
    ['nothing', { body: '' }],
    ['no UTF-8', { body: Buffer.from([0x7b, 0xff, 0x7d]) }],
    ['half a surrogate pair', { body: '{"inputs":[{"customer":"\\ud800"}]}' }],
    ['a number of 64 bits', { body: '{"inputs":[{"customer":"ada","amount":9007199254740993}]}' }],
    ['a prototype’s name', { body: '{"inputs":[{"customer":"ada","__proto__":{"amount":1}}]}' }],
    ['an endpoint that is not there', { url: '/v1/endpoints/chekout/predict', body: whole([row]) }],
    ['an endpoint of the prototype', { url: '/v1/endpoints/constructor/predict', body: whole([row]) }],
    ['a query', { url: `${USUAL}?a=1`, body: whole([row]) }],
    ['another type', { headers: { 'content-type': 'text/plain' }, body: whole([row]) }],
    ['no type', { headers: {}, body: whole([row]) }],
    ['an encoding', { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: whole([row]) }],
    ['a deadline that is none', { headers: { ...JSON_TYPE, 'x-request-timeout-ms': 'soon' }, body: whole([row]) }],
    ['a deadline', { headers: { ...JSON_TYPE, 'x-request-timeout-ms': '5000' }, body: whole([row]) }],
    ['a foreign page', { headers: { ...JSON_TYPE, origin: 'https://elsewhere.example' }, body: whole([row]) }],
    ['more than the limit', { body: whole([{ customer: 'x'.repeat(9000) }]) }],
  ])('is answered as the route does: %s', async (_, sent) => {
    expect(await overSocket(sent)).toEqual(await injected(sent));
  });

  it('whatever it is', async () => {
    const any = fc.record({ customer: fc.anything(), amount: fc.anything() }, { requiredKeys: [] });
    const inputs = fc.array(fc.oneof(any, fc.constant(row), fc.anything()), { maxLength: 4 });
    const options = fc.option(fc.record({ partial: fc.boolean(), return_features: fc.boolean() }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(inputs, options, async (inputs, options) => {
        const asText = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
        const body = JSON.stringify({ inputs, options }, asText);
        fc.pre(body.length < 8000);
        expect(await overSocket({ body })).toEqual(await injected({ body }));
      }),
      { numRuns: runs(150) },
    );
  });

  it('gets its own request id back, or one of ours', async () => {
    const ask = async (id: string) => {
      const sent = { method: 'POST', headers: { ...JSON_TYPE, 'x-request-id': id }, body: whole([row]) };
      return (await fetch(`${open.serving.url}${USUAL}`, sent)).headers.get('x-request-id');
    };
    expect(await ask('mine-1')).toBe('mine-1');
    expect(await ask('x'.repeat(129))).toMatch(/^\w+-\w+$/);
  });

  it('comes in pieces, and many in one', async () => {
    const body = whole([row]);
    const head = `POST ${USUAL} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    const raw = await openRaw(open.serving.url);
    for (const piece of (head + body).match(/[\s\S]{1,9}/g) ?? []) {
      raw.socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const answers = () => raw.text().split('"prediction_id"').length - 1;
    await expect.poll(answers).toBe(1);
    // Three at once over one connection.
    raw.socket.write((head + body).repeat(3));
    await expect.poll(answers).toBe(4);
    raw.socket.destroy();
  });
});
