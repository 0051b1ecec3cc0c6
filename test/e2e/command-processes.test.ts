// Each command as a user's shell runs it: a process of its own, that ends by itself. Other suites have many commands run by one
// process (`warm-command.ts`), where a handle that is left open or code that is loaded too late would not show.

import { expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { createServingProject, headraceProcess } from '../support/serving-project.ts';
import { testProject } from '../support/test-project.ts';
import { isFull } from '../support/tier.ts';

/** Commands of the quick tier too: one that reads, and one that runs models and writes files. */
const QUICK = ['history', 'predict'];

/** In this order, on one project; what it prints is one JSON document. */
const LINES: readonly string[] = [
  'init another',
  'apply',
  'plan',
  'history',
  'doctor',
  'sources list',
  'materialize --incremental',
  'training-set create --service shop_features --spine spine.csv --timestamp at --out out.parquet',
  'predict checkout --input spine.csv --timestamp at --out predicted',
  'features get --service shop_features --rows [{"customer":"ada"}]',
  'views',
  'log prune',
  'push purchases events.jsonl',
  'quarantine list',
  'models show returns',
  'endpoints show checkout',
  'rollout list',
  'experiments list',
  'keys list',
  'audit',
  'drift checkout --now',
  'quality checkout --now',
  'alerts list',
  'monitor history checkout',
  'logs status',
  'logs outcomes checkout outcomes.jsonl',
  'runs list',
  'schedules',
  'runs sync',
  'types',
  'verify --endpoint checkout',
  'gc --dry-run',
  'backup backup',
  'restore backup --force',
  'rollback',
];

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
  expect(JSON.parse(stdout)).toBeDefined();
});

it('leaves no command out', () => {
  const run = [...new Set(LINES.map(nameOf)), ...Object.keys(ELSEWHERE)];
  expect(run.toSorted()).toEqual(COMMANDS.map(({ name }) => name).toSorted());
});
