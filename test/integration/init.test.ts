// `headrace init`, run in this process: the folder that it is given, what it says next, and the project that it makes, used from
// the first command to a feature that is read.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProject, type Project } from '../support/serving-project.ts';
import { npmOf, shellBlocks } from '../support/template-project.ts';
import { typeCommand } from '../support/typed-command.ts';

let parent: Project;
beforeAll(() => {
  parent = createProject({});
});
afterAll(() => parent.remove());

const init = (args: readonly string[], variables: Readonly<Record<string, string>> = {}) =>
  typeCommand(parent.directory, ['init', ...args], { variables });

describe('the folder that init is given', () => {
  it('may be new, however deep, empty, or a repository that was just made', async () => {
    mkdirSync(parent.file('empty'));
    mkdirSync(parent.file('repository/.git'), { recursive: true });
    for (const name of ['deep/in/here', 'empty/.', 'repository']) {
      expect((await init([name])).code, name).toBe(0);
      expect(existsSync(parent.file(`${name}/feature_repo/purchases.ts`)), name).toBe(true);
    }
  });

  it('may not hold anything, nor be a file: then nothing is written', async () => {
    parent.write('used/notes.txt', 'mine');
    const expected = { code: 2, stderr: expect.stringContaining('is not empty. Give a new folder.') };
    expect(await init(['used'])).toMatchObject(expected);
    expect(existsSync(parent.file('used/headrace.config.ts'))).toBe(false);
    expect(await init(['used/notes.txt'])).toMatchObject({ code: 2, stderr: expect.stringContaining('is a file') });
    expect((await init(['twice'])).code).toBe(0);
    parent.write('twice/feature_repo/purchases.ts', '// mine');
    expect(await init(['twice'])).toMatchObject({ code: 2, stderr: expect.stringContaining('a project already') });
    expect(readFileSync(parent.file('twice/feature_repo/purchases.ts'), 'utf8')).toBe('// mine');
  });

  it.each([
    ['My Shop', 'my_shop'],
    ['日本', 'project'],
    ['2026-shop', 'shop'],
    ['$& `x` "q"', 'x_q'],
  ])('named %j gives the project the name %s', async (folder, name) => {
    expect((await init([folder])).code).toBe(0);
    expect(readFileSync(parent.file(`${folder}/headrace.config.ts`), 'utf8')).toContain(`project: '${name}',`);
  });

  it('is a project for --repair', async () => {
    mkdirSync(parent.file('bare'));
    const expected = { code: 2, stderr: expect.stringContaining('there is no tsconfig.json in') };
    expect(await init(['--repair', 'bare'])).toMatchObject(expected);
    expect((await init(['whole'])).code).toBe(0);
    const { stdout } = await init(['--repair', parent.file('whole'), '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ changed: false, extended: true });
  });

  it('has its types written again by --repair, once they lead nowhere or are gone', async () => {
    expect((await init(['moved'])).code).toBe(0);
    const file = parent.file('moved/tsconfig.headrace.json');
    const text = readFileSync(file, 'utf8');
    for (const spoil of [() => writeFileSync(file, '{}'), () => rmSync(file)]) {
      spoil();
      const { stdout } = await init(['--repair', 'moved', '--json']);
      expect(JSON.parse(stdout)).toMatchObject({ file, changed: true });
      expect(readFileSync(file, 'utf8')).toBe(text);
    }
  });
});

describe('what it says next', () => {
  it('is what works from a clone, when npm ran it', async () => {
    const { stdout } = await init([`the 'next' one`], npmOf(parent.directory));
    expect(stdout).toContain(`  cd '${parent.directory}/the '\\''next'\\'' one'\n`);
    expect(stdout).toContain(`  npm --prefix ${process.cwd()} run -s headrace -- apply\n`);
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

it('makes a project that applies, takes pushes and reads features, from another folder too with --config', async () => {
  expect((await init(['shop'])).code).toBe(0);
  mkdirSync(parent.file('elsewhere'));
  const typed = async (...args: readonly string[]): Promise<unknown> => {
    const config = ['--config', '../shop/headrace.config.ts', '--json'];
    const { stdout } = await typeCommand(parent.file('elsewhere'), [...args, ...config]);
    return JSON.parse(stdout);
  };
  expect(await typed('apply')).toMatchObject({ revision: 1 });
  expect(await typed('push', 'purchases', '../shop/events.jsonl')).toMatchObject({ accepted: 3 });
  const rows = '[{"customer":"ada","amount":173.4,"discount":0.1}]';
  const features = {
    customer_purchases__purchases_30d: 2,
    customer_purchases__last_amount: 148.9,
    basket__discount: 0.1,
    basket__times_usual: 2,
  };
  expect(await typed('features', 'get', '--service', 'basket_features', '--rows', rows)).toMatchObject({
    rows: [{ features }],
  });
}, 60_000);
