// Outcomes over HTTP, read back from the log: each kind of value is kept as it came.

import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { App } from '../../src/app/index.ts';
import { serveProject } from '../support/open-serving.ts';
import { createServingProject } from '../support/serving-project.ts';
import { predictionLogSql } from '../support/log-relations.ts';

describe('an outcome', () => {
  let open: Awaited<ReturnType<typeof serveProject>>;
  let app: App;
  let server: FastifyInstance;

  beforeAll(async () => {
    open = await serveProject(createServingProject());
    app = open.app;
    server = open.serving.server;
  }, 60_000);
  afterAll(() => open.close());

  const post = (url: string, body: string) =>
    server.inject({ method: 'POST', url, headers: { 'content-type': 'application/json' }, payload: body });
  const tell = (id: string, value: string, more = '') =>
    post('/v1/endpoints/checkout/outcomes', `{"outcomes":[{"prediction_id":"${id}","value":${value}${more}}]}`);
  const predict = async (): Promise<string> => {
    const answer = await post('/v1/endpoints/checkout/predict', '{"inputs":[{"customer":"ada","amount":30}]}');
    return answer.json().predictions[0].prediction_id;
  };
  const readBack = async (id: string): Promise<unknown[]> => {
    const connection = await (await app.duckdb()).connect();
    try {
      const sql = await predictionLogSql(connection, app.config.values['predictionLog.path']);
      const reader = await connection.runAndReadAll(
        `SELECT json_type(outcome), outcome::VARCHAR, recorded_at IS NOT NULL FROM (${sql}) WHERE prediction_id = '${id}'`,
      );
      return reader.getRows()[0] as unknown[];
    } finally {
      connection.closeSync();
    }
  };

  it.each([
    ['true', 'BOOLEAN', 'true'],
    ['false', 'BOOLEAN', 'false'],
    ['1', 'UBIGINT', '1'],
    ['-0.25', 'DOUBLE', '-0.25'],
    ['"late"', 'VARCHAR', '"late"'],
    ['"9007199254740993"', 'VARCHAR', '"9007199254740993"'],
    ['null', null, null],
  ])('of %s is accepted and kept', async (value, kind, text) => {
    const id = await predict();
    const answer = await tell(id, value);
    expect([answer.statusCode, answer.json()]).toEqual([200, { accepted: 1 }]);
    expect(await readBack(id)).toEqual([kind, text, true]);
  });

  it('is taken back by null, and told anew by what comes after', async () => {
    const id = await predict();
    for (const [value, kept] of [
      ['true', 'true'],
      ['null', null],
      ['false', 'false'],
    ] as const) {
      await tell(id, value);
      expect(await readBack(id)).toEqual([kept === null ? null : 'BOOLEAN', kept, true]);
    }
  });

  it.each(['{}', '[true]', '1e400', '9007199254740993'])('of %s is refused, and nothing is kept', async (value) => {
    const id = await predict();
    const answer = await tell(id, value);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({
      code: 'HR_INVALID',
      errors: [
        {
          path: 'outcomes[0].value',
          message: expect.stringMatching(/^expected number .*, boolean, text or null, got /),
        },
      ],
    });
    // Writes out all that waits, the prediction too.
    await tell('another', 'true');
    expect(await readBack(id)).toEqual([null, null, false]);
  });

  it.each([
    ['prediction_id', '{"prediction_id":"\\ud800","value":1}'],
    ['value', '{"prediction_id":"ID","value":"\\udc00 late"}'],
  ])('with half of a surrogate pair as its %s is refused, and none of its request is kept', async (member, wrong) => {
    const id = await predict();
    const good = `{"prediction_id":"${id}","value":true}`;
    const answer = await post(
      '/v1/endpoints/checkout/outcomes',
      `{"outcomes":[${good},${wrong.replace('ID', id)},${wrong.replace('ID', id)}]}`,
    );
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({
      code: 'HR_INVALID',
      errors: [1, 2].map((row) => ({
        path: `outcomes[${row}].${member}`,
        message: expect.stringContaining('half of a surrogate pair is no text'),
      })),
    });
    await tell('another', 'true');
    expect(await readBack(id)).toEqual([null, null, false]);
  });

  it('may be told of a unit and a time: of its newest prediction before it', async () => {
    const predictFor = async (customer: string): Promise<string> => {
      const answer = await post(
        '/v1/endpoints/checkout/predict',
        `{"inputs":[{"customer":"${customer}","amount":30}]}`,
      );
      return answer.json().predictions[0].prediction_id;
    };
    // Within what clocks may differ by, and after the predictions by any of them.
    const now = (): string => new Date(Date.now() + 1000).toISOString();
    const ids = [await predictFor('unit-1'), await predictFor('unit-1'), await predictFor('unit-2')];
    const told = `{"unit":"unit-1","at":"${now()}","value":"won"},{"unit":["unit-2"],"at":"${now()}","within":"1h","value":7}`;
    for (let time = 0; time < 2; time++) {
      const answer = await post('/v1/endpoints/checkout/outcomes', `{"outcomes":[${told}]}`);
      expect([answer.statusCode, answer.json()]).toEqual([200, { accepted: 2 }]);
      expect(await Promise.all(ids.map(readBack))).toEqual([
        [null, null, false],
        ['VARCHAR', '"won"', true],
        ['UBIGINT', '7', true],
      ]);
    }
  });

  it.each([
    ['{"value":1}', 'prediction_id', 'is missing, and so are unit and at'],
    ['{"unit":"ada","value":1}', 'at', 'is missing: when it happened'],
    ['{"unit":["ada",2],"at":"2026-01-01T00:00:00Z","value":1}', 'unit', 'expected one value, of customer, got 2'],
    [
      '{"unit":"ada","prediction_id":"p","at":"2026-01-01T00:00:00Z","value":1}',
      'prediction_id',
      'does not go with a unit',
    ],
    ['{"prediction_id":"p","at":"2026-01-01T00:00:00Z","value":1}', 'at', 'belongs to an outcome with a unit'],
    ['{"prediction_id":"p","observed_at":"2250-01-01T00:00:00Z","value":1}', 'observed_at', 'is in the future'],
    ['{"unit":"ada","at":"2250-01-01T00:00:00Z","value":1}', 'at', 'is in the future'],
    [
      '{"unit":"ada","at":"2026-01-01T00:00:00Z","within":"a while","value":1}',
      'within',
      'expected a duration such as "7d"',
    ],
    ['{"unit":"ada","at":"2026-01-01T00:00:00Z","from":"2026-01-02T00:00:00Z","value":1}', 'from', 'is after at'],
    ['{"unit":"\\udc00","at":"2026-01-01T00:00:00Z","value":1}', 'unit', 'half of a surrogate pair'],
    ['{"unit":{},"at":"2026-01-01T00:00:00Z","value":1}', 'unit', 'expected text'],
  ])('%s is refused', async (outcome, member, message) => {
    const answer = await post(
      '/v1/endpoints/checkout/outcomes',
      `{"outcomes":[{"prediction_id":"x","value":1},${outcome}]}`,
    );
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({
      code: 'HR_INVALID',
      errors: [{ path: `outcomes[1].${member}`, message: expect.stringContaining(message) }],
    });
  });

  it('is one of any number that a body holds', async () => {
    const id = await predict();
    const outcomes = Array.from(
      { length: 30_000 },
      (_, i) => `{"prediction_id":"${i === 29_999 ? id : i}","value":${i}}`,
    );
    const answer = await post('/v1/endpoints/checkout/outcomes', `{"outcomes":[${outcomes.join()}]}`);
    expect([answer.statusCode, answer.json()]).toEqual([200, { accepted: 30_000 }]);
    expect(await readBack(id)).toEqual(['UBIGINT', '29999', true]);
  });

  it('seen at a time that no number tells exactly is refused', async () => {
    const answer = await tell('x', 'true', ',"observed_at":"9999-12-31T00:00:00Z"');
    expect(answer.statusCode).toBe(400);
    expect(answer.json().errors[0].path).toBe('outcomes[0].observed_at');
  });
});
