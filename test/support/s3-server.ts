// A real S3 server of the tests' own: versitygw where it is installed, else moto, which takes any secret and lets two racing
// writers win.

import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { freePort } from './free-port.ts';
import { motoPrograms } from './moto.ts';
import { leaveToRun, type Lifetime, serverFolder } from './server-lifetime.ts';
import { skipBecause } from './skips.ts';
import { untilAnswering } from './until-answering.ts';
import { findVersitygw } from './versitygw-program.ts';

export type S3Server = Awaited<ReturnType<typeof startS3Server>>;

interface S3Program {
  readonly name: 'versitygw' | 'moto';
  readonly path: string;
}

/** The S3 server to test on; undefined, said loudly, when none can be had. `suite` names the tests in the notice. */
export function findS3Server(suite: string): S3Program | undefined {
  const versitygw = findVersitygw();
  if (versitygw !== undefined) return { name: 'versitygw', path: versitygw };
  const moto = motoPrograms();
  if (moto !== undefined) return { name: 'moto', path: join(moto, 'moto_server') };
  skipBecause(`${suite} on S3: neither versitygw nor (through python3, venv and pip) moto can be had`);
  return undefined;
}

/** `access` is what sources are given, `variables` what a process finds it by: the AWS SDK's own. */
export async function startS3Server({ name, path }: S3Program, lifetime: Lifetime = {}) {
  const folder = serverFolder('s3', lifetime);
  const port = await freePort();
  const [accessKeyId, secretAccessKey] = ['headrace', 'headrace-secret'];
  const args =
    name === 'moto' ? ['-H', '127.0.0.1', '-p', `${port}`] : ['--port', `127.0.0.1:${port}`, 'posix', folder];
  const env = { ...process.env, ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey };
  const server = spawn(path, args, { cwd: folder, env, stdio: 'ignore' });
  leaveToRun(server, lifetime);
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  let buckets = 0;
  const newBucket = async (): Promise<string> => {
    const Bucket = `bucket-${++buckets}`;
    await client.send(new CreateBucketCommand({ Bucket }));
    return Bucket;
  };
  const stop = async (): Promise<void> => {
    client.destroy();
    server.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  await untilAnswering(
    name,
    () => fetch(endpoint),
    () => server,
    stop,
  );
  const access = { endpoint, accessKeyId, secretAccessKey };
  const put = async (Bucket: string, Key: string, Body: Uint8Array | string): Promise<void> => {
    await client.send(new PutObjectCommand({ Bucket, Key, Body }));
  };
  const variables = {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
  return { name, ...access, access, variables, client, newBucket, put, stop };
}
