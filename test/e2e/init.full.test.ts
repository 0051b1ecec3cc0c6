// The project that `headrace init` makes: its files type-check in an editor, from a clone and from the package, and its README can
// be typed from the first command to a prediction.
// twin: test/integration/init.test.ts > makes a project that applies, takes pushes and reads features, from another folder too with --config
// twin: test/unit/cli-init.test.ts > where an editor finds the types
// twin: test/unit/documented-commands.test.ts > the README and the guides

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hasLostTypes } from '../../src/cli/init/editor-types.ts';
import { freePort } from '../support/free-port.ts';
import { createProject } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { compile, createTemplateProject, shell, shellBlocks, startShell } from '../support/template-project.ts';
import { ownProject, testProject } from '../support/test-project.ts';
import { typeCommand } from '../support/typed-command.ts';

const said = (text: string) => expect.stringContaining(text);

describe('what an editor makes of it', { timeout: 120_000 }, () => {
  const project = testProject(() => createTemplateProject('types'));

  it('is no red at all, with the types of headrace and of Node', () => {
    expect(compile(project.directory)).toBe('');
    const text = `import { customerPurchases } from './purchases.ts';\nexport const x = customerPurchases.pick('last_amuont');\nprocess.nextTick(1);\n`;
    const wrong = project.write('feature_repo/wrong.ts', text);
    const says = compile(project.directory);
    expect(says).toContain(`feature_repo/wrong.ts(2,41): error TS`);
    expect(says).toContain('last_amount');
    expect(says).toContain(`feature_repo/wrong.ts(3,18): error TS`);
    rmSync(wrong);
  });

  it('is mended by --repair once Headrace or the project has moved', async () => {
    const { directory } = project;
    const repaired = async (moved = directory) => {
      const { code, stdout } = await typeCommand(resolve(directory, '..'), ['init', '--repair', moved, '--json']);
      expect(code).toBe(0);
      return JSON.parse(stdout) as unknown;
    };
    expect(await repaired()).toMatchObject({ changed: false });
    const lost = JSON.stringify({ compilerOptions: { paths: { headrace: ['../gone/src/index.ts'] } } });
    writeFileSync(project.file('tsconfig.headrace.json'), lost);
    expect(compile(directory)).toMatch(/error TS(2307|2688)/);
    const check = expect.objectContaining({ check: 'editor', state: 'warn', fix: said('init --repair') });
    expect(project.json('doctor')).toMatchObject({ healthy: true, checks: expect.arrayContaining([check]) });
    // Commands find headrace by themselves.
    expect(project.run('apply')).toMatchObject({ code: 0 });
    expect(await repaired()).toMatchObject({ changed: true });
    expect(compile(directory)).toBe('');
    await expect(hasLostTypes(directory)).resolves.toBe(false);

    const moved = project.file('../moved/further/down');
    mkdirSync(project.file('../moved/further'), { recursive: true });
    renameSync(directory, moved);
    onTestFinished(() => renameSync(moved, directory));
    await repaired(moved);
    expect(compile(moved)).toBe('');
  });

  it('is the same from the package, whose types are built', () => {
    const parent = ownProject(createProject({}));
    const installed = parent.file('installed/node_modules/headrace');
    mkdirSync(installed, { recursive: true });
    const build = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', join(installed, 'dist')];
    expect(spawnSync(process.execPath, build, { encoding: 'utf8' }).stdout).toBe('');
    for (const name of ['package.json', 'templates']) cpSync(name, join(installed, name), { recursive: true });
    symlinkSync(resolve('node_modules'), join(installed, 'node_modules'));
    const program = (...args: string[]) =>
      spawnSync(process.execPath, [join(installed, 'dist/cli/main.js'), ...args], {
        cwd: parent.file('installed'),
        env: { ...process.env, npm_lifecycle_event: '' },
        encoding: 'utf8',
      });
    expect(program('init', 'shop').status).toBe(0);
    const config = readFileSync(parent.file('installed/shop/tsconfig.headrace.json'), 'utf8');
    expect(config).toContain('"../node_modules/headrace/dist/index.d.ts"');
    expect(compile(parent.file('installed/shop'))).toBe('');
    expect(program('apply', '--config', 'shop/headrace.config.ts').stderr).toContain('+ view customer_purchases');
  });
});

describe('the README of the project', { timeout: 300_000 }, () => {
  const project = testProject(() => {
    const made = createTemplateProject(`My shop #1 & 'co'`);
    // Environments of Python are kept from one run of the tests to the next: making one takes most of the time.
    for (const folder of [made.file('.headrace'), '.headrace/environments']) mkdirSync(folder, { recursive: true });
    symlinkSync(resolve('.headrace/environments'), made.file('.headrace/environments'));
    return made;
  });
  const blocks = () => shellBlocks(project.file('README.md'));
  /** The block's lines that hold a word. */
  const block = (word: string): string =>
    blocks().find((text) => text.includes(word)) ?? expect.fail(`the README has no command with "${word}"`);
  const headraceLine = (words: string): string => `npm --prefix ${process.cwd()} run -s headrace -- ${words}`;
  const type = (line: string) => {
    const output = shell(project.directory, line);
    expect(output.code, output.stderr).toBe(0);
    return output.stdout;
  };

  it('names every command as it must be typed here', () => {
    const lines = blocks().flatMap((text) =>
      text.split('\n').filter((line) => /^(headrace|npm|node|curl)\b/.test(line)),
    );
    const names = lines.map((line) => line.replace(headraceLine(''), '').split(' ')[0]);
    expect(names.join(' ')).toBe('apply materialize run serve curl push features dev plan node init');
  });

  it('has what the guide shows; what the guide alone has is typed here', () => {
    const lines = (page: string): string[] =>
      shellBlocks(page)
        .flatMap((text) => text.replaceAll(headraceLine(''), 'headrace ').split('\n'))
        .filter((line) => /^(headrace|node) /.test(line));
    const typed = new Set(lines(project.file('README.md')));
    const others = lines('docs/guides/first-project.md').filter((line) => !typed.has(line));
    const names = others.map((line) => line.split(' ').slice(0, 3).join(' '));
    expect(names).toEqual(['headrace dev --once', 'headrace doctor']);
    for (const line of others) type(line.replace('headrace ', headraceLine('')));
    // What they made is not there yet for whoever follows the README.
    for (const name of ['registry.db', 'registry.db-wal', 'registry.db-shm', 'online', 'push-log'])
      rmSync(project.file(`.headrace/${name}`), { recursive: true, force: true });
  });

  it('tests what a function computes, with nothing installed', () => {
    expect(type(block('--test'))).toMatch(/pass 2\b/);
    type('npm test');
  });

  it('goes by its five commands from nothing to a prediction, and on from there', async () => {
    const [apply = '', materialize = '', run = '', serve = ''] = block('run train_return_risk').split('\n');
    expect(type(apply)).toContain('revision 1');
    expect(type(materialize)).toContain('finished');

    const trained = shell(project.directory, `${run} --json`);
    const isTrained = trained.code === 0;
    if (!isTrained && trained.stderr.includes('HR_PYTHON_UNAVAILABLE')) {
      skipBecause('the template’s pipeline: the Python packages it needs can’t be installed here');
    } else {
      expect(trained.code, trained.stderr).toBe(0);
      const { steps } = JSON.parse(trained.stdout) as { steps: { name: string; result: unknown }[] };
      const { fit, best, register } = Object.fromEntries(steps.map(({ name, result }) => [name, result]));
      const aucs = (fit as { auc: number }[]).map(({ auc }) => auc);
      expect(aucs).toHaveLength(3);
      // A coin is at 0.5; what was put into the data can be learned.
      expect(Math.min(...aucs)).toBeGreaterThan(0.65);
      expect(best).toMatchObject({ auc: Math.max(...aucs) });
      expect(register).toMatchObject({ version: 1, metrics: { auc: Math.max(...aucs) } });
      const shown = JSON.parse(type(headraceLine('models show return_risk --json'))) as object;
      expect(shown).toMatchObject({ versions: [{ rows: 'independent' }] });
    }

    const port = await freePort();
    const server = startShell(project.directory, serve, { HEADRACE_SERVER_PORT: String(port) });
    onTestFinished(async () => void (await server.stop('SIGINT')));
    await server.holds('Serving http://127.0.0.1:');
    const hasCurl = shell(project.directory, 'command -v curl').code === 0;
    if (!hasCurl) skipBecause('the template’s prediction: there is no curl here');
    if (isTrained && hasCurl) {
      const { predictions } = JSON.parse(type(block('curl').replace(':8080/', `:${port}/`))) as {
        predictions: { outputs: { probability: number }; features: Record<string, number> }[];
      };
      const { probability = NaN } = predictions[0]?.outputs ?? {};
      expect(probability).toBeGreaterThan(0.2);
      expect(probability).toBeLessThan(1);
      expect(predictions[0]?.features['customer_purchases__purchases_30d']).toBeGreaterThan(2);
    }
    const [push = '', get = ''] = block('push purchases').split('\n');
    expect(type(push)).toContain('3 events');
    // The newest of the events.
    const features = { customer_purchases__last_amount: 148.9 };
    expect(JSON.parse(type(`${get} --json`))).toMatchObject({ rows: [{ features }] });
    expect((await server.stop('SIGINT')).stderr).not.toContain('"level":"error"');

    const dev = startShell(project.directory, block('headrace -- dev'));
    onTestFinished(async () => void (await dev.stop('SIGKILL')));
    await dev.holds('revision 1 is what the repository says');
    const [line = ''] = /^ {4}mean_amount_7d: .*$/m.exec(readFileSync(project.file('README.md'), 'utf8')) ?? [];
    const purchases = readFileSync(project.file('feature_repo/purchases.ts'), 'utf8');
    project.write('feature_repo/purchases.ts', purchases.replace('  features: {\n', `  features: {\n${line}\n`));
    await dev.holds('customer_purchases__mean_amount_7d');
    // npm ends by the same signal.
    const { stdout } = await dev.stop('SIGINT');
    expect(stdout).toMatch(/Applied revision 2, computed customer_purchases \(150 keys\)/);
    expect(stdout).toMatch(/^\* {2}customer_purchases__mean_amount_7d +- +\d/m);
    type(block('-- plan'));
    type(block('--repair'));
    expect(compile(project.directory)).toBe('');
  });
});
