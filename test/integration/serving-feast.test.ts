// Feast's HTTP API over what is served: references and services, columns, statuses and times, pushes and writes, and errors in
// Feast's form; requests are injected.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADA, FEAST_REPOSITORY } from '../support/feast-shop.ts';
import { openServing, type OpenServing } from '../support/open-serving.ts';

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
});
