// Each command as a user's shell runs it: a process of its own, that ends by itself. Other suites have many commands run by one
// process (`warm-command.ts`), where a handle that is left open or code that is loaded too late would not show.

import { expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { createServingProject, headraceProcess } from '../support/serving-project.ts';
import { testProject } from '../support/test-project.ts';
import { isFull } from '../support/tier.ts';

/** Commands of the quick tier too: one that reads, and one that runs models and writes files. */
const QUICK = ['history', 'predict'];

/** In this order, on one project; what it prints is one JSON document, which has this field. */
const FIELDS: Readonly<Record<string, string>> = {
  'init another': 'files',
  apply: 'revision',
  plan: 'hash',
  history: 'revisions',
  doctor: 'checks',
  'sources list': 'sources',
  'materialize --incremental': 'views',
  'training-set create --service shop_features --spine spine.csv --timestamp at --out out.parquet': 'content_hash',
  'predict checkout --input spine.csv --timestamp at --out predicted': 'rows',
  'features get --service shop_features --rows [{"customer":"ada"}]': 'rows',
  views: 'views',
  'log prune': 'writers',
  'online show': 'store',
  'push purchases events.jsonl': 'accepted',
  'quarantine list': 'sources',
  'models show returns': 'versions',
  'endpoints show checkout': 'variants',
  'rollout list': 'rollouts',
  'experiments list': 'experiments',
  'keys list': 'keys',
  audit: 'changes',
  'drift checkout --now': 'features',
  'quality checkout --now': 'arms',
  'alerts list': 'alerts',
  'monitor history checkout': 'series',
  'logs status': 'predictions',
  'logs outcomes checkout outcomes.jsonl': 'accepted',
  'runs list': 'runs',
  schedules: 'schedulers',
  'runs sync': 'runs',
  types: 'endpoints',
  'verify --endpoint checkout': 'agreed',
  'gc --dry-run': 'items',
  'backup backup': 'objects',
  'restore backup --force': 'objects',
  rollback: 'revision',
};
const LINES = Object.keys(FIELDS);

/** Where a process of the command runs already. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  dev: 'test/e2e/dev.full.test.ts',
  consume: 'test/e2e/streams.full.test.ts',
  run: 'test/integration/orchestrator-cli.test.ts',
  scheduler: 'test/e2e/scheduler.test.ts',
  serve: 'test/support/serving-project.ts',
  worker: 'test/integration/fleet.test.ts',
  step: 'test/integration/step-command.test.ts',
};

const project = testProject(() => {
  const shop = createServingProject();
  // So that there is something to apply, and to go back from.
  shop.write(
    'feature_repo/more.ts',
    "import { featureService } from 'headrace';\nimport { history } from './shop.ts';\n\nexport const more = featureService('more', [history]);\n",
  );
  shop.write('outcomes.jsonl', '{"prediction_id":"p","value":true}\n');
  shop.write('spine.csv', `customer,amount,at\nada,5,${new Date().toISOString()}\n`);
  return shop;
});

const nameOf = (line: string): string => line.split(' ')[0] ?? '';
it.for(isFull ? LINES : LINES.filter((line) => QUICK.includes(nameOf(line))))('%s', (line) => {
  const { code, stdout, stderr } = headraceProcess(project, [...line.split(' '), '--json']);
  expect(code, stderr + stdout).toBe(0);
  expect(JSON.parse(stdout)).toHaveProperty([FIELDS[line] as string]);
});

it('leaves no command out', () => {
  const run = [...new Set(LINES.map(nameOf)), ...Object.keys(ELSEWHERE)];
  expect(run.toSorted()).toEqual(COMMANDS.map(({ name }) => name).toSorted());
});
