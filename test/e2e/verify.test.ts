// What was served, computed again: nothing is told where nothing is wrong, and each planted cause is told as what it is.

import { describe, expect, it, onTestFinished } from 'vitest';
import { openApp } from '../../src/app/index.ts';
import { type EncodedKey, encodeKey, silentLogger } from '../../src/core/index.ts';
import { viewVersion } from '../../src/definitions/index.ts';
import { createRandom } from '../support/chance.ts';
import { constantModel } from '../support/onnx-model.ts';
import { serveProject } from '../support/open-serving.ts';
import { postJson } from '../support/post-json.ts';
import { CONFIG, createProject, type Project } from '../support/serving-project.ts';
import { isFull } from '../support/tier.ts';
import { headraceHere, headraceHereJson } from '../support/typed-command.ts';

const REPOSITORY = `import { count, csv, endpoint, entity, featureService, featureView, latest, mean, model, onDemandView, pushed, sum, t } from 'headrace';

export const customer = entity('customer', { keys: { customer: t.string() } });
export const purchases = pushed('purchases', {
  columns: { customer: t.string(), amount: t.float64(), bought_at: t.timestamp(), known_at: t.timestamp() },
  eventTime: 'bought_at',
  knownTime: 'known_at',
});
export const refunds = csv('refunds', {
  path: '../data/refunds-*.csv',
  columns: { customer: t.string(), amount: t.float64(), refunded_at: t.timestamp() },
  eventTime: 'refunded_at',
});
export const bought = featureView('bought', {
  entity: customer, source: purchases, ttl: '30d',
  features: { last: latest('amount'), purchases_1d: count().over('1d'), mean_7d: mean('amount').over('7d') },
});
export const refunded = featureView('refunded', {
  entity: customer, source: refunds, features: { refunds_7d: sum('amount').over('7d') },
});
export const basket = onDemandView('basket', {
  inputs: { request: { amount: t.float64() }, customer: bought },
  features: { ratio: t.float64() },
  transform: ({ request, customer }) => ({
    ratio: request.amount != null && customer.mean_7d ? request.amount / customer.mean_7d : null,
  }),
});
export const features = featureService('shop_features', [bought, refunded, basket]);
export const returns = model('returns', { features, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['customer'] });
`;

const HOUR = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();

interface Report {
  readonly values: number;
  readonly differences: readonly { feature: string; cause: string; count: number; examples: unknown[] }[];
  readonly not_comparable: readonly { reason: string; values: number }[];
}
async function startShop() {
  const now = Date.now();
  const project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': REPOSITORY,
    'data/refunds-1.csv': `customer,amount,refunded_at\nada,5,${iso(now - 30 * HOUR)}\nbob,7,${iso(now - 40 * HOUR)}\n`,
    'quarter.onnx': constantModel(5, 0.25),
  });
  const json = <T = unknown>(words: string) => headraceHereJson<T>(project, words.split(' '));
  await json('apply');
  await json('models register returns quarter.onnx');
  const { serving, close } = await serveProject(project);
  onTestFinished(close);
  return {
    project,
    json,
    materialize: () => json('materialize --incremental'),
    /** Times in milliseconds ago; null is known once it arrives. */
    push(customer: string, amount: number, boughtAgo: number, knownAgo: number | null) {
      const known_at = knownAgo === null ? null : iso(Date.now() - knownAgo);
      const row = { customer, amount, bought_at: iso(Date.now() - boughtAgo), known_at };
      return postJson(serving.url, '/v1/sources/purchases/push', { rows: [row] });
    },
    predict: (customer: string) =>
      postJson(serving.url, '/v1/endpoints/checkout/predict', { inputs: [{ customer, amount: 12 }] }),
    /** Predictions are logged within a second. */
    async logged(count: number): Promise<void> {
      const sql = ['logs', 'query', '--sql', 'SELECT count(*) AS n FROM predictions'];
      const logged = async () => (await headraceHereJson<{ rows: { n: number }[] }>(project, sql)).rows[0]?.n;
      while (Number(await logged()) < count);
    },
    async verify(...args: string[]): Promise<Report & { readonly code: number | null }> {
      const { code, stdout, stderr } = await headraceHere(project, ['verify', ...args, '--json']);
      if (code === 2 || stdout === '') throw new Error(stderr);
      return { ...(JSON.parse(stdout) as Report), code };
    },
  };
}
const causes = ({ differences }: Report): string[] =>
  differences.map(({ feature, cause, count }) => `${feature}: ${cause} ×${count}`).sort();

/** A record that is another's: its base of `bought`. */
async function giveBase(project: Project, from: string, to: string): Promise<void> {
  const environment = { variables: {}, workingDirectory: project.directory, actor: 'test' };
  const app = await openApp({ environment, logger: silentLogger });
  const { manifest } = await app.applied();
  const version = viewVersion(manifest, 'bought');
  const keyOf = (name: string) => encodeKey([{ kind: 'string' }], [name]) as EncodedKey;
  const store = await app.online();
  const [record] = await store.read([{ entity: 'customer', version, key: keyOf(from) }]);
  const number = (await app.runs()).lastFinished().then((rows) => rows.find((row) => row.version === version)?.number);
  const run = await store.run({
    version,
    entity: 'customer',
    run: (await number) ?? 0,
    lifetimeMs: () => undefined,
    isOpen: async () => true,
  });
  await run.begin('lmdb');
  await run.write('lmdb', [{ entity: 'customer', key: keyOf(to), base: record?.base as Uint8Array }]);
  await run.mark('lmdb');
  await run.close();
  await app.close();
}

describe('headrace verify', () => {
  it('tells nothing where pushes, predictions and materializes come in any order', async () => {
    const { materialize, push, predict, logged, verify } = await startShop();
    await materialize();
    const random = createRandom(7);
    const some = (): string => random.pick(['ada', 'bob', 'cyd', 'nobody']);
    let predictions = 0;
    for (let round = 0; round < 2; round++) {
      const work: Promise<unknown>[] = [];
      for (let i = 0; i < (isFull ? 60 : 20); i++) {
        const isPush = random.below(2) === 0;
        if (!isPush) predictions++;
        const ago = random.below(72 * HOUR);
        const one = () => (isPush ? push(some(), random.below(100), ago, null) : predict(some()));
        if (random.below(5) < 3) work.push(one());
        else await one();
      }
      await Promise.all(work);
      if (round === 0) await materialize();
    }
    await logged(predictions);
    const values = predictions * 5;
    const counts = { logged: predictions, checked: predictions, values, agreed: values };
    expect(await verify()).toMatchObject({ code: 0, ...counts, differences: [], not_comparable: [] });
  });

  it('tells late data, another version and a bug apart, and what can not be compared', async () => {
    const { project, json, materialize, push, predict, logged, verify } = await startShop();
    await push('ada', 10, 5 * HOUR, 4 * HOUR);
    await push('bob', 30, 5 * HOUR, 4 * HOUR);
    await materialize();
    await predict('ada');
    await predict('bob');
    await logged(2);
    expect(causes(await verify())).toEqual([]);

    // Late: a purchase and a file of refunds that were known before the prediction, and arrive after it.
    await push('ada', 20, 3 * HOUR, 2 * HOUR);
    project.write('data/refunds-2.csv', `customer,amount,refunded_at\nada,9,${iso(Date.now() - 20 * HOUR)}\n`);
    const ofBought = ['basket__ratio', 'bought__last', 'bought__mean_7d', 'bought__purchases_1d'];
    const late = [...ofBought, 'refunded__refunds_7d'].map((name) => `${name}: late data ×1`);
    const found = await verify();
    expect(causes(found)).toEqual(late);
    expect(found.code).toBe(0);
    const { examples } = found.differences.find(({ feature }) => feature === 'bought__last') ?? {};
    expect(examples).toMatchObject([{ served: 10, expected: 20 }]);
    const nothing = { logged: 0, values: 0, differences: [] };
    expect(await verify('--since', iso(Date.now() + HOUR))).toMatchObject(nothing);

    // A record that is another's: nothing explains what it answers.
    await materialize();
    await giveBase(project, 'ada', 'bob');
    await predict('bob');
    await logged(3);
    const bugs = ofBought.map((name) => `${name}: bug ×1`);
    const withBugs = await verify();
    expect(causes(withBugs)).toEqual([...late, ...bugs].sort());
    expect(withBugs.code).toBe(1);
    const { stdout } = await headraceHere(project, ['verify']);
    expect(stdout).toMatch(/^checkout +bought__last +bug +1 +\S+: served 20, expected 30/m);

    // Another version: what `mean_7d` means has changed since, for the model version that answers it has not.
    project.write('feature_repo/shop.ts', REPOSITORY.replace("mean('amount').over('7d')", "mean('amount').over('4h')"));
    await json('apply --yes');
    const changed = ['basket__ratio: other version ×1', 'bought__mean_7d: other version ×1'];
    const other = causes(await verify());
    expect(other).toEqual([...late, ...bugs, ...changed].sort());

    // A file that was replaced leaves nothing to tell the late ones by.
    project.write('data/refunds-1.csv', `customer,amount,refunded_at\nada,6,${iso(Date.now() - 30 * HOUR)}\n`);
    const replaced = await verify();
    const reasons = replaced.not_comparable.map(({ reason }) => reason.replace(/\d+$/, 'N'));
    expect(new Set(reasons)).toEqual(new Set(['files of source "refunds" have changed since run N']));
    expect(causes(replaced)).toEqual(other.filter((cause) => !cause.startsWith('refunded__')));
  });

  it('calls nothing a bug that more pushes may explain than it can tell apart', async () => {
    const { project, materialize, push, predict, logged, verify } = await startShop();
    await push('ada', 10, 5 * HOUR, 4 * HOUR);
    await materialize();
    await giveBase(project, 'ada', 'bob');
    // Each may have been seen by the read or not.
    await Promise.all(Array.from({ length: 30 }, (_, i) => push('bob', i, i * 60_000, null)));
    await predict('bob');
    await logged(1);
    const { code, differences, not_comparable: incomparable } = await verify();
    expect({ code, differences }).toEqual({ code: 0, differences: [] });
    const reason = 'more events came within moments before the read than can be told apart';
    expect(incomparable).toEqual([{ reason, values: expect.any(Number) }]);
    expect(incomparable[0]?.values).toBeGreaterThan(0);
  });
});
