// A function of the definitions that throws: who works on this machine gets its words, others its name. The log has all.

import { beforeAll, describe, expect, it } from 'vitest';
import { openForAll } from '../support/open-for.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const SECRET = 'could not reach db.internal as ann:hunter2';
const BREAK = `=== 13 ? (() => { throw new Error(${JSON.stringify(SECRET)}); })() :`;
const UNLUCKY = REPOSITORY.replace('ratio: request.amount', `ratio: request.amount ${BREAK} request.amount`).replace(
  'row.amount > 15',
  `row.amount ${BREAK} row.amount > 15`,
);

const lines: Readonly<Record<string, unknown>>[] = [];
const write = (level: string) => (fields: object, msg: string) => void lines.push({ level, msg, ...fields });
const logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
const open = openForAll({ repository: UNLUCKY, logger });

const row = { customer: 'ada', amount: 13 };
const bought = { ...row, points: 1, bought_at: '2026-01-01T00:00:00Z' };
const PREDICT = '/v1/endpoints/checkout/predict';
const REQUESTS: readonly [what: string, path: string, body: object, where: string][] = [
  ['a prediction', PREDICT, { inputs: [row] }, 'on-demand view "basket"'],
  ['predictions', PREDICT, { inputs: [row, { customer: 'bob', amount: 1 }, row] }, 'on-demand view "basket"'],
  ['rows that stand alone', PREDICT, { inputs: [row, row], options: { partial: true } }, 'on-demand view "basket"'],
  ['a read', '/v1/features/read', { service: 'numbers', rows: [row] }, 'on-demand view "basket"'],
  ['a push', '/v1/sources/purchases/push', { rows: [bought] }, 'derived column "is_big"'],
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
      const err = { message: expect.stringContaining(SECRET), stack: expect.stringContaining('\n    at ') } as object;
      expect((line as { err?: Error }).err).toMatchObject(err);
    });

    it('is told by its name alone in what the server says of its endpoints', async () => {
      await answers(PREDICT, { inputs: [row] }, headers);
      await answers(PREDICT, { inputs: [row] }, headers);
      for (const path of ['/health/ready', '/v1/endpoints', '/v1/endpoints/checkout', '/v1/status']) {
        const text = await (await fetch(`${open.serving.url}${path}`, { headers })).text();
        const why = 'HR_TRANSFORM_FAILED: on-demand view \\"basket\\": its function failed';
        expect(text).toContain(`every request fails: ${why}`);
        expect(text).not.toContain('hunter2');
      }
    });
  });
});
