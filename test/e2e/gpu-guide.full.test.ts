// The guide on GPUs, typed beside a server; what wants a GPU runs where there is one. What it says of files and settings is held against
// those.
// twin: test/unit/models-providers.test.ts > providers in order

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { environmentName, SETTINGS } from '../../src/app/index.ts';
import { hasGpu, ORT_LIBRARIES } from '../support/gpu.ts';
import { serveGuide } from '../support/served-guide.ts';
import { startServe } from '../support/serving-project.ts';
import { send } from '../support/test-project.ts';

const ROOT = join(import.meta.dirname, '../..');
const ORT = join(ROOT, 'node_modules/onnxruntime-node');
const guide = serveGuide('gpu.md');
const text = readFileSync(guide.path, 'utf8');

it('shows what its commands print, and where nodes ran, by the command that it gives', { timeout: 120_000 }, () => {
  expect(guide.type()).toBe(1);
  const command = /^curl -s \S+\/v1\/status.*$/m.exec(text)?.[0] ?? '';
  const env = { ...process.env, ...guide.environment() };
  expect(spawnSync('bash', ['-c', command], { encoding: 'utf8', env }).stdout).toBe('cpu: {"cpu":3} inline\n');
});

it.skipIf(!hasGpu('the guide on GPUs'))('serves on a GPU as it says', { timeout: 120_000 }, async () => {
  const server = await startServe(guide.project(), [], { HEADRACE_MODELS_PROVIDERS: 'cuda,cpu' });
  onTestFinished(async () => void (await server.stop()));
  const { body } = await send(`${server.url}/v1/status`);
  expect(body).toMatchObject({ models: { loaded: [{ providers: ['cuda', 'cpu'], placement: 'threads' }] } });
  expect(server.log()).toContain('nodesByProvider');
});

it('speaks of the version, the folder and the script that the package has', () => {
  const { version } = JSON.parse(readFileSync(join(ORT, 'package.json'), 'utf8')) as { readonly version: string };
  for (const page of [text, readFileSync(join(ROOT, 'deploy/docker/cuda.Dockerfile'), 'utf8')]) {
    expect(page).toContain(`"onnxruntime-gpu[cuda,cudnn]==${version}"`);
    expect(page).toContain('node_modules/onnxruntime-node/bin/napi-v6/linux/x64');
  }
  expect(existsSync(join(ORT_LIBRARIES, 'libonnxruntime.so.1')) || process.platform !== 'linux').toBe(true);
  const script = readFileSync(join(ORT, 'script/install-utils.js'), 'utf8');
  for (const [name] of text.matchAll(/\bONNXRUNTIME_NODE_\w+/g)) expect(script).toContain(`process.env.${name}`);
  expect(readFileSync(join(ORT, 'script/install-metadata.js'), 'utf8')).toContain("'linux/x64': ['cuda12']");
});

it('names settings and files that there are', () => {
  const named = [...text.matchAll(/`((?:models|server|offline)\.\w+)`/g)].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(6);
  expect(SETTINGS.map(({ key }): string => key)).toEqual(expect.arrayContaining(named));
  const variables = [...text.matchAll(/\bHEADRACE_\w+/g)].map(([name]) => name);
  const known = [...SETTINGS.map(({ key }): string => environmentName(key)), 'HEADRACE_URL'];
  expect(known).toEqual(expect.arrayContaining(variables));
  for (const [path] of text.matchAll(/(?<![\w./])(?:deploy|test)\/[\w./-]+\w/g))
    expect(existsSync(join(ROOT, path)), path).toBe(true);
  for (const [, page = ''] of text.matchAll(/\]\(([\w-]+\.md)/g))
    expect(existsSync(join(ROOT, 'docs/guides', page)), page).toBe(true);
});
