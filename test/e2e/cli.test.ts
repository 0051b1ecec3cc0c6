// The command line as a user meets it, in real projects: words and exit codes, and what its first commands print.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openApp, readEnvironment } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import { flightsManifest } from '../support/manifests.ts';
import { makeOldRegistry } from '../support/old-registry.ts';
import { constantModel, linearModel } from '../support/onnx-model.ts';
import { writeRows } from '../support/predict-project.ts';
import { hasRedis } from '../support/redis-server.ts';
import { createProject, MAIN, REPOSITORY } from '../support/serving-project.ts';
import { sharedRedis } from '../support/shared-servers.ts';
import { ownProject, testProject, type Words } from '../support/test-project.ts';
import { typeCommand, type TypeOptions } from '../support/typed-command.ts';

const project = testProject();
/** In this process. */
const typed = (words: Words, options: TypeOptions = {}, { directory }: { directory: string } = project) =>
  typeCommand(directory, typeof words === 'string' ? words.split(' ') : words, options);
const read = (rows: string, more: readonly string[] = []) =>
  project.run(['features', 'get', '--service', 'shop_features', '--rows', rows, '--json', ...more]);
const said = (text: string) => expect.stringContaining(text);

describe('words and exit codes', () => {
  it('ends without a word where nobody reads what it says, as in `| head`', async () => {
    const child = spawn(process.execPath, [MAIN, '--help'], { cwd: project.directory });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [code] = (await once(child, 'close')) as [number | null];
    expect({ code, stderr }).toEqual({ code: 141, stderr: '' });
  });

  it.each<[Words, number, RegExp]>([
    ['materialise', 2, /HR_USAGE.*materialize/s],
    ['frobnicate', 2, /The commands are init, plan, apply, dev, /],
    ['help frobnicate', 2, /unknown command 'frobnicate'\. The commands are init, plan, /],
    ['keys nix', 2, /^HR_USAGE: unknown command 'nix'\. The commands of keys are create, list, rotate, revoke\.\n$/],
    ['endpoints show zzzzzzzz', 1, /The endpoints: checkout\./],
    ['run zzzzzzzz', 1, /There are no pipelines\./],
    ['features get --service shop_featurs --rows []', 1, /Did you mean "shop_features"\?/],
    // Wrong usage is one sentence.
    ['features get --service s', 2, /^HR_USAGE: .+\.\n$/s],
    ['push purchases', 2, /^HR_USAGE: .+\.\n$/s],
    ['endpoints traffic checkout stable', 2, /^HR_USAGE: .+\.\n$/s],
    ['materialize', 2, /^HR_USAGE: .+\.\n$/s],
    ['materialize --incremental --from 2026-01-01', 2, /^HR_USAGE: .+\.\n$/s],
    ['serve --port x', 2, /^HR_USAGE: .+\.\n$/s],
    ['features get --service shop_features --rows {}', 2, /^HR_USAGE: .+\.\n$/s],
    ['features get --service shop_features --rows [] --at noon', 2, /^HR_USAGE: .+\.\n$/s],
    ...['0', '1001', 'all'].map((limit): [Words, number, RegExp] => [
      `audit --limit ${limit}`,
      2,
      new RegExp(`^HR_USAGE: --limit takes a whole number of rows from 1 to 1000, got "${limit}"\\.\n$`),
    ]),
    ['push purchases nowhere.jsonl', 1, /there is no file \/.*\/nowhere\.jsonl\./],
    ['push purchases nowhere.parquet', 1, /there is no file \/.*\/nowhere\.parquet\./],
    ['models register returns nowhere.onnx', 1, /there is no file \/.*\/nowhere\.onnx\./],
  ])('%s ends with %d and says why', async (words, code, why) => {
    expect(await typed(words)).toMatchObject({ code, stderr: expect.stringMatching(why) });
  });

  it('gives the error as one document with --json, and on stderr where the work fails', async () => {
    const mistyped = await typed('plan --confg x --json');
    expect(mistyped.code).toBe(2);
    expect(JSON.parse(mistyped.stdout)).toMatchObject({ error: { code: 'HR_USAGE', message: said('--config') } });
    const failed = project.run('models show retuns --json');
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/^HR_UNKNOWN_MODEL: /m) });
    expect(JSON.parse(failed.stdout)).toMatchObject({ error: { code: 'HR_UNKNOWN_MODEL' } });
  });

  it('shows examples in the help of commands and groups, which may be asked for as a word', async () => {
    for (const words of ['plan', 'training-set create', 'serve', 'models register', 'run', 'runs list'])
      expect(await typed(`${words} --help`)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^Examples?:\n {2}headrace /m),
      });
    const { stdout } = await typed('keys --help');
    expect(stdout).toMatch(/^Examples:\n {2}headrace keys create .*\n {2}headrace keys list\n/m);
    for (const group of ['models', 'endpoints', 'runs', 'training-set', 'features', 'logs', 'log'])
      expect((await typed(`${group} --help`)).stdout).toMatch(new RegExp(`^Examples?:\\n  headrace ${group} `, 'm'));
    for (const words of [[], ['keys'], ['keys', 'create']])
      expect(await typed(['help', ...words])).toEqual(await typed([...words, '--help']));
    expect((await typed('help')).code).toBe(0);
  });

  it('says what to do where there is nothing yet', async () => {
    expect((await typed('training-set list')).stdout).toContain('`headrace training-set create --help`');
    expect((await typed('runs list')).stdout).toContain('`headrace run PIPELINE`');
    expect((await typed('audit --object checkout')).stdout).toContain('such as endpoint/delay');
    expect(JSON.parse((await typed('gc --dry-run --json')).stdout)).toMatchObject({ items: [], failures: [] });
    expect((await typed('gc')).stdout).toBe('Nothing was to go.\n');
  });

  it('prints its version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await typed('--version')).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
    expect(JSON.parse((await typed('--version --json')).stdout)).toEqual({ version });
  });

  it('prints each mistake once', async () => {
    const { stderr } = await typed('features get --service shop_features --rows [{"custmer":"ada"}]');
    expect(stderr.match(/no such column/g)).toHaveLength(1);
    const broken = ownProject({
      'feature_repo/a.ts': 'throw new Error("alpha");',
      'feature_repo/b.ts': 'throw new Error("beta");',
    });
    const planned = broken.run('plan');
    expect(planned.stderr).toMatch(/^HR_DEFINITION: /m);
    for (const word of ['alpha', 'beta']) expect(planned.stderr.split(word)).toHaveLength(2);
  });

  it('says that a feature repository is empty, and where there is no project', () => {
    const empty = ownProject({ 'feature_repo/.keep': '' });
    const says = said(`No definitions were found in ${empty.file('feature_repo')}.`);
    expect(empty.run('plan')).toMatchObject({ code: 0, stderr: says });
    expect(empty.run('apply')).toMatchObject({ stderr: says });
    expect(empty.run('doctor').stdout).toContain('no definitions were found in');
    expect(ownProject(createProject({})).run('plan')).toMatchObject({ code: 1, stderr: said('HR_CONFIG') });
  });
});

it('a change of definitions is planned with 0, 2 or 3 by what it does, refused where it breaks, and taken with --yes', async () => {
  const changed = ownProject();
  const write = (from: string, to: string) => changed.write('feature_repo/shop.ts', REPOSITORY.replace(from, to));
  const run = (words: string, variables = {}) => typed(words, { variables }, changed);
  expect((await run('plan', { HEADRACE_ONLINE_URL: 'redis://127.0.0.1:1' })).code).toBe(0);
  const nothing = expect.stringMatching(/^Nothing to change; revision 1 /);
  expect(await run('plan')).toMatchObject({ code: 0, stdout: nothing });
  write(`latest('points')`, `latest('points').describe('of the newest purchase')`);
  expect((await run('plan')).code).toBe(2);
  write(`mean('amount').over('7d')`, `mean('amount').over('14d')`);
  const breaks = expect.stringMatching(/BREAKS +history__mean_7d, basket__ratio change meaning\n/);
  expect(await run('plan')).toMatchObject({ code: 3, stdout: breaks });
  expect((await run('plan --markdown')).stdout).toMatch(/^## ⚠ Feature plan: 1 change, 1 breaking\n/);
  const why = /^HR_BREAKING_CHANGE: 1 change breaks what is in use\. `apply --yes` goes ahead\.\n$/m;
  expect(await run('apply')).toMatchObject({ code: 1, stderr: expect.stringMatching(why) });
  expect(JSON.parse((await run('apply --yes --json')).stdout)).toMatchObject({ revision: 2 });
});

it('a project in which nothing has been done yet is found healthy', async () => {
  const fresh = ownProject({ 'feature_repo/shop.ts': REPOSITORY });
  const { code, stdout } = await typed('doctor', {}, fresh);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^warn +registry: answers, but nothing is applied yet$/m)]);
  expect(stdout).toMatch(/^ok +online store: /m);
});

it('a registry of an earlier version is refused with what it lacks and left as it is, until apply migrates it', async () => {
  const old = ownProject({ 'feature_repo/shop.ts': REPOSITORY });
  const run = (words: string) => typed(words, { variables: { HEADRACE_PROJECT: flightsManifest.project } }, old);
  mkdirSync(old.file('.headrace'));
  await makeOldRegistry(`sqlite:${old.file('.headrace/registry.db')}`);
  const lacks = /^HR_REGISTRY_OUTDATED: .*registry: 0002-view-versions, 0003.*`headrace apply` does\.$/m;
  for (const words of ['plan', 'history', 'models list', 'views', 'audit', 'rollback 1 --dry-run'])
    expect(await run(words), words).toMatchObject({ code: 1, stderr: expect.stringMatching(lacks) });
  expect((await run('doctor')).stdout).toMatch(/registry.*\n?.*headrace apply/);
  expect((await run('apply')).stderr).toMatch(/^HR_BREAKING_CHANGE: /m);
  expect((await run('apply --yes')).code).toBe(0);
  expect((await run('plan')).code).toBe(0);
  const { revisions } = JSON.parse((await run('history --json')).stdout) as { revisions: { revision: number }[] };
  expect(revisions.map(({ revision }) => revision)).toEqual([3, 2, 1]);
});

it('what only reads makes no registry, and what joins one needs one that is there', async () => {
  const none = ownProject({ 'feature_repo/shop.ts': REPOSITORY });
  for (const words of ['history', 'runs list', 'views', 'audit', 'training-set list'])
    expect((await typed(words, {}, none)).code, words).toBe(0);
  const why = expect.stringMatching(/^HR_CONFIG: there is no registry at .*`headrace apply` makes one/m);
  for (const words of ['cancel ID', 'resume ID', 'rerun ID --from fit'])
    expect(await typed(`runs ${words.replace('ID', '20261125-031500-9f3a61')}`, {}, none), words).toMatchObject({
      code: 1,
      stderr: why,
    });
  expect(existsSync(none.file('.headrace/registry.db'))).toBe(false);
});

describe('features get', () => {
  it('gives values, statuses and times by full name, in the order asked, every digit kept', () => {
    const { code, stdout } = read('[{"customer":"bob","amount":60},{"customer":"ada","amount":30}]');
    expect(code).toBe(0);
    expect(stdout).toContain('9223372036854775807');
    const { rows } = JSON.parse(stdout) as { rows: { features: object }[] };
    expect(rows).toMatchObject([
      { features: { history__mean_7d: 30 } },
      {
        features: { history__mean_7d: 15, history__purchases_1d: 2, history__big_7d: 1, basket__ratio: 2 },
        event_times: { history: expect.stringMatching(/Z$/) },
      },
    ]);
    expect(rows[1]).toHaveProperty('statuses', {});
    const names = ['last_points', 'purchases_1d', 'mean_7d', 'big_7d'].map((name) => `history__${name}`);
    expect(Object.keys(rows[0]?.features ?? {})).toEqual([...names, 'basket__ratio']);
  });

  it('reads as at a time, and answers an unknown key', () => {
    const later = new Date(Date.now() + 60 * 86_400_000).toISOString();
    const [old, unknown] = ['OUTSIDE_MAX_AGE', 'NOT_FOUND'].map((status) => ({ history__last_points: status }));
    const features = { history__last_points: null, history__purchases_1d: 0 };
    expect(JSON.parse(read('[{"customer":"ada"},{"customer":"eve"}]', ['--at', later]).stdout)).toMatchObject({
      rows: [{ features, statuses: old }, { statuses: unknown }],
    });
  });

  it('names row and column of each wrong value', () => {
    const { code, stderr } = read('[{"customer":"eve"},{"customer":7},{}]');
    expect(code).toBe(1);
    expect(stderr).toContain('rows[1].customer: expected string, got number 7');
    expect(stderr).toContain('rows[2].customer: expected string, got nothing');
  });
});

describe('models and endpoints', () => {
  it('gave the first version all the traffic, and splits it on demand', () => {
    const [stable, candidate] = ['stable', 'candidate'].map((name, at) => ({ name, version: at + 1 }));
    expect(project.json('endpoints show checkout')).toMatchObject({ variants: [{ ...stable, weight: 100 }] });
    expect(project.json('endpoints traffic checkout stable=1:90 candidate=2:10')).toMatchObject({
      variants: [
        { ...stable, weight: 90 },
        { ...candidate, weight: 10 },
      ],
    });
    expect(project.run('endpoints traffic checkout stable=champion:80.5 candidate=latest:19.5')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^checkout: stable=1:80\.5 candidate=2:19\.5\nchampion is version 1, latest is version 2\nNo server is live, /,
      ),
    });
    for (const [words, why] of [
      ['endpoints traffic checkout stable=chompion:100', /^HR_UNKNOWN_MODEL: .*Did you mean "champion"\?/m],
      ['endpoints traffic checkout stable=1:50 --json', /100/],
      ['models alias returns champion one', /It has versions 1 to 2; aliases champion, latest\./],
    ] as const)
      expect(project.run(words)).toMatchObject({ code: 1, stderr: expect.stringMatching(why) });
    const versions = [{ version: 1, aliases: ['champion'] }, { version: 2 }];
    expect(project.json('models show returns')).toMatchObject({ versions });
    expect(project.run('models show returns').stdout).toMatch(
      /^VERSION .*TRAINING SET +RUN +SIGNATURE +METRICS[^]*\n1 +champion .* x float32\[N,4\] → probability float32\[N,1\] /,
    );
    const moved = { version: 2, aliases: ['champion'] };
    expect(project.json('models alias returns champion latest')).toMatchObject(moved);
  });

  it('refuses a truncated file and keeps nothing of it', () => {
    const whole = readFileSync(project.file('quarter.onnx'));
    project.write('cut.onnx', whole.subarray(0, whole.length >> 1));
    project.write('junk.onnx', new Uint8Array(40).fill(8));
    for (const file of ['cut.onnx', 'junk.onnx']) {
      const { code, stderr } = project.run(`models register returns ${file}`);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^HR_MODEL_(UNREADABLE|SIGNATURE): /m);
      expect(stderr).not.toMatch(/\n\s+at /);
    }
    expect(project.json('models list')).toMatchObject({ models: [{ name: 'returns', versions: 2 }] });
  });

  it('registers a model that answers NaN to a row of zeros, and says so', () => {
    project.write('nothing.onnx', constantModel(4, NaN));
    const { code, stderr, stdout } = project.run('models register returns nothing.onnx --json');
    const warning =
      'returns version 3 answers NaN as "probability" to a row of zeros. It is registered; try it on rows that it is made for before it gets traffic.';
    const alike =
      'no row that returns version 3 was tried on shows whether its rows depend on each other, so each request runs alone. Name its training set by --training-set: its rows are tried, too. Where no row’s answer depends on the rows beside it, say so: batch: true in the definition, or --batch true.';
    expect({ code, stderr }).toEqual({ code: 0, stderr: said(`warning: ${warning}\nwarning: ${alike}\n`) });
    expect(JSON.parse(stdout)).toMatchObject({ version: 3, warnings: [warning, alike] });
    project.write('sum.onnx', linearModel(4));
    expect(project.json('models register returns sum.onnx')).toMatchObject({ warnings: [], rows: 'independent' });
  });
});

it('endpoints traffic says on stderr which server it waits for, once that takes long', {
  timeout: 30_000,
}, async () => {
  const environment = { ...readEnvironment({}), workingDirectory: project.directory };
  const app = await openApp({ environment, logger: silentLogger });
  onTestFinished(() => app.close());
  const { endpoints, servers } = await app.registry();
  const slow = { machine: 'slow', pid: 7, startedMicros: 0, revision: 1, failure: null, reads: [], folds: [] };
  await servers.report('slow', { ...slow, prepared: {} });
  let [stderr, isDone] = ['', false];
  const asked = typed('endpoints traffic checkout stable=2:100 --json', { hear: (text) => (stderr += text) });
  void asked.finally(() => (isDone = true));
  await expect.poll(() => stderr, { timeout: 10_000 }).toBe('waiting for slow 7 to load it, 20 s in all at most …\n');
  expect(isDone).toBe(false);
  const revision = (await endpoints.get('checkout')).change?.revision ?? 0;
  await servers.report('slow', { ...slow, prepared: { checkout: { revision, failure: 'no memory' } } });
  expect(JSON.parse((await asked).stdout)).toMatchObject({ error: { code: 'HR_NOT_PREPARED' } });
  const { stdout } = await typed('audit --limit 1');
  expect(stdout).toMatch(/ endpoint\.traffic\.failed .* HR_NOT_PREPARED: slow 7: no memory$/m);
  await servers.leave('slow');
});

it('audit lists what changed and what was refused, newest first, with what was before and after', () => {
  project.run(['endpoints', 'traffic', 'checkout', 'stable=1:100', '--reason', 'version 2\nwas slower']);
  project.run(['endpoints', 'traffic', 'checkout', 'stable=9:100', '--reason', 'try 9']);
  const words = 'audit --object endpoint/checkout --limit 2';
  const [head, refused, changed, more] = project.run(words).stdout.split('\n');
  expect(head).toMatch(/^TIME +ACTOR +ACTION +OBJECT +REASON +REFUSED$/);
  expect(refused).toMatch(/^\S+Z +\S+ +endpoint\.traffic +endpoint\/checkout +try 9 +HR_UNKNOWN_MODEL: .*9/);
  expect(changed).toMatch(/^\S+Z +\S+ +endpoint\.traffic +endpoint\/checkout +version 2\\u\{a\}was slower$/);
  expect(more).toBe('There are more rows than these 2; --limit takes another number.');
  const split = [
    { version: 1, weight: 80.5 },
    { version: 2, weight: 19.5 },
  ];
  const { changes, is_cut } = project.json<{ changes: unknown[]; is_cut: boolean }>(words);
  expect(is_cut).toBe(true);
  expect(changes).toMatchObject([
    { action: 'endpoint.traffic', reason: 'try 9', after: { refused: 'HR_UNKNOWN_MODEL', asked: {} } },
    {
      object: 'endpoint/checkout',
      before: { variants: split },
      after: { variants: [{ name: 'stable', version: 1, weight: 100 }] },
      reason: 'version 2\nwas slower',
    },
  ]);
  expect(project.json('audit')).toMatchObject({ limit: 20 });
});

describe('push', () => {
  /** As LMDB keeps it. */
  const ON_DISK = { disk: true, replicas: 0 };

  it.each(['TIMESTAMP', 'TIMESTAMPTZ'])(
    'takes Parquet, in the file’s order, every digit and a %s kept',
    async (type) => {
      const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
      const at = `CAST(TIMESTAMPTZ '${hourAgo}' AT TIME ZONE 'UTC' AS TIMESTAMP)${type === 'TIMESTAMP' ? '' : ` AT TIME ZONE 'UTC'`}`;
      await writeRows(
        project.file(`${type}.parquet`),
        `SELECT '${type}' AS customer, CAST('NaN' AS DOUBLE) AS amount, 9007199254740993 AS points, ${at} AS bought_at,
        1 AS not_declared UNION ALL SELECT '${type}', 3, 9223372036854775807, ${at}, 2`,
      );
      const views = [{ view: 'history', written: 1, covered: 0, ignored: 0 }];
      const told = { accepted: 2, duplicate: false, quarantined: 0, warnings: [], views, durable: ON_DISK };
      expect(project.json(`push purchases ${type}.parquet`)).toEqual(told);
      const { stdout } = read(`[{"customer":"${type}"}]`);
      expect(stdout).toContain('"history__last_points":9223372036854775807');
      const features = { history__purchases_1d: 2, history__mean_7d: 'NaN' };
      expect(JSON.parse(stdout)).toMatchObject({
        rows: [{ features, event_times: { history: said(hourAgo.slice(0, 19)) } }],
      });
    },
  );

  it.skipIf(!hasRedis())('says what all of it survives: the least of its batches', async () => {
    const redis = { HEADRACE_ONLINE_URL: (await sharedRedis()).newUrl() };
    const line = (i: number) => `{"customer":"c${i % 10}","amount":1,"bought_at":"${new Date().toISOString()}"}\n`;
    project.write('many.jsonl', Array.from({ length: 5001 }, (_, i) => line(i)).join(''));
    project.write('none.jsonl', '');
    const push = 'push purchases many.jsonl';
    // Without a key the log's disk is all that counts.
    expect(project.json(push, redis)).toMatchObject({ accepted: 5001, durable: ON_DISK });
    const keyed = `${push} --idempotency-key k`;
    expect(project.json(keyed, redis)).toMatchObject({ accepted: 5001, durable: { disk: false, replicas: 0 } });
    expect(project.run(keyed, redis).stdout).toContain('\n  durable: in memory alone, at no replica\n');
    expect(project.run(push).stdout).toContain('\n  durable: on disk, at no replica\n');
    expect(project.json('push purchases none.jsonl', redis)).toMatchObject({ accepted: 0, durable: null });
  });

  it('refuses the whole file for one wrong line, naming it, and one without its columns', async () => {
    const line = (amount: string) => `{"customer":"ada","amount":${amount},"bought_at":"2026-01-01T00:00:00Z"}\n`;
    project.write('bad.jsonl', line('1') + line('"1"'));
    project.write('torn.jsonl', '{"customer":"ada"');
    await writeRows(project.file('other.parquet'), 'SELECT 1 AS other');
    for (const [file, why] of [
      ['bad.jsonl', 'rows[1].amount'],
      ['torn.jsonl', 'line 1'],
      ['other.parquet', 'HR_SOURCE_UNREADABLE'],
    ])
      expect(project.run(`push purchases ${file}`)).toMatchObject({ code: 1, stderr: said(why ?? '') });
  });
});
