// What registering a model finds out of its rows, and what a server makes of it.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, openApp, readEnvironment, registerModelFile, registerPlainModel } from '../../src/app/index.ts';
import { chooseArm } from '../../src/batch-prediction/choose-arm.ts';
import { silentLogger } from '../../src/core/index.ts';
import type { ModelSpec } from '../../src/definitions/index.ts';
import { createModelRepository, createOnnxRuntime } from '../../src/models/index.ts';
import { openPartModel } from '../../src/offline/batch/open-part-model.ts';
import { createServedModels } from '../../src/serving/served-models.ts';
import { getBlob } from '../../src/storage/index.ts';
import { GIVEN_NUMBER } from '../support/one-number.ts';
import {
  constantModel,
  differencesModel,
  linearModel,
  lookUpModel,
  refusingModel,
  stepModel,
} from '../support/onnx-model.ts';
import { CONFIG, createProject, headrace, headraceJson, type Project } from '../support/serving-project.ts';

const DEFINITIONS = `import { endpoint, featureService, model, onDemandView, t } from 'headrace';
${GIVEN_NUMBER}export const numbers = featureService('numbers', [given]);
const outputs = { probability: t.float32() };
export const returns = model('returns', { features: numbers, outputs });
export const apart = model('apart', { features: numbers, outputs, batch: false });
export const joined = model('joined', { features: numbers, outputs, batch: true });
export const doors = [returns, apart, joined].map((one) => endpoint(one.name + '_door', { model: one }));
`;
/** Amounts past 100,000, which no row of our making has. */
const SPINE = ['at,x', ...[2, 3, 4, 5].map((x) => `2026-01-0${x}T00:00:00Z,${x}00000`)].join('\n');

let project: Project;
let app: App;
let trainingSet: string;
beforeAll(async () => {
  project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': DEFINITIONS,
    'spine.csv': SPINE,
    'step.onnx': stepModel(350_000),
    'sum.onnx': linearModel(1),
  });
  expect(headrace(project, ['apply', '--yes'])).toMatchObject({ code: 0 });
  const create = 'training-set create --service numbers --spine spine.csv --timestamp at --out set.parquet';
  ({ id: trainingSet } = headraceJson(project, create.split(' ')) as { id: string });
  app = await openApp({
    environment: { ...readEnvironment({}), workingDirectory: project.directory },
    logger: silentLogger,
  });
}, 60_000);
afterAll(async () => {
  await app?.close();
  project?.remove();
});

/** How many rows a run of the newest version of `model` takes where a batch is predicted, and whether a server keeps them apart. */
async function servedAndBatched(model: 'returns' | 'apart' | 'joined') {
  const registry = await app.registry();
  const { version } = await registry.models.resolve(model, 'latest');
  const { manifest, hash } = await app.applied();
  const objects = await app.objects();
  const models = createModelRepository({ runtime: createOnnxRuntime() });
  const [definitionsOf, earlierDefinitions] = [() => app.definitionsOf(hash), () => app.earlierDefinitions(hash)];
  const providersOf = (_: string, declared: readonly string[]): readonly string[] => declared;
  const served = createServedModels({ registry, objects, models, providersOf, earlierDefinitions }, () => true);
  const deps = { registry, objects, applied: await app.applied(), definitionsOf, earlierDefinitions };
  const arm = await chooseArm(deps, `${model}_door`, { version: String(version) });
  const file = { kind: 'file', onnx: await getBlob(objects, arm.artifact), rows: arm.rows } as const;
  const batch = openPartModel({ ...arm, model: file, providerShare: 1 }, 16);
  try {
    const { loaded } = await served.acquire(manifest.models[model] as ModelSpec, version, () => true);
    return { mixesRows: loaded.mixesRows, mostRows: batch.mostRows };
  } finally {
    batch.close();
    await models.close();
  }
}

const ALONE = /shows whether its rows depend on each other, so each request runs alone\./;
const NAME_IT = /Name its training set by --training-set/;

describe('registering', () => {
  it('tries the rows of the training set, and keeps what they show', async () => {
    const onnx = readFileSync(project.file('step.onnx'));
    const bare = await registerModelFile(app, { model: 'returns', onnx });
    expect(bare).toMatchObject({ rowsVerdict: 'unknown', warnings: [expect.stringMatching(ALONE)] });
    expect(bare.warnings[0]).toMatch(NAME_IT);
    const trained = await registerModelFile(app, { model: 'returns', onnx, trainingSet });
    expect(trained).toMatchObject({ rowsVerdict: 'independent', warnings: [] });
    // By what was kept: its own rows show a server nothing.
    expect(await servedAndBatched('returns')).toEqual({ mixesRows: false, mostRows: 16 });
    const kept = await (await app.registry()).models.versions('returns');
    expect(kept.map(({ rowsVerdict }) => rowsVerdict)).toEqual(['unknown', 'independent']);
  });

  it('refuses no model for the rows that it was tried on', async () => {
    const failing = await registerModelFile(app, { model: 'returns', onnx: refusingModel(1) });
    expect(failing).toMatchObject({
      rowsVerdict: 'unknown',
      warnings: [
        expect.stringMatching(/ fails on a row of zeros: .* It is registered; try it on rows/),
        expect.stringMatching(ALONE),
      ],
    });
    const trained = await registerModelFile(app, { model: 'returns', onnx: refusingModel(1), trainingSet });
    expect(trained.warnings[1]).not.toMatch(NAME_IT);
    expect(trained.warnings[0]).toMatch(/ fails on a row of zeros and on a row of its training set: /);
    expect(await registerModelFile(app, { model: 'returns', onnx: lookUpModel() })).toMatchObject({ warnings: [] });
    expect(await registerPlainModel(app, { model: 'plain', onnx: refusingModel(2) })).toMatchObject({
      rowsVerdict: 'unknown',
      warnings: [
        expect.stringMatching(/^plain version 1 fails on every row .* not measured/),
        expect.stringMatching(ALONE),
      ],
    });
  });

  it.each([
    ['a definition', 'apart', undefined, { spec: { batch: false }, warnings: [] }],
    ['a definition', 'joined', undefined, { spec: { batch: true }, warnings: [] }],
    ['the registration, whatever the definition says', 'joined', false, { spec: { batch: false }, warnings: [] }],
  ] as const)('and servers and batches go by what %s says: %s', async (_who, model, batch, expected) => {
    const onnx = constantModel(1, 0.25);
    const given = batch === undefined ? {} : { batch };
    expect(await registerModelFile(app, { model, onnx, ...given })).toMatchObject(expected);
    const isJoined = expected.spec.batch;
    expect(await servedAndBatched(model)).toEqual({ mixesRows: !isJoined, mostRows: isJoined ? 16 : 1 });
  });

  it('warns of what is said where rows show the contrary', async () => {
    const said = await registerPlainModel(app, { model: 'differences', onnx: differencesModel(), batch: true });
    expect(said).toMatchObject({ batch: true, rowsVerdict: 'dependent' });
    expect(said.warnings).toEqual([expect.stringMatching(/^the rows of differences version 1 depend on each other/)]);
  });

  it('takes --batch true and false, and nothing else', () => {
    const register = (name: string, ...more: readonly string[]) => ['models', 'register', name, ...more];
    expect(headraceJson(project, register('sums', 'sum.onnx', '--batch', 'false'))).toMatchObject({
      batch: false,
      rows: 'independent',
    });
    expect(headraceJson(project, register('returns', 'sum.onnx', '--batch', 'true'))).toMatchObject({ batch: true });
    for (const [words, says] of [
      [register('sums', 'sum.onnx', '--batch', 'yes'), '--batch takes true or false, got "yes"'],
      [register('returns', '--graph', '--batch', 'true'), '--batch does not go with --graph'],
    ] as const)
      expect(headrace(project, words)).toMatchObject({ code: 2, stderr: expect.stringContaining(says) });
  });
});
