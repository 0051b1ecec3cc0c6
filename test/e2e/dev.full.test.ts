// `headrace dev` as one works with it: saves, mistakes, files that go, and Ctrl-C.
// twin: test/integration/dev-rounds.test.ts > a round of dev
// twin: test/unit/cli-file-watch.test.ts > watching files
// twin: test/unit/cli-dev-stores.test.ts > the stores of dev

import { readFileSync, renameSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAIN } from '../support/serving-project.ts';
import {
  createTemplateProject,
  type ShellProcess,
  startShell,
  type TemplateProject,
} from '../support/template-project.ts';

interface Round {
  readonly round: number;
  readonly mistakes: readonly { readonly path: string }[];
  readonly services: readonly { readonly features: readonly { readonly name: string; readonly changed: boolean }[] }[];
}

let project: TemplateProject;
let purchases = '';
let basket = '';
const PURCHASES = 'feature_repo/purchases.ts';
const BASKET = 'feature_repo/basket.ts';

beforeAll(() => {
  project = createTemplateProject('shop');
  purchases = readFileSync(project.file(PURCHASES), 'utf8');
  basket = readFileSync(project.file(BASKET), 'utf8');
});
afterAll(() => project.remove());

const featureOf = (round: Round, name: string) =>
  round.services.flatMap(({ features }) => features).find((feature) => feature.name === name);

describe('saves while it watches', { timeout: 120_000 }, () => {
  let dev: ShellProcess;
  let seen = 0;
  const rounds = (): Round[] =>
    dev
      .printed()
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Round);
  const next = async (): Promise<Round> => {
    await dev.holds('"round":', ++seen);
    await dev.holds('\n', seen);
    return rounds()[seen - 1] as Round;
  };

  beforeAll(async () => {
    dev = startShell(project.directory, `exec '${process.execPath}' '${MAIN}' dev --json`);
    const first = await next();
    expect(first).toMatchObject({ round: 1, state: 'applied', store: 'project', revision: 1, changed: [] });
    expect(first.services).toMatchObject([{ service: 'basket_features', row: { customer: 'ada' } }]);
    expect(first.services[0]?.features[0]).toMatchObject({ before: null, changed: false });
  });
  afterAll(() => dev.stop('SIGKILL'));

  it('show a key’s values before and after a window has changed, the changed ones marked', async () => {
    project.write(PURCHASES, purchases.replace(`mean('amount').over('30d')`, `mean('amount').over('14d')`));
    const round = await next();
    expect(round).toMatchObject({ round: 2, state: 'applied', revision: 2, changed: ['purchases.ts'] });
    expect(featureOf(round, 'customer_purchases__mean_amount_30d')?.changed).toBe(true);
    expect(featureOf(round, 'customer_purchases__purchases_30d')?.changed).toBe(false);
  });

  it('tell of mistakes with file, line and column, apply nothing, and go on once they are mended', async () => {
    project.write(BASKET, `${basket}export const half = (\n`);
    const broken = await next();
    expect(broken).toMatchObject({ state: 'mistakes', revision: null, error: { code: 'HR_DEFINITION' } });
    for (const { path } of broken.mistakes) expect(path).toMatch(/^basket\.ts:\d+:\d+$/);
    project.write(BASKET, basket.replace('request.discount', 'request.discont'));
    const mistyped = await next();
    expect(mistyped.mistakes).toEqual([
      expect.objectContaining({
        path: 'basket.ts:11:23',
        message: expect.stringContaining('Did you mean "discount"?'),
      }),
    ]);
    project.write(BASKET, basket);
    expect(await next()).toMatchObject({ state: 'unchanged', revision: 2, mistakes: [] });
  });

  it('of many files at once are one round', async () => {
    for (let save = 0; save < 10; save++) {
      project.write(PURCHASES, `${purchases}// ${save}\n`);
      project.write(BASKET, `${basket}// ${save}\n`);
    }
    expect(await next()).toMatchObject({ state: 'applied', revision: 3, changed: ['basket.ts', 'purchases.ts'] });
  });

  it('include a file that goes, and one that is renamed into its place', async () => {
    renameSync(project.file(BASKET), project.file('feature_repo/basket.ts~'));
    const gone = await next();
    expect(gone).toMatchObject({ state: 'mistakes', changed: expect.arrayContaining(['basket.ts']) });
    expect(gone.mistakes[0]).toMatchObject({ path: expect.stringMatching(/^return-risk\.ts:4:/) });
    renameSync(project.file('feature_repo/basket.ts~'), project.file(BASKET));
    expect(await next()).toMatchObject({ state: 'unchanged', revision: 3 });
  });

  it('end with Ctrl-C, exit code 0, each round told once', async () => {
    const { code, stderr } = await dev.stop('SIGINT');
    expect(code).toBe(0);
    expect(rounds().map(({ round }) => round)).toEqual(Array.from({ length: seen }, (_, at) => at + 1));
    expect(stderr).not.toContain('"level"');
  });
});
