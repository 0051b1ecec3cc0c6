// A function of the definitions that throws: whoever works on this machine is told its words, others which function it was. The
// log has all.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const SECRET = 'could not reach db.internal as ann:hunter2';
const UNLUCKY = REPOSITORY.replace(
  'transform: ({ request, customer }) => ({',
  `transform: ({ request, customer }) => {
    if (request.amount === 13) throw new Error(${JSON.stringify(SECRET)});
    return {`,
)
  .replace(
    '? request.amount / customer.mean_7d : null,\n  }),',
    '? request.amount / customer.mean_7d : null,\n    };\n  },',
  )
  .replace(
    '(row) => (row.amount == null',
    `(row) => { if (row.amount === 13) throw new Error(${JSON.stringify(SECRET)}); return (row.amount == null`,
  )
  .replace('row.amount > 15 ? 1 : 0)]', 'row.amount > 15 ? 1 : 0); }]');

type Line = Readonly<Record<string, unknown>>;

let open: OpenServing;
const lines: Line[] = [];
const write =
  (level: string) =>
  (fields: object, msg: string): void =>
    void lines.push({ level, msg, ...fields });
beforeAll(async () => {
  open = await openServing({
    repository: UNLUCKY,
    features: 4,
    logger: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
  });
}, 60_000);
afterAll(() => open.close());

const row = { customer: 'ada', amount: 13 };
const PREDICT = '/v1/endpoints/checkout/predict';
const REQUESTS: readonly [what: string, path: string, body: object, where: string][] = [
  ['a prediction', PREDICT, { inputs: [row] }, 'on-demand view "basket"'],
  ['predictions', PREDICT, { inputs: [row, { customer: 'bob', amount: 1 }, row] }, 'on-demand view "basket"'],
  ['rows that stand alone', PREDICT, { inputs: [row, row], options: { partial: true } }, 'on-demand view "basket"'],
  ['a read', '/v1/features/read', { service: 'numbers', rows: [row] }, 'on-demand view "basket"'],
  [
    'a push',
    '/v1/sources/purchases/push',
    { rows: [{ ...row, points: 1, bought_at: '2026-01-01T00:00:00Z' }] },
    'derived column "is_big"',
  ],
];

/** Over a socket, so that predictions come as they usually do, and by the route. */
async function answers(path: string, body: object, headers: Record<string, string> = {}): Promise<string[]> {
  const sent = { 'content-type': 'application/json', ...headers };
  const ask = { method: 'POST', headers: sent, body: JSON.stringify(body) };
  const quick = await fetch(`${open.serving.url}${path}`, ask);
  const slow = await fetch(`${open.serving.url}${path}?route`, ask);
  return [await quick.text(), await slow.text()];
}

describe('a function that throws', () => {
  it.each(REQUESTS)('is told in its own words by an open server on loopback: %s', async (_what, path, body, where) => {
    for (const text of await answers(path, body)) {
      expect(text).toContain('HR_TRANSFORM_FAILED');
      expect(text).toContain(JSON.stringify(where).slice(1, -1));
      expect(text).toContain(SECRET);
    }
  });

  describe('where there are keys', () => {
    let headers: Record<string, string>;
    beforeAll(async () => {
      const registry = await open.app.registry();
      const roles = ['read', 'predict', 'write'] as const;
      const { token } = await registry.keys.create({ name: 'client', roles }, { actor: 'ann' });
      await open.serving.security.refresh();
      headers = { authorization: `Bearer ${token}` };
    });

    it.each(REQUESTS)('is told by its name alone, and the log has the rest: %s', async (what, path, body, where) => {
      const id = what.replaceAll(' ', '-');
      lines.length = 0;
      for (const text of await answers(path, body, { ...headers, 'x-request-id': id })) {
        expect(text).toContain('HR_TRANSFORM_FAILED');
        expect(text).toContain(`${JSON.stringify(where).slice(1, -1)}: its function failed`);
        expect(text).not.toContain('hunter2');
      }
      const [line] = lines.filter(({ requestId }) => requestId === id);
      expect(line).toMatchObject({ level: 'error', reason: expect.stringContaining(SECRET) });
      const { err } = line as { err?: Error };
      expect(err).toMatchObject({
        message: expect.stringContaining(SECRET),
        stack: expect.stringContaining('\n    at '),
      });
    });

    it('is told by its name alone in what the server says of its endpoints', async () => {
      await answers(PREDICT, { inputs: [row] }, headers);
      await answers(PREDICT, { inputs: [row] }, headers);
      for (const path of ['/health/ready', '/v1/endpoints', '/v1/endpoints/checkout', '/v1/status']) {
        const text = await (await fetch(`${open.serving.url}${path}`, { headers })).text();
        expect(text).toContain(
          'every request fails: HR_TRANSFORM_FAILED: on-demand view \\"basket\\": its function failed',
        );
        expect(text).not.toContain('hunter2');
      }
    });
  });
});
