// What a user sees of sources and spines in a real S3: how far fetching is, that a server which goes silent is given up by
// the setting, and which spines there a request may name.
// twin: test/contract/sources.test.ts > a source of
// twin: test/unit/serving-spine-places.test.ts > the places of spines in S3

import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headraceBeside } from '../support/evolving-project.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';
import { createProject, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';
import { ask, bytesOf, fetchData, followJob, jobOf, untilJob } from '../support/training-set-client.ts';
import { writeBySql } from '../support/training-set-server.ts';

const program = findS3Server('sources and spines in S3');

describe.skipIf(program === undefined)('sources and spines in S3', () => {
  let server: S3Server;
  let proxy: FaultyProxy;
  let lake: string;
  let env: Record<string, string>;
  const projects: Project[] = [];
  /** Of all objects of the source. */
  let bytes = 0;

  beforeAll(async () => {
    server = await startS3Server(program as NonNullable<typeof program>);
    proxy = await startFaultyProxy(server.endpoint);
    lake = await server.newBucket();
    env = {
      ...server.variables,
      AWS_ENDPOINT_URL_S3: proxy.endpoint,
      // Without its extensions DuckDB reads copies.
      HEADRACE_OFFLINE_EXTENSIONS: '/nowhere',
    };
    const scratch = newProject();
    for (const day of [1, 2, 3]) {
      await writeBySql(
        scratch.file('day.parquet'),
        `SELECT 'shop' || (i % 10) AS shop, CAST(i AS DOUBLE) AS amount, md5(CAST(i AS VARCHAR)) AS note,
          TIMESTAMP '2024-01-0${day}' + to_seconds(i) AS sold_at FROM range(20000) t(i)`,
      );
      bytes += statSync(scratch.file('day.parquet')).size;
      await put(`sales/${day}.parquet`, readFileSync(scratch.file('day.parquet')));
    }
    await writeBySql(
      scratch.file('spine.parquet'),
      `SELECT 'shop' || (i % 10) AS shop, TIMESTAMP '2024-01-05' + to_seconds(i) AS at FROM range(500) t(i)`,
    );
    for (const key of ['spines/a.parquet', 'secret/a.parquet'])
      await put(key, readFileSync(scratch.file('spine.parquet')));
  }, 120_000);
  afterAll(async () => {
    for (const project of projects) project.remove();
    await proxy?.stop();
    await server?.stop();
  });

  const put = (key: string, body: Buffer) => server.put(lake, key, body);
  const newProject = (more = ''): Project => {
    const project = createProject({
      'headrace.config.ts': `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shop', ${more} });
`,
      'feature_repo/shop.ts': `import { count, entity, featureService, featureView, parquet, t } from 'headrace';
export const shop = entity('shop', { keys: { shop: t.string() } });
export const sales = parquet('sales', {
  path: 's3://${lake}/sales/*.parquet',
  columns: { shop: t.string(), amount: t.float64(), sold_at: t.timestamp() },
  eventTime: 'sold_at',
});
export const history = featureView('history', { entity: shop, source: sales, features: { n_7d: count().over('7d') } });
export const shop_features = featureService('shop_features', [history]);
`,
    });
    projects.push(project);
    return project;
  };
  /** Resolves with what it printed, of a command that did its work. */
  const run = async (project: Project, ...words: string[]) => {
    const { code, stdout, stderr } = await headraceBeside(project, words, env);
    expect(code, stderr).toBe(0);
    return { stdout, stderr };
  };
  const create = (spine: string, ...more: string[]): string[] => {
    const service = ['--service', 'shop_features', '--timestamp', 'at', '--out', 'set.parquet'];
    return ['training-set', 'create', ...service, '--spine', spine, ...more];
  };

  it('tell how far fetching is, of what is fetched; exactly with --json', async () => {
    const spine = `s3://${lake}/spines/a.parquet`;
    const size = `${(bytes / 1e6).toFixed(1)} MB`;
    const project = newProject();
    await run(project, 'apply', '--yes');
    const { stderr } = await run(project, ...create(spine));
    expect(stderr).toMatch(/^read the spine …\nfetch the spine.* …\nfetch the spine.*: 1 object, .* [KM]B \(/m);
    expect(stderr).toMatch(/^read the spine: 500 rows \(/m);
    expect(stderr).toContain('fetch source "sales" …\n');
    expect(stderr).toMatch(new RegExp(`^fetch source "sales": 3 objects, ${size} \\(`, 'm'));
    // What is here already is not fetched again.
    expect((await run(project, ...create(spine))).stderr).not.toContain('fetch');

    rmSync(project.file('.headrace/offline/objects'), { recursive: true });
    const made = await run(project, 'materialize', '--from', '2024-01-01', '--json');
    expect(made.stderr).toMatch(new RegExp(`^fetch source "sales": 3 objects, ${bytes} bytes \\(`, 'm'));
    expect(JSON.parse(made.stdout)).toBeTruthy();
  });

  it('are given up once S3 says nothing for as long as is set', async () => {
    const project = newProject(`offline: { s3Silence: '1s' }`);
    await run(project, 'apply', '--yes');
    proxy.fault = (method, path) =>
      method === 'GET' && path.includes('/sales/2.parquet') ? { kind: 'silence', afterBytes: 1000 } : undefined;
    const { code, stdout } = await headraceBeside(project, create(`s3://${lake}/spines/a.parquet`, '--json'), env);
    proxy.fault = () => undefined;
    expect(code).toBe(1);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    expect(error.code).toBe('HR_STORAGE_UNAVAILABLE');
    expect(error.message).toMatch(
      /^source "sales": S3 gave 5000 of the \d+ bytes of s3:\/\/.*\/sales\/2\.parquet, asked 5 times, and then said nothing for 1 s\..*offline\.s3Silence\.$/,
    );
    expect(existsSync(project.file('set.parquet'))).toBe(false);
    expect(JSON.parse((await run(project, 'training-set', 'list', '--json')).stdout)).toMatchObject({
      training_sets: [],
    });
  });

  describe('over HTTP', () => {
    const asked = { service: 'shop_features', timestamp: 'at' };
    const address = (key: string) => JSON.stringify({ spine: `s3://${lake}/${key}` });
    const post = (to: ServerProcess, body: string) => ask(to.url, 'application/json', body, asked);

    it('are what the command makes of them, and tell how far they are', async () => {
      const project = newProject(`server: { spinePlaces: 's3://${lake}/spines' }`);
      await run(project, 'apply', '--yes');
      const serving = await startServe(project, [], env);
      try {
        // Slow enough that who looks sees it.
        let left = 3;
        proxy.fault = (method, path) =>
          method === 'GET' && path.includes('/sales/2.parquet') && left-- > 0 ? { kind: 'slow', ms: 400 } : undefined;
        const { id } = await jobOf(post(serving, address('spines/a.parquet')));
        const events = await followJob(serving.url, id);
        expect(events.at(-1)).toMatchObject({ event: 'done', job: { error: null } });
        const steps = events.flatMap(({ job: { progress } }) => (progress === null ? [] : [progress]));
        const fetching = steps.filter(({ step }) => step === 'fetch source "sales"');
        expect(fetching.length).toBeGreaterThan(0);
        for (const { done, total, unit, bytes: told } of fetching) {
          expect({ total, unit, of: told?.total }).toEqual({ total: 3, unit: 'objects', of: bytes });
          expect(done).toBeLessThanOrEqual(3);
          expect(told?.done).toBeLessThanOrEqual(bytes);
        }
        const { training_set } = await untilJob(serving.url, id);
        await run(project, ...create(`s3://${lake}/spines/a.parquet`));
        const made = await bytesOf(await fetchData(serving.url, String(training_set)));
        expect(made.equals(readFileSync(project.file('set.parquet')))).toBe(true);
        // Patterns are taken, within the place.
        const pattern = await jobOf(post(serving, address('spines/*.parquet')));
        expect((await untilJob(serving.url, pattern.id)).state).toBe('done');
        proxy.requests = 0;
        const { status, json } = await post(serving, address('secret/a.parquet'));
        expect({ status, code: json.code }).toEqual({ status: 403, code: 'HR_FORBIDDEN' });
        // S3 was not even asked.
        expect(proxy.requests).toBe(0);
      } finally {
        await serving.stop();
      }
    });
  });
});
