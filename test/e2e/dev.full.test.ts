// `headrace dev` as one works with it: saves, mistakes, files that go, and Ctrl-C.

import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { constantModel } from '../support/onnx-model.ts';
import { headrace, headraceJson, MAIN } from '../support/serving-project.ts';
import {
  createTemplateProject,
  type ShellProcess,
  startShell,
  type TemplateProject,
} from '../support/template-project.ts';

interface Round {
  readonly round: number;
  readonly state: string;
  readonly changed: readonly string[];
  readonly store: string;
  readonly mistakes: readonly { readonly path: string; readonly message: string }[];
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly revision: number | null;
  readonly breaking: readonly object[];
  readonly services: readonly {
    readonly service: string;
    readonly row: Record<string, unknown> | null;
    readonly error: string | null;
    readonly features: readonly {
      readonly name: string;
      readonly before: { readonly value: unknown } | null;
      readonly after: { readonly value: unknown } | null;
      readonly changed: boolean;
    }[];
  }[];
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

/** One round, by itself. */
function once(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Round & { code: number | null } {
  const { code, stdout, stderr } = headrace(project, ['dev', '--once', '--json', ...args], env);
  if (stdout === '') throw new Error(stderr);
  return { code, ...(JSON.parse(stdout) as Round) };
}

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
    const mean = featureOf(round, 'customer_purchases__mean_amount_30d');
    expect(mean?.changed).toBe(true);
    expect(mean?.before?.value).not.toBe(mean?.after?.value);
    expect(typeof mean?.before?.value).toBe('number');
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

describe('the key that is shown', { timeout: 120_000 }, () => {
  it('is the one that is given, with the request’s other columns', () => {
    const round = once(['--key', '{"customer":"bob","amount":90,"discount":0.25}']);
    expect(round.services[0]?.row).toEqual({ customer: 'bob', amount: 90, discount: 0.25 });
    expect(featureOf(round, 'basket__discount')?.after?.value).toBe(0.25);
    expect(typeof featureOf(round, 'basket__times_usual')?.after?.value).toBe('number');
  });

  it('is told where it does not fit, and so is a service that is not there', () => {
    expect(once(['--key', '{"custmer":"bob"}']).services[0]?.error).toContain('Did you mean "customer"?');
    const unknown = once(['--service', 'basket_feature']);
    expect(unknown.services[0]?.error).toContain('Did you mean "basket_features"?');
    expect(headrace(project, ['dev', '--once', '--key', 'ada'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--key is not JSON'),
    });
    expect(headrace(project, ['dev', '--once', '--key', '[1]']).stderr).toContain('takes a JSON object');
  });

  it('is printed as a table, with what is null for want of being given', () => {
    const { stdout } = headrace(project, ['dev', '--once']);
    expect(stdout).toMatch(/^basket_features of \{"customer":"ada"\}$/m);
    expect(stdout).toMatch(/^ {3}FEATURE +BEFORE +AFTER$/m);
    expect(stdout).toContain('(null in the request: amount, discount; give them with --key)');
  });
});

describe('what would break a model', { timeout: 120_000 }, () => {
  beforeAll(() => {
    project.write('model.onnx', constantModel(5, 0.25));
    headraceJson(project, ['models', 'register', 'return_risk', 'model.onnx']);
  });
  afterEach(() => {
    project.write(PURCHASES, purchases);
  });
  const breaks = () => project.write(PURCHASES, purchases.replace(`    last_amount: latest('amount'),\n`, ''));

  it('is not applied to the project’s own registry, unless it is told to', () => {
    breaks();
    const refused = once();
    expect(refused).toMatchObject({ code: 1, state: 'breaking', revision: null });
    expect(refused.breaking.length).toBeGreaterThan(0);
    expect(headrace(project, ['dev', '--once']).stdout).toContain('Start `headrace dev` with --yes');
    expect(once(['--yes'])).toMatchObject({ code: 0, state: 'applied' });
  });

  it('is applied where the registry is one of its own', () => {
    const env = { HEADRACE_REGISTRY_URL: 'postgres://nobody@127.0.0.1:1/none' };
    project.write(PURCHASES, purchases);
    expect(once([], env)).toMatchObject({ code: 0, state: 'applied', store: 'scratch', revision: 1 });
    breaks();
    const round = once([], env);
    expect(round).toMatchObject({ state: 'applied', store: 'scratch', revision: 2 });
    expect(featureOf(round, 'customer_purchases__last_amount')).toMatchObject({ after: null, changed: true });
  });
});

describe('a registry or store that others share', { timeout: 120_000 }, () => {
  it('is not touched: it works on others of its own, and says so', () => {
    const elsewhere = project.file('../elsewhere');
    rmSync(project.file('.headrace/dev'), { recursive: true, force: true });
    const env = { HEADRACE_ONLINE_URL: `lmdb:${elsewhere}` };
    const { code, stderr } = headrace(project, ['dev', '--once', '--json'], env);
    expect(code).toBe(0);
    expect(stderr).toContain('.headrace/dev: online.url lies outside of this project.');
    expect(existsSync(elsewhere)).toBe(false);
    expect(existsSync(project.file('.headrace/dev/registry.db'))).toBe(true);
  });
});

it('ends where there is no project, and tells of a configuration that is wrong', () => {
  expect(headrace({ directory: project.file('..') }, ['dev', '--once'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('HR_CONFIG'),
  });
});
