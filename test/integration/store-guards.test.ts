// What commands say of a Redis that may lose what it was given: doctor fails, materialize and serve warn once.

import { describe, expect, it, onTestFinished } from 'vitest';
import { openApp, readEnvironment } from '../../src/app/index.ts';
import { serveInProcess } from '../../src/app/serve-worker.ts';
import { silentLogger } from '../../src/core/index.ts';
import { hasRedis, type RedisServerOptions, startRedis } from '../support/redis-server.ts';
import { createServingProject } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { ownProject, testProject } from '../support/test-project.ts';

if (!hasRedis()) skipBecause('commands on a Redis without guards: there is no redis-server on this machine');

interface Doctor {
  readonly healthy: boolean;
  readonly checks: readonly {
    readonly check: string;
    readonly state: string;
    readonly says: string;
    readonly fix?: string;
  }[];
}

describe.skipIf(!hasRedis())('of a Redis', () => {
  const project = testProject();
  const started = async (options: RedisServerOptions) => {
    const server = await startRedis(options);
    onTestFinished(() => server.stop());
    return { server, env: { HEADRACE_ONLINE_URL: server.url } };
  };
  const doctor = (env: Readonly<Record<string, string>>) => {
    const { code, stdout } = project.run('doctor --json', env);
    const { healthy, checks } = JSON.parse(stdout) as Doctor;
    return { code, healthy, guards: checks.filter(({ check }) => check.startsWith('store ')) };
  };
  const warnings = (log: string) => log.split('\n').filter((line) => line.includes('the online store'));

  it('that evicts and keeps pushes in memory alone doctor fails by name, and serve and materialize warn once', async () => {
    const { server, env } = await started({ settings: ['--maxmemory-policy', 'allkeys-lru'] });
    const place = `redis (127.0.0.1:${server.port}): `;
    expect(doctor(env)).toEqual({
      code: 1,
      healthy: false,
      guards: [
        {
          check: 'store eviction',
          state: 'fail',
          says: expect.stringContaining(`${place}maxmemory_policy is "allkeys-lru", expected "noeviction"`),
          fix: expect.stringContaining('set maxmemory-policy noeviction'),
        },
        {
          check: 'store durability',
          state: 'fail',
          says: expect.stringContaining(`${place}aof_enabled is 0 and connected_slaves is 0`),
          fix: expect.stringContaining('set appendonly yes'),
        },
      ],
    });
    const both = [expect.stringMatching(/"level":"warn".*allkeys-lru.*aof_enabled is 0/)];
    const filled = project.run('materialize --incremental', env);
    expect(filled.code).toBe(0);
    expect(warnings(filled.stderr)).toEqual(both);
    expect(warnings(project.run('materialize --incremental --dry-run', env).stderr)).toEqual([]);
    const serving = await project.serve([], env);
    expect(warnings(serving.log())).toEqual(both);
  });

  it('that refuses INFO doctor says that it was not checked, and why, and is no failure', async () => {
    const { server } = await started({ settings: ['--appendonly', 'yes'] });
    await server.command('ACL SETUSER app on >secret ~* &* +@all -info');
    const env = { HEADRACE_ONLINE_URL: server.url.replace('redis://', 'redis://app:secret@') };
    expect(warnings(project.run('materialize --incremental', env).stderr)).toEqual([
      expect.stringMatching(/"level":"warn".*could not be checked.*NOPERM/),
    ]);
    const notChecked = { state: 'warn', says: expect.stringMatching(/not checked: it refuses INFO \(NOPERM/) };
    expect(doctor(env)).toMatchObject({ code: 0, healthy: true, guards: [notChecked, notChecked] });
  });

  it('that was away when a server started, and that another registry filled, the server reads nothing, until it is taken over', async () => {
    const { server, env } = await started({ settings: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    const other = ownProject(createServingProject({ HEADRACE_ONLINE_URL: 'lmdb:.headrace/online' }));
    expect(other.run('materialize --incremental', env).code).toBe(0);
    const environment = { ...readEnvironment(env), workingDirectory: project.directory };
    const app = await openApp({ environment, logger: silentLogger });
    onTestFinished(() => app.close());
    const store = await app.online();
    await server.kill();
    const serving = await serveInProcess(app, { host: '127.0.0.1', port: 0, hasDocs: false });
    onTestFinished(() => serving.stop());
    const payload = { service: 'numbers', rows: [{ customer: 'ada', amount: 1 }] };
    const read = async () => {
      const { statusCode, body } = await serving.server.inject({ method: 'POST', url: '/v1/features/read', payload });
      return [statusCode, (JSON.parse(body) as { readonly code?: string }).code];
    };
    expect(await read()).toEqual([503, 'HR_ONLINE_UNAVAILABLE']);
    await server.start();
    await expect.poll(read, { timeout: 10_000 }).toEqual([503, 'HR_OTHER_REGISTRY']);
    await store.adopt(await (await app.runs()).registry());
    expect(await read()).toEqual([200, undefined]);
  });

  it('that keeps what it is given doctor says so; LMDB has nothing of it', async () => {
    const { env } = await started({ settings: ['--appendonly', 'yes'] });
    expect(warnings(project.run('materialize --incremental', env).stderr)).toEqual([]);
    expect(doctor(env)).toMatchObject({ code: 0, guards: [{ state: 'ok' }, { state: 'ok' }] });
    expect(doctor({}).guards).toEqual([]);
  });
});
