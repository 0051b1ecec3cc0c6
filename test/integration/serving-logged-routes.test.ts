// What a server logs of how its rows came to their arms: of an experiment, of a rollout's split, and forced by a header.

import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { App } from '../../src/app/index.ts';
import { readPredictionId } from '../../src/core/index.ts';
import type { LiveExperiment } from '../../src/registry/index.ts';
import { serveProject } from '../support/open-serving.ts';
import { createServingProject } from '../support/serving-project.ts';
import { loggedExposuresSql, predictionLogSql } from '../support/log-relations.ts';

const EXPERIMENT: LiveExperiment = {
  name: 'exp',
  phase: 2,
  seed: 'exp',
  unit: ['customer', 'amount'],
  namespace: null,
  when: { customer: { $ne: 'outside' } },
  arms: [
    { name: 'control', version: 1, ranges: [[0, 5000]] },
    { name: 'treatment', version: 2, ranges: [[5000, 10_000]] },
  ],
};

describe('what a server logs of a row', () => {
  let open: Awaited<ReturnType<typeof serveProject>>;
  let app: App;
  let server: FastifyInstance;
  let revision: number;

  beforeAll(async () => {
    open = await serveProject(createServingProject());
    app = open.app;
    server = open.serving.server;
    const { endpoints } = await app.registry();
    const variants = [
      { name: 'stable', version: 1, weight: 50 },
      { name: 'candidate', version: 2, weight: 50 },
    ];
    const traffic = { variants, experiments: [EXPERIMENT] };
    ({ revision } = await endpoints.setTraffic('checkout', traffic, { actor: 'test' }));
  }, 60_000);
  afterAll(() => open.close());

  const predict = async (inputs: readonly object[], headers: Readonly<Record<string, string>> = {}) => {
    const answer = await server.inject({
      method: 'POST',
      url: '/v1/endpoints/checkout/predict',
      headers: { 'content-type': 'application/json', ...headers },
      payload: { inputs },
    });
    expect(answer.statusCode, answer.body).toBe(200);
    return (answer.json() as { predictions: { prediction_id: string; version: number; variant: string }[] })
      .predictions;
  };
  const ask = async (sql: string): Promise<Record<string, unknown>[]> => {
    await server.inject({
      method: 'POST',
      url: '/v1/endpoints/checkout/outcomes',
      payload: { outcomes: [{ prediction_id: 'none', value: 1 }] },
    });
    const connection = await (await app.duckdb()).connect();
    try {
      const directory = app.config.values['predictionLog.path'];
      const [predictions, exposures] = [
        await predictionLogSql(connection, directory),
        `SELECT * FROM (${await loggedExposuresSql(connection, directory)}) WHERE experiment = 'exp' AND phase = 2`,
      ];
      const asked = `WITH predictions AS (${predictions}), exposures AS (${exposures}) ${sql}`;
      return (await connection.runAndReadAll(asked)).getRowObjectsJson() as Record<string, unknown>[];
    } finally {
      connection.closeSync();
    }
  };

  it('is the arm of the experiment with its unit, the split outside of it, and what was forced', async () => {
    const customers = Array.from({ length: 20 }, (_, i) => ({ customer: `c"${i}`, amount: i + 0.5 }));
    const [inside, again, outside, forced, forcedArm] = [
      await predict(customers),
      await predict(customers),
      await predict([{ customer: 'outside', amount: 1 }]),
      await predict([{ customer: 'f', amount: 1 }], { 'x-headrace-variant': 'candidate' }),
      await predict([{ customer: 'f', amount: 1 }], { 'x-headrace-variant': 'exp/treatment' }),
    ];
    const rows =
      await ask(`SELECT prediction_id, via, assigned, experiment, experiment_unit, phase, revision::INTEGER AS revision,
      fallback_from, sample_rate, version, variant FROM predictions`);
    const byId = new Map(rows.map(({ prediction_id, ...row }) => [prediction_id, row]));
    const shared = { revision, fallback_from: null, sample_rate: 1 };
    for (const [i, one] of [...inside, ...again].entries()) {
      const { customer, amount } = customers[i % 20] as (typeof customers)[number];
      const arm = one.version === 1 ? 'control' : 'treatment';
      expect(byId.get(one.prediction_id)).toEqual({
        ...shared,
        via: 'experiment',
        assigned: arm,
        experiment: 'exp',
        experiment_unit: JSON.stringify([customer, amount]),
        phase: 2,
        version: one.version,
        variant: `exp/${arm}`,
      });
      expect(readPredictionId(one.prediction_id)).toMatchObject({ revision, version: one.version });
    }
    const none = { experiment: null, experiment_unit: null, phase: null };
    const { variant } = outside[0] ?? { variant: '' };
    expect(byId.get(outside[0]?.prediction_id)).toMatchObject({
      ...shared,
      ...none,
      via: 'rollout',
      assigned: variant,
    });
    expect(byId.get(forced[0]?.prediction_id)).toMatchObject({
      ...shared,
      ...none,
      via: 'forced',
      assigned: 'candidate',
    });
    expect(byId.get(forcedArm[0]?.prediction_id)).toMatchObject({ via: 'forced', assigned: 'treatment', phase: 2 });
    const exposed = await ask('SELECT unit, arm, predictions::INTEGER AS predictions FROM exposures');
    const expected = customers.map(({ customer, amount }, i) => ({
      unit: JSON.stringify([customer, amount]),
      arm: inside[i]?.version === 1 ? 'control' : 'treatment',
      predictions: 2,
    }));
    const byUnit = (a: { unit?: unknown }, b: { unit?: unknown }) => String(a.unit).localeCompare(String(b.unit));
    expect(exposed.toSorted(byUnit)).toEqual(expected.toSorted(byUnit));
  });
});
