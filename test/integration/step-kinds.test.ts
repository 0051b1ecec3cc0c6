// Steps that the driver itself runs, in pipelines over a whole project: materialize, register, promote.

import { afterEach, describe, expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { openStepProject, type StepProject } from '../support/step-project.ts';

const open: StepProject[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

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
  export const returns = model('returns', { features: shopFeatures, outputs: { probability: t.float32() } });
  export const checkout = endpoint('checkout', { model: returns, unit: ['shop'] });
  export const careful = rollout('careful', { endpoint: checkout, steps: [10, 100], hold: '10m', guards: ['error_rate<0.5'] });
`;

const SALES = `SELECT 'a' AS shop, 3.0::DOUBLE AS amount, TIMESTAMP '2026-01-05 10:00:00' AS at
  UNION ALL SELECT 'b', 4.0, TIMESTAMP '2026-01-06 11:00:00'`;

/** Copies an ONNX file of the repository out, as a script that trained it would write it. */
const FIT = `
import json, os, shutil
step = json.load(open(os.environ["HEADRACE_STEP_INPUT"]))
out = os.environ["HEADRACE_STEP_OUTPUT"]
shutil.copy("__PROJECT__/feature_repo/models/" + step["args"]["file"], out + "/model.onnx")
json.dump({"auc": 0.75}, open(out + "/result.json", "w"))
`;

const READ = `
import hashlib, json, os
path = json.load(open(os.environ["HEADRACE_STEP_INPUT"]))["needs"]["data"]["path"]
status = os.stat(path)
found = {"path": path, "sha256": hashlib.sha256(open(path, "rb").read()).hexdigest(), "links": status.st_nlink, "inode": status.st_ino}
json.dump(found, open(os.environ["HEADRACE_STEP_OUTPUT"] + "/result.json", "w"))
`;

const SPINE = `SELECT 'a' AS shop, TIMESTAMP '2026-01-07 10:00:00' AS seen, true AS late
  UNION ALL SELECT 'b', TIMESTAMP '2026-01-08 11:00:00', false`;

async function shopProject(pipelines: string): Promise<StepProject> {
  const made = await openStepProject({
    files: {
      'shop.ts': DEFINITIONS,
      'pipelines.ts': `
        import { evaluate, grid, materialize, pipeline, promote, python, registerModel, t, task, trainingSet } from 'headrace';
        import { careful, checkout, returns, shopFeatures, totals } from './shop.ts';
        ${pipelines}`,
      'fit.py': FIT,
      'read.py': READ,
      'models/low.onnx': constantModel(1, 0.25),
      'models/high.onnx': constantModel(1, 0.75),
    },
    data: { 'sales.parquet': SALES, 'spine.parquet': SPINE },
  });
  open.push(made);
  return made;
}

const resultsOf = (run: { readonly steps: readonly { readonly name: string; readonly result?: unknown }[] }) =>
  Object.fromEntries(run.steps.map(({ name, result }) => [name, result]));

describe('materialize', () => {
  it('brings the views that it names up to date, and tells rows and watermarks of each', async () => {
    const made = await shopProject(`
      const p = pipeline('fill');
      p.step('some', materialize({ views: [totals] }));
      export default p;`);
    const first = await made.run('fill');
    expect(first.state, first.error ?? '').toBe('succeeded');
    const { views } = resultsOf(first)['some'] as { views: Record<string, object> };
    expect(Object.keys(views)).toEqual(['totals']);
    expect(views['totals']).toMatchObject({ state: 'finished', written: 2, keys: 2, rows: 2 });
    expect(views['totals']).toHaveProperty('boundary', '2026-01-06T11:00:00Z');
    expect(views['totals']).toHaveProperty('watermark', expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:.]+Z$/));

    const again = resultsOf(await made.run('fill'))['some'];
    expect(again).toMatchObject({ views: { totals: { state: 'up-to-date', written: 0, run: null } } });
  }, 60_000);

  it('takes all views where it names none', async () => {
    const made = await shopProject(`
      const p = pipeline('fill');
      p.step('all', materialize());
      export default p;`);
    const { views } = resultsOf(await made.run('fill'))['all'] as { views: object };
    expect(Object.keys(views).toSorted()).toEqual(['others', 'totals']);
  }, 60_000);
});

describe('trainingSet', () => {
  it('reaches every step from the artifact store, as one file', async () => {
    const made = await shopProject(`
      const p = pipeline('learn');
      const data = p.step('data', trainingSet({ service: shopFeatures, spine: 'data/spine.parquet', timestamp: 'seen', label: 'late' }));
      p.step('read', python('read.py'), { needs: { data }, foreach: [1, 2] });
      export default p;`);
    const run = await made.run('learn');
    expect(run.state, run.error ?? '').toBe('succeeded');
    const { data, read } = resultsOf(run) as {
      data: { path: string; sha256: string; size: number; uri: string; rows: number };
      read: { path: string; sha256: string; links: number; inode: number }[];
    };
    expect(data).toMatchObject({ rows: 2, uri: `blob:${data.sha256}` });
    const [one, other] = read;
    expect(one).toMatchObject({ sha256: data.sha256, inode: other?.inode });
    expect(one?.links).toBeGreaterThan(1);
    expect(one?.path).toMatch(/\.parquet$/);
    expect(one?.path).not.toBe(data.path);
  }, 60_000);
});

describe('registerModel and promote', () => {
  const PROMOTIONS = `
    const p = pipeline('train', { params: { file: t.string().default('high.onnx') } });
    const fit = p.step('fit', python('fit.py', { args: { file: 'high.onnx' } }));
    const version = p.step('register', registerModel(returns), { needs: { fit } });
    export default p;
    export const q = pipeline('crown');
    const fit2 = q.step('fit', python('fit.py', { args: { file: 'high.onnx' } }));
    const version2 = q.step('register', registerModel(returns), { needs: { fit2 } });
    q.step('promote', promote(returns, { alias: 'champion' }), { needs: { version2 } });
    export const r = pipeline('roll');
    const fit3 = r.step('fit', python('fit.py', { args: { file: 'high.onnx' } }));
    const version3 = r.step('register', registerModel(returns), { needs: { fit3 } });
    r.step('promote', promote(returns, { endpoint: checkout, plan: careful }), { needs: { version3 } });
    export const s = pipeline('aimless');
    s.step('promote', promote(returns, { alias: 'champion' }), { retry: 0 });
    export const u = pipeline('both');
    const fits = u.step('fit', python('fit.py', { args: { file: 'high.onnx' } }), { foreach: [1, 2] });
    u.step('register', registerModel(returns, { alias: 'challenger' }), { needs: { fits } });`;

  async function withChampion(): Promise<StepProject> {
    const made = await shopProject(PROMOTIONS);
    await registerModelFile(made.app, { model: 'returns', onnx: constantModel(1, 0.25), alias: 'champion' });
    return made;
  }

  const aliases = async ({ app }: StepProject) => (await (await app.registry()).models.list())[0]?.aliases;

  it('an alias that nobody named stays where it is', async () => {
    const made = await withChampion();
    const run = await made.run('train');
    expect(run.state, run.error ?? '').toBe('succeeded');
    expect(resultsOf(run)['register']).toMatchObject({ model: 'returns', version: 2, metrics: { auc: 0.75 } });
    expect(await aliases(made)).toEqual({ champion: 1 });
  }, 60_000);

  it('an alias goes with the last of several models, which may be the same file as the first', async () => {
    const made = await withChampion();
    expect((await made.run('both')).state).toBe('succeeded');
    expect(await aliases(made)).toEqual({ champion: 1, challenger: 2 });
  }, 60_000);

  it('a registration that is repeated leaves the alias where somebody moved it meanwhile', async () => {
    const made = await withChampion();
    const run = await made.run('both');
    const { models } = await made.app.registry();
    await models.setAlias('returns', 'challenger', 1, 'somebody');
    const { runRegisterModel } = await import('../../src/app/steps/register-model.ts');
    const context = {
      runId: run.id,
      order: {},
      needs: { fits: resultsOf(run)['fit'] },
      log: () => {},
    } as unknown as Parameters<typeof runRegisterModel>[2]; // what a driver that was killed would give its repeat
    const action = { kind: 'registerModel', model: 'returns', alias: 'challenger' } as const;
    expect(await runRegisterModel(made.app, action, context)).toMatchObject([{ version: 2 }, { version: 2 }]);
    expect(await aliases(made)).toEqual({ champion: 1, challenger: 1 });
  }, 60_000);

  it('promote moves the alias, and tells where it was', async () => {
    const made = await withChampion();
    const run = await made.run('crown');
    expect(resultsOf(run)['promote']).toEqual({ model: 'returns', version: 2, alias: 'champion', previous: 1 });
    expect(await aliases(made)).toEqual({ champion: 2 });
  }, 60_000);

  it('a promotion that is repeated leaves the alias where somebody moved it meanwhile', async () => {
    const made = await withChampion();
    const run = await made.run('crown');
    const told = resultsOf(run)['promote'];
    const { models } = await made.app.registry();
    await models.setAlias('returns', 'champion', 1, 'somebody');
    const { runPromote } = await import('../../src/app/steps/promote.ts');
    const context = {
      runId: run.id,
      step: 'promote',
      index: 0,
      order: { scope: '' },
      needs: { version2: { model: 'returns', version: 2 } },
      log: () => {},
    } as unknown as Parameters<typeof runPromote>[2]; // what a driver that was killed would give its repeat
    const action = { kind: 'promote', model: 'returns', alias: 'champion' } as const;
    expect(await runPromote(made.app, action, context)).toEqual(told);
    expect(await aliases(made)).toEqual({ champion: 1 });
    // Another run is none's repeat.
    await runPromote(made.app, action, { ...context, runId: 'another' });
    expect(await aliases(made)).toEqual({ champion: 2 });
  }, 60_000);

  it('two attempts at once register one version', async () => {
    const made = await withChampion();
    const { runRegisterModel } = await import('../../src/app/steps/register-model.ts');
    const { putBlob } = await import('../../src/storage/index.ts');
    const sha256 = await putBlob(await made.app.objects(), constantModel(1, 0.5));
    const needs = { fit: { files: { 'model.onnx': { sha256 } } } };
    const context = { runId: 'r', order: {}, needs, log: () => {} } as unknown as Parameters<
      typeof runRegisterModel
    >[2];
    const action = { kind: 'registerModel', model: 'returns' } as const;
    const both = await Promise.all([1, 2].map(() => runRegisterModel(made.app, action, context)));
    expect(both).toMatchObject([{ version: 2 }, { version: 2 }]);
    const { models } = await made.app.registry();
    expect(await models.versions('returns')).toHaveLength(2);
    expect(await aliases(made)).toEqual({ champion: 1 });
  }, 60_000);

  it('promote starts one rollout by its plan; a repeat finds it', async () => {
    const made = await withChampion();
    const run = await made.run('roll');
    expect(run.state, run.error ?? '').toBe('succeeded');
    const told = resultsOf(run)['promote'] as { rollout: string };
    expect(told).toMatchObject({ model: 'returns', version: 2, endpoint: 'checkout', state: 'pending' });
    const { runPromote } = await import('../../src/app/steps/promote.ts');
    const context = {
      runId: run.id,
      step: 'promote',
      index: 0,
      order: { scope: '' },
      needs: { version3: { model: 'returns', version: 2 } },
      log: () => {},
    } as unknown as Parameters<typeof runPromote>[2]; // what a driver that was killed would give its repeat
    const action = { kind: 'promote', model: 'returns', endpoint: 'checkout', plan: 'careful' } as const;
    expect(await runPromote(made.app, action, context)).toEqual(told);
    expect(await (await made.app.rollouts()).list()).toHaveLength(1);
    await expect(runPromote(made.app, action, { ...context, runId: 'another' })).rejects.toThrow(/under way/);
  }, 60_000);

  it('without a registered version it says what to need', async () => {
    const made = await withChampion();
    await expect(made.run('aimless')).rejects.toThrow(
      /promote needs a step that registered a version of model "returns"/,
    );
    expect(await aliases(made)).toEqual({ champion: 1 });
  }, 60_000);
});
