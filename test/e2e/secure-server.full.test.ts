// `headrace serve` with keys and TLS, as a process with several workers: what starts, what is let in, what is renewed, what a
// stop does not wait for.
// twin: test/e2e/keys-command.test.ts > keys on the command line
// twin: test/integration/serving-keys.test.ts > a server with keys
// twin: test/integration/serving-streams.test.ts > ends streams at once: of clients that read, and of those that do not

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import { openRaw, rawHttp, request } from '../support/raw-http.ts';
import { runGuide } from '../support/run-guide.ts';
import { skipBecause } from '../support/skips.ts';
import { send, testProject } from '../support/test-project.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/security.md');
const TWO = ['--workers', '2'];
const SLOW = { timeout: 60_000 };
const project = testProject();

const newKey = (name: string) => project.json<{ key: string }>(`keys create ${name} --role read`).key;
const statusOf = async (url: string, token?: string): Promise<number> =>
  (
    await send(
      `${url}/v1/endpoints`,
      undefined,
      token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    )
  ).status;
/** What ten requests in a row are told: one worker may know later than the other. */
const tenTimes = async (url: string, token?: string): Promise<number[]> => {
  const told = new Set<number>();
  for (let at = 0; at < 10; at++) told.add(await statusOf(url, token));
  return [...told];
};

// In order: a registry that ever had a key is closed from then on.
it('before the first key two workers are open to loopback, and close by it', async () => {
  const server = await project.serve(TWO);
  expect(await statusOf(server.url)).toBe(200);
  const evil = request('GET', '/v1/endpoints', ['Host: evil.example']);
  expect((await rawHttp(server.url, [evil])).status).toBe(421);
  const first = project.run('keys create first --role read --reason begin');
  const key = first.stdout.trim();
  expect(first.stderr).toContain('servers that were open let nobody in without a key or a token from now on');
  await expect.poll(() => tenTimes(server.url)).toEqual([401]);
  expect(await tenTimes(server.url, key)).toEqual([200]);
  project.json('keys revoke first');
  await expect.poll(() => tenTimes(server.url, key)).toEqual([401]);
  // The last key is gone, and the server is not open again.
  expect(await statusOf(server.url)).toBe(401);
  expect(server.log()).not.toContain(key.split('_')[2]);
  expect(server.log()).toContain('requests take a key or a token');
  expect(await server.stop()).toBe(0);
});

it('an address that other machines reach takes a key that is in force, and serves by any name then', async () => {
  const refused = project.run('serve --host 0.0.0.0 --port 0');
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('headrace keys create') });
  const jwt = { HEADRACE_SERVER_JWT_ISSUER: 'https://id.example' };
  const lacks = expect.stringMatching(/^HR_CONFIG: tokens take one of server\.jwt\.key/);
  expect(project.run('serve --host 0.0.0.0 --port 0', jwt)).toMatchObject({ code: 1, stderr: lacks });
  const key = newKey('remote');
  const server = await project.serve(['--host', '0.0.0.0']);
  const url = server.url.replace('0.0.0.0', '127.0.0.1');
  expect([await statusOf(url), await statusOf(url, key)]).toEqual([401, 200]);
  const named = ['Host: features.example', `Authorization: Bearer ${key}`];
  expect((await rawHttp(url, [request('GET', '/v1/endpoints', named)])).status).toBe(200);
  expect(await server.stop()).toBe(0);
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
if (!hasOpenssl) skipBecause('HTTPS: there is no openssl on this machine');

describe.skipIf(!hasOpenssl)('TLS', () => {
  const nothing = { cert: '', key: '' };
  const [one, two] = hasOpenssl ? [makeCertificate('one'), makeCertificate('two', 30)] : [nothing, nothing];
  const ca = [one.cert, two.cert];
  const tls = (cert = 'cert.pem', key = 'key.pem') => ({
    HEADRACE_SERVER_TLS_CERT: project.file(cert),
    HEADRACE_SERVER_TLS_KEY: project.file(key),
  });
  /** The name in the certificate that a new connection gets. */
  const nameOf = (url: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(url);
      const socket = tlsConnect({ host: hostname, port: Number(port), ca }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.end();
      });
      socket.once('error', reject);
    });
  const read = (url: string, token: string): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const asking = httpsRequest(url, { ca, headers: { 'x-api-key': token }, agent: false }, (answer) => {
        let body = '';
        answer.on('data', (chunk: Buffer) => (body += chunk.toString()));
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      });
      asking.once('error', reject).end();
    });

  it('is spoken by all workers, which follow the files; a pair that is none changes nothing', async () => {
    project.write('cert.pem', one.cert);
    project.write('key.pem', one.key);
    const key = newKey('tls');
    const server = await project.serve(TWO, tls());
    const get = async () => (await read(`${server.url}/v1/endpoints`, key)).status;
    const names = async () => new Set(await Promise.all(Array.from({ length: 6 }, () => nameOf(server.url))));
    /** Days until the certificate in use ends, by the metric. */
    const daysLeft = async (): Promise<number> => {
      const { body } = await read(`${server.url}/metrics`, key);
      const ends = /^headrace_tls_certificate_expiry_seconds (\S+)$/m.exec(body)?.[1] ?? expect.fail(body);
      return (Number(ends) - Date.now() / 1000) / 86_400;
    };
    expect(server.url).toMatch(/^https:/);
    expect([await names(), await get()]).toEqual([new Set(['one']), 200]);
    expect(await daysLeft()).toBeCloseTo(2, 1);
    // Half of it first, as renewals do.
    project.write('cert.pem', two.cert);
    await expect.poll(() => server.log(), SLOW).toContain('cannot be used');
    expect(await names()).toEqual(new Set(['one']));
    project.write('key.pem', two.key);
    await expect.poll(names, { timeout: 60_000, interval: 300 }).toEqual(new Set(['two']));
    expect(await get()).toBe(200);
    await expect.poll(daysLeft, SLOW).toBeCloseTo(30, 1);
    expect(server.log()).not.toContain('PRIVATE KEY');
    // What is no TLS gets no answer, and the server lives.
    const plain = server.url.replace('https', 'http');
    expect((await rawHttp(plain, ['GET / HTTP/1.1\r\n\r\n'], { limitMs: 3000 })).status).toBe(0);
    expect(await get()).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  it('works with the certificate that the guide makes, trusted as it says', async () => {
    const guide = readFileSync(GUIDE, 'utf8');
    const type = (line: string) => spawnSync('bash', ['-ec', line], { cwd: project.directory, encoding: 'utf8' });
    const make = /^```bash\n(mkdir -p tls\nopenssl [^`]*)```$/m.exec(guide)?.[1] ?? expect.fail('no openssl');
    expect(type(make)).toMatchObject({ status: 0 });
    const ask = /^curl .*--cacert .*$/m.exec(guide)?.[0] ?? expect.fail('no curl');
    const server = await project.serve([], tls('tls/fullchain.pem', 'tls/key.pem'));
    const { port } = new URL(server.url);
    for (const host of ['localhost', '127.0.0.1']) {
      const line = ask.replace('localhost:8443', `${host}:${port}`);
      expect(JSON.parse(type(line).stdout)).toMatchObject({ status: 'live' });
      expect(type(line.replace(/--cacert \S+/, ''))).toMatchObject({ status: 60 });
    }
    expect(await server.stop()).toBe(0);
  });

  it('says what is wrong with its files before it starts', () => {
    project.write('cert.pem', one.cert);
    project.write('key.pem', two.key);
    const { HEADRACE_SERVER_TLS_CERT } = tls();
    for (const [env, why] of [
      [{ HEADRACE_SERVER_TLS_CERT }, /^HR_CONFIG: server\.tls\.key is missing/],
      [{ ...tls(), HEADRACE_SERVER_TLS_CERT: '/nowhere.pem' }, /^HR_CONFIG: server\.tls\.cert: .*ENOENT/],
      [tls(), /^HR_CONFIG: server\.tls: .*no certificate and its key/],
    ] as const)
      expect(project.run('serve --port 0', env).stderr).toMatch(why);
  });
});

it.each(['1', '2'])('a stop with watchers does not wait for the kill, by %s workers', async (workers) => {
  const key = newKey(`watch-${workers}`);
  const server = await project.serve(['--workers', workers]);
  const stream = request('GET', '/v1/monitoring/stream', ['Host: localhost', `X-Api-Key: ${key}`]);
  const watchers = await Promise.all(Array.from({ length: 4 }, () => openRaw(server.url)));
  for (const { socket } of watchers) socket.write(stream.replace('Connection: close', 'Connection: keep-alive'));
  for (const { text } of watchers) await expect.poll(text, SLOW).toContain('event: stats');
  expect(await server.stop()).toBe(0);
  // By itself: nobody had to kill a worker.
  expect(server.log()).not.toContain('is killed');
  for (const { socket } of watchers) socket.destroy();
});

it('the guide’s commands work as it shows them', () => {
  runGuide(GUIDE, project);
  const { keys } = project.json<{ keys: { name: string; state: string }[] }>('keys list');
  const states = keys.filter(({ name }) => name === 'checkout-service').map(({ state }) => state);
  expect(states).toEqual(['revoked', 'revoked']);
});
