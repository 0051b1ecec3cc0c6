// The guide on GPUs, typed beside a server; what wants a GPU runs where there is one. What it says of files and settings is held against
// those.
// twin: test/unit/models-providers.test.ts > providers in order

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { environmentName, SETTINGS } from '../../src/app/index.ts';
import { hasGpu, ORT_LIBRARIES } from '../support/gpu.ts';
import { serveGuide } from '../support/served-guide.ts';
import { startServe } from '../support/serving-project.ts';

const ROOT = join(import.meta.dirname, '../..');
const guide = serveGuide('gpu.md');
const text = readFileSync(guide.path, 'utf8');
const dockerfile = readFileSync(join(ROOT, 'deploy/docker/cuda.Dockerfile'), 'utf8');

it('shows what its commands print', { timeout: 120_000 }, () => {
  expect(guide.type()).toBe(1);
});

it('shows where nodes ran, by the command that it gives', async () => {
  const command = /^curl -s \S+\/v1\/status.*$/m.exec(text)?.[0] ?? '';
  const { stdout } = spawnSync('bash', ['-c', command], {
    encoding: 'utf8',
    env: { ...process.env, ...guide.environment() },
  });
  expect(stdout).toBe('cpu: {"cpu":3} inline\n');
});

it.skipIf(!hasGpu('the guide on GPUs'))('serves on a GPU as it says', { timeout: 120_000 }, async () => {
  const server = await startServe(guide.project(), [], { HEADRACE_MODELS_PROVIDERS: 'cuda,cpu' });
  try {
    const { models } = (await (await fetch(`${server.url}/v1/status`)).json()) as { models: { loaded: object[] } };
    expect(models.loaded).toMatchObject([{ providers: ['cuda', 'cpu'], placement: 'threads' }]);
    expect(server.log()).toContain('nodesByProvider');
  } finally {
    await server.stop();
  }
});

it('speaks of the version, the folder and the script that the package has', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'node_modules/onnxruntime-node/package.json'), 'utf8')) as {
    readonly version: string;
  };
  for (const page of [text, dockerfile]) {
    expect(page).toContain(`"onnxruntime-gpu[cuda,cudnn]==${version}"`);
    expect(page).toContain('node_modules/onnxruntime-node/bin/napi-v6/linux/x64');
  }
  expect(existsSync(join(ORT_LIBRARIES, 'libonnxruntime.so.1')) || process.platform !== 'linux').toBe(true);
  const script = readFileSync(join(ROOT, 'node_modules/onnxruntime-node/script/install-utils.js'), 'utf8');
  for (const [name] of text.matchAll(/\bONNXRUNTIME_NODE_\w+/g)) expect(script).toContain(`process.env.${name}`);
  const metadata = readFileSync(join(ROOT, 'node_modules/onnxruntime-node/script/install-metadata.js'), 'utf8');
  expect(metadata).toContain("'linux/x64': ['cuda12']");
});

it('names settings and files that there are', () => {
  const keys = new Set(SETTINGS.map(({ key }): string => key));
  const named = [...text.matchAll(/`((?:models|server|offline)\.\w+)`/g)];
  expect(named.length).toBeGreaterThan(6);
  for (const [, name = ''] of named) expect(keys, name).toContain(name);
  const variables = new Set([...SETTINGS.map(({ key }) => environmentName(key)), 'HEADRACE_URL']);
  for (const [name] of text.matchAll(/\bHEADRACE_\w+/g)) expect(variables, name).toContain(name);
  for (const [path] of text.matchAll(/(?<![\w./])(?:deploy|test)\/[\w./-]+\w/g))
    expect(existsSync(join(ROOT, path)), path).toBe(true);
  for (const [, page = ''] of text.matchAll(/\]\(([\w-]+\.md)/g))
    expect(existsSync(join(ROOT, 'docs/guides', page)), page).toBe(true);
});
