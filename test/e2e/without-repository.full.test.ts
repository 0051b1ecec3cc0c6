// What was applied runs everywhere: a machine that has the registry, the artifacts and the online store needs no feature
// repository, and one that has another repository serves what was applied all the same.
// twin: test/unit/app-applied-definitions.test.ts > definitions that were applied

import { rmSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { REPOSITORY } from '../support/serving-project.ts';
import {
  ownProject,
  predict,
  purchase,
  pushPurchases,
  send,
  type TestProject,
  testProject,
  testServer,
} from '../support/test-project.ts';

const TASKS = `import { pipeline, python, task } from 'headrace';
import { existsSync } from 'node:fs';
import { FACTOR } from './factor.ts';
const p = pipeline('sums', {});
const two = p.step('two', task(() => 2 * FACTOR));
const more = p.step('more', python('steps/more.py'), { needs: { two } });
p.step('last', task(({ more }: { more: number }) => more + 1), { needs: { more } });
export const places = pipeline('places', {});
places.step('script', python('steps/places.py'));
places.step('task', task(() => ({ reads: existsSync('steps') })));
export default p;
`;
const MORE = `import json, os
from parts.adding import add
given = json.load(open(os.environ["HEADRACE_STEP_INPUT"]))
json.dump(add(given["needs"]["two"]), open(os.path.join(os.environ["HEADRACE_STEP_OUTPUT"], "result.json"), "w"))
`;
/** Reads files next to it, by its own place and by the working directory, and tells what else lies there. */
const PLACES = `import json, os
from pathlib import Path
limits = json.load(open("steps/limits.json"))
shapes = (Path(__file__).parent / "shapes" / "one.sql").read_text()
found = sorted(str(path) for path in Path(".").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
result = {"limits": limits, "shapes": shapes, "found": found}
json.dump(result, open(os.path.join(os.environ["HEADRACE_STEP_OUTPUT"], "result.json"), "w"))
`;
const FILES = {
  'pipelines.ts': TASKS,
  'factor.ts': 'export const FACTOR = 10;\n',
  'steps/parts/__init__.py': '',
  'steps/parts/adding.py': 'def add(n):\n    return n + 100\n',
  'steps/more.py': MORE,
  'steps/places.py': PLACES,
  'steps/limits.json': '{"most": 3}',
  'steps/shapes/one.sql': 'SELECT 1',
  'steps/unnamed.json': '{}',
};

const placesSeen = (project: TestProject): unknown => {
  const { steps } = project.json<{ steps: { name: string; result: unknown }[] }>('run places');
  return Object.fromEntries(steps.map(({ name, result }) => [name, result]));
};
const readNumbers = async ({ url }: { url: string }, customer: string) =>
  (await send(`${url}/v1/features/read`, { service: 'numbers', rows: [{ customer, amount: 20 }] })).body;

describe('a machine without the feature repository', () => {
  const origin = testProject();
  const bare = testProject({});
  let seenWithRepository: unknown;
  beforeAll(() => {
    for (const [name, content] of Object.entries(FILES)) origin.write(`feature_repo/${name}`, content);
    origin.json('apply');
    seenWithRepository = placesSeen(origin);
    rmSync(origin.file('feature_repo'), { recursive: true });
    bare.env = {
      HEADRACE_REGISTRY_URL: `sqlite:${origin.file('.headrace/registry.db')}`,
      HEADRACE_ONLINE_URL: `lmdb:${origin.file('.headrace/online')}`,
      HEADRACE_ARTIFACTS_URL: `file:${origin.file('.headrace/artifacts')}`,
    };
  });
  const server = testServer(bare);

  it('predicts, and takes pushes whose derived columns it computes, with functions that it never had on its disk', async () => {
    const { predictions } = await predict(server, [{ customer: 'ada', amount: 30 }], { return_features: true });
    const features = { history__big_7d: 1, basket__ratio: 2 };
    expect(predictions).toMatchObject([{ outputs: { probability: 0.25 }, features }]);
    await pushPurchases(server, [purchase('eve', 20)]);
    expect(await readNumbers(server, 'eve')).toMatchObject({ rows: [{ features: { history__big_7d: 1 } }] });
  });

  it('runs pipelines: tasks, and Python scripts with what they import', () => {
    const { code, stderr } = bare.run('run sums');
    expect(code, stderr).toBe(0);
    const { runs } = bare.json<{ runs: { id: string }[] }>('runs list');
    const steps = expect.arrayContaining([expect.objectContaining({ name: 'last', result: 2 * 10 + 100 + 1 })]);
    expect(bare.json(['runs', 'show', runs[0]?.id ?? ''])).toMatchObject({ steps });
  });

  it('gives steps the same place as one that has it: what travels with each, and nothing else', () => {
    const seen = placesSeen(bare);
    const found = ['places.py', 'limits.json', 'shapes/one.sql'];
    expect(seen).toEqual({
      script: { limits: { most: 3 }, shapes: 'SELECT 1', found: found.map((name) => `steps/${name}`).sort() },
      task: { reads: false },
    });
    expect(seenWithRepository).toEqual(seen);
  });

  it('materializes, makes features, and lists what is applied', () => {
    expect(bare.run('materialize --incremental').code).toBe(0);
    expect(bare.json('views')).toMatchObject({ views: [{ view: 'history', complete: true }] });
    expect(bare.json('history')).toMatchObject({ revisions: [{ servers: [{}] }, {}] });
  });
});

it('a machine with another working copy serves what was applied, and doctor tells of the difference', async () => {
  const project = ownProject();
  project.write('feature_repo/shop.ts', REPOSITORY.replace(".over('1d')", ".over('2d')"));
  const server = await project.serve();
  expect(await readNumbers(server, 'ada')).toMatchObject({ rows: [{ features: { history__purchases_1d: 2 } }] });
  const { checks } = project.json<{ checks: { says: string }[] }>('doctor');
  expect(checks.map(({ says }) => says).join('\n')).toContain('differs from revision 1, which is applied');
});
