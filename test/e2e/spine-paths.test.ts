// Where the files in a spine's query lie: beside the user on the command line, in the feature repository for a pipeline;
// never where npm happens to run the program.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headraceHere, headraceHereJson } from '../support/typed-command.ts';
import { CONFIG, createProject, type Project } from '../support/serving-project.ts';

const REPOSITORY = `import { entity, featureService, featureView, latest, pipeline, pushed, t, trainingSet } from 'headrace';

export const customer = entity('customer', { keys: { customer: t.string() } });
export const purchases = pushed('purchases', {
  columns: { customer: t.string(), amount: t.float64(), bought_at: t.timestamp() }, eventTime: 'bought_at',
});
export const history = featureView('history', { entity: customer, source: purchases, features: { last: latest('amount') } });
export const features = featureService('features', [history]);
const set = pipeline('set');
set.step('data', trainingSet({ service: features, spine: "SELECT customer, seen_at FROM 'data/spine*.csv'" }));
export default set;
`;

let project: Project;
let clone: Project;
beforeAll(async () => {
  const spine = (rows: number) => `customer,seen_at\n${'ada,2026-01-01T00:00:00Z\n'.repeat(rows)}`;
  const elsewhere = { 'spine.csv': spine(1), 'data/spine.csv': spine(1) };
  project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': REPOSITORY,
    'feature_repo/data/spine-1.csv': spine(3),
    ...elsewhere,
  });
  clone = createProject(elsewhere);
  mkdirSync(project.file('at, work'));
  writeFileSync(project.file('at, work/spine.csv'), spine(2));
  await headraceHereJson(project, ['apply']);
});
afterAll(() => {
  project.remove();
  clone.remove();
});

describe('files that a spine’s query names', () => {
  it.each(['spine.csv', './*.csv'])('lie where the user stands, under npm too: %s', async (name) => {
    const standing = { npm_lifecycle_event: 'headrace', INIT_CWD: project.file('at, work') };
    const create = [
      'training-set',
      'create',
      '--service',
      'features',
      '--timestamp',
      'seen_at',
      '--out',
      'out.parquet',
    ];
    const query = `SELECT * FROM read_csv('${name}')`;
    expect(await headraceHereJson(clone, [...create, '--spine', query], standing)).toMatchObject({
      rows: 2,
      spine: query,
      path: join(project.file('at, work'), 'out.parquet'),
    });
  });

  it('lie in the feature repository for a pipeline’s step, its timestamp found by itself', async () => {
    const { code, stderr, stdout } = await headraceHere(project, ['run', 'set', '--json']);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'succeeded',
      steps: [{ result: { rows: 3, timestamp: 'seen_at' } }],
    });
  });
});
