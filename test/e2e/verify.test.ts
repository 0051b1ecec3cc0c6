// What was served, computed again: nothing is told where nothing is wrong, and each planted cause is told as what it is.

import { afterEach, describe, expect, it } from 'vitest';
import { openApp } from '../../src/app/index.ts';
import { type EncodedKey, encodeKey, silentLogger } from '../../src/core/index.ts';
import { viewVersion } from '../../src/definitions/index.ts';
import { createRandom } from '../support/chance.ts';
import { headraceHere, headraceHereJson } from '../support/typed-command.ts';
import { constantModel } from '../support/onnx-model.ts';
import { serveProject } from '../support/open-serving.ts';
import { CONFIG, createProject, type Project } from '../support/serving-project.ts';
import { isFull } from '../support/tier.ts';

interface Server {
  readonly url: string;
}
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

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

async function startShop(): Promise<{ project: Project; server: Server }> {
  const now = Date.now();
  const project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': REPOSITORY,
    'data/refunds-1.csv': `customer,amount,refunded_at\nada,5,${iso(now - 30 * HOUR)}\nbob,7,${iso(now - 40 * HOUR)}\n`,
    'quarter.onnx': constantModel(5, 0.25),
  });
  await headraceHereJson(project, ['apply']);
  await headraceHereJson(project, ['models', 'register', 'returns', 'quarter.onnx']);
  const { serving, close } = await serveProject(project);
  closing.push(close);
  return { project, server: serving };
}

async function post(server: Server, path: string, body: object): Promise<void> {
  const answer = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${path} gave ${answer.status}: ${text}`);
}
/** Times in milliseconds ago; null is known once it arrives. */
const push = (
  server: Server,
  customer: string,
  amount: number,
  boughtAgo: number,
  knownAgo: number | null,
): Promise<void> => {
  const known = knownAgo === null ? null : iso(Date.now() - knownAgo);
  const row = { customer, amount, bought_at: iso(Date.now() - boughtAgo), known_at: known };
  return post(server, '/v1/sources/purchases/push', { rows: [row] });
};
const predict = (server: Server, customer: string): Promise<void> =>
  post(server, '/v1/endpoints/checkout/predict', { inputs: [{ customer, amount: 12 }] });

interface Report {
  readonly logged: number;
  readonly checked: number;
  readonly values: number;
  readonly agreed: number;
  readonly differences: readonly { feature: string; cause: string; count: number; examples: unknown[] }[];
  readonly not_comparable: readonly { reason: string; values: number }[];
}
async function verify(project: Project, ...args: string[]): Promise<Report & { readonly code: number | null }> {
  const { code, stdout, stderr } = await headraceHere(project, ['verify', ...args, '--json']);
  if (code === 2 || stdout === '') throw new Error(stderr);
  return { ...(JSON.parse(stdout) as Report), code };
}
/** Predictions are logged within a second. */
const logged = async (project: Project, count: number): Promise<void> => {
  for (;;) {
    const sql = ['logs', 'query', '--sql', 'SELECT count(*) AS n FROM predictions'];
    const { rows } = (await headraceHereJson(project, sql)) as { rows: { n: number }[] };
    if (Number(rows[0]?.n) >= count) return;
  }
};
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
    const { project, server } = await startShop();
    await headraceHereJson(project, ['materialize', '--incremental']);
    const random = createRandom(7);
    const customers = ['ada', 'bob', 'cyd', 'nobody'];
    const some = (): string => random.pick(customers);
    let predictions = 0;
    for (let round = 0; round < 2; round++) {
      const work: Promise<void>[] = [];
      for (let i = 0; i < (isFull ? 60 : 20); i++) {
        const isPush = random.below(2) === 0;
        if (!isPush) predictions++;
        const ago = random.below(72 * HOUR);
        const one = () => (isPush ? push(server, some(), random.below(100), ago, null) : predict(server, some()));
        if (random.below(5) < 3) work.push(one());
        else await one();
      }
      await Promise.all(work);
      if (round === 0) await headraceHereJson(project, ['materialize', '--incremental']);
    }
    await logged(project, predictions);
    const report = await verify(project);
    expect(report.differences).toEqual([]);
    expect(report.not_comparable).toEqual([]);
    expect(report).toMatchObject({ code: 0, logged: predictions, checked: predictions, agreed: report.values });
    expect(report.values).toBe(predictions * 5);
  });

  it('tells late data, another version and a bug apart, and what can not be compared', async () => {
    const { project, server } = await startShop();
    await push(server, 'ada', 10, 5 * HOUR, 4 * HOUR);
    await push(server, 'bob', 30, 5 * HOUR, 4 * HOUR);
    await headraceHereJson(project, ['materialize', '--incremental']);
    await predict(server, 'ada');
    await predict(server, 'bob');
    await logged(project, 2);
    expect(causes(await verify(project))).toEqual([]);

    // Late: a purchase and a file of refunds that were known before the prediction, and arrive after it.
    await push(server, 'ada', 20, 3 * HOUR, 2 * HOUR);
    project.write('data/refunds-2.csv', `customer,amount,refunded_at\nada,9,${iso(Date.now() - 20 * HOUR)}\n`);
    const late = [
      'basket__ratio: late data ×1',
      'bought__last: late data ×1',
      'bought__mean_7d: late data ×1',
      'bought__purchases_1d: late data ×1',
      'refunded__refunds_7d: late data ×1',
    ];
    const found = await verify(project);
    expect(causes(found)).toEqual(late);
    expect(found.code).toBe(0);
    expect(found.differences.find(({ feature }) => feature === 'bought__last')?.examples).toMatchObject([
      { served: 10, expected: 20 },
    ]);
    const since = iso(Date.now() + HOUR);
    expect(await verify(project, '--since', since)).toMatchObject({ logged: 0, values: 0, differences: [] });

    // A record that is another's: nothing explains what it answers.
    await headraceHereJson(project, ['materialize', '--incremental']);
    await giveBase(project, 'ada', 'bob');
    await predict(server, 'bob');
    await logged(project, 3);
    const bugs = [
      'basket__ratio: bug ×1',
      'bought__last: bug ×1',
      'bought__mean_7d: bug ×1',
      'bought__purchases_1d: bug ×1',
    ];
    const withBugs = await verify(project);
    expect(causes(withBugs)).toEqual([...late, ...bugs].sort());
    expect(withBugs.code).toBe(1);
    expect((await headraceHere(project, ['verify'])).stdout).toMatch(
      /^checkout +bought__last +bug +1 +\S+: served 20, expected 30/m,
    );

    // Another version: what `mean_7d` means has changed since, for the model version that answers it has not.
    project.write('feature_repo/shop.ts', REPOSITORY.replace("mean('amount').over('7d')", "mean('amount').over('4h')"));
    await headraceHereJson(project, ['apply', '--yes']);
    const other = causes(await verify(project));
    expect(other).toEqual(
      [...late, ...bugs, 'basket__ratio: other version ×1', 'bought__mean_7d: other version ×1'].sort(),
    );

    // A file that was replaced leaves nothing to tell the late ones by.
    project.write('data/refunds-1.csv', `customer,amount,refunded_at\nada,6,${iso(Date.now() - 30 * HOUR)}\n`);
    const replaced = await verify(project);
    const reasons = replaced.not_comparable.map(({ reason }) => reason.replace(/\d+$/, 'N'));
    expect(new Set(reasons)).toEqual(new Set(['files of source "refunds" have changed since run N']));
    expect(causes(replaced)).toEqual(other.filter((cause) => !cause.startsWith('refunded__')));
  });

  it('calls nothing a bug that more pushes may explain than it can tell apart', async () => {
    const { project, server } = await startShop();
    await push(server, 'ada', 10, 5 * HOUR, 4 * HOUR);
    await headraceHereJson(project, ['materialize', '--incremental']);
    await giveBase(project, 'ada', 'bob');
    // Each may have been seen by the read or not.
    await Promise.all(Array.from({ length: 30 }, (_, i) => push(server, 'bob', i, i * 60_000, null)));
    await predict(server, 'bob');
    await logged(project, 1);
    const report = await verify(project);
    expect(causes(report)).toEqual([]);
    expect(report).toMatchObject({
      code: 0,
      not_comparable: [
        {
          reason: 'more events came within moments before the read than can be told apart',
          values: expect.any(Number),
        },
      ],
    });
    expect(report.not_comparable[0]?.values).toBeGreaterThan(0);
  });
});
