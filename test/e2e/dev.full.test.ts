// `headrace dev` as one works with it: a save, a mistake, a file that goes, and Ctrl-C.
// twin: test/integration/dev-rounds.test.ts > a round of dev
// twin: test/unit/cli-file-watch.test.ts > watching files
// twin: test/unit/cli-dev-stores.test.ts > the stores of dev

import { readFileSync, renameSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { MAIN } from '../support/serving-project.ts';
import { createTemplateProject, startShell } from '../support/template-project.ts';
import { ownProject } from '../support/test-project.ts';

const PURCHASES = 'feature_repo/purchases.ts';
const BASKET = 'feature_repo/basket.ts';

it('each save while it watches is a round, told once; it ends with Ctrl-C, exit code 0', {
  timeout: 120_000,
}, async () => {
  const project = ownProject(createTemplateProject('shop'));
  const [purchases, basket] = [PURCHASES, BASKET].map((name) => readFileSync(project.file(name), 'utf8')) as [
    string,
    string,
  ];
  const dev = startShell(project.directory, `exec '${process.execPath}' '${MAIN}' dev --json`);
  onTestFinished(async () => void (await dev.stop('SIGKILL')));
  const lines = () => dev.printed().split('\n').slice(0, -1);
  let seen = 0;
  const next = async () => {
    await dev.holds('\n', ++seen);
    return JSON.parse(lines()[seen - 1] ?? '') as { readonly mistakes: readonly { readonly path: string }[] };
  };
  expect(await next()).toMatchObject({
    round: 1,
    state: 'applied',
    store: 'project',
    revision: 1,
    changed: [],
    services: [{ service: 'basket_features', row: { customer: 'ada' } }],
  });
  project.write(PURCHASES, purchases.replace(`mean('amount').over('30d')`, `mean('amount').over('14d')`));
  expect(await next()).toMatchObject({ round: 2, state: 'applied', revision: 2, changed: ['purchases.ts'] });

  project.write(BASKET, `${basket}export const half = (\n`);
  const broken = await next();
  expect(broken).toMatchObject({ state: 'mistakes', revision: null, error: { code: 'HR_DEFINITION' } });
  for (const { path } of broken.mistakes) expect(path).toMatch(/^basket\.ts:\d+:\d+$/);
  project.write(BASKET, basket);
  expect(await next()).toMatchObject({ state: 'unchanged', revision: 2, mistakes: [] });

  const aside = project.file('feature_repo/basket.ts~');
  renameSync(project.file(BASKET), aside);
  const gone = await next();
  expect(gone).toMatchObject({ state: 'mistakes', changed: expect.arrayContaining(['basket.ts']) });
  expect(gone.mistakes[0]?.path).toMatch(/^return-risk\.ts:4:/);
  renameSync(aside, project.file(BASKET));
  expect(await next()).toMatchObject({ state: 'unchanged', revision: 2 });

  const { code, stderr } = await dev.stop('SIGINT');
  expect(code).toBe(0);
  const rounds = lines().map((line) => (JSON.parse(line) as { round: number }).round);
  expect(rounds).toEqual(Array.from({ length: seen }, (_, at) => at + 1));
  expect(stderr).not.toContain('"level"');
});
