// What is said of a body that its schema refuses: outcomes, traffic, pushes, over a real server.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openForAll } from '../support/open-for.ts';
import { runs } from '../support/tier.ts';

const open = openForAll();

type Mistake = Readonly<Record<'path' | 'message', string>>;
type Refusal = { readonly code: string; readonly detail: string; readonly errors: readonly Mistake[] };
const CHECKOUT = '/v1/endpoints/checkout';
const OUTCOMES = `${CHECKOUT}/outcomes`;
const send = async (method: 'POST' | 'PUT' | 'GET', url: string, payload?: string) => {
  const body = payload === undefined ? {} : { payload, headers: { 'content-type': 'application/json' } };
  const answer = await open.serving.server.inject({ method, url, ...body });
  return { ...answer.json<Refusal>(), status: answer.statusCode };
};
const told = async (...asked: Parameters<typeof send>): Promise<string[]> =>
  (await send(...asked)).errors.map(({ path, message }) => `${path}: ${message}`);
const ofOutcome = (members: string) => told('POST', OUTCOMES, `{"outcomes":[${members}]}`);
const ofTraffic = (...variants: readonly object[]) => told('PUT', CHECKOUT, JSON.stringify({ variants }));

describe('a mistake in a body', () => {
  const VALUE = 'expected number from -9007199254740991 to 9007199254740991, boolean, text or null, got';
  it.each([
    ['{}', 'an object'],
    ['[true]', 'an array of 1'],
    ['1e400', 'a number past ±1.8e308'],
    ['9007199254740993', 'number 9007199254740993: a whole number past 2^53 is sent as text'],
  ])('of a value of several types is told once: %s', async (value, got) => {
    const refusal = await send('POST', OUTCOMES, `{"outcomes":[{"prediction_id":"p","value":${value}}]}`);
    const message = `${VALUE} ${got}`;
    expect(refusal).toMatchObject({ status: 400, code: 'HR_INVALID', detail: `outcomes[0].value: ${message}` });
    expect(refusal.errors).toEqual([{ path: 'outcomes[0].value', message }]);
  });

  it('says what came and what was expected, all at once', async () => {
    const outcomes = '{"prediction_id":7,"valeu":1,"observed_at":3},3,{"prediction_id":"","value":1}';
    expect(await ofOutcome(outcomes)).toEqual([
      'outcomes[0].value: is missing',
      'outcomes[0].valeu: is not a known member. Did you mean "value"?',
      'outcomes[0].prediction_id: expected text of 1 to 200 characters, got number 7',
      'outcomes[0].observed_at: expected text, got number 3',
      'outcomes[1]: expected an object, got number 3',
      'outcomes[2].prediction_id: expected text of 1 to 200 characters, got string ""',
    ]);
    expect(await ofOutcome(`{"prediction_id":"${'x'.repeat(300)}","value":1,"zzzzzzzzzzzz":1}`)).toEqual([
      'outcomes[0].zzzzzzzzzzzz: is not a known member. The members: prediction_id, value, observed_at, unit, at, from, within.',
      `outcomes[0].prediction_id: expected text of 1 to 200 characters, got string "${'x'.repeat(39)}… of 300 characters`,
    ]);
  });

  it('is told of a time that is none', async () => {
    const messages = await ofOutcome('{"prediction_id":"p","value":1,"observed_at":"noon"}');
    expect(messages).toEqual([expect.stringMatching(/^outcomes\[0\]\.observed_at: /)]);
  });

  it.each([
    ['{}', 'outcomes: is missing'],
    ['[]', 'body: expected an object, got an array of 0'],
    ['null', 'body: expected an object, got null'],
    ['{"outcomes":"all"}', 'outcomes: expected an array, got string "all"'],
    ['{"outcomes":[],"__proto__":1}', '__proto__: is not a known member. The members: outcomes.'],
  ])('names the body or its member: %s', async (body, message) => {
    expect(await told('POST', OUTCOMES, body)).toEqual([message]);
  });

  const ok = { name: 'stable', version: 1, weight: 100 };
  const ranged = (name: string, ...ranges: readonly (readonly [from: number, to: number])[]) => ({
    name,
    version: 1,
    ...(ranges.length === 0 ? {} : { ranges }),
  });
  const VERSION = '[0].version: expected whole number of at least 1 or text of 1 to 64 characters, got';
  const stable = ranged('stable', [0, 6000]);
  it.each<[object[], string]>([
    [[{ ...ok, weight: '100' }], '[0].weight: expected number from 0 to 100, got string "100"'],
    [[{ ...ok, weight: 101 }], '[0].weight: expected number from 0 to 100, got number 101'],
    [[{ ...ok, version: 0 }], `${VERSION} number 0`],
    [[{ ...ok, version: 1.5 }], `${VERSION} number 1.5`],
    [[{ ...ok, version: '' }], `${VERSION} string ""`],
    [[ranged('stable')], '[0].weight: expected a weight, or the ranges of all variants, got neither'],
    [[stable, ranged('candidate', [7000, 10_000])], ': expected ranges of all buckets, 0 to 9999, got 9000 of them'],
    [[{ ...stable, weight: 50 }, ranged('other', [6000, 10_000])], ': expected weights that sum to 100, got 90'],
  ])('is told of traffic, too: %j', async (variants, message) => {
    expect(await ofTraffic(...variants)).toEqual([`variants${message}`]);
  });

  it('is no range from which a weight follows', async () => {
    const variants = [ranged('stable', [0, 12], [700, 10_000]), ranged('candidate', [12, 700])];
    const [stable, candidate] = variants.map(({ name, ranges }) => ({ name, ranges }));
    expect(await send('PUT', CHECKOUT, JSON.stringify({ variants }))).toMatchObject({
      status: 200,
      variants: [
        { ...stable, weight: 93.12 },
        { ...candidate, weight: 6.88 },
      ],
    });
  });

  it.each([
    ['PUT', CHECKOUT, '{"variant":[]}', 'variant'],
    ['POST', '/v1/sources/purchases/push', '{"row":[]}', 'row'],
  ] as const)('is told of what is missing beside its slip: %s %s', async (method, url, body, slip) => {
    const messages = [`${slip}s: is missing`, `${slip}: is not a known member. Did you mean "${slip}s"?`];
    expect(await told(method, url, body)).toEqual(messages);
  });

  it('is told of what the path names', async () => {
    const message = 'revision: expected text like ^[1-9][0-9]{0,8}$, got string "0x"';
    expect(await told('GET', `${CHECKOUT}/traffic/0x`)).toEqual([message]);
  });

  it('is one of the first hundred that are named, and the others are counted', async () => {
    const outcomes = Array<string>(5000).fill('{"prediction_id":"p","value":{}}').join();
    const refusal = await send('POST', OUTCOMES, `{"outcomes":[${outcomes}]}`);
    expect(refusal.errors).toHaveLength(100);
    expect(refusal.detail).toMatch(/got an object \(and 4999 more, the first 100 are listed\)$/);
  });

  it('whatever comes, is told in words that say what is expected', async () => {
    const names = fc.constantFrom('outcomes', 'prediction_id', 'value', 'observed_at', '__proto__', 'a/b~c', '0');
    const { json } = fc.letrec<{ json: unknown }>((tie) => ({
      json: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom<unknown>(null, true, 1, -0.5, '', 'x', 1e17),
        fc.array(tie('json'), { maxLength: 3 }),
        fc.array(fc.tuple(names, tie('json')), { maxLength: 4 }).map((members): unknown => Object.fromEntries(members)),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(json, async (body) => {
        const refusal = await send('POST', OUTCOMES, JSON.stringify(body));
        if (refusal.status === 200) return;
        expect(refusal.status).toBe(400);
        expect(refusal.errors.length).toBeGreaterThan(0);
        for (const { message } of refusal.errors)
          expect(message).toMatch(/^(?:expected .+, got .+|is missing|is not a known member\..+)$/);
        const paths = refusal.errors.map(({ path }) => path);
        expect(new Set(paths).size).toBe(paths.length);
      }),
      { numRuns: runs(200) },
    );
  });
});
