// `headrace serve` with keys and TLS, as a process with several workers: what starts, what is let in, what is renewed, what a
// stop does not wait for.
// twin: test/e2e/keys-command.test.ts > keys on the command line
// twin: test/integration/serving-keys.test.ts > a server with keys
// twin: test/integration/serving-streams.test.ts > ends streams at once

import { request as httpsRequest } from 'node:https';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import { openRaw, rawHttp, request } from '../support/raw-http.ts';
import { runGuide } from '../support/run-guide.ts';
import { skipBecause } from '../support/skips.ts';
import { createServingProject, headrace, headraceJson, type Project, startServe } from '../support/serving-project.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/security.md');

let project: Project;
beforeAll(() => {
  project = createServingProject();
}, 60_000);
afterAll(() => project.remove());

interface MadeKey {
  readonly key: string;
  readonly id: string;
}
// The command's own document.
const keys = (...args: string[]): MadeKey => headraceJson(project, ['keys', ...args]) as MadeKey;
const statusOf = async (url: string, token?: string): Promise<number> => {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return (await fetch(`${url}/v1/endpoints`, { headers })).status;
};
/** What ten requests in a row are told: one worker may know later than the other. */
const tenTimes = async (url: string, token?: string): Promise<number[]> => {
  const told: number[] = [];
  for (let at = 0; at < 10; at++) told.push(await statusOf(url, token));
  return [...new Set(told)];
};

// In order: a registry that ever had a key is closed from then on.
describe('before the first key', () => {
  it('two workers are open to loopback, and close by it', async () => {
    const server = await startServe(project, ['--workers', '2']);
    try {
      expect(await statusOf(server.url)).toBe(200);
      const evil = request('GET', '/v1/endpoints', ['Host: evil.example']);
      expect((await rawHttp(server.url, [evil])).status).toBe(421);
      const first = headrace(project, ['keys', 'create', 'first', '--role', 'read', '--reason', 'begin']);
      const key = first.stdout.trim();
      expect(first.stderr).toContain('servers that were open let nobody in without a key or a token from now on');
      await expect.poll(() => tenTimes(server.url)).toEqual([401]);
      expect(await tenTimes(server.url, key)).toEqual([200]);
      keys('revoke', 'first');
      await expect.poll(() => tenTimes(server.url, key)).toEqual([401]);
      // The last key is gone, and the server is not open again.
      expect(await statusOf(server.url)).toBe(401);
      expect(server.log()).not.toContain(key.split('_')[2]);
      expect(server.log()).toContain('requests take a key or a token');
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });
});

describe('an address that other machines reach', () => {
  it('takes a key that is in force, and serves by any name then', async () => {
    const refused = headrace(project, ['serve', '--host', '0.0.0.0', '--port', '0']);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('headrace keys create') });
    const { key } = keys('create', 'remote', '--role', 'read');
    const server = await startServe(project, ['--host', '0.0.0.0']);
    try {
      const url = server.url.replace('0.0.0.0', '127.0.0.1');
      expect([await statusOf(url), await statusOf(url, key)]).toEqual([401, 200]);
      const named = ['Host: features.example', `Authorization: Bearer ${key}`];
      expect((await rawHttp(url, [request('GET', '/v1/endpoints', named)])).status).toBe(200);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  it('says what tokens lack before it starts', () => {
    const { code, stderr } = headrace(project, ['serve', '--host', '0.0.0.0', '--port', '0'], {
      HEADRACE_SERVER_JWT_ISSUER: 'https://id.example',
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^HR_CONFIG: tokens take one of server\.jwt\.key/);
  });
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
if (!hasOpenssl) skipBecause('HTTPS: there is no openssl on this machine');

describe.skipIf(!hasOpenssl)('TLS', () => {
  const nothing = { cert: '', key: '' };
  const [one, two] = hasOpenssl ? [makeCertificate('one'), makeCertificate('two', 30)] : [nothing, nothing];
  const put = (cert: string, key: string): void => {
    project.write('cert.pem', cert);
    project.write('key.pem', key);
  };
  /** The name in the certificate that a new connection gets. */
  const nameOf = (url: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(url);
      const socket = tlsConnect({ host: hostname, port: Number(port), ca: [one.cert, two.cert] }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.end();
      });
      socket.once('error', reject);
    });
  const read = (url: string, path: string, token: string): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const options = { ca: [one.cert, two.cert], headers: { 'x-api-key': token }, agent: false };
      httpsRequest(`${url}${path}`, options, (answer) => {
        let body = '';
        answer.on('data', (chunk: Buffer) => (body += chunk.toString()));
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      })
        .once('error', reject)
        .end();
    });
  const get = async (url: string, token: string): Promise<number> => (await read(url, '/v1/endpoints', token)).status;
  /** Days until the certificate in use ends, by the metric. */
  const daysLeft = async (url: string, token: string): Promise<number> => {
    const { body } = await read(url, '/metrics', token);
    const ends = /^headrace_tls_certificate_expiry_seconds (\S+)$/m.exec(body)?.[1] ?? expect.fail(body);
    return (Number(ends) - Date.now() / 1000) / 86_400;
  };

  it('is spoken by all workers, which follow the files; a pair that is none changes nothing', async () => {
    put(one.cert, one.key);
    const { key } = keys('create', 'tls', '--role', 'read');
    const env = {
      HEADRACE_SERVER_TLS_CERT: project.file('cert.pem'),
      HEADRACE_SERVER_TLS_KEY: project.file('key.pem'),
    };
    const server = await startServe(project, ['--workers', '2'], env);
    try {
      expect(server.url).toMatch(/^https:/);
      for (let at = 0; at < 4; at++)
        expect([await nameOf(server.url), await get(server.url, key)]).toEqual(['one', 200]);
      expect(await daysLeft(server.url, key)).toBeCloseTo(2, 1);
      // Half of it first, as renewals do.
      project.write('cert.pem', two.cert);
      await expect.poll(() => server.log(), { timeout: 60_000 }).toContain('cannot be used');
      for (let at = 0; at < 4; at++) expect(await nameOf(server.url)).toBe('one');
      project.write('key.pem', two.key);
      const names = async () => new Set(await Promise.all(Array.from({ length: 6 }, () => nameOf(server.url))));
      await expect.poll(names, { timeout: 60_000, interval: 300 }).toEqual(new Set(['two']));
      expect(await get(server.url, key)).toBe(200);
      await expect.poll(() => daysLeft(server.url, key), { timeout: 60_000 }).toBeCloseTo(30, 1);
      expect(server.log()).not.toContain('PRIVATE KEY');
      // What is no TLS gets no answer, and the server lives.
      expect(
        (await rawHttp(server.url.replace('https', 'http'), ['GET / HTTP/1.1\r\n\r\n'], { limitMs: 3000 })).status,
      ).toBe(0);
      expect(await get(server.url, key)).toBe(200);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  it('works with the certificate that the guide makes, trusted as it says', async () => {
    const guide = readFileSync(GUIDE, 'utf8');
    const make = /^```bash\n(mkdir -p tls\nopenssl [^`]*)```$/m.exec(guide)?.[1] ?? expect.fail('no openssl');
    const made = spawnSync('bash', ['-ec', make], { cwd: project.directory, encoding: 'utf8' });
    expect(made.status, made.stderr).toBe(0);
    const ask = /^curl .*--cacert .*$/m.exec(guide)?.[0] ?? expect.fail('no curl');
    const env = {
      HEADRACE_SERVER_TLS_CERT: project.file('tls/fullchain.pem'),
      HEADRACE_SERVER_TLS_KEY: project.file('tls/key.pem'),
    };
    const server = await startServe(project, [], env);
    try {
      const { port } = new URL(server.url);
      for (const host of ['localhost', '127.0.0.1']) {
        const line = ask.replace('localhost:8443', `${host}:${port}`);
        const asked = spawnSync('bash', ['-c', line], { cwd: project.directory, encoding: 'utf8' });
        expect(JSON.parse(asked.stdout)).toMatchObject({ status: 'live' });
        const untrusted = spawnSync('bash', ['-c', line.replace(/--cacert \S+/, '')], { cwd: project.directory });
        expect(untrusted.status).toBe(60);
      }
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  it('says what is wrong with its files before it starts', () => {
    const serve = (cert: string, key?: string) =>
      headrace(project, ['serve', '--port', '0'], {
        HEADRACE_SERVER_TLS_CERT: cert,
        ...(key === undefined ? {} : { HEADRACE_SERVER_TLS_KEY: key }),
      });
    put(one.cert, two.key);
    expect(serve(project.file('cert.pem')).stderr).toMatch(/^HR_CONFIG: server\.tls\.key is missing/);
    expect(serve('/nowhere.pem', project.file('key.pem')).stderr).toMatch(/^HR_CONFIG: server\.tls\.cert: .*ENOENT/);
    expect(serve(project.file('cert.pem'), project.file('key.pem')).stderr).toMatch(
      /^HR_CONFIG: server\.tls: .*no certificate and its key/,
    );
  });
});

describe('a stop', () => {
  it.each(['1', '2'])('with watchers does not wait for the kill, by %s workers', async (workers) => {
    const { key } = keys('create', `watch-${workers}`, '--role', 'read');
    const server = await startServe(project, ['--workers', workers]);
    const stream = request('GET', '/v1/monitoring/stream', ['Host: localhost', `X-Api-Key: ${key}`]);
    const watchers = await Promise.all(Array.from({ length: 4 }, () => openRaw(server.url)));
    for (const { socket } of watchers) socket.write(stream.replace('Connection: close', 'Connection: keep-alive'));
    for (const { text } of watchers) await expect.poll(text, { timeout: 60_000 }).toContain('event: stats');
    expect(await server.stop()).toBe(0);
    // By itself: nobody had to kill a worker.
    expect(server.log()).not.toContain('is killed');
    for (const { socket } of watchers) socket.destroy();
  });
});

it('the guide’s commands work as it shows them', () => {
  runGuide(GUIDE, project);
  const { keys: all } = headraceJson(project, ['keys', 'list']) as { keys: { name: string; state: string }[] };
  const states = all.filter(({ name }) => name === 'checkout-service').map(({ state }) => state);
  expect(states).toEqual(['revoked', 'revoked']);
});
