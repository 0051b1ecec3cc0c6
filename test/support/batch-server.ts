// AWS Batch for tests: moto's server with jobs that run as processes (`batch-server.py` says what of it is not moto's).

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BatchClient,
  CreateComputeEnvironmentCommand,
  CreateJobQueueCommand,
  RegisterJobDefinitionCommand,
  TerminateJobCommand,
  type ContainerProperties,
} from '@aws-sdk/client-batch';
import { freePort } from './free-port.ts';
import { motoPrograms } from './moto.ts';
import { skipBecause } from './skips.ts';

const START_LIMIT_MS = 30_000;
const REGION = 'us-east-1';
const CREDENTIALS = { accessKeyId: 'headrace', secretAccessKey: 'headrace-secret' };
const ROLE = 'arn:aws:iam::123456789012:role/batch';

export type BatchServer = Awaited<ReturnType<typeof startBatchServer>>;

/** Where Python with moto lies; undefined, said loudly, where it can't be had. `suite` names the tests in the notice. */
export function findBatchServer(suite: string): string | undefined {
  const programs = motoPrograms();
  if (programs === undefined) skipBecause(`${suite}: moto can't be had through python3, venv and pip`);
  return programs === undefined ? undefined : join(programs, 'python');
}

/** What a process finds the server by: the AWS SDK's own variables. */
export function batchVariables(endpoint: string): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_BATCH: endpoint,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
  };
}

/** `secondMs`: how long a second of a job's timeout takes. */
export async function startBatchServer(python: string, { secondMs = 1000, slots = 8 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-batch-'));
  const logs = join(folder, 'logs');
  mkdirSync(logs);
  const port = await freePort();
  const env = { ...process.env, BATCH_SECOND: String(secondMs / 1000), BATCH_SLOTS: String(slots), BATCH_LOGS: logs };
  const program = join(import.meta.dirname, 'batch-server.py');
  const server = spawn(python, [program, '-H', '127.0.0.1', '-p', String(port)], { cwd: folder, env, stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new BatchClient({ endpoint, region: REGION, credentials: CREDENTIALS });
  let made = 0;

  /** A call of a service that no client is here for; moto tells services apart by who signs. */
  const call = async (service: string, headers: Record<string, string>, body: string): Promise<string> => {
    const authorization = `AWS4-HMAC-SHA256 Credential=headrace/20260101/${REGION}/${service}/aws4_request, SignedHeaders=host, Signature=0`;
    const answer = await fetch(endpoint, { method: 'POST', headers: { ...headers, authorization }, body });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${service} answers ${answer.status}: ${text}`);
    return text;
  };

  const terminate = async (jobId: string, reason: string): Promise<void> => {
    await client.send(new TerminateJobCommand({ jobId, reason }));
  };

  const batch = {
    endpoint,
    client,
    async newQueue(jobQueueName = `queue-${++made}`) {
      const order = [{ order: 1, computeEnvironment: 'machines' }];
      const queue = { jobQueueName, state: 'ENABLED', priority: 1, computeEnvironmentOrder: order } as const;
      await client.send(new CreateJobQueueCommand(queue));
      return jobQueueName;
    },
    /** Registers a revision under the name. */
    async define(jobDefinitionName: string, container: Partial<ContainerProperties> = {}) {
      const resourceRequirements = [{ type: 'VCPU', value: '1' } as const, { type: 'MEMORY', value: '512' } as const];
      const containerProperties = { image: 'headrace', executionRoleArn: ROLE, resourceRequirements, ...container };
      const { jobDefinitionArn = '' } = await client.send(
        new RegisterJobDefinitionCommand({ jobDefinitionName, type: 'container', containerProperties }),
      );
      return jobDefinitionArn;
    },
    /** Gives its ARN. */
    async newSecret(value: string) {
      const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'secretsmanager.CreateSecret' };
      const body = JSON.stringify({ Name: `secret-${++made}`, SecretString: value });
      return (JSON.parse(await call('secretsmanager', headers, body)) as { ARN: string }).ARN;
    },
    /** What a job or a child has printed. */
    log: (id: string) => readFileSync(join(logs, id.replaceAll(':', '-')), 'utf8'),
    /** As Spot does. */
    takeMachine: (id: string) => terminate(id, 'Host EC2 (instance i-0f00ba4) terminated.'),
    /** Batch knows nothing of it any more. */
    forget: (id: string) => terminate(id, 'test: forget'),
    async stop() {
      client.destroy();
      server.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };

  const giveUpAt = performance.now() + START_LIMIT_MS;
  // A server gives no event when it is ready: it is asked until it answers.
  while ((await fetch(endpoint).catch(() => undefined)) === undefined) {
    if (server.exitCode !== null || performance.now() > giveUpAt) {
      await batch.stop();
      throw new Error('moto did not start');
    }
    await sleep(50);
  }
  const role = 'Action=CreateRole&RoleName=batch&AssumeRolePolicyDocument=%7B%7D&Version=2010-05-08';
  await call('iam', { 'content-type': 'application/x-www-form-urlencoded' }, role);
  const environment = { computeEnvironmentName: 'machines', type: 'UNMANAGED', state: 'ENABLED' } as const;
  await client.send(new CreateComputeEnvironmentCommand({ ...environment, serviceRole: ROLE }));
  return batch;
}
