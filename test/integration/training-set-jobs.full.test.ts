// Jobs of training sets that do not go to their end: cancelled, left, killed, or lost with their server; and what bounds them.
// twin: test/integration/training-set-owners.test.ts > jobs of one server
// twin: test/integration/training-set-owners.test.ts > jobs of two servers of one registry

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { headraceJson, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';
import {
  ask,
  cancelJob,
  type JobJson,
  jobOf,
  PARQUET,
  QUERY,
  readJob,
  untilJob,
} from '../support/training-set-client.ts';
import { createTrainingSetProject, spineSql, writeBySql } from '../support/training-set-server.ts';
import { workersOf } from '../support/worker-processes.ts';

let project: Project;
let spine: Buffer;
const servers: ServerProcess[] = [];
beforeAll(async () => {
  project = await createTrainingSetProject();
  await writeBySql(project.file('spine.parquet'), spineSql(400_000));
  spine = readFileSync(project.file('spine.parquet'));
}, 120_000);
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});
afterAll(() => project.remove());

async function serve(
  args: readonly string[] = ['--workers', '2'],
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const server = await startServe(project, args, env);
  servers.push(server);
  return server;
}

const folder = (name: string): string => project.file(`.headrace/offline/${name}`);
const left = (): string[] => (existsSync(folder('training-set-jobs')) ? readdirSync(folder('training-set-jobs')) : []);
const finishedFiles = (): string[] => (existsSync(folder('training-sets')) ? readdirSync(folder('training-sets')) : []);
const setsMade = (): number =>
  (headraceJson(project, ['training-set', 'list']) as { training_sets: unknown[] }).training_sets.length;
/** Processes of jobs of a server, of all its workers. */
const jobProcesses = (server: ServerProcess): number[] =>
  workersOf(Number(server.process.pid)).flatMap((worker) => workersOf(worker));
const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return true;
  }
};
const until = async (what: string, holds: () => boolean, limitMs = 20_000): Promise<void> => {
  const startMs = performance.now();
  while (!holds()) {
    if (performance.now() - startMs > limitMs) throw new Error(`${what} did not come about within ${limitMs} ms`);
    await sleep(50);
  }
};
const nothingLeft = async (pids: readonly number[]): Promise<void> => {
  await until('the end of its process', () => pids.every(isGone));
  expect(left()).toEqual([]);
  expect(finishedFiles().filter((name) => !/^[0-9a-f]{16}\.parquet$/.test(name))).toEqual([]);
};

describe('a job that is cancelled', () => {
  it('ends at whatever it does, and leaves nothing', async () => {
    const server = await serve();
    const before = setsMade();
    const moments: [string, (job: JobJson) => boolean][] = [
      ['at once', () => true],
      ['when it starts', ({ state }) => state === 'running'],
      ['at the spine', ({ progress }) => progress?.step === 'read the spine' || progress !== null],
      ['at a view', ({ progress }) => progress?.step === 'view history' || progress?.step === 'write the training set'],
    ];
    for (const [moment, holds] of moments) {
      const { id } = await jobOf(ask(server.url, PARQUET, spine));
      await untilJob(server.url, id, holds);
      const pids = jobProcesses(server);
      const cancelled = await cancelJob(server.url, id);
      expect(cancelled, moment).toMatchObject({
        state: 'cancelled',
        training_set: null,
        error: { code: 'HR_CANCELLED' },
      });
      expect(cancelled.finished_at).not.toBeNull();
      await nothingLeft(pids);
      // Again it is told as it is.
      expect(await cancelJob(server.url, id)).toEqual(cancelled);
    }
    expect(setsMade()).toBe(before);
  }, 180_000);

  it('makes room for the next', async () => {
    const server = await serve();
    const first = await jobOf(ask(server.url, PARQUET, spine));
    const second = await jobOf(ask(server.url, PARQUET, spine, { ...QUERY, boundary: 'before' }));
    await untilJob(server.url, first.id, ({ state }) => state === 'running');
    expect((await readJob(server.url, second.id)).state).toBe('queued');
    await cancelJob(server.url, first.id);
    await untilJob(server.url, second.id, ({ state }) => state === 'running');
    await cancelJob(server.url, second.id);
  }, 180_000);
});

describe('too many jobs', () => {
  it('are refused with Retry-After, before their spine is read', async () => {
    const server = await serve(['--workers', '2'], { HEADRACE_SERVER_TRAINING_SET_QUEUE: '2' });
    const jobs = await Promise.all([1, 2, 3].map(() => jobOf(ask(server.url, PARQUET, spine))));
    const refused = await ask(server.url, PARQUET, spine);
    expect(refused).toMatchObject({ status: 429, json: { code: 'HR_OVERLOADED' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    for (const { id } of jobs.toReversed()) await cancelJob(server.url, id);
    const { id } = await jobOf(ask(server.url, PARQUET, spine));
    await cancelJob(server.url, id);
    await nothingLeft([]);
  }, 180_000);
});

describe('a job that is killed', () => {
  it('is told as failed, with memory as the likely reason', async () => {
    const server = await serve();
    const { id } = await jobOf(ask(server.url, PARQUET, spine));
    await untilJob(server.url, id, ({ progress }) => progress !== null);
    const pids = jobProcesses(server);
    expect(pids).toHaveLength(1);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    const job = await untilJob(server.url, id);
    expect(job).toMatchObject({ state: 'failed', training_set: null, error: { code: 'HR_JOB_LOST' } });
    expect(job.error?.message).toMatch(/SIGKILL.*memory ran out/);
    await nothingLeft(pids);
  }, 180_000);
});

describe('a server that is killed', () => {
  it('takes its jobs with it, which the next one tells as failed', async () => {
    const first = await serve();
    const running = await jobOf(ask(first.url, PARQUET, spine));
    const waiting = await jobOf(ask(first.url, PARQUET, spine));
    await untilJob(first.url, running.id, ({ progress }) => progress !== null);
    const pids = [...jobProcesses(first), ...workersOf(Number(first.process.pid))];
    for (const pid of [Number(first.process.pid), ...workersOf(Number(first.process.pid))])
      process.kill(pid, 'SIGKILL');
    servers.pop();
    await until('the end of its processes', () => pids.every(isGone));
    const second = await serve();
    for (const { id } of [running, waiting]) {
      const job = await untilJob(second.url, id, ({ state }) => state === 'failed', 40_000);
      expect(job.error).toMatchObject({ code: 'HR_JOB_LOST', message: expect.stringContaining('server') });
    }
    await until('the end of their files', () => left().length === 0);
    // The place is free again.
    const { id } = await jobOf(ask(second.url, PARQUET, spine));
    await untilJob(second.url, id, ({ state }) => state === 'running');
    await cancelJob(second.url, id);
  }, 180_000);

  it('loses the jobs of one worker alone', async () => {
    const server = await serve(['--workers', '2'], { HEADRACE_SERVER_TRAINING_SET_JOBS: '2' });
    const { id } = await jobOf(ask(server.url, PARQUET, spine));
    await untilJob(server.url, id, ({ progress }) => progress !== null);
    const owner = workersOf(Number(server.process.pid)).find((worker) => workersOf(worker).length > 0);
    const pids = jobProcesses(server);
    process.kill(Number(owner), 'SIGKILL');
    await until('the end of its job', () => pids.every(isGone));
    const job = await untilJob(server.url, id, ({ state }) => state === 'failed', 40_000).catch(async () =>
      readJob(server.url, id),
    );
    expect(job).toMatchObject({ state: 'failed', error: { code: 'HR_JOB_LOST' } });
    expect(left()).toEqual([]);
  }, 180_000);
});

describe('a server that is stopped', () => {
  it('cancels its jobs, tells who follows them, and stops in time', async () => {
    const server = await serve();
    const { id } = await jobOf(ask(server.url, PARQUET, spine));
    const events = fetch(`${server.url}/v1/training-sets/jobs/${id}/events`).then((response) => response.text());
    await untilJob(server.url, id, ({ progress }) => progress !== null);
    const pids = jobProcesses(server);
    const startMs = performance.now();
    servers.pop();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    expect(await events).toContain('event: cancelled');
    await nothingLeft(pids);
    const next = await serve();
    expect(await readJob(next.url, id)).toMatchObject({ state: 'cancelled', error: { code: 'HR_STOPPING' } });
  }, 180_000);
});

describe('two servers of one registry', () => {
  it('answer about each other’s jobs, and cancel them', async () => {
    const [one, other] = [await serve(['--workers', '1']), await serve(['--workers', '1'])];
    const first = await jobOf(ask(one.url, PARQUET, spine));
    const second = await jobOf(ask(other.url, PARQUET, spine, { ...QUERY, boundary: 'before' }));
    await untilJob(other.url, first.id, ({ progress }) => progress !== null);
    expect(workersOf(Number(other.process.pid))).toEqual([]);
    expect(await cancelJob(other.url, first.id)).toMatchObject({ state: 'cancelled' });
    await untilJob(one.url, second.id, ({ state }) => state === 'running');
    expect(await cancelJob(one.url, second.id)).toMatchObject({ state: 'cancelled' });
    await nothingLeft([]);
  }, 180_000);
});
