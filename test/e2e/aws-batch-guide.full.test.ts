// The guide on AWS Batch, typed from top to bottom: its containers run as processes on moto, which is its S3 and Secrets Manager too.
// twin: test/integration/cluster-executor.test.ts > runs a part for every `pack` tasks, and tells of each with its own attempt

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ListJobsCommand, RegisterJobDefinitionCommand } from '@aws-sdk/client-batch';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type BatchServer, batchVariables, findBatchServer, startBatchServer } from '../support/batch-server.ts';
import { newestRun, runGuide } from '../support/run-guide.ts';
import { createServingProject, MAIN, type Project } from '../support/serving-project.ts';

const PAGE = join(import.meta.dirname, '../../docs/guides/run-on-aws-batch.md');
const ARN = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-Xk2f';

const python = findBatchServer('the guide on AWS Batch');

describe.skipIf(python === undefined)('the guide on AWS Batch', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-batch-guide-'));
  let project: Project;
  let server: BatchServer;
  let places: Record<string, string>;

  beforeAll(async () => {
    // What its image has on the PATH.
    const command = `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`;
    writeFileSync(join(folder, 'headrace'), command, { mode: 0o755 });
    vi.stubEnv('PATH', `${folder}${delimiter}${process.env['PATH']}`);
    server = await startBatchServer(python ?? '');
    const variables = batchVariables(server.endpoint);
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = variables;
    const credentials = { accessKeyId, secretAccessKey };
    const s3 = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
    await s3.send(new CreateBucketCommand({ Bucket: 'team' }));
    s3.destroy();
    places = { ...variables, AWS_ENDPOINT_URL_S3: server.endpoint, HEADRACE_ARTIFACTS_URL: 's3://team/headrace' };
    project = createServingProject();
    await server.newQueue('headrace');
    const [, json = ''] = /```json\n(\{\n {2}"jobDefinitionName"[^]*?)```/.exec(readFileSync(PAGE, 'utf8')) ?? [];
    const definition = JSON.parse(json) as RegisterJobDefinitionCommand['input'];
    // A role of the job gives it keys there; here they are told.
    const keys = Object.entries({ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
    const environment = keys.map(([name, value]) => ({ name, value }));
    const containerProperties = { ...definition.containerProperties, environment };
    await server.client.send(new RegisterJobDefinitionCommand({ ...definition, containerProperties }));
  }, 120_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    await server?.stop();
    project?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('runs its pipeline in one array of two children, with the secret', async () => {
    const page = join(folder, 'guide.md');
    // moto gives a secret its own name.
    writeFileSync(page, readFileSync(PAGE, 'utf8').replaceAll(ARN, await server.newSecret('k3y')));
    runGuide(page, project, places);
    const steps = [
      { name: 'fit', counts: { succeeded: 6 } },
      { name: 'best', result: 6 },
    ];
    expect(newestRun(project, places)).toMatchObject({ state: 'succeeded', steps });
    const filters = [{ name: 'JOB_NAME', values: ['headrace-*'] }];
    const list = new ListJobsCommand({ jobQueue: 'headrace', filters });
    const { jobSummaryList = [] } = await server.client.send(list);
    expect(jobSummaryList.map(({ arrayProperties }) => arrayProperties?.size)).toEqual([2]);
  }, 120_000);
});
