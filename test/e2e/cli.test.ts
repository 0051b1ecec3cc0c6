// The command line as a user meets it: real processes in real projects.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApp, readEnvironment } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import { flightsManifest } from '../support/manifests.ts';
import { makeOldRegistry } from '../support/old-registry.ts';
import { constantModel } from '../support/onnx-model.ts';
import {
  CONFIG,
  createProject,
  createServingProject,
  headrace,
  headraceJson,
  MAIN,
  type Project,
  REPOSITORY,
} from '../support/serving-project.ts';
import { typeCommand, type TypedOutput } from '../support/typed-command.ts';

let project: Project;
beforeAll(() => {
  project = createServingProject();
});
afterAll(() => project.remove());

const read = (rows: string, more: readonly string[] = []) =>
  headrace(project, ['features', 'get', '--service', 'shop_features', '--rows', rows, '--json', ...more]);

const typed = (args: readonly string[], hear?: (stderr: string) => void): Promise<TypedOutput> =>
  typeCommand(project.directory, args, hear === undefined ? {} : { hear });

describe('words and exit codes', () => {
  it('ends without a word where nobody reads what it says, as in `| head`', async () => {
    const child = spawn(process.execPath, [MAIN, '--help'], {
      cwd: project.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [code] = (await once(child, 'close')) as [number | null];
    expect({ code, stderr }).toEqual({ code: 141, stderr: '' });
  });

  it('suggests the command that was meant, exit code 2', () => {
    const { code, stderr } = headrace(project, ['materialise']);
    expect(code).toBe(2);
    expect(stderr).toContain('HR_USAGE');
    expect(stderr).toContain('materialize');
  });

  it('suggests the option that was meant, and gives the error as one document with --json', () => {
    const { code, stdout } = headrace(project, ['plan', '--confg', 'x', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'HR_USAGE', message: expect.stringContaining('--config') },
    });
  });

  it('fails with 1 and the error’s code when the work fails', () => {
    const { code, stdout, stderr } = headrace(project, ['models', 'show', 'retuns', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'HR_UNKNOWN_MODEL' } });
    expect(stderr).toMatch(/^HR_UNKNOWN_MODEL: /m);
  });

  it.each([
    [['features', 'get', '--service', 's']],
    [['push', 'purchases']],
    [['endpoints', 'traffic', 'checkout', 'stable']],
    [['materialize']],
    [['materialize', '--incremental', '--from', '2026-01-01']],
    [['serve', '--port', 'x']],
    [['features', 'get', '--service', 'shop_features', '--rows', '{}']],
    [['features', 'get', '--service', 'shop_features', '--rows', '[]', '--at', 'noon']],
  ])('refuses wrong usage with 2: %j', async (args) => {
    const { code, stderr } = await typed(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^HR_USAGE: .+\.\n$/s);
  });

  it('shows an example in every command’s help', async () => {
    for (const args of [
      ['plan'],
      ['training-set', 'create'],
      ['serve'],
      ['models', 'register'],
      ['run'],
      ['runs', 'list'],
    ]) {
      const { code, stdout } = await typed([...args, '--help']);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^Examples?:\n {2}headrace /m);
    }
  });

  it('shows what each command of a group is called with in the group’s help', async () => {
    const { stdout } = await typed(['keys', '--help']);
    expect(stdout).toMatch(/^Examples:\n {2}headrace keys create .*\n {2}headrace keys list\n/m);
    for (const group of ['models', 'endpoints', 'runs', 'training-set', 'features', 'logs', 'log'])
      expect((await typed([group, '--help'])).stdout).toMatch(new RegExp(`^Examples?:\\n  headrace ${group} `, 'm'));
  });

  it('takes help as a word, alone and before a command', async () => {
    for (const words of [[], ['keys'], ['keys', 'create']])
      expect(await typed(['help', ...words])).toEqual(await typed([...words, '--help']));
    expect((await typed(['help'])).code).toBe(0);
    expect(await typed(['help', 'frobnicate'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("unknown command 'frobnicate'. The commands are init, plan, "),
    });
  });

  it('names the commands of a group where none is near', async () => {
    expect(await typed(['keys', 'nix'])).toMatchObject({
      code: 2,
      stderr: "HR_USAGE: unknown command 'nix'. The commands of keys are create, list, rotate, revoke.\n",
    });
  });

  it('says what to do where there is nothing yet, and which file is missing', async () => {
    expect((await typed(['training-set', 'list'])).stdout).toContain('`headrace training-set create --help`');
    expect((await typed(['runs', 'list'])).stdout).toContain('`headrace run PIPELINE`');
    for (const args of [
      ['push', 'purchases', 'nowhere.jsonl'],
      ['push', 'purchases', 'nowhere.parquet'],
      ['models', 'register', 'returns', 'nowhere.onnx'],
    ]) {
      const { code, stderr } = await typed(args);
      expect(code).toBe(1);
      expect(stderr).toContain(`there is no file ${project.file(args.at(-1) ?? '')}.`);
    }
  });

  it('names the commands where none is near, and prints its version', async () => {
    expect((await typed(['frobnicate'])).stderr).toContain('The commands are init, plan, apply, dev, ');
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await typed(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
    expect(JSON.parse((await typed(['--version', '--json'])).stdout)).toEqual({ version });
  });

  it('names the endpoints and services that exist where none is near', async () => {
    expect((await typed(['endpoints', 'show', 'zzzzzzzz'])).stderr).toContain('The endpoints: checkout.');
    expect((await typed(['run', 'zzzzzzzz'])).stderr).toContain('There are no pipelines.');
  });

  it('prints each mistake once', async () => {
    const { stderr } = await typed(['features', 'get', '--service', 'shop_features', '--rows', '[{"custmer":"ada"}]']);
    expect(stderr.match(/no such column/g)).toHaveLength(1);
    const broken = createProject({
      'headrace.config.ts': readFileSync(project.file('headrace.config.ts'), 'utf8'),
      'feature_repo/a.ts': 'throw new Error("alpha");',
      'feature_repo/b.ts': 'throw new Error("beta");',
    });
    try {
      const output = headrace(broken, ['plan']);
      expect(output.stderr).toMatch(/^HR_DEFINITION: /m);
      for (const word of ['alpha', 'beta']) expect(output.stderr.split(word)).toHaveLength(2);
    } finally {
      broken.remove();
    }
  });

  it('says that a feature repository is empty', () => {
    const empty = createProject({
      'headrace.config.ts': readFileSync(project.file('headrace.config.ts'), 'utf8'),
      'feature_repo/.keep': '',
    });
    try {
      const says = `No definitions were found in ${empty.file('feature_repo')}.`;
      expect(headrace(empty, ['plan'])).toMatchObject({ code: 0, stderr: expect.stringContaining(says) });
      expect(headrace(empty, ['apply'])).toMatchObject({ stderr: expect.stringContaining(says) });
      expect(headrace(empty, ['doctor']).stdout).toContain('no definitions were found in');
    } finally {
      empty.remove();
    }
  });

  it('says so where there is no project', () => {
    const empty = createProject({});
    try {
      expect(headrace(empty, ['plan'])).toMatchObject({ code: 1, stderr: expect.stringContaining('HR_CONFIG') });
    } finally {
      empty.remove();
    }
  });
});

describe('a change of definitions', () => {
  it('is planned with 0, 2 or 3 by what it does, refused by apply where it breaks, and taken with --yes', async () => {
    const changed = createServingProject();
    const write = (from: string, to: string) => changed.write('feature_repo/shop.ts', REPOSITORY.replace(from, to));
    const run = (...args: readonly string[]) => typeCommand(changed.directory, args);
    try {
      const away = { HEADRACE_ONLINE_URL: 'redis://127.0.0.1:1' };
      expect((await typeCommand(changed.directory, ['plan'], { variables: away })).code).toBe(0);
      expect(await run('plan')).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^Nothing to change; revision 1 /),
      });
      write(`latest('points')`, `latest('points').describe('of the newest purchase')`);
      expect((await run('plan')).code).toBe(2);
      write(`mean('amount').over('7d')`, `mean('amount').over('14d')`);
      const { code, stdout } = await run('plan');
      expect(code).toBe(3);
      expect(stdout).toMatch(/BREAKS +history__mean_7d, basket__ratio change meaning\n/);
      expect((await run('plan', '--markdown')).stdout).toMatch(/^## ⚠ Feature plan: 1 change, 1 breaking\n/);
      const refused = await run('apply');
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(
        /^HR_BREAKING_CHANGE: 1 change breaks what is in use\. `apply --yes` goes ahead\.\n$/m,
      );
      expect(JSON.parse((await run('apply', '--yes', '--json')).stdout)).toMatchObject({ revision: 2 });
    } finally {
      changed.remove();
    }
  });
});

it('a registry of an earlier version is refused with what it lacks and left as it is, until apply migrates it', async () => {
  const old = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/shop.ts': REPOSITORY });
  const run = (...args: readonly string[]) =>
    typeCommand(old.directory, args, { variables: { HEADRACE_PROJECT: flightsManifest.project } });
  try {
    mkdirSync(old.file('.headrace'));
    await makeOldRegistry(`sqlite:${old.file('.headrace/registry.db')}`);
    for (const words of ['plan', 'history', 'models list', 'views', 'audit', 'rollback 1 --dry-run']) {
      const { code, stderr } = await run(...words.split(' '));
      expect([words, code]).toEqual([words, 1]);
      expect(stderr).toMatch(/^HR_REGISTRY_OUTDATED: .*registry: 0002-view-versions, 0003.*`headrace apply` does\.$/m);
    }
    expect((await run('doctor')).stdout).toMatch(/registry.*\n?.*headrace apply/);
    expect((await run('apply')).stderr).toMatch(/^HR_BREAKING_CHANGE: /m);
    expect((await run('apply', '--yes')).code).toBe(0);
    expect((await run('plan')).code).toBe(0);
    expect(JSON.parse((await run('history', '--json')).stdout)).toMatchObject({
      revisions: [{ revision: 3 }, { revision: 2 }, { revision: 1 }],
    });
  } finally {
    old.remove();
  }
});

it('gc says so where nothing was to go', async () => {
  expect(JSON.parse((await typed(['gc', '--dry-run', '--json'])).stdout)).toMatchObject({ items: [], failures: [] });
  expect((await typed(['gc'])).stdout).toBe('Nothing was to go.\n');
});

it('what only reads makes no registry, and what joins one needs one that is there', async () => {
  const none = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/shop.ts': REPOSITORY });
  try {
    for (const words of [['history'], ['runs', 'list'], ['views'], ['audit'], ['training-set', 'list']])
      expect((await typeCommand(none.directory, words)).code, words.join(' ')).toBe(0);
    for (const words of [['cancel'], ['resume'], ['rerun', '--from', 'fit']].map(([word = '', ...more]) => [
      'runs',
      word,
      '20261125-031500-9f3a61',
      ...more,
    ])) {
      const { code, stderr } = await typeCommand(none.directory, words);
      expect([words, code]).toEqual([words, 1]);
      expect(stderr).toMatch(/^HR_CONFIG: there is no registry at .*`headrace apply` makes one/m);
    }
    expect(existsSync(none.file('.headrace/registry.db'))).toBe(false);
  } finally {
    none.remove();
  }
});

describe('features get', () => {
  it('gives values, statuses and times by full name, in the order asked, every digit kept', () => {
    const { code, stdout } = read('[{"customer":"bob","amount":60},{"customer":"ada","amount":30}]');
    expect(code).toBe(0);
    expect(stdout).toContain('9223372036854775807');
    const { rows } = JSON.parse(stdout) as { rows: Record<string, Record<string, unknown>>[] };
    expect(rows.map((row) => row['features']?.['history__mean_7d'])).toEqual([30, 15]);
    expect(rows[1]).toMatchObject({
      features: { history__purchases_1d: 2, history__big_7d: 1, basket__ratio: 2 },
      statuses: {},
      event_times: { history: expect.stringMatching(/Z$/) },
    });
    expect(Object.keys(rows[0]?.['features'] ?? {})).toEqual([
      'history__last_points',
      'history__purchases_1d',
      'history__mean_7d',
      'history__big_7d',
      'basket__ratio',
    ]);
  });

  it('reads as at a time, and answers an unknown key', () => {
    const later = new Date(Date.now() + 60 * 86_400_000).toISOString();
    expect(JSON.parse(read('[{"customer":"ada"},{"customer":"eve"}]', ['--at', later]).stdout)).toMatchObject({
      rows: [
        {
          features: { history__last_points: null, history__purchases_1d: 0 },
          statuses: { history__last_points: 'OUTSIDE_MAX_AGE' },
        },
        { statuses: { history__last_points: 'NOT_FOUND' } },
      ],
    });
  });

  it('names row and column of each wrong value, and the nearest service', () => {
    const refused = read('[{"customer":"eve"},{"customer":7},{}]');
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('rows[1].customer: expected string, got number 7'),
    });
    expect(refused.stderr).toContain('rows[2].customer: expected string, got nothing');
    const { stderr } = headrace(project, ['features', 'get', '--service', 'shop_featurs', '--rows', '[]']);
    expect(stderr).toContain('Did you mean "shop_features"?');
  });
});

describe('models and endpoints', () => {
  it('gave the first version all the traffic, and splits it on demand', () => {
    expect(headraceJson(project, ['endpoints', 'show', 'checkout'])).toMatchObject({
      variants: [{ name: 'stable', version: 1, weight: 100 }],
    });
    expect(headraceJson(project, ['endpoints', 'traffic', 'checkout', 'stable=1:90', 'candidate=2:10'])).toMatchObject({
      variants: [
        { name: 'stable', version: 1, weight: 90 },
        { name: 'candidate', version: 2, weight: 10 },
      ],
    });
    const named = headrace(project, [
      'endpoints',
      'traffic',
      'checkout',
      'stable=champion:80.5',
      'candidate=latest:19.5',
    ]);
    expect(named).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^checkout: stable=1:80\.5 candidate=2:19\.5\nchampion is version 1, latest is version 2\nNo server is live, /,
      ),
    });
    expect(headrace(project, ['endpoints', 'traffic', 'checkout', 'stable=chompion:100'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^HR_UNKNOWN_MODEL: .*Did you mean "champion"\?/m),
    });
    expect(headrace(project, ['endpoints', 'traffic', 'checkout', 'stable=1:50', '--json'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('100'),
    });
    expect(headraceJson(project, ['models', 'show', 'returns'])).toMatchObject({
      versions: [{ version: 1, aliases: ['champion'] }, { version: 2 }],
    });
    expect(headrace(project, ['models', 'show', 'returns']).stdout).toMatch(
      /^VERSION .*TRAINING SET +RUN +SIGNATURE +METRICS[^]*\n1 +champion .* x float32\[N,4\] → probability float32\[N,1\] /,
    );
    expect(headrace(project, ['models', 'alias', 'returns', 'champion', 'one'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('It has versions 1 to 2; aliases champion, latest.'),
    });
    expect(headraceJson(project, ['models', 'alias', 'returns', 'champion', 'latest'])).toMatchObject({
      version: 2,
      aliases: ['champion'],
    });
  });

  it('refuses a truncated file and keeps nothing of it', () => {
    const whole = readFileSync(project.file('quarter.onnx'));
    project.write('cut.onnx', whole.subarray(0, whole.length >> 1));
    project.write('junk.onnx', new Uint8Array(40).fill(8));
    for (const file of ['cut.onnx', 'junk.onnx']) {
      const { code, stderr } = headrace(project, ['models', 'register', 'returns', file]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^HR_MODEL_(UNREADABLE|SIGNATURE): /m);
      expect(stderr).not.toMatch(/\n\s+at /);
    }
    expect(headraceJson(project, ['models', 'list'])).toMatchObject({ models: [{ name: 'returns', versions: 2 }] });
  });

  it('registers a model that answers NaN to a row of zeros, and says so', () => {
    project.write('nothing.onnx', constantModel(4, NaN));
    const { code, stderr, stdout } = headrace(project, ['models', 'register', 'returns', 'nothing.onnx', '--json']);
    const warning =
      'returns version 3 answers NaN as "probability" to a row of zeros. It is registered; try it on rows that it is made for before it gets traffic.';
    expect(code).toBe(0);
    expect(stderr).toContain(`warning: ${warning}\n`);
    expect(JSON.parse(stdout)).toMatchObject({ version: 3, warnings: [warning] });
    expect(headraceJson(project, ['models', 'register', 'returns', 'quarter.onnx'])).toMatchObject({ warnings: [] });
  });
});

it('endpoints traffic says on stderr which server it waits for, once that takes long', async () => {
  const environment = { ...readEnvironment({}), workingDirectory: project.directory };
  const app = await openApp({ environment, logger: silentLogger });
  try {
    const { endpoints, servers } = await app.registry();
    const tell = (failure?: string, revision = 0) =>
      servers.report('slow', {
        machine: 'slow',
        pid: 7,
        startedMicros: 0,
        revision: 1,
        failure: null,
        reads: [],
        folds: [],
        prepared: failure === undefined ? {} : { checkout: { revision, failure } },
      });
    await tell();
    let [stderr, isDone] = ['', false];
    const asked = typed(['endpoints', 'traffic', 'checkout', 'stable=2:100', '--json'], (text) => (stderr += text));
    void asked.finally(() => (isDone = true));
    await expect.poll(() => stderr, { timeout: 10_000 }).toBe('waiting for slow 7 to load it, 20 s in all at most …\n');
    expect(isDone).toBe(false);
    await tell('no memory', (await endpoints.get('checkout')).change?.revision);
    expect(JSON.parse((await asked).stdout)).toMatchObject({ error: { code: 'HR_NOT_PREPARED' } });
    const { stdout } = await typed(['audit', '--limit', '1']);
    expect(stdout).toMatch(/ endpoint\.traffic\.failed .* HR_NOT_PREPARED: slow 7: no memory$/m);
    await servers.leave('slow');
  } finally {
    await app.close();
  }
}, 30_000);

describe('audit', () => {
  it('lists what changed and what was refused, newest first, and says when there is more', () => {
    headrace(project, ['endpoints', 'traffic', 'checkout', 'stable=1:100', '--reason', 'version 2\nwas slower']);
    headrace(project, ['endpoints', 'traffic', 'checkout', 'stable=9:100', '--reason', 'try 9']);
    const { stdout } = headrace(project, ['audit', '--object', 'endpoint/checkout', '--limit', '2']);
    const [head, refused, changed, more] = stdout.split('\n');
    expect(head).toMatch(/^TIME +ACTOR +ACTION +OBJECT +REASON +REFUSED$/);
    expect(refused).toMatch(/^\S+Z +\S+ +endpoint\.traffic +endpoint\/checkout +try 9 +HR_UNKNOWN_MODEL: .*9/);
    expect(changed).toMatch(/^\S+Z +\S+ +endpoint\.traffic +endpoint\/checkout +version 2\\u\{a\}was slower$/);
    expect(more).toBe('There are more rows than these 2; --limit takes another number.');
  });

  it('has what was before and after, as it was, with --json', () => {
    const { changes, is_cut } = headraceJson(project, ['audit', '--object', 'endpoint/checkout', '--limit', '2']) as {
      changes: unknown[];
      is_cut: boolean;
    };
    expect(is_cut).toBe(true);
    expect(changes).toMatchObject([
      { action: 'endpoint.traffic', reason: 'try 9', after: { refused: 'HR_UNKNOWN_MODEL', asked: {} } },
      {
        object: 'endpoint/checkout',
        before: {
          variants: [
            { version: 1, weight: 80.5 },
            { version: 2, weight: 19.5 },
          ],
        },
        after: { variants: [{ name: 'stable', version: 1, weight: 100 }] },
        reason: 'version 2\nwas slower',
      },
    ]);
  });

  it('says how an object is written, and how many rows there may be', async () => {
    expect((await typed(['audit', '--object', 'checkout'])).stdout).toContain('such as endpoint/delay');
    for (const limit of ['0', '1001', 'all'])
      expect(await typed(['audit', '--limit', limit])).toMatchObject({
        code: 2,
        stderr: `HR_USAGE: --limit takes a whole number of rows from 1 to 1000, got "${limit}".\n`,
      });
    expect(headraceJson(project, ['audit'])).toMatchObject({ limit: 20 });
  });
});

describe('push', () => {
  it('takes Parquet, in the file’s order, every digit and both kinds of timestamp kept', async () => {
    const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
    const instance = await DuckDBInstance.create();
    const connection = await instance.connect();
    try {
      for (const [file, type] of [
        ['plain.parquet', 'TIMESTAMP'],
        ['zoned.parquet', 'TIMESTAMPTZ'],
      ] as const) {
        const customer = `'from ${file}'`;
        const at = `CAST(TIMESTAMPTZ '${hourAgo}' AS ${type})`;
        await connection.run(`SET TimeZone = 'UTC'`);
        await connection.run(
          `COPY (SELECT ${customer} AS customer, CAST('NaN' AS DOUBLE) AS amount, 9007199254740993 AS points, ${at} AS bought_at,
            1 AS not_declared UNION ALL SELECT ${customer}, 3, 9223372036854775807, ${at}, 2)
            TO '${project.file(file)}' (FORMAT parquet)`,
        );
        expect(headraceJson(project, ['push', 'purchases', file])).toEqual({
          accepted: 2,
          duplicate: false,
          quarantined: 0,
          warnings: [],
          views: [{ view: 'history', written: 1, covered: 0, ignored: 0 }],
        });
        const { stdout } = read(`[{"customer":"from ${file}"}]`);
        expect(stdout).toContain('"history__last_points":9223372036854775807');
        expect(JSON.parse(stdout)).toMatchObject({
          rows: [
            {
              features: { history__purchases_1d: 2, history__mean_7d: 'NaN' },
              event_times: { history: expect.stringContaining(hourAgo.slice(0, 19)) },
            },
          ],
        });
      }
      await connection.run(`COPY (SELECT 1 AS other) TO '${project.file('other.parquet')}' (FORMAT parquet)`);
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
    expect(headrace(project, ['push', 'purchases', 'other.parquet'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('HR_SOURCE_UNREADABLE'),
    });
  });

  it('refuses the whole file for one wrong line, naming it', () => {
    project.write(
      'bad.jsonl',
      '{"customer":"ada","amount":1,"bought_at":"2026-01-01T00:00:00Z"}\n{"customer":"ada","amount":"1","bought_at":"2026-01-01T00:00:00Z"}\n',
    );
    expect(headrace(project, ['push', 'purchases', 'bad.jsonl'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('rows[1].amount'),
    });
    project.write('torn.jsonl', '{"customer":"ada"');
    expect(headrace(project, ['push', 'purchases', 'torn.jsonl'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('line 1'),
    });
  });
});
