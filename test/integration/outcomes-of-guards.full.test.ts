// Which outcomes a rollout's guard counts, by how they were told: what servers are sent by id at once, and with a maturity whatever
// the log has, of ids and of units, over HTTP and from a file.
// twin: test/integration/monitoring-matured.test.ts > counts predictions that are old enough, each by what was known at that age
// twin: test/contract/rollouts.test.ts > says of outcomes that are told of units that they are not counted, or counts them with the log
// twin: test/property/told-outcomes.test.ts > count once each, by the last of them

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { App } from '../../src/app/index.ts';
import type { Serving } from '../../src/app/serve-worker.ts';
import { readPredictionId } from '../../src/core/index.ts';
import { maturedOutcomes, openMinutes } from '../../src/monitoring/index.ts';
import { serveProject } from '../support/open-serving.ts';
import { createServingProject, headrace, headraceJson, type Project } from '../support/serving-project.ts';

const AGE = 3_600_000_000;

let project: Project;
let app: App;
let serving: Serving;
let close: () => Promise<void>;
beforeAll(async () => {
  project = createServingProject();
  ({ app, serving, close } = await serveProject(project));
}, 60_000);
afterAll(() => close());

const post = (url: string, body: object) =>
  serving.server.inject({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(body),
  });

const predict = async (customer: string): Promise<string> => {
  const answer = await post('/v1/endpoints/checkout/predict', { inputs: [{ customer, amount: 30 }] });
  return (answer.json() as { predictions: { prediction_id: string }[] }).predictions[0]?.prediction_id ?? '';
};
const sumOf = (numbers: readonly number[] = []): number => numbers.reduce((sum, one) => sum + one, 0);

it('all of the log with a maturity, else what servers are sent by id', async () => {
  const from = app.clock.nowMicros();
  const names = ['sent', 'twice', 'corrected', 'filed', 'by-unit', 'unit-filed', 'silent'];
  const ids = new Map<string, string>();
  for (const name of names) ids.set(name, await predict(name));
  const idOf = (name: string): string => ids.get(name) ?? '';
  const at = new Date(app.clock.nowMicros() / 1000 + 1).toISOString();
  const send = async (...outcomes: readonly object[]): Promise<void> => {
    const answer = await post('/v1/endpoints/checkout/outcomes', { outcomes });
    expect(answer.statusCode).toBe(200);
  };
  await send(...['sent', 'twice', 'corrected'].map((name) => ({ prediction_id: idOf(name), value: true })));
  await send({ prediction_id: idOf('twice'), value: true }, { prediction_id: idOf('corrected'), value: false });
  await send({ unit: 'by-unit', at, value: true });
  const file = join(project.directory, 'outcomes.jsonl');
  const filed = [
    { prediction_id: idOf('filed'), value: true },
    { unit: 'unit-filed', at, value: true },
  ];
  writeFileSync(file, filed.map((one) => `${JSON.stringify(one)}\n`).join(''));
  expect(headraceJson(project, ['logs', 'outcomes', 'checkout', file])).toEqual({ accepted: 2 });

  const minutes = await openMinutes(await app.database(), app.clock);
  const outcomes = async (isPlaced: boolean) => {
    const rows = await minutes.read({ endpoint: 'checkout', fromMicros: 0 });
    const own = rows.filter(({ kind, revision }) => kind === 'outcome' && revision > 0 === isPlaced);
    return [sumOf(own.map((row) => sumOf(row.outcomes?.n))), sumOf(own.map((row) => sumOf(row.outcomes?.sum)))];
  };
  // Written within ten seconds.
  await expect.poll(() => outcomes(true), { timeout: 60_000 }).toEqual([3, 2]);
  // Whose that is of a unit is not known yet.
  expect(await outcomes(false)).toEqual([1, 0]);

  const matured = await maturedOutcomes(await app.duckdb(), {
    directory: app.config.values['predictionLog.path'],
    endpoint: 'checkout',
    fromMicros: from,
    nowMicros: app.clock.nowMicros() + AGE,
    maturityMicros: AGE,
  });
  const { revision } = readPredictionId(idOf('sent')) ?? { revision: 0 };
  expect(matured).toMatchObject([{ revision, version: 1 }]);
  expect(sumOf(matured[0]?.n)).toBe(6);
  expect(sumOf(matured[0]?.sum)).toBe(5);
  expect(matured[0]?.events.map(({ unitHash }) => unitHash).sort()).toEqual(
    ['sent', 'twice', 'filed', 'by-unit', 'unit-filed']
      .map((name) => readPredictionId(idOf(name))?.unitHash ?? 0)
      .sort(),
  );

  // Whoever records them from a file hears what they do not weigh for.
  const rollouts = await app.rollouts();
  const by = { actor: 'ann', isAdmin: true };
  const plan = { endpoint: 'checkout', candidate: 2, guards: ['outcome>-5%'] };
  const first = await rollouts.start(plan, by);
  const told = headrace(project, ['logs', 'outcomes', 'checkout', file]);
  expect(told.stdout).toBe(
    `2 outcomes of checkout recorded\nRollout ${first.rollout.id} counts nothing of a file: it has no maturity, so its guard on outcomes sees what servers are sent.\n`,
  );
  await rollouts.abort(first.rollout.id, by);
  const second = await rollouts.start({ ...plan, maturityMicros: AGE }, by);
  expect(headrace(project, ['logs', 'outcomes', 'checkout', file]).stdout).toBe('2 outcomes of checkout recorded\n');
  await rollouts.abort(second.rollout.id, by);
}, 120_000);
