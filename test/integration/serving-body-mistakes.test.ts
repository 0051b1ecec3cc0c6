// What is said of a body that its schema refuses: outcomes, traffic, pushes, over a real server.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { runs } from '../support/tier.ts';

let open: OpenServing;
beforeAll(async () => {
  open = await openServing({ repository: REPOSITORY, features: 4 });
}, 60_000);
afterAll(() => open.close());

interface Refusal {
  readonly code: string;
  readonly detail: string;
  readonly errors: readonly { readonly path: string; readonly message: string }[];
}

const send = async (
  method: 'POST' | 'PUT' | 'GET',
  url: string,
  payload?: string,
): Promise<Refusal & { status: number }> => {
  const answer = await open.serving.server.inject({
    method,
    url,
    headers: payload === undefined ? {} : { 'content-type': 'application/json' },
    ...(payload === undefined ? {} : { payload }),
  });
  return { ...answer.json<Refusal>(), status: answer.statusCode };
};
const OUTCOMES = '/v1/endpoints/checkout/outcomes';
const told = ({ errors }: Refusal): string[] => errors.map(({ path, message }) => `${path}: ${message}`);
const ofOutcome = async (members: string) => told(await send('POST', OUTCOMES, `{"outcomes":[${members}]}`));
const ofOutcomes = async (body: string) => told(await send('POST', OUTCOMES, body));
const ofTraffic = async (body: object) => told(await send('PUT', '/v1/endpoints/checkout', JSON.stringify(body)));

describe('a mistake in a body', () => {
  it.each([
    ['{}', 'expected number from -9007199254740991 to 9007199254740991, boolean, text or null, got an object'],
    ['[true]', 'expected number from -9007199254740991 to 9007199254740991, boolean, text or null, got an array of 1'],
    [
      '1e400',
      'expected number from -9007199254740991 to 9007199254740991, boolean, text or null, got a number past ±1.8e308',
    ],
    [
      '9007199254740993',
      'expected number from -9007199254740991 to 9007199254740991, boolean, text or null, got number 9007199254740993: a whole number past 2^53 is sent as text',
    ],
  ])('of a value of several types is told once: %s', async (value, message) => {
    const refusal = await send('POST', OUTCOMES, `{"outcomes":[{"prediction_id":"p","value":${value}}]}`);
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

  it.each([
    ['{}', ['outcomes: is missing']],
    ['[]', ['body: expected an object, got an array of 0']],
    ['null', ['body: expected an object, got null']],
    ['{"outcomes":"all"}', ['outcomes: expected an array, got string "all"']],
    ['{"outcomes":[],"__proto__":1}', ['__proto__: is not a known member. The members: outcomes.']],
  ])('names the body or its member: %s', async (body, messages) => {
    expect(await ofOutcomes(body)).toEqual(messages);
  });

  it('is told of traffic, too', async () => {
    const ok = { name: 'stable', version: 1, weight: 100 };
    expect(await ofTraffic({ variants: [{ ...ok, weight: '100' }] })).toEqual([
      'variants[0].weight: expected number from 0 to 100, got string "100"',
    ]);
    expect(
      await ofTraffic({
        variants: [
          { ...ok, weight: 101, version: 0 },
          { ...ok, version: 1.5 },
          { ...ok, version: '' },
        ],
      }),
    ).toEqual([
      'variants[0].weight: expected number from 0 to 100, got number 101',
      'variants[0].version: expected whole number of at least 1 or text of 1 to 64 characters, got number 0',
      'variants[1].version: expected whole number of at least 1 or text of 1 to 64 characters, got number 1.5',
      'variants[2].version: expected whole number of at least 1 or text of 1 to 64 characters, got string ""',
    ]);
    expect(await ofTraffic({ variant: [ok] })).toEqual([
      'variants: is missing',
      'variant: is not a known member. Did you mean "variants"?',
    ]);
  });

  it('is told of ranges, from which weights follow', async () => {
    const of = (name: string, ranges?: unknown) => ({ name, version: 1, ...(ranges === undefined ? {} : { ranges }) });
    expect(await ofTraffic({ variants: [of('stable'), of('candidate', [[0, 100]])] })).toEqual([
      'variants[0].weight: expected a weight, or the ranges of all variants, got neither',
    ]);
    expect(await ofTraffic({ variants: [of('stable', [[0, 6000]]), of('candidate', [[5000, 10_000]])] })).toEqual([
      'variants[1].ranges[0]: [5000, 10000) overlaps [0, 6000), which variants[0].ranges[0] has',
    ]);
    expect(await ofTraffic({ variants: [of('stable', [[0, 6000]]), of('candidate', [[7000, 10_000]])] })).toEqual([
      'variants: expected ranges of all buckets, 0 to 9999, got 9000 of them',
    ]);
    const halved = [{ ...of('stable', [[0, 6000]]), weight: 50 }, of('candidate', [[6000, 10_000]])];
    expect(await ofTraffic({ variants: halved })).toEqual(['variants: expected weights that sum to 100, got 90']);
    const given = [
      of('stable', [
        [0, 12],
        [700, 10_000],
      ]),
      of('candidate', [[12, 700]]),
    ];
    expect(await send('PUT', '/v1/endpoints/checkout', JSON.stringify({ variants: given }))).toMatchObject({
      status: 200,
      variants: [
        {
          name: 'stable',
          weight: 93.12,
          ranges: [
            [0, 12],
            [700, 10_000],
          ],
        },
        { name: 'candidate', weight: 6.88, ranges: [[12, 700]] },
      ],
    });
  });

  it('is told of what the path names, and of pushes', async () => {
    expect(told(await send('GET', '/v1/endpoints/checkout/traffic/0x'))).toEqual([
      'revision: expected text like ^[1-9][0-9]{0,8}$, got string "0x"',
    ]);
    expect(told(await send('POST', '/v1/sources/purchases/push', '{"row":[]}'))).toEqual([
      'rows: is missing',
      'row: is not a known member. Did you mean "rows"?',
    ]);
  });

  it('is one of the first hundred that are named, and the others are counted', async () => {
    const outcomes = Array.from({ length: 5000 }, () => '{"prediction_id":"p","value":{}}').join();
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
        fc
          .array(fc.tuple(names, tie('json')), { maxLength: 4 })
          .map((members) => Object.fromEntries(members) as unknown),
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
