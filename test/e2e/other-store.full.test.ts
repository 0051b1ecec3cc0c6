// A server that opened another store than the one that runs filled: a wrong `project` or `online.url`, a store that is gone.
// It says so, and what to do; by marks of runs alone, so a view that no run has filled lacks nothing.
// twin: test/unit/serving-store-check.test.ts > asks nothing for what only pushes have filled, until a run fills it
// twin: test/unit/online-runs-marks.test.ts > a store lacks what a run filled

import { rmSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openApp, readEnvironment } from '../../src/app/index.ts';
import { serveInProcess } from '../../src/app/serve-worker.ts';
import { silentLogger } from '../../src/core/index.ts';
import { hasRedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import { hasRedis, startRedis } from '../support/redis-server.ts';
import { createServingProject, type ServerProcess } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { metricsOf, ownProject, send, type TestProject, testProject } from '../support/test-project.ts';

if (!hasRedis()) skipBecause('another Redis than the one that was filled: there is no redis-server on this machine');

interface Ready {
  readonly status: string;
  readonly reason: string;
  readonly views: readonly { version: string; state: string; nodes: string[]; reason: string | null }[];
}
const RECOVERY = { timeout: 20_000 };
const LIMIT = { timeout: 60_000 };
const ready = async ({ url }: ServerProcess) => {
  const { status, body } = await send<Ready>(`${url}/health/ready`);
  return { ...body, code: status };
};
const isComplete = async (server: ServerProcess) =>
  /^headrace_view_version_complete\{view="history",.*\} ([01])$/m.exec(await metricsOf(server))?.[1];
const untilState = (server: ServerProcess, state: string) =>
  expect.poll(async () => (await ready(server)).views[0]?.state, RECOVERY).toBe(state);
/** A project that is filled in the store at `url`. */
const filledIn = (url: string): TestProject => {
  const env = { HEADRACE_ONLINE_URL: url };
  const project = Object.assign(ownProject(createServingProject(env)), { env });
  project.json('materialize --incremental');
  return project;
};

// In order.
describe('a server of another store than the one that was filled', LIMIT, () => {
  const project = testProject();
  const other = (name = 'elsewhere') => ({ HEADRACE_ONLINE_URL: `lmdb:${project.file(`.headrace/${name}`)}` });
  const versionOf = () => project.json<{ views: { version: string }[] }>('views').views[0]?.version ?? '';

  it('lacks nothing while no run has filled any; once one fills another, it says so and stays in its balancer', async () => {
    const server = await project.serve([], other());
    const views = [{ version: versionOf(), state: 'complete', nodes: [], reason: null }];
    expect(await ready(server)).toMatchObject({ code: 200, views });
    project.json('materialize --incremental');
    await untilState(server, 'absent');
    expect(await ready(server)).toMatchObject({ code: 200, status: 'ready' });
    expect(await isComplete(server)).toBe('0');
  });

  it('is not ready, and says what came, what was expected and what to do, until a run has filled this one', async () => {
    const version = versionOf();
    const server = await project.serve([], other());
    const told = await ready(server);
    expect(told).toMatchObject({
      code: 503,
      status: 'not ready',
      views: [{ version, state: 'absent', nodes: ['lmdb'] }],
    });
    for (const said of [told.reason, told.views[0]?.reason]) {
      expect(said).toContain(`${version} is complete by the registry`);
      expect(said).toContain('/elsewhere has a mark of it under project "shop"');
      expect(said).toContain('`project` and `online.url`');
      expect(said).toContain(`\`headrace materialize --incremental --views ${version}\``);
    }
    const store_lacks = { nodes: ['lmdb'], absent: true, reason: told.views[0]?.reason };
    const views = [{ version, complete: true, store_lacks }];
    const { body } = await send(`${server.url}/v1/status`);
    expect(body).toMatchObject({ views, definitions: { views: told.views } });
    expect(await isComplete(server)).toBe('0');
    project.json(`materialize --incremental --views ${version}`, other());
    await untilState(server, 'complete');
    expect(await ready(server)).toMatchObject({ code: 200, views: [{ state: 'complete', nodes: [], reason: null }] });
    expect(await isComplete(server)).toBe('1');
    for (const words of ['what the registry says is complete', 'nothing any more of what is served'])
      expect(server.log().split(`the online store lacks ${words}`)).toHaveLength(2);
  });

  it('is told by `headrace views` and `headrace doctor` too', () => {
    const { stdout: views } = project.run('views', other('third'));
    expect(views).toMatch(/^history +\w+\* +absent /m);
    expect(views).toContain('no node of lmdb:');
    const mark = expect.stringMatching(/^FAIL {2}online store: .*third has a mark/m);
    expect(project.run('doctor', other('third'))).toMatchObject({ code: 1, stdout: mark });
    expect(project.run('views').stdout).toMatch(/^history +\w+\* +complete /m);
    expect(project.run('doctor').stdout).toMatch(/^ok {4}online store: answers, and has what runs filled/m);
  });

  it.each(['serve --port 0', 'plan', 'apply', 'push purchases events.jsonl', 'materialize --incremental'])(
    'of another project does not start, nor does what would push, plan or fill for it: %s',
    (command) => {
      const { code, stderr } = project.run(command, { HEADRACE_PROJECT: 'shopp' });
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('HR_OTHER_PROJECT') });
      expect(stderr).toContain('are of project "shop", and `project` is "shopp" here');
    },
  );

  it('is the same where an LMDB store was deleted under a registry that lives', async () => {
    rmSync(project.file('.headrace/online'), { recursive: true });
    const server = await project.serve();
    expect(await ready(server)).toMatchObject({ code: 503, views: [{ state: 'absent' }] });
    project.json('materialize --incremental --views history');
    await expect.poll(async () => (await ready(server)).code, RECOVERY).toBe(200);
    const ada = [{ customer: 'ada', amount: 20 }];
    expect(project.features('numbers', ada)).toMatchObject([{ history__purchases_1d: 2 }]);
  });
});

describe.skipIf(!hasRedis())('a server of another Redis', LIMIT, () => {
  const started = async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    return { redis, project: filledIn(redis.url) };
  };

  it('is ready with the one that was filled, not with another database of it, and shows no password', async () => {
    const { redis, project } = await started();
    expect(await ready(await project.serve())).toMatchObject({ code: 200, views: [{ state: 'complete' }] });
    const url = `${redis.url.replace('redis://', 'redis://default:s3cret@')}/1`;
    const server = await project.serve([], { HEADRACE_ONLINE_URL: url });
    const told = await ready(server);
    expect(told).toMatchObject({ code: 503, views: [{ state: 'absent' }] });
    expect(told.reason).toContain(`no node of redis://default:***@127.0.0.1:${redis.port}/1`);
    expect(JSON.stringify(told) + server.log()).not.toContain('s3cret');
  });

  it('that came back empty says so, and stays in its balancer where it was ready while that was away', async () => {
    const { redis, project } = await started();
    const environment = { ...readEnvironment(project.env), workingDirectory: project.directory };
    const app = await openApp({ environment, logger: silentLogger });
    onTestFinished(() => app.close());
    await app.online();
    // Gone before a mark could be read.
    await redis.kill();
    const serving = await serveInProcess(app, { host: '127.0.0.1', port: 0, hasDocs: false });
    onTestFinished(() => serving.stop());
    const asked = async () => (await serving.server.inject('/health/ready')).json() as Ready;
    expect(await asked()).toMatchObject({ status: 'ready', views: [{ state: 'unknown', reason: null }] });
    await redis.start();
    await expect.poll(async () => (await asked()).views[0]?.state, RECOVERY).toBe('absent');
    const reason = expect.stringContaining('nothing that a run filled is there');
    expect(await asked()).toMatchObject({ status: 'ready', views: [{ reason }] });
  });
});

it.skipIf(!hasRedisCluster())(
  'a server of a Redis Cluster of which a node was emptied is ready and answers from what is left, and says which',
  LIMIT,
  async () => {
    const cluster = await startRedisCluster();
    onTestFinished(() => cluster.stop());
    const project = filledIn(cluster.url);
    await (await cluster.masterOf(0)).command('FLUSHALL');
    const server = await project.serve();
    const reason = expect.stringContaining('node slots 0 of redis+cluster:');
    const views = [{ state: 'partial', nodes: ['slots 0'], reason }];
    expect(await ready(server)).toMatchObject({ code: 200, views });
    expect(await isComplete(server)).toBe('0');
    project.json('materialize --incremental');
    await untilState(server, 'complete');
    expect(await isComplete(server)).toBe('1');
  },
);
