// A graph's version outside of a server: registered, refused, and run by whoever evaluates it.

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  type App,
  applyRepository,
  openApp,
  readEnvironment,
  registerGraph,
  registerModelFile,
} from '../../src/app/index.ts';
import { openVersion } from '../../src/app/open-version.ts';
import { silentLogger, type Value } from '../../src/core/index.ts';
import { createOnnxRuntime, runRows } from '../../src/models/index.ts';
import { createGraphProject } from '../support/graph-project.ts';
import { scopeOf } from '../support/model-works.ts';
import { GIVEN_NUMBER } from '../support/one-number.ts';
import { linearModel, treesModel } from '../support/onnx-model.ts';
import { CONFIG, createProject, headrace, type Project } from '../support/serving-project.ts';
import { fullIt } from '../support/tier.ts';

const TIMED = `import { ensembleNode, featureService, model, modelNode, onDemandView, t } from 'headrace';
${GIVEN_NUMBER}export const features = featureService('features', [given]);
const outputs = { probability: t.float32() };
export const slow = model('slow', { features, outputs });
export const quick = model('quick', { features, outputs });
const members = [modelNode('late', slow, { timeoutMs: 1, onFailure: 'skip' }), modelNode('soon', quick)];
export const blended = model('blended', { features, outputs, graph: ensembleNode('blend', members, { by: 'mean' }) });
`;

let project: Project;
let app: App;
const open = (of = project): Promise<App> =>
  openApp({ environment: { ...readEnvironment({}), workingDirectory: of.directory }, logger: silentLogger });

/** What a version answers, as whoever evaluates it runs it. */
async function answersOf(given: App, model: string, version: number, rows: readonly (readonly Value[])[]) {
  const { models } = await given.registry();
  const opened = await openVersion(given, createOnnxRuntime(), await models.get(model, version));
  try {
    return await runRows(opened.loaded, opened.binding, rows, scopeOf());
  } finally {
    await opened.close();
  }
}
beforeAll(async () => {
  project = createGraphProject();
  app = await open();
}, 60_000);
afterAll(async () => {
  await app?.close();
  project?.remove();
});

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  const thrown = await work.catch((error: unknown) => error);
  return `${(thrown as { code: string }).code}: ${(thrown as Error).message}`;
};

describe('a graph', () => {
  it('is registered by its pins, the same document for the same', async () => {
    const one = await registerGraph(app, { model: 'graph', alias: 'champion' });
    expect(one).toMatchObject({ version: 1, aliases: ['champion'], warnings: [] });
    const other = await registerGraph(app, { model: 'graph', nodes: { straight: '1' } });
    expect(other).toMatchObject({ version: 2, artifact: one.artifact });
    expect(await registerGraph(app, { model: 'graph', nodes: { straight: 'latest' } })).toMatchObject({ version: 3 });
    expect(headrace(project, ['models', 'show', 'graph']).stdout).toContain(
      'looked=table:1 of_half=linear:1 straight=linear:2',
    );
  });

  it('is run by its version as it is served', async () => {
    for (const [version, straight] of [
      [1, 3],
      [3, 30],
    ] as const) {
      const high = [Math.fround((3 * straight + 30) / 4), 'high'];
      expect(await answersOf(app, 'graph', version, [[3], [-8]])).toEqual([high, [-4, 'low']]);
    }
  });

  // twin: test/integration/graph-version.test.ts > is run by its version as it is served
  fullIt('has every node answer who evaluates it, however long that takes', async () => {
    const timed = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/timed.ts': TIMED });
    const own = await open(timed);
    onTestFinished(async () => {
      await own.close();
      timed.remove();
    });
    await applyRepository(own, {});
    await registerModelFile(own, { model: 'slow', onnx: Buffer.from(treesModel(1, 400, 8)) });
    await registerModelFile(own, { model: 'quick', onnx: Buffer.from(linearModel(1)) });
    await registerGraph(own, { model: 'blended' });
    const rows = Array.from({ length: 2000 }, (_, row) => [row / 2000]);
    const answers = async (model: string) => (await answersOf(own, model, 1, rows)).map(([answer]) => Number(answer));
    const [slow, quick] = [await answers('slow'), await answers('quick')];
    // A millisecond is up for so many at once: the ensemble would go on without that node.
    const mean = slow.map((score, row) => Math.fround((score + (quick[row] ?? NaN)) / 2));
    expect(await answers('blended')).toEqual(mean);
  });

  it('is refused what it is not made of', async () => {
    const graph = (nodes: Record<string, string>, model = 'graph') => codeOf(registerGraph(app, { model, nodes }));
    expect(await graph({ straigt: '1' })).toBe(
      'HR_INVALID: the graph of model "graph" has no model node "straigt". Did you mean "straight"?',
    );
    expect(await graph({ straight: '7' })).toMatch(/^HR_UNKNOWN_MODEL: model "linear" has no version or alias "7"/);
    expect(await graph({}, 'linear')).toMatch(/^HR_INVALID: model "linear" has no graph/);
    expect(await graph({}, 'nothing')).toMatch(/^HR_UNKNOWN_MODEL/);
    const { stderr } = headrace(project, ['models', 'register', 'graph', 'one.onnx']);
    expect(stderr).toContain('model "graph" is made of others, and no file is one of its versions');
  });

  it.each([
    [['graph', 'one.onnx', '--graph'], '--graph takes no file'],
    [['linear', 'one.onnx', '--node', 'a=1'], '--node goes with --graph'],
    [['graph', '--graph', '--node', 'straight'], '--node takes name=version'],
    [['graph', '--graph', '--training-set', 'x'], '--training-set does not go with it'],
    [['graph'], 'name the ONNX file; or --graph'],
  ])('takes no %j', (args, sentence) => {
    const { code, stderr } = headrace(project, ['models', 'register', ...args]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(sentence)]);
  });

  it('takes no version that was trained on features of another meaning', async () => {
    const file = 'feature_repo/shop.ts';
    const before = readFileSync(project.file(file), 'utf8');
    project.write(file, before.replace('({ x: request.x })', '({ x: request.x === null ? null : -request.x })'));
    const again = await open();
    onTestFinished(() => again.close());
    await applyRepository(again, { allowBreaking: true });
    expect(await codeOf(registerGraph(again, { model: 'graph' }))).toMatch(
      /^HR_MODEL_SIGNATURE: node "\w+": version 1 of model "\w+" was trained on another "given__x" than what is applied gives/,
    );
  });

  it('is told by doctor where what it runs can’t be read', async () => {
    const { models } = await app.registry();
    const { artifact } = await models.get('table', 1);
    const folder = project.file('.headrace/artifacts');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith(artifact));
    expect(files).toHaveLength(1);
    for (const file of files) rmSync(join(folder, file));
    const { stdout } = headrace(project, ['doctor', '--json']);
    const { checks } = JSON.parse(stdout) as { readonly checks: readonly Record<string, string>[] };
    const says = 'version 1 of "graph" has traffic and can\'t be loaded: node "looked", version 1 of "table"';
    const fix = expect.stringContaining('headrace models register table FILE.onnx with the same file');
    const found = { state: 'fail', says: expect.stringContaining(says), fix };
    expect(checks.filter((one) => one['check'] === 'models')).toMatchObject([found]);
  });
});
