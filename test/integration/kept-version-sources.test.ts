// What a kept version gets of a source that changed under it: the columns that only it reads, the files where they lie now,
// and of rows that its own functions can't take, nothing worse than a null.

import { rmSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openApp, readEnvironment } from '../../src/app/index.ts';
import { type Serving, serveInProcess } from '../../src/app/serve-worker.ts';
import { type Logger, stringifyJson, silentLogger } from '../../src/core/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { CONFIG, createProject, type Project } from '../support/serving-project.ts';
import { fullIt } from '../support/tier.ts';
import { headraceHere, headraceHereJson } from '../support/typed-command.ts';

type Repository = Partial<Record<'source' | 'columns' | 'derive' | 'more' | 'features', string>>;

const WITH_TIP = 'tip: t.float64(), ';
const SUMS = "tip_7d: sum('tip').over('7d'), cost_7d: sum('cost').over('7d')";
/** Of a fare of nothing the first form of the source can't tell the cost. */
const STRICT = "(row) => { if (row.amount === 0) throw new Error('a ride for nothing'); return row.amount; }";
const TOLERANT = '(row) => row.amount ?? 0';

const repository = ({
  source = "pushed('rides', {",
  columns = WITH_TIP,
  derive = STRICT,
  more = '',
  features = SUMS,
}: Repository = {}) => `import { count, csv, endpoint, entity, featureService, featureView, model, pushed, sql, sum, t } from 'headrace';
export const driver = entity('driver', { keys: { driver: t.string() } });
export const rides = ${source}
  columns: { driver: t.string(), amount: t.float64(), ${columns}at: t.timestamp() },
  derive: { cost: [t.float64(), ${derive}] },
  eventTime: 'at', ${more}
});
export const work = featureView('work', {
  entity: driver, source: rides, features: { rides_7d: count().over('7d'), ${features} },
});
export const numbers = featureService('numbers', [work]);
export const pay = model('pay', { features: numbers, outputs: { probability: t.float32() } });
export const payout = endpoint('payout', { model: pay, unit: ['driver'] });
`;

const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();

describe('a model version goes on getting what it was registered with', () => {
  let project: Project;
  let inject: Serving['server']['inject'];
  let logged = '';

  const headrace = (...words: readonly string[]) => headraceHereJson(project, words);
  const begin = async (written: Repository = {}, files: Readonly<Record<string, string>> = {}) => {
    project = createProject({
      'headrace.config.ts': CONFIG,
      'feature_repo/rides.ts': repository(written),
      'constant.onnx': constantModel(3, 0.5),
      ...files,
    });
    await headrace('apply');
    await headrace('materialize', '--incremental');
    await headrace('models', 'register', 'pay', 'constant.onnx', '--alias', 'champion');
    await headrace('endpoints', 'traffic', 'payout', 'stable=1:100');
    logged = '';
    const warn = (fields: object, text: string): void => {
      // What a log is told can be written as JSON.
      logged += stringifyJson({ ...fields, text } as Readonly<Record<string, string>>);
    };
    const logger: Logger = { ...silentLogger, warn, error: warn };
    const app = await openApp({ environment: { ...readEnvironment({}), workingDirectory: project.directory }, logger });
    const serving = await serveInProcess(app, { host: '127.0.0.1', port: 0, hasDocs: false });
    inject = serving.server.inject.bind(serving.server);
    onTestFinished(async () => {
      await serving.stop();
      await app.close();
      project.remove();
    });
  };
  const change = async (written: Repository) => {
    project.write('feature_repo/rides.ts', repository(written));
    await headrace('apply', '--yes');
  };
  const post = async (url: string, body: object, headers: Readonly<Record<string, string>> = {}) => {
    const sent = { headers: { 'content-type': 'application/json', ...headers }, payload: JSON.stringify(body) };
    const answer = await inject({ method: 'POST', url, ...sent });
    return { status: answer.statusCode, ...answer.json<Record<string, unknown>>() };
  };
  const push = (rows: readonly object[], headers?: Readonly<Record<string, string>>) =>
    post('/v1/sources/rides/push', { rows }, headers);
  const featuresOf = async (driver: string) => {
    const body = { inputs: [{ driver }], options: { return_features: true } };
    const answer = await post('/v1/endpoints/payout/predict', body);
    return (answer as unknown as { predictions: { features: object }[] }).predictions[0]?.features;
  };
  const materialize = async () => {
    const { code, stderr } = await headraceHere(project, ['materialize', '--incremental']);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    return stderr;
  };
  /** Before and after a run: one and the same. */
  const expectFeatures = async (driver: string, features: object, warning?: string) => {
    expect(await featuresOf(driver)).toEqual(features);
    const stderr = await materialize();
    if (warning !== undefined) expect(stderr).toContain(warning);
    await expect.poll(() => featuresOf(driver)).toEqual(features);
  };

  it('from a column that is declared no more, for as long as rows carry it', async () => {
    await begin();
    const rides = [{ driver: 'ada', amount: 10, tip: 1, at: hoursAgo(3) }];
    expect(await push(rides)).toMatchObject({ status: 200 });
    await change({ columns: '', features: "cost_7d: sum('cost').over('7d')" });
    expect(await push([{ driver: 'ada', amount: 20, tip: 2, at: hoursAgo(2) }])).toMatchObject({ status: 200 });
    // What is no column any more is nobody's mistake.
    expect(await push([{ driver: 'ada', amount: 30, tip: 'much', at: hoursAgo(1) }])).toMatchObject({ status: 200 });
    await expect.poll(() => logged).toMatch(/"column":"tip".*much/);
    expect(await push([{ driver: 'ada', at: hoursAgo(1) }])).toMatchObject({ status: 200 });
    await expectFeatures('ada', { work__rides_7d: 4, work__tip_7d: 3, work__cost_7d: 60 });
  });

  it('though its function throws at a row that today’s takes: there its column is null', async () => {
    await begin();
    await change({ derive: TOLERANT });
    const rides = [0, 7].map((amount) => ({ driver: 'ada', amount, tip: 1, at: hoursAgo(1) }));
    expect(await push(rides)).toMatchObject({ status: 200, accepted: 2 });
    expect(logged).toContain('a ride for nothing');
    await expectFeatures('ada', { work__rides_7d: 2, work__tip_7d: 2, work__cost_7d: 7 }, 'a ride for nothing');
    // Gone back to, it goes on: what was taken meanwhile is null to it, and what comes is refused again.
    await headrace('rollback');
    expect(await push(rides)).toMatchObject({ status: 422, errors: [{ path: 'rows[0]' }] });
    expect(await push(rides.slice(1))).toMatchObject({ status: 200 });
    await expectFeatures('ada', { work__rides_7d: 3, work__tip_7d: 3, work__cost_7d: 14 }, 'a ride for nothing');
  });

  // twin: test/unit/definitions-placed-version.test.ts > keeps its place where the source of that name has other facts, or is gone
  fullIt('whose source is gone, and had a function that no version needs', async () => {
    await begin({ features: "tip_7d: sum('tip').over('7d'), n_7d: count().over('7d')" });
    project.write('feature_repo/rides.ts', '');
    await headrace('apply', '--yes');
    expect(await push([{ driver: 'ada', amount: 0, tip: 1, at: hoursAgo(1) }])).toMatchObject({ status: 200 });
    await expect.poll(() => push([])).toMatchObject({ status: 200 });
  });

  // twin: test/integration/kept-version-sources.test.ts > though its function throws at a row that today’s takes: there its column is null
  fullIt('whose SQL fails at a row, or can’t be tried at all: pushes go on', async () => {
    const sql = (text: string) => `sql\`CASE WHEN amount = 0 THEN ${text} ELSE amount END\``;
    await begin({ derive: sql("error('a ride for nothing')") });
    await change({ derive: TOLERANT });
    const rides = [3, 0, 7].map((amount) => ({ driver: 'ada', amount, tip: 1, at: hoursAgo(1) }));
    expect(await push(rides)).toMatchObject({ status: 200, accepted: 3 });
    expect(logged).toContain('a ride for nothing');
    expect(await featuresOf('ada')).toEqual({ work__rides_7d: 3, work__tip_7d: 3, work__cost_7d: 10 });
  });

  it('and is not filled with nulls that nobody was told of before anyone read it', async () => {
    await begin({ derive: TOLERANT });
    expect(await push([{ driver: 'ada', amount: 0, tip: 1, at: hoursAgo(1) }])).toMatchObject({ status: 200 });
    await change({ derive: STRICT });
    const versions = async () =>
      ((await headrace('views')) as { views: { version: string; current: boolean; complete: boolean }[] }).views;
    const strict = (await versions()).find(({ current }) => current)?.version;
    expect((await headraceHere(project, ['materialize', '--incremental'])).code).toBe(1);
    await headrace('rollback');
    expect((await headraceHere(project, ['materialize', '--incremental'])).stderr).toContain('a ride for nothing');
    expect((await versions()).find(({ version }) => version === strict)).toMatchObject({ complete: false });
  });

  // twin: test/unit/definitions-placed-version.test.ts > that is not is read by its own definitions, from where its source lies by now
  fullIt('from files that were moved', async () => {
    const csv = (...rows: readonly string[]) => `driver,amount,tip,at\n${rows.join('\n')}\n`;
    const first = csv(`ada,10,1,${hoursAgo(9)}`);
    await begin({ source: "csv('rides', { path: 'old/*.csv'," }, { 'feature_repo/old/first.csv': first });
    rmSync(project.file('feature_repo/old'), { recursive: true });
    project.write('feature_repo/new/first.csv', first);
    project.write('feature_repo/new/second.csv', csv(`ada,20,2,${hoursAgo(2)}`));
    await change({ source: "csv('rides', { path: 'new/*.csv',", features: `${SUMS}, n_1d: count().over('1d')` });
    await materialize();
    await expect.poll(() => featuresOf('ada')).toEqual({ work__rides_7d: 2, work__tip_7d: 3, work__cost_7d: 30 });
  });

  // twin: test/unit/ingestion-known-time.test.ts > is what its column says, where it has one that says a time
  fullIt.each([
    ['arrives, though today’s tell it by a column', '', "knownTime: 'known_at',", 1],
    ['says, though today’s tell it by the arrival', "knownTime: 'known_at',", '', 0],
  ])('known when the row %s', async (_, first, then, rides) => {
    const known = 'known_at: t.timestamp(), ';
    const features = SUMS.replace('tip_7d', 'n_7d').replace("sum('tip')", 'count()');
    await begin({ columns: known, features, more: first });
    const today = then === '' ? '' : known;
    await change({ columns: today, features: SUMS.replace("tip_7d: sum('tip').over('7d'), ", ''), more: then });
    const ahead = new Date(Date.now() + 1_800_000).toISOString();
    expect(await push([{ driver: 'ada', amount: 3, known_at: ahead, at: hoursAgo(1) }])).toMatchObject({ status: 200 });
    const cost = rides === 0 ? null : 3;
    await expectFeatures('ada', { work__rides_7d: rides, work__n_7d: rides, work__cost_7d: cost });
  });

  it('and a push that is sent again after the columns changed is the same push', async () => {
    await begin();
    const rows = [{ driver: 'ada', amount: 10, tip: 1, at: hoursAgo(3), note: 'late' }];
    const key = { 'idempotency-key': 'ride-1' };
    expect(await push(rows, key)).toMatchObject({ status: 200, duplicate: false });
    await change({ columns: 'note: t.string(), ', features: '' });
    expect(await push(rows, key)).toMatchObject({ status: 200, duplicate: true });
    expect(await push([{ ...rows[0], amount: 11 }], key)).toMatchObject({ status: 422, code: 'HR_IDEMPOTENCY' });
    // Though its rows are none that would be taken now.
    await change({ columns: 'note: t.int64(), ', features: '', derive: "() => { throw new Error('never') }" });
    expect(await push(rows, key)).toMatchObject({ status: 200, duplicate: true });
    await change({ columns: 'note: t.string(), ', features: '', derive: "() => { throw new Error('never') }" });
    expect(await push(rows, key)).toMatchObject({ status: 200, duplicate: true });
    expect(await push(rows)).toMatchObject({ status: 422, code: 'HR_TRANSFORM_FAILED' });
    await expectFeatures('ada', { work__rides_7d: 1, work__tip_7d: 1, work__cost_7d: 10 });
  });
});
