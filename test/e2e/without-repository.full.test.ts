// What was applied runs everywhere: a machine that has the registry, the artifacts and the online store needs no feature
// repository, and one that has another repository serves what was applied all the same.
// twin: test/unit/app-applied-definitions.test.ts > definitions that were applied

import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CONFIG,
  createProject,
  createServingProject,
  headrace,
  headraceJson,
  type Project,
  REPOSITORY,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';

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

/** Reads files next to it, by its own place and by the working directory, and tells what else lies there. */
const PLACES = `import json, os
from pathlib import Path
limits = json.load(open("steps/limits.json"))
shapes = (Path(__file__).parent / "shapes" / "one.sql").read_text()
found = sorted(str(path) for path in Path(".").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
result = {"limits": limits, "shapes": shapes, "found": found}
json.dump(result, open(os.path.join(os.environ["HEADRACE_STEP_OUTPUT"], "result.json"), "w"))
`;

const placesSeen = (project: Project, env: Readonly<Record<string, string>> = {}): unknown => {
  const { steps } = headraceJson(project, ['run', 'places'], env) as { steps: { name: string; result: unknown }[] };
  return Object.fromEntries(steps.map(({ name, result }) => [name, result]));
};

const post = async (url: string, body: unknown): Promise<Record<string, unknown>> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await response.json()) as Record<string, unknown>;
};

describe('a machine without the feature repository', () => {
  let origin: Project;
  let bare: Project;
  let seenWithRepository: unknown;
  let env: Record<string, string>;
  let server: ServerProcess;

  beforeAll(async () => {
    origin = createServingProject();
    origin.write('feature_repo/pipelines.ts', TASKS);
    origin.write('feature_repo/factor.ts', 'export const FACTOR = 10;\n');
    origin.write('feature_repo/steps/parts/__init__.py', '');
    origin.write('feature_repo/steps/parts/adding.py', 'def add(n):\n    return n + 100\n');
    origin.write(
      'feature_repo/steps/more.py',
      [
        'import json, os',
        'from parts.adding import add',
        'given = json.load(open(os.environ["HEADRACE_STEP_INPUT"]))',
        'json.dump(add(given["needs"]["two"]), open(os.path.join(os.environ["HEADRACE_STEP_OUTPUT"], "result.json"), "w"))',
        '',
      ].join('\n'),
    );
    origin.write('feature_repo/steps/places.py', PLACES);
    origin.write('feature_repo/steps/limits.json', '{"most": 3}');
    origin.write('feature_repo/steps/shapes/one.sql', 'SELECT 1');
    origin.write('feature_repo/steps/unnamed.json', '{}');
    headraceJson(origin, ['apply']);
    seenWithRepository = placesSeen(origin);
    rmSync(origin.file('feature_repo'), { recursive: true });
    bare = createProject({ 'headrace.config.ts': CONFIG });
    env = {
      HEADRACE_REGISTRY_URL: `sqlite:${origin.file('.headrace/registry.db')}`,
      HEADRACE_ONLINE_URL: `lmdb:${origin.file('.headrace/online')}`,
      HEADRACE_ARTIFACTS_URL: `file:${origin.file('.headrace/artifacts')}`,
    };
    server = await startServe(bare, [], env);
  });
  afterAll(async () => {
    await server.stop();
    origin.remove();
    bare.remove();
  });

  it('predicts, with functions that it never had on its disk', async () => {
    const answer = await post(`${server.url}/v1/endpoints/checkout/predict`, {
      inputs: [{ customer: 'ada', amount: 30 }],
      options: { return_features: true },
    });
    expect(answer['predictions']).toMatchObject([
      { outputs: { probability: 0.25 }, features: { history__big_7d: 1, basket__ratio: 2 } },
    ]);
  });

  it('takes pushes, whose derived columns its functions compute', async () => {
    const row = { customer: 'eve', amount: 20, points: 1, bought_at: new Date(Date.now() - 1000).toISOString() };
    await post(`${server.url}/v1/sources/purchases/push`, { rows: [row] });
    const read = { service: 'numbers', rows: [{ customer: 'eve', amount: 20 }] };
    expect(await post(`${server.url}/v1/features/read`, read)).toMatchObject({
      rows: [{ features: { history__big_7d: 1 } }],
    });
  });

  it('runs pipelines: tasks, and Python scripts with what they import', () => {
    const { code, stderr } = headrace(bare, ['run', 'sums'], env);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    const { runs } = headraceJson(bare, ['runs', 'list'], env) as { runs: { id: string }[] };
    const shown = JSON.stringify(headraceJson(bare, ['runs', 'show', runs[0]?.id ?? ''], env));
    expect(shown).toContain('"last"');
  });

  it('gives steps the same place as one that has it: what travels with them, and nothing else', () => {
    const seen = placesSeen(bare, env);
    const python = ['more.py', 'parts/__init__.py', 'parts/adding.py', 'places.py'];
    expect(seen).toEqual({
      script: {
        limits: { most: 3 },
        shapes: 'SELECT 1',
        found: [...python, 'limits.json', 'shapes/one.sql'].map((name) => `steps/${name}`).sort(),
      },
      task: { reads: false },
    });
    expect(seenWithRepository).toEqual(seen);
  });

  it('materializes, makes features, and lists what is applied', () => {
    expect(headrace(bare, ['materialize', '--incremental'], env).code).toBe(0);
    expect(headraceJson(bare, ['views'], env)).toMatchObject({ views: [{ view: 'history', complete: true }] });
    expect(headraceJson(bare, ['history'], env)).toMatchObject({ revisions: [{ servers: [{}] }, {}] });
  });
});

describe('a machine with another working copy', () => {
  it('serves what was applied, and doctor tells of the difference', async () => {
    const project = createServingProject();
    project.write('feature_repo/shop.ts', REPOSITORY.replace(".over('1d')", ".over('2d')"));
    const server = await startServe(project);
    try {
      const read = { service: 'numbers', rows: [{ customer: 'ada', amount: 20 }] };
      const answer = await post(`${server.url}/v1/features/read`, read);
      expect(answer).toMatchObject({ rows: [{ features: { history__purchases_1d: 2 } }] });
      const { checks } = headraceJson(project, ['doctor']) as { checks: { check: string; says: string }[] };
      expect(checks.map(({ says }) => says).join('\n')).toContain('differs from revision 1, which is applied');
    } finally {
      await server.stop();
      project.remove();
    }
  });
});
