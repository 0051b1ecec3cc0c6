// Batches from and to a real S3: killed there, taken up again, and taken up by a machine that has nothing of the first one's.
// twin: test/integration/predict.test.ts > a batch that breaks off

import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPredictProject, inputSql, partsOf, readRows, writeRows } from '../support/predict-project.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';
import { headraceJson, MAIN, type Project } from '../support/serving-project.ts';

const program = findS3Server('batches from and to S3');
const END_MS = Date.UTC(2026, 10, 1);
const ROWS = 40_000;

describe.skipIf(program === undefined)('a batch in S3', () => {
  let server: S3Server;
  let client: S3Client;
  let bucket: string;
  let env: Record<string, string>;
  let project: Project;

  beforeAll(async () => {
    server = await startS3Server(program as NonNullable<typeof program>);
    const { endpoint, accessKeyId, secretAccessKey } = server;
    client = new S3Client({
      endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
    bucket = await server.newBucket();
    env = {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      // Without its extensions DuckDB reads copies.
      HEADRACE_OFFLINE_EXTENSIONS: '/nowhere',
    };
    project = await createPredictProject(END_MS);
    await writeRows(project.file('in.parquet'), inputSql(ROWS, END_MS));
    const Body = readFileSync(project.file('in.parquet'));
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'in/rows.parquet', Body }));
    headraceJson(project, ['predict', 'shops', '--input', 'in.parquet', '--timestamp', 'at', '--out', 'local']);
  }, 180_000);
  afterAll(async () => {
    project?.remove();
    await server?.stop();
  });

  const lineTo = (prefix: string): readonly string[] => [
    'predict',
    'shops',
    '--input',
    `s3://${bucket}/in/*.parquet`,
    '--timestamp',
    'at',
    '--out',
    `s3://${bucket}/${prefix}`,
  ];
  const keysOf = async (prefix: string): Promise<readonly string[]> => {
    const listed = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}/` }));
    return (listed.Contents ?? []).map(({ Key = '' }) => Key.slice(prefix.length + 1));
  };
  const rowsOf = async (prefix: string): Promise<readonly object[]> => {
    for (const key of (await keysOf(prefix)).filter((name) => name.startsWith('part-'))) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: `${prefix}/${key}` }));
      project.write(`fetched/${prefix}/${key}`, (await Body?.transformToByteArray()) ?? new Uint8Array());
    }
    return readRows(`SELECT id, probability FROM ${partsOf(project.file(`fetched/${prefix}`))}`);
  };
  const killedAfter = async (prefix: string, parts: number): Promise<number> => {
    const child = spawn(process.execPath, [MAIN, ...lineTo(prefix)], {
      cwd: project.directory,
      env: { ...process.env, ...env },
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const partsNow = async () => (await keysOf(prefix)).filter((name) => name.startsWith('part-')).length;
    while ((await partsNow()) < parts && child.exitCode === null) await delay(5);
    child.kill('SIGKILL');
    await ended;
    return partsNow();
  };

  it('comes out as one on a disk, killed in between and taken up again', async () => {
    const there = await killedAfter('killed', 1);
    const result = headraceJson(project, lineTo('killed'), env) as { resumed: number; parts: readonly object[] };
    expect(result.resumed).toBeGreaterThanOrEqual(there);
    expect(await rowsOf('killed')).toEqual(
      await readRows(`SELECT id, probability FROM ${partsOf(project.file('local'))}`),
    );
    // Nothing of its work is left there.
    const keys = await keysOf('killed');
    expect(keys.filter((name) => !name.startsWith('part-'))).toEqual(['_manifest.json']);
    expect(keys.length).toBe(result.parts.length + 1);
  }, 180_000);

  it('is taken up by a machine that has nothing of the first', async () => {
    const there = await killedAfter('moved', 1);
    const scratch = project.file('.headrace/offline/predictions');
    expect([there > 0, existsSync(scratch)]).toEqual([true, true]);
    rmSync(scratch, { recursive: true });
    const result = headraceJson(project, lineTo('moved'), env) as { resumed: number };
    // The sources are what they were, and so are the features: the parts are kept.
    expect(result.resumed).toBeGreaterThanOrEqual(there);
    expect((await rowsOf('moved')).length).toBe(ROWS);
  }, 180_000);
});
