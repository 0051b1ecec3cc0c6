// Redis behind TLS, alone and as a cluster: certificates are checked, and a wrong one is an error with its reason.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openRedisStore } from '../../src/online/redis/redis-store.ts';
import { freePort } from '../support/free-port.ts';
import { forEver, partOf, refOf } from '../support/online-writes.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { skipBecause } from '../support/skips.ts';

const canTls = hasRedis() && spawnSync('openssl', ['version']).status === 0;
if (!canTls) skipBecause('Redis behind TLS: there is no redis-server or openssl on this machine');

describe.skipIf(!canTls)('behind TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-tls-'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const trusted = getCACertificates('default');
  let port: number;
  let clusterPort: number;
  let servers: RedisServer[] = [];
  beforeAll(async () => {
    const words = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext';
    const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
    const made = spawnSync('openssl', [...words.split(' '), names, '-keyout', key, '-out', certificate]);
    expect(made.status).toBe(0);
    [port, clusterPort] = [await freePort(), await freePort()];
    const tls = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate];
    const settings = [...tls, '--tls-auth-clients', 'no', '--user', 'me', 'on', '>a:b:c', '~*', '+@all'];
    const cluster = ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort()), '--tls-cluster', 'yes'];
    servers = [
      await startRedis({ settings: [...settings, '--tls-port', String(port)] }),
      await startRedis({ settings: [...settings, ...cluster, '--tls-port', String(clusterPort)] }),
    ];
    await servers[1]?.command('CLUSTER ADDSLOTSRANGE 0 16383');
    await vi.waitUntil(async () => (await servers[1]?.command('CLUSTER INFO'))?.includes('cluster_state:ok'), 10_000);
  });
  afterAll(async () => {
    setDefaultCACertificates(trusted);
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  it('a server whose certificate nobody vouches for is not spoken to', async () => {
    const store = await openRedisStore(`rediss://me:a:b:c@localhost:${port}`, { project: 'test' });
    await expect(async () => store.read([refOf('x')])).rejects.toMatchObject({
      code: 'HR_ONLINE_UNAVAILABLE',
      message: expect.stringContaining('self-signed certificate'),
    });
    await store.close();
  });

  it('one whose certificate is trusted is read and written, alone and as a cluster, by name and by address', async () => {
    setDefaultCACertificates([...trusted, readFileSync(certificate, 'utf8')]);
    const urls = [
      `rediss://me:a:b:c@localhost:${port}`,
      `rediss://me:a:b:c@127.0.0.1:${port}`,
      `rediss+cluster://me:a:b:c@localhost:${clusterPort}`,
    ];
    for (const [index, url] of urls.entries()) {
      const store = await openRedisStore(url, { project: `test${index}` });
      const writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode() {} });
      const large = 'x'.repeat(300_000);
      await writer.putParts([partOf(refOf('x'), large)]);
      const [record] = await store.read([refOf('x')]);
      expect(Buffer.from(record?.parts[0]?.fold ?? []).toString()).toBe(large);
      await writer.close();
      await store.close();
    }
  });

  it('a server that does not speak TLS is unavailable with its reason', async () => {
    const store = await openRedisStore(`rediss://localhost:${servers[0]?.port}`, { project: 'test' });
    await expect(async () => store.read([refOf('x')])).rejects.toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    await store.close();
  });
});
