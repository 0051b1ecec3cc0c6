// Predictions are answered by the server itself where they come as usual, and by a route else: both answer the same. What
// goes over a socket is held against what is injected into the route.

import { request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { runs } from '../support/tier.ts';

let open: OpenServing;
beforeAll(async () => {
  open = await openServing({
    repository: REPOSITORY,
    features: 4,
    settings: { HEADRACE_SERVER_BODY_LIMIT: '8KB', HEADRACE_SERVER_MAX_ROWS: '20' },
  });
});
afterAll(() => open.close());

interface Sent {
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

const USUAL = '/v1/endpoints/checkout/predict';
const JSON_TYPE = { 'content-type': 'application/json' };

function overSocket({ url = USUAL, headers = JSON_TYPE, body }: Sent): Promise<Answer> {
  const { port } = new URL(open.serving.url);
  return new Promise((resolve, reject) => {
    const length = { 'content-length': String(Buffer.byteLength(body)) };
    const asked = request({ port, path: url, method: 'POST', headers: { ...length, ...headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () =>
        resolve(alike(response.statusCode ?? 0, response.headers, Buffer.concat(chunks).toString())),
      );
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

async function injected({ url = USUAL, headers = JSON_TYPE, body }: Sent): Promise<Answer> {
  const host = `localhost:${new URL(open.serving.url).port}`;
  const answer = await open.serving.server.inject({
    method: 'POST',
    url,
    headers: { host, ...headers },
    payload: body,
  });
  return alike(answer.statusCode, answer.headers, answer.body);
}

/** Without what differs from one request to the next. */
function alike(status: number, headers: Readonly<Record<string, unknown>>, text: string): Answer {
  const {
    date: _,
    connection: __,
    'keep-alive': ___,
    'x-request-id': ____,
    'content-length': _____,
    ...kept
  } = headers;
  const body = text
    .replaceAll(/"prediction_id":"[^"]+"/g, '"prediction_id":""')
    .replaceAll(/"request_id":"[^"]*"/g, '"request_id":""');
  return { status, headers: kept, body: JSON.parse(body) };
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
    const inputs = fc.array(
      fc.oneof(
        fc.record({ customer: fc.anything(), amount: fc.anything() }, { requiredKeys: [] }),
        fc.constant(row),
        fc.anything(),
      ),
      { maxLength: 4 },
    );
    const options = fc.option(fc.record({ partial: fc.boolean(), return_features: fc.boolean() }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(inputs, options, async (given, asked) => {
        const body = JSON.stringify({ inputs: given, options: asked }, (_key, value: unknown) =>
          typeof value === 'bigint' ? String(value) : value,
        );
        fc.pre(body.length < 8000);
        expect(await overSocket({ body })).toEqual(await injected({ body }));
      }),
      { numRuns: runs(150) },
    );
  });

  it('gets its own request id back, or one of ours', async () => {
    const ask = async (id: string) =>
      (
        await fetch(`${open.serving.url}${USUAL}`, {
          method: 'POST',
          headers: { ...JSON_TYPE, 'x-request-id': id },
          body: whole([row]),
        })
      ).headers.get('x-request-id');
    expect(await ask('mine-1')).toBe('mine-1');
    const ours = await ask('x'.repeat(129));
    expect(ours).toMatch(/^\w+-\w+$/);
  });

  it('comes in pieces, and many in one', async () => {
    const body = whole([row]);
    const head = `POST ${USUAL} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    const { openRaw } = await import('../support/raw-http.ts');
    const raw = await openRaw(open.serving.url);
    for (const character of (head + body).match(/[\s\S]{1,9}/g) ?? []) {
      raw.socket.write(character);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(() => raw.text().split('"prediction_id"').length).toBe(2);
    // Three at once over one connection.
    raw.socket.write(`${head}${body}${head}${body}${head}${body}`);
    await expect.poll(() => raw.text().split('"prediction_id"').length).toBe(5);
    raw.socket.destroy();
  });
});
