// What a server logs of how its rows came to their arms: of an experiment, of a rollout's split, and forced by a header.

import { expect, it } from 'vitest';
import { readPredictionId } from '../../src/core/index.ts';
import type { LiveExperiment } from '../../src/registry/index.ts';
import { loggedExposuresSql } from '../support/log-relations.ts';
import { openedForAll, queryLog } from '../support/open-for.ts';
import { serveProject } from '../support/open-serving.ts';
import { createServingProject } from '../support/serving-project.ts';

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
const open = openedForAll(() => serveProject(createServingProject()));
const post = (path: string, payload: object, headers = {}) =>
  open.serving.server.inject({ method: 'POST', url: `/v1/endpoints/checkout/${path}`, headers, payload });

async function predict(inputs: readonly object[], headers = {}) {
  const answer = await post('predict', { inputs }, headers);
  expect(answer.statusCode, answer.body).toBe(200);
  return (answer.json() as { predictions: { prediction_id: string; version: number; variant: string }[] }).predictions;
}

it('what a server logs of a row is the arm of the experiment with its unit, the split outside of it, and what was forced', async () => {
  const { endpoints } = await open.app.registry();
  const variants = Object.entries({ stable: 1, candidate: 2 }).map(([name, version]) => ({
    name,
    version,
    weight: 50,
  }));
  const traffic = { variants, experiments: [EXPERIMENT] };
  const { revision } = await endpoints.setTraffic('checkout', traffic, { actor: 'test' });
  const customers = Array.from({ length: 20 }, (_, i) => ({ customer: `c"${i}`, amount: i + 0.5 }));
  const [inside, again] = [await predict(customers), await predict(customers)];
  const [outside] = await predict([{ customer: 'outside', amount: 1 }]);
  const forced = async (variant: string) =>
    (await predict([{ customer: 'f', amount: 1 }], { 'x-headrace-variant': variant }))[0]?.prediction_id;
  const [forcedVariant, forcedArm] = [await forced('candidate'), await forced('exp/treatment')];
  // Writes out what waits.
  await post('outcomes', { outcomes: [{ prediction_id: 'none', value: 1 }] });
  const rows = await queryLog(
    open.app,
    `SELECT prediction_id, via, assigned, experiment, experiment_unit, phase, revision::INTEGER AS revision,
      fallback_from, sample_rate, version, variant FROM predictions`,
  );
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
  const none = { ...shared, experiment: null, experiment_unit: null, phase: null };
  const split = { ...none, via: 'rollout', assigned: outside?.variant };
  expect(byId.get(outside?.prediction_id)).toMatchObject(split);
  expect(byId.get(forcedVariant)).toMatchObject({ ...none, via: 'forced', assigned: 'candidate' });
  expect(byId.get(forcedArm)).toMatchObject({ via: 'forced', assigned: 'treatment', phase: 2 });

  const connection = await (await open.app.duckdb()).connect();
  const sql = await loggedExposuresSql(connection, open.app.config.values['predictionLog.path']);
  const of = "WHERE experiment = 'exp' AND phase = 2";
  const asked = `SELECT unit, arm, predictions::INTEGER AS predictions FROM (${sql}) ${of}`;
  const exposed = (await connection.runAndReadAll(asked)).getRowObjectsJson() as Record<string, unknown>[];
  connection.closeSync();
  const expected = customers.map(({ customer, amount }, i) => ({
    unit: JSON.stringify([customer, amount]),
    arm: inside[i]?.version === 1 ? 'control' : 'treatment',
    predictions: 2,
  }));
  const byUnit = (a: { unit?: unknown }, b: { unit?: unknown }) => String(a.unit).localeCompare(String(b.unit));
  expect(exposed.toSorted(byUnit)).toEqual(expected.toSorted(byUnit));
});
