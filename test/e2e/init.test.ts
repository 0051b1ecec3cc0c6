// `headrace init` as a user meets it: a project in a folder far away, whose files type-check, whose README can be typed, and
// that predicts.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readEnvironment } from '../../src/app/index.ts';
import { hasLostTypes } from '../../src/cli/init/editor-types.ts';
import { runCommandLine } from '../../src/cli/run-cli.ts';
import { silentProgress } from '../../src/core/index.ts';
import { freePort } from '../support/free-port.ts';
import { createProject, headrace, headraceJson, type Project } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import {
  compile,
  createTemplateProject,
  npmOf,
  shell,
  shellBlocks,
  startShell,
  type TemplateProject,
} from '../support/template-project.ts';

const root = process.cwd();
let parent: Project;
beforeAll(() => {
  parent = createProject({});
});
afterAll(() => parent.remove());

// In this process: a start of Node for each would take most of the time.
async function init(args: readonly string[], variables: Readonly<Record<string, string>> = {}) {
  let [stdout, stderr] = ['', ''];
  const code = await runCommandLine(['init', ...args], {
    environment: { ...readEnvironment({}), variables, workingDirectory: parent.directory },
    stdout: (text) => (stdout += text),
    stderr: (text) => (stderr += text),
    progress: () => silentProgress,
    openApp: () => Promise.reject(new Error('init opens nothing')),
    exitCode: 0,
  });
  return { code, stdout, stderr };
}

describe('the folder that init is given', { timeout: 120_000 }, () => {
  it('may be new, however deep, empty, or a repository that was just made', async () => {
    for (const name of ['new', 'deep/in/here']) expect((await init([name])).code).toBe(0);
    mkdirSync(parent.file('empty'));
    expect((await init(['empty/.'])).code).toBe(0);
    mkdirSync(parent.file('repository/.git'), { recursive: true });
    expect((await init(['repository'])).code).toBe(0);
    for (const name of ['new', 'deep/in/here', 'empty', 'repository'])
      expect(existsSync(parent.file(`${name}/feature_repo/purchases.ts`)), name).toBe(true);
  });

  it('may not hold anything, nor be a file: then nothing is written', async () => {
    parent.write('used/notes.txt', 'mine');
    expect(await init(['used'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is not empty. Give a new folder.'),
    });
    expect(existsSync(parent.file('used/headrace.config.ts'))).toBe(false);
    expect(await init(['used/notes.txt'])).toMatchObject({ code: 2, stderr: expect.stringContaining('is a file') });
    expect((await init(['twice'])).code).toBe(0);
    parent.write('twice/feature_repo/purchases.ts', '// mine');
    expect(await init(['twice'])).toMatchObject({ code: 2, stderr: expect.stringContaining('a project already') });
    expect(readFileSync(parent.file('twice/feature_repo/purchases.ts'), 'utf8')).toBe('// mine');
  });

  it('gives the project a name, whatever its own is', async () => {
    for (const [folder, name] of [
      ['My Shop', 'my_shop'],
      ['日本', 'project'],
      ['2026-shop', 'shop'],
      ['$& `x` "q"', 'x_q'],
    ] as const) {
      expect((await init([folder])).code, folder).toBe(0);
      const inside = { directory: parent.file(folder) };
      expect(readFileSync(join(inside.directory, 'headrace.config.ts'), 'utf8')).toContain(`project: '${name}',`);
    }
  });

  it('works from another folder with --config', async () => {
    expect((await init(['shop'])).code).toBe(0);
    mkdirSync(parent.file('elsewhere'));
    const elsewhere = { directory: parent.file('elsewhere') };
    const config = ['--config', '../shop/headrace.config.ts'];
    headraceJson(elsewhere, ['apply', ...config]);
    expect(headraceJson(elsewhere, ['push', 'purchases', '../shop/events.jsonl', ...config])).toMatchObject({
      accepted: 3,
    });
    const rows = '[{"customer":"ada","amount":173.4,"discount":0.1}]';
    expect(
      headraceJson(elsewhere, ['features', 'get', '--service', 'basket_features', '--rows', rows, ...config]),
    ).toMatchObject({
      rows: [
        {
          features: {
            customer_purchases__purchases_30d: 2,
            customer_purchases__last_amount: 148.9,
            basket__discount: 0.1,
            basket__times_usual: 2,
          },
        },
      ],
    });
  });
});

describe('what it says next', () => {
  it('is what works from a clone, when npm ran it', async () => {
    const { stdout } = await init([`the 'next' one`], npmOf(parent.directory));
    expect(stdout).toContain(`  cd '${parent.directory}/the '\\''next'\\'' one'\n`);
    expect(stdout).toContain(`  npm --prefix ${root} run -s headrace -- apply\n`);
  });

  it('is what works in a project that has it installed, when npx ran it', async () => {
    const { stdout } = await init(['installed'], { npm_command: 'exec', npm_lifecycle_event: 'npx' });
    expect(stdout).toContain('  npx headrace apply\n');
    expect(shellBlocks(parent.file('installed/README.md'))[0]).toContain('npx headrace run train_return_risk\n');
  });

  it('names a Node that reads TypeScript, where the user’s own is older', async () => {
    const old = { ...npmOf(parent.directory), npm_config_user_agent: 'npm/10.8.2 node/v20.20.2 linux x64' };
    expect((await init(['old'], old)).code).toBe(0);
    const blocks = shellBlocks(parent.file('old/README.md'));
    expect(blocks).toContain(`${process.execPath} --test "feature_repo/**/*.test.ts"`);
  });
});

describe('what an editor makes of it', { timeout: 120_000 }, () => {
  let project: TemplateProject;
  beforeAll(() => {
    project = createTemplateProject('types');
  });
  afterAll(() => project.remove());

  it('is no red at all, with the types of headrace and of Node', () => {
    expect(compile(project.directory)).toBe('');
    const wrong = project.write(
      'feature_repo/wrong.ts',
      `import { customerPurchases } from './purchases.ts';\nexport const x = customerPurchases.pick('last_amuont');\nprocess.nextTick(1);\n`,
    );
    const says = compile(project.directory);
    expect(says).toContain(`feature_repo/wrong.ts(2,41): error TS`);
    expect(says).toContain('last_amount');
    expect(says).toContain(`feature_repo/wrong.ts(3,18): error TS`);
    rmSync(wrong);
  });

  it('is mended by --repair once Headrace or the project has moved', async () => {
    const file = project.file('tsconfig.headrace.json');
    const inside = { directory: project.directory };
    const repair = async () => JSON.parse((await init(['--repair', project.directory, '--json'])).stdout) as object;
    expect(await repair()).toMatchObject({ changed: false, extended: true });
    const lost = JSON.stringify({ compilerOptions: { paths: { headrace: ['../gone/src/index.ts'] } } });
    writeFileSync(file, lost);
    expect(compile(project.directory)).toMatch(/error TS(2307|2688)/);
    expect(headraceJson(inside, ['doctor'])).toMatchObject({
      healthy: true,
      checks: expect.arrayContaining([
        expect.objectContaining({ check: 'editor', state: 'warn', fix: expect.stringContaining('init --repair') }),
      ]),
    });
    // Commands find headrace by themselves.
    expect(headrace(inside, ['apply'])).toMatchObject({ code: 0 });
    expect(await repair()).toMatchObject({ changed: true });
    expect(compile(project.directory)).toBe('');
    await expect(hasLostTypes(project.directory)).resolves.toBe(false);

    const moved = project.file('../moved/further/down');
    mkdirSync(project.file('../moved/further'), { recursive: true });
    renameSync(project.directory, moved);
    try {
      expect((await init(['--repair', moved])).code).toBe(0);
      expect(compile(moved)).toBe('');
    } finally {
      renameSync(moved, project.directory);
    }
  });

  it('needs a project to repair', async () => {
    mkdirSync(parent.file('bare'));
    expect(await init(['--repair', 'bare'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no tsconfig.json in'),
    });
  });

  it('is the same from the package, whose types are built', () => {
    const installed = parent.file('installed/node_modules/headrace');
    mkdirSync(installed, { recursive: true });
    const build = ['-p', 'tsconfig.build.json', '--outDir', join(installed, 'dist')];
    const built = spawnSync(process.execPath, [resolve('node_modules/typescript/bin/tsc'), ...build], {
      encoding: 'utf8',
    });
    expect(built.stdout).toBe('');
    for (const name of ['package.json', 'templates']) cpSync(name, join(installed, name), { recursive: true });
    symlinkSync(resolve('node_modules'), join(installed, 'node_modules'));
    const program = (...args: string[]) =>
      spawnSync(process.execPath, [join(installed, 'dist/cli/main.js'), ...args], {
        cwd: parent.file('installed'),
        env: { ...process.env, npm_lifecycle_event: '' },
        encoding: 'utf8',
      });
    expect(program('init', 'shop').status).toBe(0);
    expect(readFileSync(parent.file('installed/shop/tsconfig.headrace.json'), 'utf8')).toContain(
      '"../node_modules/headrace/dist/index.d.ts"',
    );
    expect(compile(parent.file('installed/shop'))).toBe('');
    expect(program('apply', '--config', 'shop/headrace.config.ts').stderr).toContain('+ view customer_purchases');
  });
});

describe('the README of the project', { timeout: 300_000 }, () => {
  let project: TemplateProject;
  let blocks: readonly string[];
  beforeAll(() => {
    project = createTemplateProject(`My shop #1 & 'co'`);
    blocks = shellBlocks(project.file('README.md'));
    // Environments of Python are kept from one run of the tests to the next: making one takes most of the time.
    mkdirSync(project.file('.headrace'));
    mkdirSync('.headrace/environments', { recursive: true });
    symlinkSync(resolve('.headrace/environments'), project.file('.headrace/environments'));
  });
  afterAll(() => project.remove());

  /** The block's lines that hold a word. */
  const block = (word: string): string => {
    const found = blocks.find((text) => text.includes(word));
    if (found === undefined) throw new Error(`the README has no command with "${word}"`);
    return found;
  };
  const headraceLine = (words: string): string => `npm --prefix ${root} run -s headrace -- ${words}`;

  it('names every command as it must be typed here', () => {
    const lines = blocks.flatMap((text) => text.split('\n')).filter((line) => /^(headrace|npm|node|curl)\b/.test(line));
    expect(lines.map((line) => line.replace(headraceLine(''), '').split(' ')[0])).toEqual([
      'apply',
      'materialize',
      'run',
      'serve',
      'curl',
      'push',
      'features',
      'dev',
      'plan',
      'node',
      'init',
    ]);
  });

  it('has what the guide shows; what the guide alone has is typed here', () => {
    const isCommand = (line: string): boolean => /^(headrace|node) /.test(line);
    const lines = (page: string): string[] =>
      shellBlocks(page).flatMap((text) => text.replaceAll(headraceLine(''), 'headrace ').split('\n').filter(isCommand));
    const typed = new Set(lines(project.file('README.md')));
    const others = lines('docs/guides/first-project.md').filter((line) => !typed.has(line));
    expect(others.map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
      'headrace dev --once',
      'headrace doctor',
    ]);
    for (const line of others) {
      const { code, stderr } = shell(project.directory, line.replace('headrace ', headraceLine('')));
      expect(code, stderr).toBe(0);
    }
    // What they made is not there yet for whoever follows the README.
    for (const name of ['registry.db', 'registry.db-wal', 'registry.db-shm', 'online', 'push-log'])
      rmSync(project.file(`.headrace/${name}`), { recursive: true, force: true });
  });

  it('tests what a function computes, with nothing installed', () => {
    expect(shell(project.directory, block('--test'))).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/pass 2\b/),
    });
    expect(shell(project.directory, 'npm test').code).toBe(0);
  });

  it('goes by its five commands from nothing to a prediction, and on from there', async () => {
    const [apply = '', materialize = '', run = '', serve = ''] = block('run train_return_risk').split('\n');
    expect(shell(project.directory, apply)).toMatchObject({ code: 0, stdout: expect.stringContaining('revision 1') });
    expect(shell(project.directory, materialize)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('finished'),
    });

    const trained = shell(project.directory, `${run} --json`);
    const isTrained = trained.code === 0;
    if (!isTrained && trained.stderr.includes('HR_PYTHON_UNAVAILABLE')) {
      skipBecause('the template’s pipeline: the Python packages it needs can’t be installed here');
    } else {
      expect(trained.code, trained.stderr).toBe(0);
      const { steps } = JSON.parse(trained.stdout) as {
        steps: {
          name: string;
          result: { auc: number; metrics: { auc: number }; version: number }[] & { auc: number };
        }[];
      };
      const resultOf = (name: string) => steps.find((step) => step.name === name)?.result;
      const aucs = resultOf('fit')?.map(({ auc }) => auc) ?? [];
      expect(aucs).toHaveLength(3);
      // A coin is at 0.5; what was put into the data can be learned.
      expect(Math.min(...aucs)).toBeGreaterThan(0.65);
      expect(resultOf('best')?.auc).toBe(Math.max(...aucs));
      expect(resultOf('register')).toMatchObject({ version: 1, metrics: { auc: Math.max(...aucs) } });
    }

    const port = await freePort();
    const server = startShell(project.directory, serve, { HEADRACE_SERVER_PORT: String(port) });
    try {
      await server.holds('Serving http://127.0.0.1:');
      const hasCurl = shell(project.directory, 'command -v curl').code === 0;
      if (!hasCurl) skipBecause('the template’s prediction: there is no curl here');
      if (isTrained && hasCurl) {
        const asked = shell(project.directory, block('curl').replace(':8080/', `:${port}/`));
        expect(asked.code, asked.stderr).toBe(0);
        const answer = JSON.parse(asked.stdout) as {
          predictions: { outputs: { probability: number }; features: Record<string, number> }[];
        };
        const [first] = answer.predictions;
        expect(first?.outputs.probability).toBeGreaterThan(0.2);
        expect(first?.outputs.probability).toBeLessThan(1);
        expect(first?.features['customer_purchases__purchases_30d']).toBeGreaterThan(2);
      }
      const [push = '', get = ''] = block('push purchases').split('\n');
      expect(shell(project.directory, push)).toMatchObject({ code: 0, stdout: expect.stringContaining('3 events') });
      const read = JSON.parse(shell(project.directory, `${get} --json`).stdout) as {
        rows: { features: Record<string, number> }[];
      };
      // The newest of the events.
      expect(read.rows[0]?.features['customer_purchases__last_amount']).toBe(148.9);
    } finally {
      expect((await server.stop('SIGINT')).stderr).not.toContain('"level":"error"');
    }

    const dev = startShell(project.directory, block('headrace -- dev'));
    await dev.holds('revision 1 is what the repository says');
    const [line = ''] = /^ {4}mean_amount_7d: .*$/m.exec(readFileSync(project.file('README.md'), 'utf8')) ?? [];
    const purchases = readFileSync(project.file('feature_repo/purchases.ts'), 'utf8');
    project.write('feature_repo/purchases.ts', purchases.replace('  features: {\n', `  features: {\n${line}\n`));
    await dev.holds('customer_purchases__mean_amount_7d');
    // npm ends by the same signal.
    const { stdout } = await dev.stop('SIGINT');
    expect(stdout).toMatch(/Applied revision 2, computed customer_purchases \(150 keys\)/);
    expect(stdout).toMatch(/^\* {2}customer_purchases__mean_amount_7d +- +\d/m);

    expect(shell(project.directory, block('-- plan'))).toMatchObject({ code: 0 });
    expect(shell(project.directory, block('--repair'))).toMatchObject({ code: 0 });
    expect(compile(project.directory)).toBe('');
  });
});
