// What `npm pack` makes installs into an empty project, and goes from nothing to a prediction there, with its types and its client.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { createProject, type Project } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { type ShellProcess, shellBlocks, startShell } from '../support/template-project.ts';

const ROOT = join(import.meta.dirname, '../..');
const LIMIT_MS = 600_000;

/** As a person types it, with the Node that the machine has and no folder of this clone on the PATH. */
function type(directory: string, line: string) {
  const options = { cwd: directory, env: bare(), encoding: 'utf8', timeout: LIMIT_MS } as const;
  const { status: code, stdout, stderr } = spawnSync('bash', ['-e', '-c', line], options);
  return { code, stdout, stderr };
}

function bare(): NodeJS.ProcessEnv {
  const path = (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'));
  const others = Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD|NODE_|VITEST|HEADRACE_)/.test(name));
  return { ...Object.fromEntries(others), PATH: path.join(':') };
}

function ok({ code, stdout, stderr }: ReturnType<typeof type>): string {
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

const reached = type(ROOT, 'npm view semver version');
if (reached.code !== 0) skipBecause('the package in an empty project: npm reaches no registry');

describe.skipIf(reached.code !== 0)('the package', { timeout: LIMIT_MS }, () => {
  let outside: Project;
  let packed: string;
  beforeAll(() => {
    outside = createProject({ 'empty/package.json': '{"name":"empty","private":true,"type":"module"}' });
    // `prepack` builds it.
    ok(type(ROOT, `npm pack --silent --pack-destination '${outside.directory}'`));
    packed = readdirSync(outside.directory).find((name) => name.endsWith('.tgz')) ?? '';
  }, LIMIT_MS);
  // It has some ten thousand files.
  afterAll(() => outside.remove(), LIMIT_MS);
  const inEmpty = (line: string) => type(outside.file('empty'), line);

  it('has what its package.json names, and neither sources nor tests', () => {
    const listed = ok(type(outside.directory, `tar -tzf '${packed}'`))
      .trim()
      .split('\n');
    const files = listed.map((path) => path.replace(/^package\//, ''));
    type Package = { bin: Record<string, string>; exports: Record<string, { types: string; default: string }> };
    const { bin, exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Package;
    const named = [...Object.values(bin), ...Object.values(exports).flatMap((one) => [one.types, one.default])];
    for (const path of named) expect(files).toContain(path.replace('./', ''));
    expect(files.filter((path) => /^(src|test|bench|scripts|feature_repo|clients)\//.test(path))).toEqual([]);
    expect(files.filter((path) => path.startsWith('dist/') && /(?<!\.d)\.ts$/.test(path))).toEqual([]);
  });

  it('installs into an empty project', () => {
    ok(inEmpty(`npm install --ignore-scripts --prefer-offline --no-audit --no-fund --loglevel=error '../${packed}'`));
    expect(ok(inEmpty('npx headrace --version')).trim()).toMatch(/\d+\.\d+\.\d+/);
  });

  it('goes from nothing to a prediction by what it says itself', async () => {
    const said = ok(inEmpty('npx headrace init shop'));
    const steps = [...said.matchAll(/^ {2}(npx headrace .*)$/gm)].map(([, line = '']) => line);
    expect(steps).toEqual([
      'npx headrace apply',
      'npx headrace materialize --incremental',
      'npx headrace run train_return_risk',
      'npx headrace serve',
    ]);
    const shop = outside.file('empty/shop');
    for (const line of steps.slice(0, -1)) ok(type(shop, line));
    const port = await freePort();
    // Of the README's block of the second terminal the port is another.
    const curl = shellBlocks(join(shop, 'README.md')).find((block) => block.startsWith('curl')) ?? '';
    const variables = bare() as Record<string, string>;
    const server: ShellProcess = startShell(shop, `npx headrace serve --port ${port} --json`, variables);
    try {
      await server.holds('\n');
      type Predicted = { outputs: { probability: number }; features: object };
      const answer = ok(type(shop, curl.replace(':8080', `:${port}`)));
      const [predicted] = (JSON.parse(answer) as { predictions: Predicted[] }).predictions;
      expect(predicted?.outputs.probability).toBeGreaterThan(0.3);
      expect(predicted?.features).toMatchObject({ basket__discount: 0.3 });
      // What the program reads in the end is pushed here.
      ok(type(shop, 'npx headrace push purchases events.jsonl'));
      ok(type(shop, 'npx headrace types --out api.ts'));
      outside.write('empty/shop/ask.ts', program(`http://127.0.0.1:${port}`));
      expect(ok(type(shop, `PATH="$PWD/../node_modules/.bin:$PATH" node ask.ts`))).toBe('true bigint 148.9\n');
    } finally {
      await server.stop('SIGTERM');
    }
  });

  it('is typed, client and definitions alike', () => {
    const shop = outside.file('empty/shop');
    const config = readFileSync(join(shop, 'tsconfig.json'), 'utf8');
    outside.write('empty/shop/tsconfig.json', config.replace('"feature_repo"]', '"feature_repo", "ask.ts"]'));
    expect(existsSync(join(shop, 'ask.ts'))).toBe(true);
    expect(ok(type(shop, '../node_modules/.bin/tsc -p .'))).toBe('');
    // A page's bundler: no Node in sight, and every declaration file looked into.
    const untyped = program('/')
      .replace(/import type.*\n/, '')
      .replace('<typeof shop>', '');
    outside.write('empty/shop/page.ts', `${untyped}export {};\n`);
    const options = '--strict --noEmit --skipLibCheck false --target es2022 --lib es2022,dom --types ""';
    const bundler = `${options} --module esnext --moduleResolution bundler --allowImportingTsExtensions`;
    expect(ok(type(shop, `../node_modules/.bin/tsc --ignoreConfig ${bundler} page.ts`))).toBe('');
    const wrong = program('http://x.example').replace("'checkout'", "'chekout'");
    outside.write('empty/shop/ask.ts', wrong);
    expect(type(shop, '../node_modules/.bin/tsc -p .').stdout).toContain('"chekout"');
  });

  it('has a client whose own files are enough, typed by what a server serves', () => {
    const shop = outside.file('empty/shop');
    ok(type(shop, 'cp -r ../node_modules/headrace/dist/client own-client'));
    const size = "find own-client -type f -printf '%s\\n' | awk '{ sum += $1 } END { print sum }'";
    expect(Number(ok(type(shop, size)))).toBeLessThan(120_000);
    const imported = ok(type(shop, `grep -rhoE "^(import|export) .* from '[^']+'" own-client --include='*.js'`));
    const lines = imported.trim().split('\n');
    expect(lines.filter((line) => !line.includes("from './"))).toEqual([]);
    const alone = (endpoint: string): string => `import { createClient } from './own-client/index.js';
import { api } from './api.ts';

const { outputs } = await createClient({ url: 'http://x.example', api }).predict('${endpoint}', {
  customer: 'ada', amount: 160, discount: 0.3,
});
export const probability: number | null = outputs.probability;
`;
    const options =
      '--strict --noEmit --skipLibCheck --target es2022 --lib es2022,dom --types "" --allowImportingTsExtensions';
    const compile = () => type(shop, `../node_modules/.bin/tsc --ignoreConfig ${options} --module nodenext alone.ts`);
    outside.write('empty/shop/alone.ts', alone('checkout'));
    expect(ok(compile())).toBe('');
    outside.write('empty/shop/alone.ts', alone('chekout'));
    expect(compile().stdout).toContain('"chekout"');
  });
});

const program = (url: string): string => `import { createClient } from 'headrace/client';
import type * as shop from './feature_repo/return-risk.ts';
import { api } from './api.ts';

const url = '${url}';
const row = { customer: 'ada', amount: 160, discount: 0.3 };
const { outputs } = await createClient<typeof shop>({ url }).predict('checkout', row);
const { features } = await createClient({ url, api }).readFeatures('basket_features', row);
console.log(
  typeof outputs.probability === 'number',
  typeof features.customer_purchases__purchases_30d,
  features.customer_purchases__last_amount,
);
`;
