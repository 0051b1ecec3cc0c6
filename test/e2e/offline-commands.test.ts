// Commands over offline data: where the files in a spine's query lie, what is said of pushed values whose column got another type, and
// features as of a time that the online store is past.

import { beforeAll, describe, expect, it } from 'vitest';
import { testProject, type TestProject } from '../support/test-project.ts';
import { headraceHere, headraceHereJson } from '../support/typed-command.ts';

const here = (project: TestProject) => ({
  run: (words: string) => headraceHere(project, words.split(' ')),
  json: <T = unknown>(words: string) => headraceHereJson<T>(project, words.split(' ')),
});

// In order.
describe('of a source that is pushed to', () => {
  const repository = (
    type: string,
  ) => `import { count, entity, featureService, featureView, latest, pipeline, pushed, t, trainingSet } from 'headrace';

export const customer = entity('customer', { keys: { customer: t.string() } });
export const purchases = pushed('purchases', {
  columns: { customer: t.string(), amount: ${type}, bought_at: t.timestamp() }, eventTime: 'bought_at',
});
export const history = featureView('history', {
  entity: customer, source: purchases, features: { last: latest('amount'), count_1d: count().over('1d') },
});
export const features = featureService('features', [history]);
const set = pipeline('set');
set.step('data', trainingSet({ service: features, spine: "SELECT customer, seen_at FROM 'data/spine*.csv'" }));
export default set;
`;
  const spine = (rows: number) => `customer,seen_at\n${'ada,2026-01-01T00:00:00Z\n'.repeat(rows)}`;
  const elsewhere = { 'spine.csv': spine(1), 'data/spine.csv': spine(1) };
  const events = ['12.5', 'plenty', 'some', null].map((amount) =>
    JSON.stringify({ customer: 'ada', amount, bought_at: new Date(Date.now() - 3_600_000).toISOString() }),
  );
  const project = testProject({
    'feature_repo/shop.ts': repository('t.string()'),
    'feature_repo/data/spine-1.csv': spine(3),
    'at, work/spine.csv': spine(2),
    'events.jsonl': events.join('\n'),
    'now.csv': `customer,seen_at\nada,${new Date().toISOString()}\n`,
    ...elsewhere,
  });
  const clone = testProject(elsewhere);
  const { run, json } = here(project);
  beforeAll(() => json('apply'));

  it.each(['spine.csv', './*.csv'])(
    'files that a spine’s query names lie where the user stands, never where npm runs the program: %s',
    async (name) => {
      const standing = { npm_lifecycle_event: 'headrace', INIT_CWD: project.file('at, work') };
      const create = 'training-set create --service features --timestamp seen_at --out out.parquet --spine'.split(' ');
      const query = `SELECT * FROM read_csv('${name}')`;
      const made = { rows: 2, spine: query, path: project.file('at, work/out.parquet') };
      expect(await headraceHereJson(clone, [...create, query], standing)).toMatchObject(made);
    },
  );

  it('and for a pipeline’s step in the feature repository, its timestamp found by itself', async () => {
    const steps = [{ result: { rows: 3, timestamp: 'seen_at' } }];
    expect(await json('run set')).toMatchObject({ state: 'succeeded', steps });
  });

  describe('whose column got another type', () => {
    const SENTENCE =
      'purchases: 2 pushed values of "amount" are null, as they cannot be said in the type that it has now.';
    const WARNING = expect.stringMatching(/"source":"purchases","unconverted":\{"amount":2\}/);
    beforeAll(async () => {
      await json('push purchases events.jsonl');
      project.write('feature_repo/shop.ts', repository('t.float64()'));
      await json('apply --yes');
    });

    it('materialize says how many values are null, and would be', async () => {
      const materialize = 'materialize --from 1970-01-01';
      const told = expect.stringContaining(`\nhistory: ${SENTENCE.slice(11)}\n`);
      expect((await run(`${materialize} --dry-run`)).stdout).toEqual(told);
      expect(await run(materialize)).toMatchObject({ stdout: told, stderr: WARNING });
      const view = expect.objectContaining({ view: 'history', unconverted: { amount: 2 } });
      expect(await json(materialize)).toMatchObject({ views: expect.arrayContaining([view]) });
      expect((await run('materialize --incremental')).stdout).not.toContain('pushed values');
    });

    it('a training set and features as they were say it too', async () => {
      const create = 'training-set create --service features --spine now.csv --timestamp seen_at --out set.parquet';
      const told = expect.stringContaining(`\n${SENTENCE}\n`);
      expect(await run(create)).toMatchObject({ stdout: told, stderr: WARNING });
      const made = await json<{ readonly id: string }>(create);
      expect(made).toMatchObject({ sources: [{ source: 'purchases', unconverted: { amount: 2 } }] });
      expect((await run(`training-set show ${made.id}`)).stdout).toEqual(told);
      const at = new Date(Date.now() - 60_000).toISOString();
      const get = `features get --service features --rows [{"customer":"ada"}] --at ${at}`;
      expect((await run(get)).stderr).toEqual(WARNING);
    });
  });
});

describe('features get --at', () => {
  const REPOSITORY = `import { count, csv, entity, featureService, featureView, latest, t } from 'headrace';
export const shop = entity('shop', { keys: { shop: t.string() } });
export const sales = csv('sales', {
  path: 'data/sales.csv',
  columns: { shop: t.string(), price: t.float64(), at: t.timestamp() },
  eventTime: 'at',
});
export const sold = featureView('sold', {
  entity: shop, source: sales, features: { price: latest('price'), n: count().over('1d') },
});
export const service = featureService('shop_features', [sold]);
`;
  const SALES = 'shop,price,at\na,1,2024-01-01T10:00:00Z\na,2,2024-01-05T10:00:00Z\nb,3,2024-01-05T11:00:00Z\n';
  const project = testProject({ 'feature_repo/shop.ts': REPOSITORY, 'feature_repo/data/sales.csv': SALES });
  const { json } = here(project);
  beforeAll(async () => {
    await json('apply');
    await json('materialize --from 2020-01-01');
  });

  it.each([
    [' --at 2024-01-01T12:00:00Z', [1, 1], [null, 0, 'NOT_FOUND', 'NOT_FOUND']],
    [' --at 2024-01-05T11:00:00Z', [2, 1], [3, 1]],
    ['', [2, 0], [3, 0]],
  ])('gives what was known then, rows and windows that the store no longer has:%s', async (at, ...expected) => {
    type Answer = { rows: { features: Record<string, number | null>; statuses: object }[] };
    const get = `features get --service shop_features --rows [{"shop":"a"},{"shop":"b"}]${at}`;
    const read = (await json<Answer>(get)).rows.map(({ features, statuses }) => [
      features['sold__price'],
      features['sold__n'],
      ...Object.values(at === '' ? {} : statuses),
    ]);
    expect(read).toEqual(expected);
  });
});
