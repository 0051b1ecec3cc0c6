// `headrace dev --once`, run in this process: what a round applies, shows and refuses, and which stores it works on.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { constantModel } from '../support/onnx-model.ts';
import { createProject, type Project } from '../support/serving-project.ts';
import { npmOf } from '../support/template-project.ts';
import { fullIt } from '../support/tier.ts';
import { typeCommand, type TypedOutput } from '../support/typed-command.ts';

type Sampled = { readonly value: unknown } | null;
export interface Round {
  readonly state: string;
  readonly store: string;
  readonly mistakes: readonly { readonly path: string; readonly message: string }[];
  readonly revision: number | null;
  readonly breaking: readonly object[];
  readonly services: readonly {
    readonly row: Readonly<Record<string, unknown>> | null;
    readonly error: string | null;
    readonly features: readonly { name: string; before: Sampled; after: Sampled; changed: boolean }[];
  }[];
}

const PURCHASES = 'shop/feature_repo/purchases.ts';
const BASKET = 'shop/feature_repo/basket.ts';
let parent: Project;
let [purchases, basket] = ['', ''];
beforeAll(async () => {
  parent = createProject({});
  await typeCommand(parent.directory, ['init', 'shop'], { variables: npmOf(parent.directory) });
  purchases = readFileSync(parent.file(PURCHASES), 'utf8');
  basket = readFileSync(parent.file(BASKET), 'utf8');
});
afterAll(() => parent.remove());
afterEach(() => {
  parent.write(PURCHASES, purchases);
  parent.write(BASKET, basket);
});

const typed = (args: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<TypedOutput> =>
  typeCommand(parent.file('shop'), args, { variables });
/** One round, by itself. */
const once = async (args: readonly string[] = [], variables: Readonly<Record<string, string>> = {}) => {
  const { code, stdout, stderr } = await typed(['dev', '--once', '--json', ...args], variables);
  return { code, stderr, ...(JSON.parse(stdout) as Round) };
};
const featureOf = (round: Round, name: string) =>
  round.services.flatMap(({ features }) => features).find((feature) => feature.name === name);

const breakModel = () => parent.write(PURCHASES, purchases.replace(`    last_amount: latest('amount'),\n`, ''));

describe('a round of dev', () => {
  it('applies, computes and shows a key; after a change, its values before and after, the changed ones marked', async () => {
    const first = await once();
    expect(first).toMatchObject({ code: 0, state: 'applied', store: 'project', revision: 1 });
    expect(first.services).toMatchObject([{ service: 'basket_features', row: { customer: 'ada' } }]);
    expect(first.services[0]?.features[0]).toMatchObject({ before: null, changed: false });

    parent.write(PURCHASES, purchases.replace(`mean('amount').over('30d')`, `mean('amount').over('14d')`));
    const round = await once();
    expect(round).toMatchObject({ state: 'applied', revision: 2 });
    const mean = featureOf(round, 'customer_purchases__mean_amount_30d');
    expect(mean?.changed).toBe(true);
    expect(mean?.before?.value).not.toBe(mean?.after?.value);
    expect(typeof mean?.before?.value).toBe('number');
    expect(featureOf(round, 'customer_purchases__purchases_30d')?.changed).toBe(false);
  });

  it('tells a mistake of types with file, line and column, and applies nothing', async () => {
    parent.write(BASKET, basket.replace('request.discount', 'request.discont'));
    const round = await once();
    expect(round).toMatchObject({ code: 1, state: 'mistakes', revision: null });
    const message = expect.stringContaining('Did you mean "discount"?');
    expect(round.mistakes).toMatchObject([{ path: 'basket.ts:11:23', message }]);
  });

  it('does not apply what would break a model to the project’s own registry, unless it is told to', async () => {
    await once();
    parent.write('shop/model.onnx', constantModel(5, 0.25));
    expect((await typed(['models', 'register', 'return_risk', 'model.onnx'])).code).toBe(0);
    breakModel();
    const refused = await once();
    expect(refused).toMatchObject({ code: 1, state: 'breaking', revision: null });
    expect(refused.breaking).toMatchObject([{ object: 'view', name: 'customer_purchases' }]);
    expect(await once(['--yes'])).toMatchObject({ code: 0, state: 'applied' });
  });

  // twin: test/integration/dev-rounds.test.ts > does not apply what would break a model to the project’s own registry, unless it is told to
  fullIt('applies what would break a model to a registry of its own', async () => {
    const variables = { HEADRACE_REGISTRY_URL: 'postgres://nobody@127.0.0.1:1/none' };
    expect(await once([], variables)).toMatchObject({ code: 0, state: 'applied', store: 'scratch', revision: 1 });
    breakModel();
    const round = await once([], variables);
    expect(round).toMatchObject({ state: 'applied', store: 'scratch', revision: 2 });
    expect(featureOf(round, 'customer_purchases__last_amount')).toMatchObject({ after: null, changed: true });
  });

  it('shows the key that is given, with the request’s other columns', async () => {
    const round = await once(['--key', '{"customer":"bob","amount":90,"discount":0.25}']);
    expect(round.services[0]?.row).toEqual({ customer: 'bob', amount: 90, discount: 0.25 });
    expect(featureOf(round, 'basket__discount')?.after?.value).toBe(0.25);
    expect(typeof featureOf(round, 'basket__times_usual')?.after?.value).toBe('number');
  });

  it('refuses a key that is no JSON object, and a folder without a project', async () => {
    const expected = { code: 2, stderr: expect.stringContaining('--key is not JSON') };
    expect(await typed(['dev', '--once', '--key', 'ada'])).toMatchObject(expected);
    expect((await typed(['dev', '--once', '--key', '[1]'])).stderr).toContain('takes a JSON object');
    expect(await typeCommand(parent.directory, ['dev', '--once'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('HR_CONFIG'),
    });
  });

  // twin: test/unit/cli-dev-stores.test.ts > the stores of dev
  fullIt('touches no store that others share: it works on others of its own, and says so', async () => {
    const elsewhere = parent.file('elsewhere');
    rmSync(parent.file('shop/.headrace/dev'), { recursive: true, force: true });
    const { code, stderr } = await once([], { HEADRACE_ONLINE_URL: `lmdb:${elsewhere}` });
    expect(code).toBe(0);
    expect(stderr).toContain('.headrace/dev: online.url lies outside of this project.');
    expect(existsSync(elsewhere)).toBe(false);
    expect(existsSync(parent.file('shop/.headrace/dev/registry.db'))).toBe(true);
  });

  // twin: test/integration/dev-rounds.test.ts > shows the key that is given, with the request’s other columns
  fullIt('says what does not fit of a key or a service, and prints a table of what does', async () => {
    expect((await once(['--key', '{"custmer":"bob"}'])).services[0]?.error).toContain('Did you mean "customer"?');
    const unknown = await once(['--service', 'basket_feature']);
    expect(unknown.services[0]?.error).toContain('Did you mean "basket_features"?');
    const { stdout } = await typed(['dev', '--once']);
    expect(stdout).toMatch(/^basket_features of \{"customer":"ada"\}$/m);
    expect(stdout).toMatch(/^ {3}FEATURE +BEFORE +AFTER$/m);
    expect(stdout).toContain('(null in the request: amount, discount; give them with --key)');
  });
});
