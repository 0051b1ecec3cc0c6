// Spines on their way to a server: too large, too slow, cut, onto a full disk; and clients that go away.
// twin: test/unit/training-set-http.test.ts > a spine on its way
// twin: test/integration/training-sets-http.test.ts > a spine on its way
// twin: test/integration/training-set-owners.test.ts > are cancelled where nobody asks

import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillDisk, freeDisk } from '../support/fill-disk.ts';
import { openRaw, rawHttp, type RawSocket } from '../support/raw-http.ts';
import { type Project, type ServerProcess, startServe } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { ask, cancelJob, CSV, jobOf, QUERY, readJob, untilJob } from '../support/training-set-client.ts';
import { createTrainingSetProject, spineSql, writeBySql } from '../support/training-set-server.ts';
import { workersOf } from '../support/worker-processes.ts';

const LIMIT = 1_000_000;
const SILENCE_MS = 1500;
const TOTAL_MS = 6000;

let project: Project;
let spine: Buffer;
let server: ServerProcess;
beforeAll(async () => {
  project = await createTrainingSetProject(2000);
  await writeBySql(project.file('spine.csv'), spineSql(1000));
  spine = readFileSync(project.file('spine.csv'));
  server = await startServe(project, [], {
    HEADRACE_SERVER_SPINE_PLACES: 's3://bucket',
    // Nobody listens there.
    AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
    HEADRACE_SERVER_MAX_SPINE: String(LIMIT),
    HEADRACE_SERVER_BODY_TIMEOUT_MS: String(SILENCE_MS),
    HEADRACE_SERVER_SPINE_TIMEOUT_MS: String(TOTAL_MS),
    HEADRACE_SERVER_TRAINING_SET_QUEUE: '0',
  });
}, 120_000);
afterAll(async () => {
  await server.stop();
  project.remove();
});

const jobsFolder = (): string => project.file('.headrace/offline/training-set-jobs');
const left = (): string[] => (existsSync(jobsFolder()) ? readdirSync(jobsFolder()) : []);
/** There is one place: that it can be had says that nothing holds it. */
async function isFree(): Promise<void> {
  expect(left()).toEqual([]);
  const { id } = await jobOf(ask(server.url, CSV, spine));
  await cancelJob(server.url, id);
}

const head = (headers: readonly string[], query = QUERY): string =>
  [
    `POST /v1/training-sets?${String(new URLSearchParams(query))} HTTP/1.1`,
    'Host: localhost',
    `Content-Type: ${CSV}`,
    ...headers,
    '',
    '',
  ].join('\r\n');

/** Begins to send the spine. */
async function begin(bytes: number, headers: readonly string[] = []): Promise<RawSocket> {
  const raw = await openRaw(server.url);
  raw.socket.write(head([`Content-Length: ${spine.length}`, ...headers]));
  raw.socket.write(spine.subarray(0, bytes));
  await expect.poll(left).toHaveLength(1);
  return raw;
}

describe('a spine that is too large', () => {
  it('is refused before it is read, where the request says so', async () => {
    const { status, text } = await rawHttp(
      server.url,
      [head([`Content-Length: ${LIMIT + 1}`, 'Expect: 100-continue'])],
      { limitMs: 3000 },
    );
    expect(status).toBe(413);
    expect(text).toContain('server.maxSpine');
    expect(text).not.toContain('100 Continue');
    await isFree();
  });

  it('is refused once too much has come, where it does not', async () => {
    const piece = Buffer.alloc(100_000, 'a');
    const chunk = Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
    const parts = [
      head(['Transfer-Encoding: chunked']),
      ...Array.from({ length: LIMIT / piece.length + 1 }, () => chunk),
    ];
    const { status, text } = await rawHttp(server.url, parts, { limitMs: 5000 });
    expect(status).toBe(413);
    expect(text).toContain('have come so far');
    await expect.poll(left).toEqual([]);
    await isFree();
  });
});

describe('a spine that is slow', () => {
  it('has longer than any other body, as long as it keeps coming', async () => {
    const raw = await begin(10);
    const step = Math.ceil(spine.length / 8);
    for (let at = 10; at < spine.length; at += step) {
      await sleep(400);
      raw.socket.write(spine.subarray(at, at + step));
    }
    await expect.poll(raw.text, { timeout: 5000 }).toContain('HTTP/1.1 202');
    const { id } = (JSON.parse(raw.text().split('\r\n\r\n')[1] ?? '') as { job: { id: string } }).job;
    raw.socket.destroy();
    expect(await untilJob(server.url, id)).toMatchObject({ state: 'done' });
    expect(left()).toEqual([]);
  }, 120_000);

  it('is given up when nothing comes any more, with an answer', async () => {
    const raw = await begin(5000);
    await raw.closed;
    expect(raw.text()).toMatch(/HTTP\/1\.1 400[\s\S]*server\.bodyTimeoutMs/);
    raw.socket.destroy();
    await isFree();
  }, 60_000);

  it('is given up when it takes too long in all', async () => {
    const raw = await begin(1);
    const drip = setInterval(() => raw.socket.write('a'), 200);
    const startMs = performance.now();
    await expect.poll(raw.text, { timeout: 2 * TOTAL_MS }).toContain('server.spineTimeoutMs');
    clearInterval(drip);
    expect(performance.now() - startMs).toBeGreaterThan(TOTAL_MS - 1000);
    raw.socket.destroy();
    await isFree();
  }, 60_000);
});

describe('a spine that is cut', () => {
  it('half-way leaves nothing, and its key is free', async () => {
    for (const how of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const key = `Idempotency-Key: cut-${how}`;
      const raw = await begin(5000, [key]);
      const again = await ask(server.url, CSV, spine, QUERY, { 'idempotency-key': `cut-${how}` });
      expect(again).toMatchObject({ status: 503, json: { code: 'HR_JOB_UNDER_WAY' } });
      raw.socket[how]();
      await expect.poll(left, { timeout: 5000 }).toEqual([]);
      const { id } = await jobOf(ask(server.url, CSV, spine, QUERY, { 'idempotency-key': `cut-${how}` }));
      await cancelJob(server.url, id);
      raw.socket.destroy();
    }
  }, 60_000);
});

describe('a client that goes away', () => {
  it('takes its job with it after 30 s, unless that is detached, or somebody else asks', async () => {
    const other = await startServe(project, [], { HEADRACE_SERVER_TRAINING_SET_QUEUE: '2' });
    const ended = new AbortController();
    try {
      const detached = await jobOf(ask(other.url, CSV, spine, { ...QUERY, detached: 'true' }));
      await untilJob(other.url, detached.id, ({ state }) => state === 'running');
      const [stopped] = workersOf(Number(other.process.pid));
      // Now it takes as long as we want.
      process.kill(Number(stopped), 'SIGSTOP');
      const leaving = await jobOf(ask(other.url, CSV, spine));
      const followed = await jobOf(ask(other.url, CSV, spine));
      const leave = new AbortController();
      const events = (id: string, { signal }: AbortController) =>
        fetch(`${other.url}/v1/training-sets/jobs/${id}/events`, { signal });
      await events(leaving.id, leave);
      await events(followed.id, ended);
      leave.abort();
      const startMs = performance.now();
      await expect
        .poll(() => readdirSync(jobsFolder()).includes(leaving.id), { timeout: 50_000, interval: 200 })
        .toBe(false);
      expect(performance.now() - startMs).toBeGreaterThan(25_000);
      expect(await readJob(other.url, leaving.id)).toMatchObject({
        state: 'cancelled',
        error: { code: 'HR_CANCELLED', message: expect.stringContaining('nobody asked about it for 30 s') },
      });
      expect((await readJob(other.url, followed.id)).state).toBe('queued');
      expect((await readJob(other.url, detached.id)).state).toBe('running');
      process.kill(Number(stopped), 'SIGCONT');
      expect((await untilJob(other.url, detached.id)).state).toBe('done');
    } finally {
      ended.abort();
      await other.stop();
    }
  }, 120_000);
});

describe('a server that stops', () => {
  it('takes no more of a spine, and tells its client so', async () => {
    const other = await startServe(project);
    const { socket, text, closed } = await openRaw(other.url);
    socket.write(head([`Content-Length: ${spine.length}`]));
    socket.write(spine.subarray(0, 5000));
    await expect.poll(left).toHaveLength(1);
    const startMs = performance.now();
    const code = await other.stop();
    await closed;
    expect(performance.now() - startMs).toBeLessThan(8000);
    expect(code).toBe(0);
    expect(text()).toMatch(/HTTP\/1\.1 503[\s\S]*HR_STOPPING/);
    socket.destroy();
    expect(left()).toEqual([]);
  }, 120_000);
});

const disk = mountSmallDisk(24);
if (disk === undefined) skipBecause('a spine onto a full disk: this user may not mount a small one');

describe.skipIf(disk === undefined)('on a full disk', () => {
  const path = disk?.path ?? '';
  afterAll(() => disk?.remove());

  it('a spine is refused with 507, a job fails, nothing is left, and it goes on once there is space', async () => {
    const offline = join(path, 'offline');
    mkdirSync(offline);
    const full = await startServe(project, [], { HEADRACE_OFFLINE_PATH: offline });
    const files = (): string[] =>
      readdirSync(offline, { recursive: true, encoding: 'utf8' }).filter((name) =>
        /spine|unfinished|set\.parquet/.test(name),
      );
    try {
      const large = Buffer.concat([spine, Buffer.alloc(40_000_000, spine.subarray(spine.indexOf(10) + 1))]);
      // The answer comes while the client still writes.
      const refused = await ask(full.url, CSV, large);
      expect(refused).toMatchObject({ status: 507, json: { code: 'HR_STORAGE_FULL' } });
      expect(files()).toEqual([]);
      const hog = join(path, 'hog');
      const { id } = await jobOf(ask(full.url, CSV, spine));
      fillDisk(hog);
      const job = await untilJob(full.url, id);
      expect(job).toMatchObject({ state: 'failed', error: { code: 'HR_STORAGE_FULL' } });
      expect(files()).toEqual([]);
      freeDisk(hog);
      const { state } = await untilJob(full.url, (await jobOf(ask(full.url, CSV, spine))).id);
      expect(state).toBe('done');
    } finally {
      await full.stop();
    }
  }, 120_000);
});

it('an address that the server cannot read fails its job with the command’s words', async () => {
  const { id } = await jobOf(ask(server.url, 'application/json', '{"spine":"s3://bucket/spine.parquet"}'));
  const { error } = await untilJob(server.url, id);
  expect(error?.message).toMatch(/the spine: S3 bucket "bucket" does not answer/);
});
