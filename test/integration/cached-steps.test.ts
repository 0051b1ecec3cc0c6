// Cached steps of a whole project: taken from an earlier run while nothing that they go by has changed, and run again once it has.

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { sharedParts } from '../../src/orchestrator/driver/cache-keys.ts';
import { undocumented } from '../support/documented-cache-parts.ts';
import { blobKey } from '../../src/storage/index.ts';
import { linearModel } from '../support/onnx-model.ts';
import { openStepProject, type StepProject } from '../support/step-project.ts';

const MODEL = linearModel(1);
const shaOf = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const SHA = shaOf(MODEL);
/** Longer than a row holds. */
const LONG = 'x'.repeat(5000);

const shop = (window = '30d', more = ''): string => `
  import { count, endpoint, entity, featureService, featureView, mean, model, parquet, t } from 'headrace';
  export const merchant = entity('merchant', { keys: { merchant: t.string() } });
  export const orders = parquet('orders', {
    path: 'data/orders.parquet', columns: { merchant: t.string(), amount: t.float64(), at: t.timestamp() }, eventTime: 'at',
  });
  export const visits = parquet('visits', {
    path: 'data/visits.parquet', columns: { merchant: t.string(), at: t.timestamp() }, eventTime: 'at',
  });
  export const spend = featureView('spend', { entity: merchant, source: orders, features: { mean_amount: mean('amount').over('${window}') ${more} } });
  export const seen = featureView('seen', { entity: merchant, source: visits, features: { visits: count().over('7d') } });
  export const features = featureService('features', [spend.pick('mean_amount')]);
  export const judged = model('judged', { features, outputs: { probability: t.float32() } });
`;
// At the top of the file, where the reach of a task's code is known.
const PIPELINES = `
  import { evaluate, pipeline, task, trainingSet } from 'headrace';
  import { features, judged } from './shop.ts';
  const set = trainingSet({ service: features, spine: 'data/spine.parquet', label: 'late' });
  export const learn = pipeline('learn');
  const kept = learn.step('data', set, { cache: true });
  learn.step('fit', task((needs: { data: { rows: number } }) => needs.data.rows), { needs: { data: kept }, cache: true });
  export const uncached = pipeline('uncached');
  const fresh = uncached.step('data', set);
  uncached.step('fit', task((needs: { data: { rows: number } }) => needs.data.rows), { needs: { data: fresh }, cache: true });
  export const asked = pipeline('asked');
  asked.step('data', trainingSet({ service: features, spine: "FROM 'data/spine.parquet' WHERE late", label: 'late' }), { cache: true });
  export const text = pipeline('text');
  text.step('data', task(() => 'x'.repeat(5000)), { cache: true });
  export const file = pipeline('file');
  file.step('data', task(() => ({ files: { 'a.txt': { sha256: '${shaOf('a')}', size: 1, uri: 'blob:${shaOf('a')}' } } })), { cache: true });
  export const judge = pipeline('judge');
  const rows = judge.step('data', trainingSet({ service: features, spine: 'data/spine.parquet', label: 'minutes' }));
  const fit = judge.step('fit', task(() => ({ files: { 'model.onnx': { sha256: '${SHA}' } } })));
  judge.step('judged', evaluate(judged, { against: 'champion' }), { needs: { rows, fit }, cache: true });
`;
const ordersOf = (scale: number): string =>
  `SELECT 'm' || (i % 5) AS merchant, i * ${scale}::DOUBLE AS amount, TIMESTAMP '2026-01-01' + to_hours(i) AS at FROM range(1000) r(i)`;
const spineOf = (rows: number): string =>
  `SELECT 'm' || (i % 5) AS merchant, TIMESTAMP '2026-02-01' + to_minutes(i) AS seen, i % 2 = 0 AS late, i::DOUBLE AS minutes FROM range(${rows}) r(i)`;
const VISITS = `SELECT 'm1' AS merchant, TIMESTAMP '2026-01-01' AS at`;

let project: StepProject;
beforeAll(async () => {
  project = await openStepProject({
    files: { 'shop.ts': shop(), 'pipelines.ts': PIPELINES },
    data: { 'orders.parquet': ordersOf(1), 'spine.parquet': spineOf(40), 'visits.parquet': VISITS },
    isInline: true,
  });
});
afterAll(() => project.close());

/** How many of a step's tasks a new run took from an earlier one, with the parts that differ otherwise, and the step's result. */
async function ran(pipeline: string, step = 'data') {
  const run = await project.run(pipeline);
  const { copied, differences, reason } = await project.why(run.id, step);
  const order = await project.orderOf(run.id, step);
  expect(undocumented(sharedParts(order).keys())).toEqual([]);
  const result = run.steps.find(({ name }) => name === step)?.result as Readonly<Record<string, unknown>>;
  return { copied, parts: differences.map(({ part }) => part), reason, result };
}

describe('a cached training set', () => {
  it('is taken again while nothing changed, and so is what is made from it', async () => {
    const first = await ran('learn');
    expect(first).toMatchObject({ copied: 0, result: { rows: 40 } });
    expect(await ran('learn')).toEqual({ copied: 1, parts: [], reason: undefined, result: first.result });
    expect(await ran('learn', 'fit')).toMatchObject({ copied: 1, parts: [] });
  });

  it('has an id by what it is made from: a step behind one that is made anew is taken again', async () => {
    await ran('uncached');
    expect(await ran('uncached', 'fit')).toMatchObject({ copied: 1, parts: [], result: 40 });
    await project.change({ files: { 'shop.ts': shop('30d', `, more: count().over('1d')`) } });
    expect(await ran('uncached', 'fit')).toMatchObject({ copied: 1, parts: [], result: 40 });
    expect(await ran('learn')).toMatchObject({ copied: 1, parts: [] });
  });

  it.each([
    ['a feature', { files: { 'shop.ts': shop('7d') } }, ['definitions.view.spend']],
    ['its source', { data: { 'orders.parquet': ordersOf(2) } }, ['source.orders.files']],
    ['its spine', { data: { 'spine.parquet': spineOf(30) } }, ['spine']],
  ])('is made anew once %s changed', async (_, change, parts) => {
    const before = await ran('learn');
    await project.change(change);
    const after = await ran('learn');
    expect(after).toMatchObject({ copied: 0, parts });
    expect(after.result['sha256']).not.toBe(before.result['sha256']);
    expect(await ran('learn')).toMatchObject({ copied: 1, result: after.result });
  });

  it('is taken again after what it does not read changed', async () => {
    await ran('learn');
    await project.change({ data: { 'visits.parquet': `${VISITS} UNION ALL SELECT 'm2', TIMESTAMP '2026-01-02'` } });
    expect(await ran('learn')).toMatchObject({ copied: 1, parts: [] });
  });

  it('goes by the rows of a spine that is a query', async () => {
    expect(await ran('asked')).toMatchObject({ copied: 0, result: { rows: 15 } });
    expect(await ran('asked')).toMatchObject({ copied: 1 });
    await project.change({ data: { 'spine.parquet': spineOf(20) } });
    expect(await ran('asked')).toMatchObject({ copied: 0, parts: ['spine'], result: { rows: 10 } });
  });
});

it.each([
  ['a long output', 'text', shaOf(JSON.stringify(LONG))],
  ['a file', 'file', shaOf('a')],
])('%s that the artifact store has lost is no hit: the task runs again', async (_, pipeline, blob) => {
  await project.put(Buffer.from('a'));
  await ran(pipeline);
  expect(await ran(pipeline)).toMatchObject({ copied: 1 });
  await (await project.app.objects()).remove(blobKey(blob));
  const reason = expect.stringContaining('gone from the artifact store');
  expect(await ran(pipeline)).toMatchObject({ copied: 0, parts: [], reason });
  await project.put(Buffer.from('a'));
  expect(await ran(pipeline)).toMatchObject({ copied: 1 });
});

describe('a cached evaluation', () => {
  it('goes by the version under the alias, not by its name', async () => {
    await project.put(MODEL);
    expect(await ran('judge', 'judged')).toMatchObject({ copied: 0, result: { against: null } });
    expect(await ran('judge', 'judged')).toMatchObject({ copied: 1 });
    await registerModelFile(project.app, { model: 'judged', onnx: linearModel(1, { scale: 0.5 }), alias: 'champion' });
    const crowned = await ran('judge', 'judged');
    expect(crowned).toMatchObject({ copied: 0, parts: ['champion.champion'], result: { against: { version: 1 } } });
    await registerModelFile(project.app, { model: 'judged', onnx: linearModel(1, { scale: 0.25 }), alias: 'champion' });
    expect(await ran('judge', 'judged')).toMatchObject({ copied: 0, result: { against: { version: 2 } } });
    expect(await ran('judge', 'judged')).toMatchObject({ copied: 1 });
  });
});
