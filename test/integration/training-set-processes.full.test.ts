// Training sets on servers of several processes: any worker answers, and what is killed or stopped ends its jobs and leaves
// nothing of them; a disk that fills.
// twin: test/integration/training-set-owners.test.ts > jobs of one server
// twin: test/integration/training-set-owners.test.ts > jobs of two servers of one registry
// twin: test/integration/training-sets-http.test.ts > a spine on its way

import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { fillDisk, freeDisk } from '../support/fill-disk.ts';
import { openRaw } from '../support/raw-http.ts';
import { type Project, type ServerProcess, startServe } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { ask, CSV, jobOf, PARQUET, QUERY, readJob, untilJob } from '../support/training-set-client.ts';
import { createTrainingSetProject, spineSql, writeBySql } from '../support/training-set-server.ts';
import { connectToBoth, workerOf, workersOf } from '../support/worker-processes.ts';

let project: Project;
/** Large enough that its job is met while it runs. */
let spine: Buffer;
const servers: ServerProcess[] = [];
beforeAll(async () => {
  project = await createTrainingSetProject();
  await writeBySql(project.file('spine.parquet'), spineSql(400_000));
  await writeBySql(project.file('small.csv'), spineSql(1000));
  spine = readFileSync(project.file('spine.parquet'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});
afterAll(() => project.remove());

async function serve(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  const server = await startServe(project, ['--workers', '2', ...args], env);
  servers.push(server);
  return server;
}

const folder = (name: string): string => project.file(`.headrace/offline/${name}`);
const left = (): string[] => (existsSync(folder('training-set-jobs')) ? readdirSync(folder('training-set-jobs')) : []);
const finishedFiles = (): string[] => (existsSync(folder('training-sets')) ? readdirSync(folder('training-sets')) : []);
const workers = (server: ServerProcess): number[] => workersOf(Number(server.process.pid));
/** Processes of jobs of a server, of all its workers. */
const jobProcesses = (server: ServerProcess): number[] => workers(server).flatMap((worker) => workersOf(worker));
const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return true;
  }
};
const becomes = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 60_000, interval: 50 });
const nothingLeft = async (pids: readonly number[]): Promise<void> => {
  await becomes(() => expect(pids.filter((pid) => !isGone(pid))).toEqual([]));
  await becomes(() => expect(left()).toEqual([]));
  expect(finishedFiles().filter((name) => !/^[0-9a-f]{16}\.parquet$/.test(name))).toEqual([]);
};
/** A job that is at work, and its process. */
async function working(server: ServerProcess): Promise<{ readonly id: string; readonly pids: readonly number[] }> {
  const { id } = await jobOf(ask(server.url, PARQUET, spine));
  await untilJob(server.url, id, ({ progress }) => progress !== null);
  const pids = jobProcesses(server);
  expect(pids).toHaveLength(1);
  return { id, pids };
}
const kill = (pids: readonly number[]): void => pids.forEach((pid) => process.kill(pid, 'SIGKILL'));
const LOST = { state: 'failed', training_set: null, error: { code: 'HR_JOB_LOST' } };

it('a set is made by one worker and answered by each', async () => {
  const server = await serve();
  const job = await jobOf(ask(server.url, CSV, readFileSync(project.file('small.csv'))));
  const { training_set } = await untilJob(server.url, job.id);
  const bodies: Buffer[] = [];
  for (const { agent, pid } of await connectToBoth(server.url)) {
    const answered = await new Promise<IncomingMessage>((resolve, reject) =>
      get(`${server.url}/v1/training-sets/${training_set}/data`, { agent }, resolve).once('error', reject),
    );
    expect([answered.statusCode, workerOf(String(answered.headers['x-request-id']))]).toEqual([200, pid]);
    bodies.push(Buffer.concat(await answered.toArray()));
    agent.destroy();
  }
  const file = readFileSync(project.file(`.headrace/offline/training-sets/${training_set}.parquet`));
  expect(bodies.map((body) => body.equals(file))).toEqual([true, true]);
});

describe('SIGKILL', () => {
  it('of a job’s process fails it, with memory as the likely reason', async () => {
    const server = await serve();
    const { id, pids } = await working(server);
    kill(pids);
    const job = await untilJob(server.url, id);
    expect(job).toMatchObject(LOST);
    expect(job.error?.message).toMatch(/SIGKILL.*memory ran out/);
    await nothingLeft(pids);
  });

  it('of a worker fails its jobs alone', async () => {
    const server = await serve([], { HEADRACE_SERVER_TRAINING_SET_JOBS: '2' });
    const { id, pids } = await working(server);
    kill(workers(server).filter((worker) => workersOf(worker).length > 0));
    await becomes(() => expect(pids.every(isGone)).toBe(true));
    // Its connection may be one to the worker that is gone.
    await vi.waitFor(async () => expect(await readJob(server.url, id)).toMatchObject(LOST), { timeout: 60_000 });
    await nothingLeft(pids);
  });
});

describe('a server that is stopped', () => {
  it('cancels its jobs, tells who follows them and who still sends a spine, and leaves nothing', async () => {
    const server = await serve();
    const { id, pids } = await working(server);
    const events = fetch(`${server.url}/v1/training-sets/jobs/${id}/events`).then((response) => response.text());
    const { socket, text, closed } = await openRaw(server.url);
    const path = `/v1/training-sets?${String(new URLSearchParams(QUERY))}`;
    const head = [`POST ${path} HTTP/1.1`, 'Host: localhost', `Content-Type: ${CSV}`, 'Content-Length: 10000'];
    socket.write([...head, '', 'shop'].join('\r\n'));
    await becomes(() => expect(left()).toHaveLength(2));
    servers.pop();
    expect(await server.stop()).toBe(0);
    expect(await events).toContain('event: cancelled');
    await closed;
    expect(text()).toMatch(/HTTP\/1\.1 503[\s\S]*HR_STOPPING/);
    socket.destroy();
    await nothingLeft(pids);
    const next = await serve();
    expect(await readJob(next.url, id)).toMatchObject({ state: 'cancelled', error: { code: 'HR_STOPPING' } });
  });
});

const disk = mountSmallDisk(24);
if (disk === undefined) skipBecause('a spine onto a full disk: this user may not mount a small one');

describe.skipIf(disk === undefined)('on a full disk', () => {
  const path = disk?.path ?? '';
  afterAll(() => disk?.remove());

  it('a spine is refused with 507, a job fails, nothing is left, and it goes on once there is space', async () => {
    const offline = join(path, 'offline');
    mkdirSync(offline);
    const full = await serve([], { HEADRACE_OFFLINE_PATH: offline });
    const small = readFileSync(project.file('small.csv'));
    const files = (): string[] =>
      readdirSync(offline, { recursive: true, encoding: 'utf8' }).filter((name) =>
        /spine|unfinished|set\.parquet/.test(name),
      );
    const large = Buffer.concat([small, Buffer.alloc(40_000_000, small.subarray(small.indexOf(10) + 1))]);
    // The answer comes while the client still writes.
    expect(await ask(full.url, CSV, large)).toMatchObject({ status: 507, json: { code: 'HR_STORAGE_FULL' } });
    expect(files()).toEqual([]);
    const hog = join(path, 'hog');
    const { id } = await jobOf(ask(full.url, CSV, small));
    fillDisk(hog);
    expect(await untilJob(full.url, id)).toMatchObject({ state: 'failed', error: { code: 'HR_STORAGE_FULL' } });
    expect(files()).toEqual([]);
    freeDisk(hog);
    const { state } = await untilJob(full.url, (await jobOf(ask(full.url, CSV, small))).id);
    expect(state).toBe('done');
  });
});

it('an address that the server cannot read fails its job with the command’s words', async () => {
  const server = await serve([], {
    HEADRACE_SERVER_SPINE_PLACES: 's3://bucket',
    // Nobody listens there.
    AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
  });
  const { id } = await jobOf(ask(server.url, 'application/json', '{"spine":"s3://bucket/spine.parquet"}'));
  const { error } = await untilJob(server.url, id);
  expect(error?.message).toMatch(/the spine: S3 bucket "bucket" does not answer/);
});
