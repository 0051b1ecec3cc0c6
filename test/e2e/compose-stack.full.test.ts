// What the compose file says to a server, said to one on real stores: Redis with a password, Postgres, an S3 server. No docker runs here, so
// places are this machine's; names and forms of what is set are the file's own, and so are the commands of the guide.
// twin: test/integration/deploy-machines.test.ts > sets settings that there are, and asks for every secret

import { expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { deployFile } from '../support/deploy-files.ts';
import { constantModel } from '../support/onnx-model.ts';
import { findPostgres } from '../support/postgres-server.ts';
import { hasRedis, startRedis } from '../support/redis-server.ts';
import { findS3Server, startS3Server } from '../support/s3-server.ts';
import { recentPurchases, REPOSITORY } from '../support/serving-project.ts';
import { sharedPostgres } from '../support/shared-servers.ts';
import { skipBecause } from '../support/skips.ts';
import { ownProject, send } from '../support/test-project.ts';

const s3Program = findS3Server('the compose file');
const can = s3Program !== undefined && hasRedis() && findPostgres() !== undefined;
if (!can) skipBecause('the compose file on real stores: it takes redis-server, Postgres and an S3 server');

const PASSWORD = 'p4ssw0rd';
const config = deployFile('docker/headrace.config.ts');
const { services } = parse(deployFile('docker/compose.yaml'), { merge: true }) as {
  readonly services: Readonly<Record<string, { readonly environment: Readonly<Record<string, string>> }>>;
};

it.skipIf(!can)(
  'a server by the compose file applies, takes a key, serves with it alone, and has everything in the stores',
  { timeout: 180_000 },
  async () => {
    const redis = await startRedis({
      settings: ['--requirepass', PASSWORD, '--appendonly', 'yes', '--appendfsync', 'always'],
    });
    onTestFinished(() => redis.stop());
    const s3 = await startS3Server(s3Program as NonNullable<typeof s3Program>);
    onTestFinished(() => s3.stop());
    const given: Readonly<Record<string, string>> = {
      HEADRACE_PROJECT: 'shop',
      POSTGRES_PASSWORD: PASSWORD,
      REDIS_PASSWORD: PASSWORD,
      S3_ACCESS_KEY: s3.accessKeyId,
      S3_SECRET_KEY: s3.secretAccessKey,
    };
    const places = {
      [`postgres://headrace:${PASSWORD}@postgres:5432/headrace`]: await (await sharedPostgres()).newDatabase(),
      '@redis:6379': `@127.0.0.1:${redis.port}`,
      'http://s3:7070': s3.endpoint,
      's3://headrace/': `s3://${await s3.newBucket()}/`,
      '/project/feature_repo': './feature_repo',
    };
    const env = Object.fromEntries(
      Object.entries(services['server']?.environment ?? {}).map(([name, text]) => {
        const filled = text.replaceAll(/\$\{(\w+)[^}]*\}/g, (_all, key: string) => given[key] ?? `no ${key}`);
        return [name, Object.entries(places).reduce((value, [from, to]) => value.replace(from, to), filled)];
      }),
    );
    // The image's own configuration, on loopback.
    const onLoopback = config
      .replace("'0.0.0.0'", "'127.0.0.1'")
      .replace('10_000, drainTimeoutMs', '200, drainTimeoutMs');
    const project = ownProject({
      'headrace.config.ts': onLoopback,
      'feature_repo/shop.ts': REPOSITORY,
      'events.jsonl': recentPurchases(Date.now()),
      'quarter.onnx': constantModel(4, 0.25),
    });
    project.env = env;
    project.json('apply');
    project.json('models register returns quarter.onnx --alias champion');
    project.json('push purchases events.jsonl');
    const made = project.run('keys create operator --role admin --role read --role predict --role write');
    expect(made.stdout).toMatch(/^hr_\S+\n$/);
    project.json('materialize --incremental');
    const server = await project.serve('--grpc-port 0');
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    const ask = (headers: Readonly<Record<string, string>>) => {
      const body = { inputs: [{ customer: 'ada', amount: 20 }], options: { return_features: true } };
      return send(`${server.url}/v1/endpoints/checkout/predict`, body, { headers });
    };
    expect((await ask({})).status).toBe(401);
    const predictions = [{ outputs: { probability: 0.25 }, features: { history__purchases_1d: 2 } }];
    const { body } = await ask({ authorization: `Bearer ${made.stdout.trim()}` });
    expect(body).toMatchObject({ predictions });
    expect(server.log()).not.toContain(PASSWORD);
    // Another machine has the stores alone.
    const elsewhere = ownProject({ 'headrace.config.ts': config });
    const ada = [{ customer: 'ada', amount: 20 }];
    expect(elsewhere.features('numbers', ada, env)).toMatchObject([{ history__purchases_1d: 2 }]);
  },
);
