// Steps that the driver itself runs, in pipelines over a whole project: materialize, register, promote.

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openSync, registerModelFile } from '../../src/app/index.ts';
import { runPromote } from '../../src/app/steps/promote.ts';
import { runRegisterModel } from '../../src/app/steps/register-model.ts';
import { commitResult } from '../../src/orchestrator/committed/stored-result.ts';
import { prepareElsewhere, syncRun } from '../../src/orchestrator/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { openStepProject, type StepProject } from '../support/step-project.ts';
import { fullIt } from '../support/tier.ts';

const HIGH = constantModel(1, 0.75);
const [FILE, OTHER] = [HIGH, constantModel(1, 0.5)].map((bytes) => createHash('sha256').update(bytes).digest('hex'));

/** A model for each test that registers one: its versions and aliases are that test's alone. */
const MODELS = [
  'plain',
  'several',
  'again',
  'crowned',
  'moved',
  'twice',
  'rolled',
  'aimless',
  'synced',
  'apart',
  'chosen',
] as const;
type ModelName = (typeof MODELS)[number];

const DEFINITIONS = `
  import { endpoint, entity, featureService, featureView, latest, model, parquet, rollout, t } from 'headrace';
  export const shop = entity('shop', { keys: { shop: t.string() } });
  export const sales = parquet('sales', {
    path: 'data/sales.parquet',
    columns: { shop: t.string(), amount: t.float64(), at: t.timestamp() },
    eventTime: 'at',
  });
  export const totals = featureView('totals', { entity: shop, source: sales, features: { last_amount: latest('amount') } });
  export const others = featureView('others', { entity: shop, source: sales, features: { amount_again: latest('amount') } });
  export const shopFeatures = featureService('shop_features', [totals]);
  ${MODELS.map((name) => `export const ${name} = model('${name}', { features: shopFeatures, outputs: { probability: t.float32() } });`).join('\n')}
  export const checkout = endpoint('checkout', { model: rolled, unit: ['shop'] });
  export const careful = rollout('careful', { endpoint: checkout, steps: [10, 100], hold: '10m', guards: ['error_rate<0.5'] });
`;

/** As a script that trained it would leave it. */
const FITTED = `task(() => ({ auc: 0.75, files: { 'model.onnx': { sha256: '${FILE}' } } }))`;
const pipelineOf = (name: string, steps: string): string =>
  `export const ${name}_pipeline = (() => { const p = pipeline('${name}'); ${steps} return p; })();`;
const fitted = (model: ModelName, then = '', { foreach = '', register = '' } = {}): string =>
  pipelineOf(
    model,
    `const fit = p.step('fit', ${FITTED}${foreach});
     const version = p.step('register', registerModel(${model}${register}), { needs: { fit } });
     ${then}`,
  );
const fittedTwice = (model: ModelName): string =>
  fitted(model, '', { foreach: ', { foreach: [1, 2] }', register: `, { alias: 'challenger' }` });
const crowned = (model: ModelName): string =>
  fitted(model, `p.step('promote', promote(${model}, { alias: 'champion' }), { needs: { version } });`);

const PIPELINES = `
  import { materialize, pipeline, promote, python, registerModel, task, trainingSet } from 'headrace';
  import { careful, checkout, shopFeatures, totals, ${MODELS.join(', ')} } from './shop.ts';
  ${pipelineOf('fill_some', `p.step('some', materialize({ views: [totals] }));`)}
  ${pipelineOf('fill_all', `p.step('all', materialize());`)}
  ${pipelineOf(
    'learn',
    `const data = p.step('data', trainingSet({ service: shopFeatures, spine: 'data/spine.parquet', timestamp: 'seen', label: 'late' }));
     p.step('read', python('read.py'), { needs: { data }, foreach: [1, 2] });`,
  )}
  ${pipelineOf(
    'apart',
    ['true', 'late']
      .map(
        (rows, at) => `
          const data${at} = p.step('data_${at}', trainingSet({ service: shopFeatures, spine: "SELECT * FROM 'data/spine.parquet' WHERE ${rows}", timestamp: 'seen', label: 'late' }));
          const fit${at} = p.step('fit_${at}', ${FITTED}, { needs: { data${at} } });
          p.step('register_${at}', registerModel(apart), { needs: { fit${at} } });`,
      )
      .join('\n'),
  )}
  ${fitted('chosen', `p.step('crown', registerModel(chosen, { alias: 'champion' }), { needs: { fit, version } });`)}
  ${fitted('plain')} ${fitted('synced')}
  ${fittedTwice('several')} ${fittedTwice('again')}
  ${crowned('crowned')} ${crowned('moved')}
  ${fitted('rolled', `p.step('promote', promote(rolled, { endpoint: checkout, plan: careful }), { needs: { version } });`)}
  ${pipelineOf('aimless', `p.step('promote', promote(aimless, { alias: 'champion' }), { retry: 0 });`)}`;

const SALES = `SELECT 'a' AS shop, 3.0::DOUBLE AS amount, TIMESTAMP '2026-01-05 10:00:00' AS at
  UNION ALL SELECT 'b', 4.0, TIMESTAMP '2026-01-06 11:00:00'`;
const SPINE = `SELECT 'a' AS shop, TIMESTAMP '2026-01-07 10:00:00' AS seen, true AS late
  UNION ALL SELECT 'b', TIMESTAMP '2026-01-08 11:00:00', false`;
const READ = `
import hashlib, json, os
path = json.load(open(os.environ["HEADRACE_STEP_INPUT"]))["needs"]["data"]["path"]
status = os.stat(path)
found = {"path": path, "sha256": hashlib.sha256(open(path, "rb").read()).hexdigest(), "links": status.st_nlink, "inode": status.st_ino}
json.dump(found, open(os.environ["HEADRACE_STEP_OUTPUT"] + "/result.json", "w"))
`;

const openShop = (isInline: boolean): Promise<StepProject> =>
  openStepProject({
    files: { 'shop.ts': DEFINITIONS, 'pipelines.ts': PIPELINES, 'read.py': READ },
    data: { 'sales.parquet': SALES, 'spine.parquet': SPINE },
    isInline,
  });

let made: StepProject;
beforeAll(async () => {
  made = await openShop(true);
  await made.put(HIGH);
});
afterAll(() => made.close());

const resultsOf = (run: { readonly steps: readonly { readonly name: string; readonly result?: unknown }[] }) =>
  Object.fromEntries(run.steps.map(({ name, result }) => [name, result]));

describe('materialize', () => {
  it('brings the views that it names up to date, and tells rows and watermarks of each', async () => {
    const first = await made.run('fill_some');
    expect(first.state, first.error ?? '').toBe('succeeded');
    const { views } = resultsOf(first)['some'] as { views: Record<string, object> };
    expect(Object.keys(views)).toEqual(['totals']);
    expect(views['totals']).toMatchObject({ state: 'finished', written: 2, keys: 2, rows: 2 });
    expect(views['totals']).toHaveProperty('boundary', '2026-01-06T11:00:00Z');
    expect(views['totals']).toHaveProperty('watermark', expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:.]+Z$/));
    const again = resultsOf(await made.run('fill_some'))['some'];
    expect(again).toMatchObject({ views: { totals: { state: 'up-to-date', written: 0, run: null } } });
  });

  it('takes all views where it names none', async () => {
    const { views } = resultsOf(await made.run('fill_all'))['all'] as { views: object };
    expect(Object.keys(views).toSorted()).toEqual(['others', 'totals']);
  });
});

// twin: test/unit/orchestrator-attempt-folders.test.ts > steps that need a training set read one file, which ends as it did, wherever each has its folder
fullIt('a training set reaches every step from the artifact store, as one file', async () => {
  const shop = await openShop(false);
  onTestFinished(() => shop.close());
  const run = await shop.run('learn');
  expect(run.state, run.error ?? '').toBe('succeeded');
  type Read = { path: string; sha256: string; links: number; inode: number };
  const { data, read } = resultsOf(run) as { data: { path: string; sha256: string }; read: Read[] };
  expect(data).toMatchObject({ rows: 2, uri: `blob:${data.sha256}` });
  const [one, other] = read;
  expect(one).toMatchObject({ sha256: data.sha256, inode: other?.inode, path: expect.stringMatching(/\.parquet$/) });
  expect(one?.links).toBeGreaterThan(1);
  expect(one?.path).not.toBe(data.path);
});

describe('registerModel and promote', () => {
  type Context = Parameters<typeof runRegisterModel>[2];
  /** What a driver that was killed would give its repeat. */
  const contextOf = (runId: string, needs: object): Context =>
    ({ runId, step: 'promote', index: 0, order: { scope: '' }, needs, log: () => {} }) as unknown as Context;
  const models = async () => (await made.app.registry()).models;
  const aliases = async (model: ModelName) =>
    (await (await models()).list()).find(({ name }) => name === model)?.aliases;
  /** Of a model that has a champion, its version 1. */
  const runOf = async (model: ModelName) => {
    await registerModelFile(made.app, { model, onnx: constantModel(1, 0.25), alias: 'champion' });
    const run = await made.run(model);
    expect(run.state, run.error ?? '').toBe('succeeded');
    return run;
  };

  it('an alias that nobody named stays where it is', async () => {
    const run = await runOf('plain');
    expect(resultsOf(run)['register']).toMatchObject({ model: 'plain', version: 2, metrics: { auc: 0.75 } });
    expect(await aliases('plain')).toEqual({ champion: 1 });
  });

  it('an alias goes with the last of several models, which may be the same file as the first', async () => {
    await runOf('several');
    expect(await aliases('several')).toEqual({ champion: 1, challenger: 2 });
  });

  it('a registration that is repeated leaves the alias where somebody moved it meanwhile', async () => {
    const run = await runOf('again');
    await (await models()).setAlias('again', 'challenger', 1, 'somebody');
    const action = { kind: 'registerModel', model: 'again', alias: 'challenger' } as const;
    const repeated = await runRegisterModel(made.app, action, contextOf(run.id, { fit: resultsOf(run)['fit'] }));
    expect(repeated).toMatchObject([{ version: 2 }, { version: 2 }]);
    expect(await aliases('again')).toEqual({ champion: 1, challenger: 1 });
  });

  it('a model that a run registered in another registry is registered here once, with its metrics, and no alias moves', async () => {
    const deps = await openSync(made.app);
    const elsewhere = { ...deps, definitions: await made.app.applied() };
    const { id } = await prepareElsewhere(elsewhere, { pipeline: 'synced', by: 'argo' });
    const commit = (step: string, value: unknown) => {
      const result = { attempt: 1, output: { json: JSON.stringify(value) }, files: {} };
      return commitResult(deps.objects, { run: id, step, scope: '', index: 0 }, result);
    };
    await commit('fit', { auc: 0.75, files: { 'model.onnx': { sha256: FILE, size: 1, uri: `blob:${FILE}` } } });
    await commit('register', { model: 'synced', version: 41, artifact: FILE, metrics: { auc: 0.75 } });
    const registered = [{ model: 'synced', version: 1, isNew: true }];
    expect(await syncRun(deps, id)).toMatchObject({ state: 'succeeded', problems: [], models: registered });
    const version = { version: 1, runId: id, artifact: FILE, metrics: { auc: 0.75 } };
    expect(await (await models()).versions('synced')).toMatchObject([version]);
    expect(await aliases('synced')).toEqual({});
    // Killed before its row was there, it comes to it again.
    const again = await deps.registerModel?.({ model: 'synced', artifact: FILE ?? '', metrics: {}, runId: id });
    expect(again).toEqual({ version: 1, isNew: false });
  });

  it('promote moves the alias, and tells where it was', async () => {
    const run = await runOf('crowned');
    expect(resultsOf(run)['promote']).toEqual({ model: 'crowned', version: 2, alias: 'champion', previous: 1 });
    expect(await aliases('crowned')).toEqual({ champion: 2 });
  });

  it('a promotion that is repeated leaves the alias where somebody moved it meanwhile', async () => {
    const run = await runOf('moved');
    await (await models()).setAlias('moved', 'champion', 1, 'somebody');
    const context = contextOf(run.id, { version: { model: 'moved', version: 2 } });
    const action = { kind: 'promote', model: 'moved', alias: 'champion' } as const;
    expect(await runPromote(made.app, action, context)).toEqual(resultsOf(run)['promote']);
    expect(await aliases('moved')).toEqual({ champion: 1 });
    // Another run is none's repeat.
    await runPromote(made.app, action, { ...context, runId: 'another' });
    expect(await aliases('moved')).toEqual({ champion: 2 });
  });

  it('one file that was made from two training sets is a version of each', async () => {
    const run = await made.run('apart');
    expect(run.state, run.error ?? '').toBe('succeeded');
    const results = resultsOf(run) as Record<string, { readonly id: string; readonly version: number }>;
    const versions = await (await models()).versions('apart');
    const madeFrom = (step: string) => versions.find(({ version }) => version === results[step]?.version)?.trainingSet;
    expect(madeFrom('register_0')).toBe(results['data_0']?.id);
    expect(madeFrom('register_1')).toBe(results['data_1']?.id);
    expect(results['data_0']?.id).not.toBe(results['data_1']?.id);
  });

  it('a second step that registers the same file gives it its alias, once', async () => {
    const run = await runOf('chosen');
    expect(resultsOf(run)['crown']).toMatchObject({ version: 2 });
    expect(await aliases('chosen')).toEqual({ champion: 2 });
    await (await models()).setAlias('chosen', 'champion', 1, 'somebody');
    const action = { kind: 'registerModel', model: 'chosen', alias: 'champion' } as const;
    const context = { ...contextOf(run.id, { fit: resultsOf(run)['fit'] }), step: 'crown' };
    expect(await runRegisterModel(made.app, action, context)).toMatchObject({ version: 2 });
    expect(await aliases('chosen')).toEqual({ champion: 1 });
  });

  it('two attempts at once register one version', async () => {
    await made.put(constantModel(1, 0.5));
    const context = contextOf('r', { fit: { files: { 'model.onnx': { sha256: OTHER } } } });
    const action = { kind: 'registerModel', model: 'twice' } as const;
    const both = await Promise.all([1, 2].map(() => runRegisterModel(made.app, action, context)));
    expect(both).toMatchObject([{ version: 1 }, { version: 1 }]);
    expect(await (await models()).versions('twice')).toHaveLength(1);
  });

  it('promote starts one rollout by its plan; a repeat finds it', async () => {
    const run = await runOf('rolled');
    const told = resultsOf(run)['promote'];
    expect(told).toMatchObject({ model: 'rolled', version: 2, endpoint: 'checkout', state: 'pending' });
    const context = contextOf(run.id, { version: { model: 'rolled', version: 2 } });
    const action = { kind: 'promote', model: 'rolled', endpoint: 'checkout', plan: 'careful' } as const;
    expect(await runPromote(made.app, action, context)).toEqual(told);
    expect(await (await made.app.rollouts()).list()).toHaveLength(1);
    await expect(runPromote(made.app, action, { ...context, runId: 'another' })).rejects.toThrow(/under way/);
  });

  it('without a registered version it says what to need', async () => {
    await expect(runOf('aimless')).rejects.toThrow(/promote needs a step that registered a version of model "aimless"/);
    expect(await aliases('aimless')).toEqual({ champion: 1 });
  });
});
