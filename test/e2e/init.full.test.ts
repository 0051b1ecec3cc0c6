// The project that `headrace init` makes: its files type-check in an editor, from a clone and from the package, and its README can
// be typed from the first command to a prediction.
// twin: test/integration/init.test.ts > makes a project that applies, takes pushes and reads features
// twin: test/unit/cli-init.test.ts > where an editor finds the types
// twin: test/unit/documented-commands.test.ts > the README and the guides

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasLostTypes } from '../../src/cli/init/editor-types.ts';
import { freePort } from '../support/free-port.ts';
import { createProject, headrace, headraceJson, type Project } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import {
  compile,
  createTemplateProject,
  shell,
  shellBlocks,
  startShell,
  type TemplateProject,
} from '../support/template-project.ts';
import { typeCommand } from '../support/typed-command.ts';

const root = process.cwd();
let parent: Project;
beforeAll(() => {
  parent = createProject({});
});
afterAll(() => parent.remove());

const repaired = (directory: string) => typeCommand(parent.directory, ['init', '--repair', directory, '--json']);

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
    expect(JSON.parse((await repaired(project.directory)).stdout)).toMatchObject({ changed: false });
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
    expect(JSON.parse((await repaired(project.directory)).stdout)).toMatchObject({ changed: true });
    expect(compile(project.directory)).toBe('');
    await expect(hasLostTypes(project.directory)).resolves.toBe(false);

    const moved = project.file('../moved/further/down');
    mkdirSync(project.file('../moved/further'), { recursive: true });
    renameSync(project.directory, moved);
    try {
      expect((await repaired(moved)).code).toBe(0);
      expect(compile(moved)).toBe('');
    } finally {
      renameSync(moved, project.directory);
    }
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
