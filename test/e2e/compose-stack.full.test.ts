// What the compose file says to a server, said to one on real stores: Redis with a password, Postgres, an S3 server. No docker runs here, so
// places are this machine's; names and forms of what is set are the file's own, and so are the commands of the guide.
// twin: test/integration/deploy-machines.test.ts > sets settings that there are, and asks for every secret

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { deployFile } from '../support/deploy-files.ts';
import { constantModel } from '../support/onnx-model.ts';
import { findPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { hasRedis, type RedisServer, startRedis } from '../support/redis-server.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';
import {
  createProject,
  headraceJson,
  headrace,
  type Project,
  recentPurchases,
  REPOSITORY,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';

const s3Program = findS3Server('the compose file');
const can = s3Program !== undefined && hasRedis() && findPostgres() !== undefined;
if (!can) skipBecause('the compose file on real stores: it takes redis-server, Postgres and an S3 server');

const PASSWORD = 'p4ssw0rd';
const { services } = parse(deployFile('docker/compose.yaml'), { merge: true }) as {
  readonly services: Readonly<Record<string, { readonly environment: Readonly<Record<string, string>> }>>;
};

describe.skipIf(!can)('a server by the compose file', { timeout: 180_000 }, () => {
  let redis: RedisServer;
  let postgres: PostgresServer;
  let s3: S3Server;
  let project: Project;
  let env: Readonly<Record<string, string>>;
  let server: ServerProcess | undefined;

  beforeAll(async () => {
    if (s3Program === undefined) return;
    redis = await startRedis({ settings: ['--requirepass', PASSWORD] });
    postgres = await startPostgres();
    s3 = await startS3Server(s3Program);
    const bucket = await s3.newBucket();
    const given: Readonly<Record<string, string>> = {
      HEADRACE_PROJECT: 'shop',
      POSTGRES_PASSWORD: PASSWORD,
      REDIS_PASSWORD: PASSWORD,
      S3_ACCESS_KEY: s3.accessKeyId,
      S3_SECRET_KEY: s3.secretAccessKey,
    };
    const places: readonly (readonly [from: string, to: string])[] = [
      [`postgres://headrace:${PASSWORD}@postgres:5432/headrace`, await postgres.newDatabase()],
      ['@redis:6379', `@127.0.0.1:${redis.port}`],
      ['http://s3:7070', s3.endpoint],
      ['s3://headrace/', `s3://${bucket}/`],
      ['/project/feature_repo', './feature_repo'],
    ];
    env = Object.fromEntries(
      Object.entries(services['server']?.environment ?? {}).map(([name, text]) => {
        const filled = text.replaceAll(/\$\{(\w+)[^}]*\}/g, (_all, key: string) => given[key] ?? `no ${key}`);
        return [name, places.reduce((value, [from, to]) => value.replace(from, to), filled)];
      }),
    );
    // The image's own configuration, on loopback.
    const config = deployFile('docker/headrace.config.ts').replace("'0.0.0.0'", "'127.0.0.1'");
    project = createProject({
      'headrace.config.ts': config.replace('10_000, drainTimeoutMs', '200, drainTimeoutMs'),
      'feature_repo/shop.ts': REPOSITORY,
      'events.jsonl': recentPurchases(Date.now()),
      'quarter.onnx': constantModel(4, 0.25),
    });
  }, 120_000);
  afterAll(async () => {
    await server?.stop();
    project?.remove();
    await Promise.all([redis?.stop(), postgres?.stop(), s3?.stop()]);
  }, 60_000);

  it('applies, takes a key, serves with it alone, and has everything in the stores', async () => {
    headraceJson(project, ['apply'], env);
    headraceJson(project, ['models', 'register', 'returns', 'quarter.onnx', '--alias', 'champion'], env);
    headraceJson(project, ['push', 'purchases', 'events.jsonl'], env);
    const roles = ['admin', 'read', 'predict', 'write'].flatMap((role) => ['--role', role]);
    const made = headrace(project, ['keys', 'create', 'operator', ...roles], env);
    expect(made.stdout).toMatch(/^hr_\S+\n$/);
    headraceJson(project, ['materialize', '--incremental'], env);
    server = await startServe(project, ['--grpc-port', '0'], env);
    const { url } = server;
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    const ask = (headers: Readonly<Record<string, string>>) =>
      fetch(`${url}/v1/endpoints/checkout/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: '{"inputs":[{"customer":"ada","amount":20}],"options":{"return_features":true}}',
      });
    expect((await ask({})).status).toBe(401);
    const answer = await ask({ authorization: `Bearer ${made.stdout.trim()}` });
    expect(await answer.json()).toMatchObject({
      predictions: [{ outputs: { probability: 0.25 }, features: { history__purchases_1d: 2 } }],
    });
    expect(server.log()).not.toContain(PASSWORD);
    // Another machine has the stores alone.
    const elsewhere = createProject({ 'headrace.config.ts': deployFile('docker/headrace.config.ts') });
    try {
      const read = ['features', 'get', '--service', 'numbers', '--rows', '[{"customer":"ada","amount":20}]'];
      expect(headraceJson(elsewhere, read, env)).toMatchObject({ rows: [{ features: { history__purchases_1d: 2 } }] });
    } finally {
      elsewhere.remove();
    }
  });
});
