// Guides that are typed from top to bottom, most of them beside a server that runs: their commands work, and print what they show. What
// their Python prints is held by test/interop.
// twin: test/unit/documented-commands.test.ts > the README and the guides
// twin: test/integration/serving-feast.test.ts > Feast’s HTTP API
// twin: test/unit/models-graph.test.ts > a function that a graph runs
// twin: test/e2e/serve.test.ts > a server of two workers
// twin: test/integration/serving-oip.test.ts > inference
// twin: test/integration/rollout-served.test.ts > is promoted step by step by what its servers count
// twin: test/contract/drift.test.ts > opens for what moved, after two windows, and closes after three quiet ones; nothing else opens
// twin: test/integration/experiments.test.ts > tell a planted difference from none
// twin: test/integration/monitoring-find.test.ts > is found by its id in segments, in Parquet of any hour, and in what earlier builds wrote
// twin: test/property/flags.test.ts > an endpoint’s flag
// twin: test/integration/grpc-native.test.ts > is what HTTP answers, by the same names
// twin: test/integration/training-sets-http.test.ts > a spine that is sent along
// twin: test/integration/client.test.ts > predictions
// twin: test/integration/quarantined-files.test.ts > rows of files that a rule sets apart
// twin: test/integration/push-checks.test.ts > a push
// twin: test/integration/fleet.test.ts > each task runs once and is told once, though $what of its turns has no answer
// twin: test/unit/client-type.test.ts > has the columns of each endpoint, service and source by its own name

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { scenarios } from '../../load-tests/scenarios.ts';
import { DRIFTING_SHOP, driftOrder, driftOrders } from '../support/drifting-shop.ts';
import { constantModel, linearModel } from '../support/onnx-model.ts';
import { newestRun, runGuide, type Shown, startGuide } from '../support/run-guide.ts';
import { serveGuide } from '../support/served-guide.ts';
import {
  CONFIG,
  createProject,
  createServingProject,
  headraceJson,
  MAIN,
  type Project,
} from '../support/serving-project.ts';
import { ownProject, predict } from '../support/test-project.ts';
import { createTrainingSetProject, spineSql, writeBySql } from '../support/training-set-server.ts';

const ROOT = join(import.meta.dirname, '../..');
const GUIDES = join(ROOT, 'docs/guides');
const LIMIT = { timeout: 300_000 };

/** The shop's project with these files. */
function shopWith(files: Readonly<Record<string, string | Uint8Array>>): Project {
  const project = createServingProject();
  for (const [name, content] of Object.entries(files)) project.write(name, content);
  return project;
}
/** A project whose guide runs `node`, by these options, and finds folders of this repository. */
function withNode(options: string, folders: Readonly<Record<string, string>>): Project {
  const project = shopWith({ '.bin/node': `#!/bin/sh\nexec '${process.execPath}' ${options} "$@"\n` });
  chmodSync(project.file('.bin/node'), 0o755);
  for (const [name, folder] of Object.entries(folders)) {
    mkdirSync(join(project.file(name), '..'), { recursive: true });
    symlinkSync(join(ROOT, folder), project.file(name));
  }
  return project;
}
function expectShown(all: readonly Shown[], least: number): void {
  expect(all.length).toBeGreaterThanOrEqual(least);
  for (const { command, shown, printed } of all) expect(printed, command).toBe(shown);
}

describe.each<[string, number, (() => Project)?, string[]?]>([
  ['feast-clients.md', 3],
  ['graphs.md', 4],
  ['deploy-a-model.md', 7],
  ['housekeeping.md', 1],
  ['triton-clients.md', 7, () => shopWith({ 'scorer.onnx': linearModel(3) })],
  ['flags.md', 3, () => withNode('', { node_modules: 'node_modules' })],
  ['grpc.md', 1, () => withNode('', { node_modules: 'node_modules', proto: 'proto' }), ['--grpc-port', '0']],
])('%s', (name, outputs, create, args) => {
  const guide = serveGuide(name, create, args);
  it('shows what its commands print', LIMIT, () => {
    expect(guide.type()).toBe(outputs);
  });
});

describe.each([
  ['sizing.md', 1],
  ['find-a-prediction.md', 3],
])('%s', (name, outputs) => {
  const guide = serveGuide(name);
  it('shows what its commands print of a server that has predicted', LIMIT, async () => {
    const inputs = ['ada', 'bob', 'nobody'].map((customer) => ({ customer, amount: 7.5 }));
    expect((await predict({ url: guide.environment()['HEADRACE_URL'] ?? '' }, inputs)).status).toBe(200);
    expect(guide.type()).toBe(outputs);
  });
});

describe('tune-latency.md', () => {
  const guide = serveGuide('tune-latency.md');
  it('shows what its commands print', LIMIT, () => {
    expect(guide.type()).toBeGreaterThanOrEqual(3);
    expect(JSON.parse(readFileSync(guide.project().file('answer.json'), 'utf8'))).toMatchObject({
      endpoint: 'checkout',
    });
  });

  it('shows load tests that there are, with options that they take', () => {
    const program = readFileSync(join(ROOT, 'load-tests/run.ts'), 'utf8');
    const lines = [...readFileSync(guide.path, 'utf8').matchAll(/^npm run load -- (.+)$/gm)];
    expect(lines.length).toBeGreaterThan(2);
    for (const words of lines.map(([, line = '']) => line.split(' '))) {
      const [name = ''] = words;
      if (!name.startsWith('--')) expect(scenarios.map((scenario) => scenario.name)).toContain(name);
      for (const option of words.filter((word) => word.startsWith('--'))) expect(program).toContain(`  ${option}`);
    }
  });
});

describe('canary.md', () => {
  const guide = serveGuide('canary.md');
  it('shows what its commands print', LIMIT, () => {
    expect(guide.type()).toBe(2);
    const rollouts = [
      { state: 'aborted', candidate: 1 },
      { state: 'promoted', candidate: 2 },
    ];
    expect(headraceJson(guide.project(), ['rollout', 'list'])).toMatchObject({ rollouts });
  });
});

describe('drift.md', () => {
  const guide = serveGuide('drift.md', () => {
    const inputs = Array.from({ length: 600 }, (_, i) => ({ ...driftOrder(i), price: driftOrder(i).price * 2 }));
    const project = createProject({
      'headrace.config.ts': CONFIG,
      'feature_repo/shop.ts': DRIFTING_SHOP,
      'returns.onnx': constantModel(2, 0.25),
      'orders.csv': driftOrders(),
      'today.json': JSON.stringify({ inputs }),
    });
    headraceJson(project, ['apply']);
    return project;
  });
  it('shows what its commands print', LIMIT, () => {
    expect(guide.type()).toBe(4);
  });
});

describe('experiments.md', () => {
  const guide = serveGuide('experiments.md');
  it('shows what its commands print, and leaves a page and two reports', LIMIT, () => {
    expect(guide.type()).toBe(1);
    const project = guide.project();
    expect(readFileSync(project.file('trial.html'), 'utf8')).toContain('<h1>trial</h1>');
    expect(headraceJson(project, ['experiments', 'show', 'trial'])).toMatchObject({
      state: 'ended',
      phases: [{ phase: 1 }, { phase: 2, end_reason: 'decided for version 2' }],
      reports: [{ phase: '1' }],
    });
    // Who was asked about, each in some arm.
    expect(headraceJson(project, ['experiments', 'report', 'trial', '--phase', '1'])).toMatchObject({
      srm: { is_mismatch: false },
      metrics: [{ name: 'spent' }, { name: 'p90' }, { name: 'returned' }],
    });
  });
});

describe('disaster-recovery.md', () => {
  const guide = serveGuide('disaster-recovery.md');
  it('brings a project back at another place, with what it read', LIMIT, () => {
    const project = guide.project();
    const read = (env = {}) =>
      ['features get --service numbers --rows [{"customer":"ada"}]', 'models list'].map((words) =>
        headraceJson(project, words.split(' '), env),
      );
    const before = read();
    expect(before).toMatchObject([{ rows: [{ features: { history__purchases_1d: 2 } }] }, {}]);
    runGuide(guide.path, project);
    const place = project.file('recovered');
    const after = read({
      HEADRACE_REGISTRY_URL: `sqlite:${place}/registry.db`,
      HEADRACE_ARTIFACTS_URL: `file:${place}/artifacts`,
      HEADRACE_ONLINE_URL: `lmdb:${place}/online`,
      HEADRACE_PUSH_LOG_PATH: `${place}/push-log`,
      HEADRACE_OFFLINE_PATH: `${place}/offline`,
    }) as typeof before;
    const features = ([answer]: typeof before) => (answer as { rows: { features: object }[] }).rows[0]?.features;
    expect([features(after), after[1]]).toEqual([features(before), before[1]]);
  });
});

describe('training-sets.md', () => {
  const guide = serveGuide('training-sets.md', async () => {
    const project = await createTrainingSetProject(2000);
    project.write(
      'feature_repo/delays.ts',
      `import { featureService } from 'headrace';\nimport { history } from './shop.ts';\nexport const delay_features = featureService('delay_features', [history]);\n`,
    );
    headraceJson(project, ['apply']);
    mkdirSync(project.file('feature_repo/data'));
    await writeBySql(
      project.file('feature_repo/data/spine.parquet'),
      spineSql(500).replace('AS at', 'AS scheduled_at'),
    );
    return project;
  });
  it('makes and fetches a set over HTTP, which is the command’s', LIMIT, () => {
    const project = guide.project();
    const section = /\n## Over HTTP\n[\s\S]*?(?=\n## )/.exec(readFileSync(guide.path, 'utf8'))?.[0] ?? '';
    const shown = runGuide(project.write('over-http.md', section), project, guide.environment());
    expectShown(shown, 1);
    const set = 'training-set create --service delay_features --timestamp scheduled_at --label late --spine';
    headraceJson(project, `${set} feature_repo/data/spine.parquet --out by-command.parquet`.split(' '));
    const [byHttp, byCommand] = ['over_http', 'by-command'].map((name) =>
      readFileSync(project.file(`${name}.parquet`)),
    );
    expect(byHttp?.equals(byCommand ?? Buffer.of())).toBe(true);
  });
});

describe('typescript-client.md', () => {
  const options = '--conditions=headrace-source --disable-warning=MODULE_TYPELESS_PACKAGE_JSON';
  const folders = { 'node_modules/headrace': '', 'node_modules/@types/node': 'node_modules/@types/node' };
  const guide = serveGuide('typescript-client.md', () => withNode(options, folders));

  it('shows what its programs print, and they compile', LIMIT, () => {
    expect(guide.type()).toBe(4);
    const project = guide.project();
    // As a user's project has it, without this repository's own options.
    const target = { strict: true, noEmit: true, target: 'es2024', module: 'nodenext', types: ['node'] };
    const resolved = { allowImportingTsExtensions: true, skipLibCheck: true, customConditions: ['headrace-source'] };
    const compilerOptions = { ...target, ...resolved };
    project.write('package.json', '{"type":"module"}');
    project.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['ask.ts', 'read.ts', 'sell.ts'] }));
    const compile = () =>
      spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', project.directory], { encoding: 'utf8' }).stdout;
    expect(compile()).toBe('');
    // Mistakes are told in words that name them.
    const mistakes = [
      [
        `('chekout', { customer: 'ada' })`,
        `Argument of type '"chekout"' is not assignable to parameter of type '"checkout"'`,
      ],
      [`('checkout', { amount: 1 })`, `Property 'customer' is missing in type '{ amount: number; }'`],
      [`('checkout', { customer: 'ada', amont: 1 })`, `'amont' does not exist in type`],
      [`Many('checkout', [{ customer: 'ada', amount: 'much' }])`, `Type 'string' is not assignable to type 'number'`],
    ] as const;
    const head = `import { createClient } from 'headrace/client';\nimport { api } from './headrace-api.ts';\nconst client = createClient({ url: 'http://x', api });\n`;
    project.write('ask.ts', head + mistakes.map(([call]) => `await client.predict${call};\n`).join(''));
    const told = compile().split('\n');
    for (const [at, [, words]] of mistakes.entries())
      expect(told.find((one) => one.includes(`ask.ts(${at + 4},`))).toContain(words);
    expect(told.join('\n')).toContain("Did you mean to write 'amount'?");
  });
});

describe('the guides on changes, which take no server,', () => {
  const shop = () => {
    const at = new Date(Date.now() - 60_000).toISOString();
    return ownProject({
      'events.jsonl': ['ada', 'bob']
        .map((customer) => `{"customer":"${customer}","amount":1,"bought_at":"${at}"}\n`)
        .join(''),
      'spine.csv': 'customer,at\nada,2026-01-01T00:00:00Z\n',
      'returns.onnx': linearModel(1),
    });
  };

  it('of features under live models show what their commands print', LIMIT, () => {
    expectShown(runGuide(join(GUIDES, 'evolving.md'), shop()), 3);
  });

  it('of definitions in CI show what their commands print', LIMIT, () => {
    const project = shop();
    // The change that it plans is the first one of the other guide; no training set was made there.
    startGuide(join(GUIDES, 'evolving.md'), project, [
      'headrace apply',
      'headrace push purchases events.jsonl',
      'headrace materialize --incremental',
      'headrace models register returns returns.onnx',
    ]);
    expectShown(runGuide(join(GUIDES, 'definitions-in-ci.md'), project), 3);
  });
});

it('data-checks.md, which takes no server, shows what its commands print, and what was put back counts', LIMIT, () => {
  const project = ownProject({
    'feature_repo/rides.csv': `id,driver,city,minutes,at
1,ada,Bern,12,2026-01-01T08:00:00Z
2,ada,Basel,9999,2026-01-01T09:00:00Z
3,bob,Zug,7,2026-01-01T10:00:00Z
3,bob,Bern,8,2026-01-01T10:30:00Z
`,
    'events.jsonl': `{"id":4,"driver":"bob","city":"Bern","minutes":20,"at":"2026-01-02T08:00:00Z"}
{"id":5,"driver":"bob","city":"Bern","minutes":700,"at":"2026-01-02T09:00:00Z"}
`,
    'spine.csv': 'driver,at\nada,2026-02-01T00:00:00Z\nbob,2026-02-01T00:00:00Z\n',
  });
  const all = runGuide(join(GUIDES, 'data-checks.md'), project);
  const trimmed = (text: string) => text.replaceAll(/ +$/gm, '');
  expectShown(
    all.map(({ command, shown, printed }) => ({ command, shown: trimmed(shown), printed: trimmed(printed) })),
    3,
  );
  expect(project.features('drivers', [{ driver: 'bob' }, { driver: 'ada' }])).toEqual([
    { rhythm__last_minutes: 700, rhythm__mean_365d: (7 + 8 + 20 + 700) / 4, rhythm__rides: 4 },
    { rhythm__last_minutes: 9999, rhythm__mean_365d: (12 + 9999) / 2, rhythm__rides: 2 },
  ]);
  const { stdout } = project.run('training-set show rides');
  expect(stdout).toContain('rhythm__last_minutes');
  expect(stdout).toMatch(/[▁▂▃▄▅▆▇█]/);
  expect(project.run('audit --json').stdout).toContain('quarantine.release');
});

it('own-machines.md runs its pipeline on a worker that has the registry and the artifacts alone', LIMIT, async () => {
  const [project, elsewhere] = [ownProject(), ownProject(createProject({}))];
  const places = {
    HEADRACE_REGISTRY_URL: `sqlite:${project.file('.headrace/registry.db')}`,
    HEADRACE_ARTIFACTS_URL: `file:${project.file('.headrace/artifacts')}`,
  };
  expect(project.run('apply').code).toBe(0);
  const how = { cwd: elsewhere.directory, env: { ...process.env, ...places } };
  const worker = spawn(process.execPath, [MAIN, 'worker', '--slots', '2'], how);
  onTestFinished(() => void worker.kill('SIGKILL'));
  let said = '';
  for (const stream of [worker.stdout, worker.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  await expect.poll(() => said, { timeout: 30_000 }).toContain('Serving the fleet');
  runGuide(join(GUIDES, 'own-machines.md'), project, places);
  const each = { name: 'each', counts: { succeeded: 20 } };
  const ran = { state: 'succeeded', steps: [each, { name: 'sum', result: 2470 }] };
  expect(newestRun(project, places)).toMatchObject(ran);
  worker.kill('SIGTERM');
  const [code] = (await once(worker, 'exit')) as [number | null];
  expect(code, said).toBe(0);
});
