// A request of which one row is the client's mistake and another a failure of a function: it counts as the failure, and neither
// row's words are told by the other's code, in whichever order they come.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { passThroughModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';

const SECRET = 'could not reach db.internal as ann:hunter2';
const REPOSITORY = `import { endpoint, entity, featureService, featureView, latest, model, onDemandView, pushed, t } from 'headrace';
const customer = entity('customer', { keys: { customer: t.string() } });
const visits = pushed('visits', { columns: { customer: t.string(), pages: t.int64(), at: t.timestamp() }, eventTime: 'at' });
const seen = featureView('seen', { entity: customer, source: visits, features: { pages: latest('pages') } });
const twice = onDemandView('twice', {
  inputs: { request: { amount: t.float64() }, seen },
  features: { pages: t.int64() },
  transform: ({ request }) => {
    if (request.amount === 13) throw new Error(${JSON.stringify(SECRET)});
    return { pages: request.amount === 0 ? null : 1n };
  },
});
const numbers = featureService('numbers', [twice]);
const returns = model('returns', { features: numbers, outputs: { pages: t.int64() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['customer'] });
`;

let open: OpenServing;
const lines: { readonly msg: string; readonly code?: string }[] = [];
const write = (fields: object, msg: string): void => void lines.push({ ...fields, msg });
beforeAll(async () => {
  open = await openServing({
    repository: REPOSITORY,
    features: 1,
    onnx: passThroughModel([{ name: 'twice__pages', type: 'int64', shape: [null] }]),
    logger: { debug: write, info: write, warn: write, error: write },
  });
}, 60_000);
afterAll(() => open.close());

it('is told and counted as the failure, and each row by its own code', async () => {
  const registry = await open.app.registry();
  const { token } = await registry.keys.create({ name: 'client', roles: ['read', 'predict'] }, { actor: 'ann' });
  await open.serving.security.refresh();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  for (const path of ['predict', 'predict?route']) {
    for (const amounts of [
      [13, 0],
      [0, 13],
    ]) {
      const inputs = amounts.map((amount) => ({ customer: 'nobody', amount }));
      const url = `${open.serving.url}/v1/endpoints/checkout/${path}`;
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ inputs }) });
      const text = await answer.text();
      expect(text).not.toContain('hunter2');
      expect(JSON.parse(text)).toMatchObject({
        code: 'HR_TRANSFORM_FAILED',
        errors: amounts.map((amount, at) => ({
          path: `inputs[${at}]`,
          message: expect.stringMatching(
            amount === 13 ? /^a function failed on it$/ : /^nothing is known of this row’s key/,
          ),
        })),
      });
    }
  }
  const metrics = await (await fetch(`${open.serving.url}/metrics`, { headers })).text();
  const failed = [
    ...metrics.matchAll(/^headrace_request_errors_total\{endpoint="checkout",outcome="(\w+)"\} (\d+)$/gm),
  ];
  expect(failed.filter(([, , count]) => count !== '0').map(([, outcome, count]) => [outcome, count])).toEqual([
    ['failed', '4'],
  ]);
  expect(lines.filter(({ msg }) => msg === 'request failed').map(({ code }) => code)).toEqual(
    Array.from({ length: 4 }, () => 'HR_TRANSFORM_FAILED'),
  );
});
