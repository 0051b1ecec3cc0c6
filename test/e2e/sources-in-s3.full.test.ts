// What a user sees of sources and spines in a real S3: how far fetching is, that a server which goes silent is given up by
// the setting, which spines there a request may name; the guide on sources, and the five lines of the README.
// twin: test/contract/sources.test.ts > a source of $name
// twin: test/unit/serving-spine-places.test.ts > the places of spines in S3
// twin: test/integration/sources-query.test.ts > a query over sources

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { readRows } from '../support/predict-project.ts';
import { runGuide } from '../support/run-guide.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';
import { ownProject, type TestProject, testProject, type Words } from '../support/test-project.ts';
import { ask, bytesOf, fetchData, followJob, jobOf, untilJob } from '../support/training-set-client.ts';
import { writeBySql } from '../support/training-set-server.ts';

const ROOT = join(import.meta.dirname, '../..');
const program = findS3Server('sources and spines in S3');

describe.skipIf(program === undefined)('in S3', { timeout: 120_000 }, () => {
  let server: S3Server;
  let proxy: FaultyProxy;
  let lake: string;
  let env: Record<string, string>;
  /** Of all objects of the source. */
  let bytes = 0;
  const scratch = testProject({});
  /** The size of an object whose rows are those of a query. */
  const put = async (bucket: string, key: string, sql: string): Promise<number> => {
    await writeBySql(scratch.file('rows.parquet'), sql);
    const body = readFileSync(scratch.file('rows.parquet'));
    await server.put(bucket, key, body);
    return body.length;
  };
  beforeAll(async () => {
    server = await startS3Server(program as NonNullable<typeof program>);
    proxy = await startFaultyProxy(server.endpoint);
    lake = await server.newBucket();
    await server.client.send(new CreateBucketCommand({ Bucket: 'lake' }));
    // Without its extensions DuckDB reads copies.
    env = { ...server.variables, AWS_ENDPOINT_URL_S3: proxy.endpoint, HEADRACE_OFFLINE_EXTENSIONS: '/nowhere' };
    for (const day of [1, 2, 3])
      bytes += await put(
        lake,
        `sales/${day}.parquet`,
        `SELECT 'shop' || (i % 10) AS shop, CAST(i AS DOUBLE) AS amount, md5(CAST(i AS VARCHAR)) AS note,
          TIMESTAMP '2024-01-0${day}' + to_seconds(i) AS sold_at FROM range(20000) t(i)`,
      );
    for (const key of ['spines/a.parquet', 'secret/a.parquet'])
      await put(
        lake,
        key,
        `SELECT 'shop' || (i % 10) AS shop, TIMESTAMP '2024-01-05' + to_seconds(i) AS at FROM range(500) t(i)`,
      );
  }, 120_000);
  afterAll(async () => {
    await proxy?.stop();
    await server?.stop();
  });

  const newProject = (more = ''): TestProject => {
    const project = ownProject({
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
    project.env = env;
    return project;
  };
  /** Resolves with what it printed, of a command that did its work. */
  const run = async (project: TestProject, words: Words) => {
    const output = await project.beside(words);
    expect(output.code, output.stderr).toBe(0);
    return output;
  };
  const spine = () => `s3://${lake}/spines/a.parquet`;
  const create = () =>
    `training-set create --service shop_features --timestamp at --out set.parquet --spine ${spine()}`;
  const ofSecond = (method: string, path: string) => method === 'GET' && path.includes('/sales/2.parquet');

  it('sources tell how far fetching is, of what is fetched; exactly with --json', async () => {
    const project = newProject();
    await run(project, 'apply --yes');
    const { stderr } = await run(project, create());
    expect(stderr).toMatch(/^read the spine …\nfetch the spine.* …\nfetch the spine.*: 1 object, .* [KM]B \(/m);
    expect(stderr).toMatch(/^read the spine: 500 rows \(/m);
    expect(stderr).toContain('fetch source "sales" …\n');
    expect(stderr).toMatch(new RegExp(`^fetch source "sales": 3 objects, ${(bytes / 1e6).toFixed(1)} MB \\(`, 'm'));
    // What is here already is not fetched again.
    expect((await run(project, create())).stderr).not.toContain('fetch');
    rmSync(project.file('.headrace/offline/objects'), { recursive: true });
    const made = await run(project, 'materialize --from 2024-01-01 --json');
    expect(made.stderr).toMatch(new RegExp(`^fetch source "sales": 3 objects, ${bytes} bytes \\(`, 'm'));
    expect(JSON.parse(made.stdout)).toMatchObject({ failed: [], views: [{ view: 'history' }] });
  });

  it('sources are given up once S3 says nothing for as long as is set', async () => {
    const project = newProject(`offline: { s3Silence: '1s' }`);
    await run(project, 'apply --yes');
    proxy.fault = (method, path) => (ofSecond(method, path) ? { kind: 'silence', afterBytes: 1000 } : undefined);
    const { code, stdout } = await project.beside(`${create()} --json`);
    proxy.fault = () => undefined;
    expect(code).toBe(1);
    const message = expect.stringMatching(
      /^source "sales": S3 gave 5000 of the \d+ bytes of s3:\/\/.*\/sales\/2\.parquet, asked 5 times, and then said nothing for 1 s\..*offline\.s3Silence\.$/,
    );
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'HR_STORAGE_UNAVAILABLE', message } });
    expect(existsSync(project.file('set.parquet'))).toBe(false);
    expect(project.json('training-set list')).toMatchObject({ training_sets: [] });
  });

  it('spines over HTTP give what the command makes of them, and tell how far they are', async () => {
    const project = newProject(`server: { spinePlaces: 's3://${lake}/spines' }`);
    await run(project, 'apply --yes');
    const { url } = await project.serve();
    const post = (key: string) =>
      ask(url, 'application/json', JSON.stringify({ spine: `s3://${lake}/${key}` }), {
        service: 'shop_features',
        timestamp: 'at',
      });
    // Slow enough that who looks sees it.
    let left = 3;
    proxy.fault = (method, path) => (ofSecond(method, path) && left-- > 0 ? { kind: 'slow', ms: 400 } : undefined);
    const { id } = await jobOf(post('spines/a.parquet'));
    const events = await followJob(url, id);
    expect(events.at(-1)).toMatchObject({ event: 'done', job: { error: null } });
    const steps = events.flatMap(({ job: { progress } }) => (progress === null ? [] : [progress]));
    const fetching = steps.filter(({ step }) => step === 'fetch source "sales"');
    expect(fetching.length).toBeGreaterThan(0);
    for (const { done, total, unit, bytes: told } of fetching) {
      expect({ total, unit, of: told?.total }).toEqual({ total: 3, unit: 'objects', of: bytes });
      expect(done).toBeLessThanOrEqual(3);
      expect(told?.done).toBeLessThanOrEqual(bytes);
    }
    const { training_set } = await untilJob(url, id);
    await run(project, create());
    const made = await bytesOf(await fetchData(url, String(training_set)));
    expect(made.equals(readFileSync(project.file('set.parquet')))).toBe(true);
    // Patterns are taken, within the place.
    const pattern = await jobOf(post('spines/*.parquet'));
    expect((await untilJob(url, pattern.id)).state).toBe('done');
    proxy.requests = 0;
    expect(await post('secret/a.parquet')).toMatchObject({ status: 403, json: { code: 'HR_FORBIDDEN' } });
    // S3 was not even asked.
    expect(proxy.requests).toBe(0);
  });

  it('the guide reads sources, joins, and leaves out days', async () => {
    const project = ownProject({ 'feature_repo/countries.csv': 'customer,country,loaded_at\nann,NO,2023-01-01\n' });
    project.env = server.variables;
    for (const [day, date] of ['2023-10-01', '2023-11-14', '2023-11-15'].entries())
      await put(
        'lake',
        `orders/dt=${date}/a.parquet`,
        `SELECT CAST(${day} AS BIGINT) AS order_id, 'ann' AS customer, TIMESTAMP '${date} 00:00:00.001' AS ordered_at`,
      );
    const items = `SELECT CAST(id AS BIGINT) AS order_id, 'pen' AS sku, 10 * CAST(id AS BIGINT) AS pieces,
      TIMESTAMP '2023-11-14' AS added_at, TIMESTAMP '2023-11-14' + to_days(CAST(id AS INTEGER)) AS seen_at FROM range(1, 3) t(id)`;
    await put('lake', 'items/a.parquet', items);
    const times = `(VALUES (TIMESTAMP '2023-11-15 12:00'), (TIMESTAMP '2023-11-17')) AS times("at")`;
    await put('lake', 'spine.parquet', `SELECT 'ann' AS customer, "at" FROM ${times}`);
    runGuide(join(ROOT, 'docs/guides/sources.md'), project, project.env);
    const names = 'ordering__orders_7d, buying__pieces_7d, buying__country';
    expect(await readRows(`SELECT ${names} FROM '${project.file('train.parquet')}'`)).toEqual([
      { ordering__orders_7d: 2n, buying__pieces_7d: 10n, buying__country: 'NO' },
      { ordering__orders_7d: 2n, buying__pieces_7d: 30n, buying__country: 'NO' },
    ]);
    const { training_sets: sets } = project.json<{ training_sets: { id: string }[] }>('training-set list');
    type Read = { source: string; files: unknown[]; skipped_files?: number };
    const { sources } = project.json<{ sources: Read[] }>(['training-set', 'show', sets[0]?.id ?? 'none']);
    const read = sources.find(({ source }) => source === 'orders');
    expect([read?.files.length, read?.skipped_files]).toEqual([2, 1]);
  });

  it('the README takes five lines', async () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [, block = ''] = /```ts\n\/\/ S3 in five lines[^\n]*\n([\s\S]*?)```/.exec(readme) ?? [];
    expect(block.trim().split('\n')).toHaveLength(5);
    const at = (ms: number) => `TIMESTAMP '2023-11-14 00:00:00.00${ms}'`;
    const flight = `SELECT 'ATL' AS origin, 12.0::DOUBLE AS delay, ${at(1)} AS departed_at, ${at(2)} AS landed_at`;
    await put('lake', 'flights/dt=2023-11-14/a.parquet', flight);
    const project = ownProject({
      'feature_repo/flights.ts': `import { entity, featureService, featureView, latest, parquet, t } from 'headrace';
${block}
const airport = entity('airport', { keys: { origin: t.string() } });
const delays = featureView('delays', { entity: airport, source: flights, features: { last: latest('delay') } });
export const s = featureService('s', [delays]);
`,
    });
    project.env = server.variables;
    project.json('apply --yes');
    project.json('materialize --incremental');
    expect(project.features('s', [{ origin: 'ATL' }])).toMatchObject([{ delays__last: 12 }]);
  });
});
