// headrace/client where it says that it runs: Node, Deno, Bun and a browser, each for real, by the same program.

import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { apiOfDocument } from '../../src/serving/index.ts';
import type { Api } from '../../src/client/index.ts';
import { findBrowser, openBrowser } from '../support/browser.ts';
import type { ClientTrial } from '../support/client-program.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { freePort } from '../support/free-port.ts';
import { bringNpmPackages } from '../support/npm-packages.ts';
import { skipBecause } from '../support/skips.ts';
import { testProject, testServer } from '../support/test-project.ts';

const [DENO, BUN] = ['2.9.6', '1.4.4'];
const PROGRAM = join(import.meta.dirname, '../support/client-program-main.ts');

interface Platform {
  readonly name: string;
  readonly program: string;
  readonly words: readonly string[];
}

/** Of its npm package, which brings its binary. */
function brought(name: string, packageName: string, version: string, binary: string): Platform | undefined {
  const found = bringNpmPackages(`${name}-${version}`, [`${packageName}@${version}`]);
  const program = typeof found === 'string' ? found : join(found.modules, packageName, binary);
  const said = typeof found === 'string' ? undefined : spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (said?.status === 0) return { name, program, words: [] };
  skipBecause(`the TypeScript client in ${name}: ${typeof found === 'string' ? found : `${program} does not start`}`);
  return undefined;
}

const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
const deno = brought('deno', `@deno/linux-${arch}-glibc`, DENO, 'deno');
const bun = brought('bun', `@oven/bun-linux-${arch === 'arm64' ? 'aarch64' : 'x64'}`, BUN, 'bin/bun');
const platforms: readonly Platform[] = [
  { name: 'node', program: process.execPath, words: [] },
  // It asks for nothing but the network: no files, no environment.
  ...(deno === undefined
    ? []
    : [{ ...deno, words: ['run', '--no-prompt', '--no-config', '--no-lock', '--allow-net=127.0.0.1'] }]),
  ...(bun === undefined ? [] : [{ ...bun, words: ['run'] }]),
];
const browserProgram = findBrowser();
if (browserProgram === undefined) skipBecause('the TypeScript client in a browser: there is no chromium');

const SEEN = {
  accepted: 1,
  points: '9007199254740993',
  pointsAre: 'bigint',
  outputs: { probability: 0.25 },
  variant: 'stable',
  told: 1,
  partial: [true, 'HR_INVALID'],
  flag: 'stable',
  isReady: true,
  invalid: ['HR_INVALID', 1],
  lostPrediction: ['HR_CONNECTION_LOST', 1],
  lostRead: ['HR_CONNECTION_LOST', 3],
  late: ['HR_TIMEOUT', 1],
  left: 'left',
  unreached: ['HR_UNREACHABLE', 2],
};

const server = testServer(testProject());
let proxy: FaultyProxy;
let deadUrl: string;
let api: Api;
beforeAll(async () => {
  proxy = await startFaultyProxy(server.url);
  proxy.fault = (_method, _path, { 'x-request-id': id }) => {
    if (id === 'drop') return { kind: 'drop' };
    return id === 'hang' ? { kind: 'silence' } : undefined;
  };
  deadUrl = `http://127.0.0.1:${await freePort()}`;
  api = apiOfDocument(await (await fetch(`${server.url}/openapi.json`)).json());
}, 120_000);
afterAll(() => proxy.stop());

const trialOf = (customer: string): ClientTrial => ({ url: proxy.endpoint, deadUrl, api, customer });

/** Its output; rejects where it fails. The proxy is in this process, which must not wait. */
function run({ program, words }: Platform, trial: ClientTrial): Promise<string> {
  const child = spawn(program, [...words, PROGRAM, JSON.stringify(trial)], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    timeout: 60_000,
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(stdout) : reject(new Error(stderr))));
  });
}

it.each(platforms)('runs in $name', async (platform) => {
  expect(JSON.parse(await run(platform, trialOf(platform.name)))).toEqual(SEEN);
});

it.skipIf(browserProgram === undefined)('runs in a page of the server’s own origin', async () => {
  const browser = await openBrowser(browserProgram ?? '');
  onTestFinished(() => browser.close());
  const entry = join(import.meta.dirname, '../support/client-program.ts');
  const bundled = { bundle: true, platform: 'browser', format: 'iife', globalName: 'trial', write: false } as const;
  const text = (await build({ entryPoints: [entry], ...bundled })).outputFiles[0]?.text ?? '';
  await browser.open(`${proxy.endpoint}/docs`);
  await browser.evaluate(text);
  const call = `trial.tryClient(${JSON.stringify(trialOf('browser'))}).then(JSON.stringify, (e) => String(e.stack))`;
  const seen = await browser.evaluate(`${text};${call}`);
  // A browser does not say whether a connection was made: a prediction is then not sent again.
  expect(JSON.parse(String(seen))).toEqual({ ...SEEN, unreached: ['HR_CONNECTION_LOST', 1] });
});
