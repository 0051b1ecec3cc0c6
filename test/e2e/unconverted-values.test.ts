// Pushed values whose column got another type: what it cannot say is null, and every command that reads the log says how
// many there are.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { headraceHere, headraceHereJson } from '../support/typed-command.ts';
import { CONFIG, createProject, type Project } from '../support/serving-project.ts';

const repository = (
  type: string,
) => `import { count, entity, featureService, featureView, latest, pushed, t } from 'headrace';

export const customer = entity('customer', { keys: { customer: t.string() } });
export const purchases = pushed('purchases', {
  columns: { customer: t.string(), amount: ${type}, bought_at: t.timestamp() }, eventTime: 'bought_at',
});
export const history = featureView('history', {
  entity: customer, source: purchases, features: { last: latest('amount'), count_1d: count().over('1d') },
});
export const features = featureService('features', [history]);
`;

let project: Project;
beforeAll(async () => {
  const at = new Date(Date.now() - 3_600_000).toISOString();
  const events = ['12.5', 'plenty', 'some', null].map((amount) => ({ customer: 'ada', amount, bought_at: at }));
  project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': repository('t.string()'),
    'events.jsonl': `${events.map((event) => JSON.stringify(event)).join('\n')}\n`,
    'spine.csv': `customer,seen_at\nada,${new Date().toISOString()}\n`,
  });
  await headraceHereJson(project, ['apply']);
  await headraceHereJson(project, ['push', 'purchases', 'events.jsonl']);
  project.write('feature_repo/shop.ts', repository('t.float64()'));
  await headraceHereJson(project, ['apply', '--yes']);
});
afterAll(() => project.remove());

const SENTENCE = 'purchases: 2 pushed values of "amount" are null, as they cannot be said in the type that it has now.';
const WARNING = /"source":"purchases","unconverted":\{"amount":2\}/;

it('says how many are null when it materializes, and when it would', async () => {
  const materialize = ['materialize', '--from', '1970-01-01'];
  expect((await headraceHere(project, [...materialize, '--dry-run'])).stdout).toContain(
    `\nhistory: ${SENTENCE.slice(11)}\n`,
  );
  const { stdout, stderr } = await headraceHere(project, materialize);
  expect(stdout).toContain(`\nhistory: ${SENTENCE.slice(11)}\n`);
  expect(stderr).toMatch(WARNING);
  const { views } = (await headraceHereJson(project, materialize)) as { readonly views: readonly object[] };
  expect(views).toContainEqual(expect.objectContaining({ view: 'history', unconverted: { amount: 2 } }));
  const { stdout: none } = await headraceHere(project, ['materialize', '--incremental']);
  expect(none).not.toContain('pushed values');
});

it('says it of a training set, and of features as they were', async () => {
  const create = ['training-set', 'create', '--service', 'features', '--spine', 'spine.csv', '--timestamp', 'seen_at'];
  const { stdout, stderr } = await headraceHere(project, [...create, '--out', 'set.parquet']);
  expect(stdout).toContain(`\n${SENTENCE}\n`);
  expect(stderr).toMatch(WARNING);
  const made = await headraceHereJson(project, [...create, '--out', 'set.parquet']);
  expect(made).toMatchObject({ sources: [{ source: 'purchases', unconverted: { amount: 2 } }] });
  const { id } = made as { readonly id: string };
  expect((await headraceHere(project, ['training-set', 'show', id])).stdout).toContain(`\n${SENTENCE}\n`);
  const get = ['features', 'get', '--service', 'features', '--rows', '[{"customer":"ada"}]'];
  expect((await headraceHere(project, [...get, '--at', new Date(Date.now() - 60_000).toISOString()])).stderr).toMatch(
    WARNING,
  );
});
