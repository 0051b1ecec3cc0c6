// A server that opened another store than the one that runs filled: a wrong `project` or `online.url`, a store that is gone.
// It says so, and what to do; by marks of runs alone, so a view that no run has filled lacks nothing.
// twin: test/unit/serving-store-check.test.ts > asks nothing for what only pushes have filled
// twin: test/unit/online-runs-marks.test.ts > a store lacks what a run filled

import { rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openApp, readEnvironment } from '../../src/app/index.ts';
import { serveInProcess } from '../../src/app/serve-worker.ts';
import { silentLogger } from '../../src/core/index.ts';
import { hasRedisCluster, type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import {
  createServingProject,
  headrace,
  headraceJson,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';

if (!hasRedis()) skipBecause('another Redis than the one that was filled: there is no redis-server on this machine');

interface Ready {
  readonly status: string;
  readonly reason: string;
  readonly views: readonly { version: string; state: string; nodes: string[]; reason: string | null }[];
}

const RECOVERY = { timeout: 10_000 };
const otherStore = (project: Project, name = 'elsewhere') => ({
  HEADRACE_ONLINE_URL: `lmdb:${project.file(`.headrace/${name}`)}`,
});
const ASKED = ['features', 'get', '--service', 'numbers', '--rows', '[{"customer":"ada","amount":20}]'];
const COMPLETE = /^headrace_view_version_complete\{view="history",.*\} ([01])$/m;

let server: ServerProcess | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});
const serve = async (project: Project, env: Readonly<Record<string, string>> = {}): Promise<void> => {
  server = await startServe(project, [], env);
};
const get = (path: string) => fetch(`${server?.url}${path}`);
const ready = async (): Promise<Ready & { readonly code: number }> => {
  const response = await get('/health/ready');
  return { code: response.status, ...((await response.json()) as Ready) };
};
const completeMetric = async () => COMPLETE.exec(await (await get('/metrics')).text())?.[1];
const isReady = () => expect.poll(async () => (await ready()).code, RECOVERY).toBe(200);
const logged = (words: string) => server?.log().split(words).length ?? 0;
const versionOf = (project: Project) =>
  (headraceJson(project, ['views']) as { views: { version: string }[] }).views[0]?.version ?? '';

describe('a server of another store than the one that was filled', () => {
  let project: Project;
  let version: string;
  beforeAll(() => {
    project = createServingProject();
    version = versionOf(project);
  });
  afterAll(() => project.remove());

  it('lacks nothing while no run has filled any; once one fills another, it says so and stays in its balancer', async () => {
    await serve(project, otherStore(project));
    expect(await ready()).toMatchObject({
      code: 200,
      views: [{ version, state: 'complete', nodes: [], reason: null }],
    });
    headraceJson(project, ['materialize', '--incremental']);
    await expect.poll(async () => (await ready()).views[0]?.state, RECOVERY).toBe('absent');
    expect(await ready()).toMatchObject({ code: 200, status: 'ready' });
    expect(await completeMetric()).toBe('0');
  }, 60_000);

  it('is not ready, and says what came, what was expected and what to do, until a run has filled this one', async () => {
    await serve(project, otherStore(project));
    const told = await ready();
    expect(told).toMatchObject({
      code: 503,
      status: 'not ready',
      views: [{ version, state: 'absent', nodes: ['lmdb'], reason: expect.stringContaining(version) }],
    });
    for (const said of [told.reason, told.views[0]?.reason]) {
      expect(said).toContain(`${version} is complete by the registry`);
      expect(said).toContain('/elsewhere has a mark of it under project "shop"');
      expect(said).toContain('`project` and `online.url`');
      expect(said).toContain(`\`headrace materialize --incremental --views ${version}\``);
    }
    const status = (await (await get('/v1/status')).json()) as { views: object[]; definitions: object };
    expect(status).toMatchObject({
      views: [
        { version, complete: true, store_lacks: { nodes: ['lmdb'], absent: true, reason: told.views[0]?.reason } },
      ],
      definitions: { views: told.views },
    });
    expect(await completeMetric()).toBe('0');
    headraceJson(project, ['materialize', '--incremental', '--views', version], otherStore(project));
    await isReady();
    expect((await ready()).views).toMatchObject([{ state: 'complete', nodes: [], reason: null }]);
    expect(await completeMetric()).toBe('1');
    expect(logged('the online store lacks what the registry says is complete')).toBe(2);
    expect(logged('the online store lacks nothing any more of what is served')).toBe(2);
  }, 60_000);

  it('is told by `headrace views` and `headrace doctor` too', () => {
    const env = otherStore(project, 'third');
    const views = headrace(project, ['views'], env).stdout;
    expect(views).toMatch(/^history +\w+\* +absent /m);
    expect(views).toContain('no node of lmdb:');
    const { code, stdout } = headrace(project, ['doctor'], env);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAIL {2}online store: .*third has a mark/m);
    expect(headrace(project, ['views']).stdout).toMatch(/^history +\w+\* +complete /m);
    expect(headrace(project, ['doctor']).stdout).toMatch(/^ok {4}online store: answers, and has what runs filled/m);
  }, 60_000);

  it('of another project does not start, nor does what would push, plan or fill for it', () => {
    const env = { HEADRACE_PROJECT: 'shopp' };
    const commands = [
      ['serve', '--port', '0'],
      ['plan'],
      ['apply'],
      ['push', 'purchases', 'events.jsonl'],
      ['materialize', '--incremental'],
    ];
    for (const command of commands) {
      const { code, stderr } = headrace(project, command, env);
      expect({ command, code, stderr }).toEqual({
        command,
        code: 1,
        stderr: expect.stringContaining('HR_OTHER_PROJECT'),
      });
      expect(stderr).toContain('are of project "shop", and `project` is "shopp" here');
    }
  }, 60_000);

  it('is the same where an LMDB store was deleted under a registry that lives', async () => {
    rmSync(project.file('.headrace/online'), { recursive: true });
    await serve(project);
    expect(await ready()).toMatchObject({ code: 503, views: [{ state: 'absent' }] });
    headraceJson(project, ['materialize', '--incremental', '--views', 'history']);
    await isReady();
    expect(headraceJson(project, ASKED)).toMatchObject({ rows: [{ features: { history__purchases_1d: 2 } }] });
  }, 60_000);
});

describe.skipIf(!hasRedis())('a server of another Redis', () => {
  let redis: RedisServer;
  let project: Project;
  beforeAll(async () => {
    redis = await startRedis();
    project = createServingProject({ HEADRACE_ONLINE_URL: redis.url });
    headraceJson(project, ['materialize', '--incremental'], { HEADRACE_ONLINE_URL: redis.url });
  }, 60_000);
  afterAll(async () => {
    project?.remove();
    await redis?.stop();
  });

  it('is ready with the one that was filled, not with another database of it, and shows no password', async () => {
    await serve(project, { HEADRACE_ONLINE_URL: redis.url });
    expect(await ready()).toMatchObject({ code: 200, views: [{ state: 'complete' }] });
    await server?.stop();
    await serve(project, { HEADRACE_ONLINE_URL: `${redis.url.replace('redis://', 'redis://default:s3cret@')}/1` });
    const told = await ready();
    expect(told).toMatchObject({ code: 503, views: [{ state: 'absent' }] });
    expect(told.reason).toContain(`no node of redis://default:***@127.0.0.1:${redis.port}/1`);
    expect(JSON.stringify(told) + server?.log()).not.toContain('s3cret');
  }, 60_000);

  it('that came back empty says so, and stays in its balancer where it was ready while that was away', async () => {
    const environment = { ...readEnvironment({ HEADRACE_ONLINE_URL: redis.url }), workingDirectory: project.directory };
    const app = await openApp({ environment, logger: silentLogger });
    await app.online();
    // Gone before a mark could be read.
    await redis.kill();
    const serving = await serveInProcess(app, { host: '127.0.0.1', port: 0, hasDocs: false });
    try {
      const asked = async () => (await serving.server.inject('/health/ready')).json() as Ready;
      expect(await asked()).toMatchObject({ status: 'ready', views: [{ state: 'unknown', reason: null }] });
      await redis.start();
      await expect.poll(async () => (await asked()).views[0]?.state, RECOVERY).toBe('absent');
      const reason = expect.stringContaining('nothing that a run filled is there');
      expect(await asked()).toMatchObject({ status: 'ready', views: [{ reason }] });
    } finally {
      await serving.stop();
      await app.close();
    }
  }, 60_000);
});

describe.skipIf(!hasRedisCluster())('a server of a Redis Cluster', () => {
  let cluster: RedisCluster;
  let project: Project;
  let env: Readonly<Record<string, string>>;
  beforeAll(async () => {
    cluster = await startRedisCluster();
    env = { HEADRACE_ONLINE_URL: cluster.url };
    project = createServingProject(env);
    headraceJson(project, ['materialize', '--incremental'], env);
  }, 60_000);
  afterAll(async () => {
    project?.remove();
    await cluster?.stop();
  });

  it('of which a node was emptied is ready and answers from what is left, and says which', async () => {
    await (await cluster.masterOf(0)).command('FLUSHALL');
    await serve(project, env);
    expect(await ready()).toMatchObject({
      code: 200,
      views: [
        { state: 'partial', nodes: ['slots 0'], reason: expect.stringContaining('node slots 0 of redis+cluster:') },
      ],
    });
    expect(await completeMetric()).toBe('0');
    headraceJson(project, ['materialize', '--incremental'], env);
    await expect.poll(async () => (await ready()).views[0]?.state, RECOVERY).toBe('complete');
    expect(await completeMetric()).toBe('1');
  }, 60_000);
});
