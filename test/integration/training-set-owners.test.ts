// Jobs of training sets with two owners on one registry, in this process: what ends a job, and what is left of it.

import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import type { FromJob, JobStart, TrainingSetJobs } from '../../src/offline/index.ts';
import { type JobTimes, JOB_TIMES } from '../../src/offline/jobs/job-runner.ts';
import { openTrainingSetJobs } from '../../src/offline/jobs/training-set-jobs.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { manifestOf } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';

const TIMES: JobTimes = { ...JOB_TIMES, lookMs: 5, beatMs: 20, tidyMs: 20 };
const MANIFEST = manifestOf({ services: { s: { name: 's', members: [] } } });

type End = Readonly<{ code: number | null; signal: string | null }>;
/** A job's process that does what the test tells it to. */
interface FakeProcess {
  readonly start: JobStart;
  readonly heard: (message: FromJob) => void;
  readonly end: (how: End) => void;
  isKilled: boolean;
}

let directory: string;
let databases: Database[];
let opened: TrainingSetJobs[];
let started: FakeProcess[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'headrace-jobs-'));
  [databases, opened, started] = [[], [], []];
});
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(opened.map((jobs) => jobs.close()));
  for (const database of databases) await database.close();
  await rm(directory, { recursive: true });
});

async function open(owner: string, times: Partial<JobTimes> = {}, queued = 3, atOnce = 1): Promise<TrainingSetJobs> {
  const database = await openDatabase(`sqlite:${join(directory, 'registry.db')}`);
  databases.push(database);
  const jobs = await openTrainingSetJobs({
    database,
    dataDirectory: directory,
    owner,
    atOnce,
    queued,
    manifest: async () => MANIFEST,
    clock: systemClock,
    logger: silentLogger,
    times: { ...TIMES, ...times },
    start(start, heard) {
      const { promise: ended, resolve } = Promise.withResolvers<End>();
      const own: FakeProcess = { start, heard, end: resolve, isKilled: false };
      started.push(own);
      const kill = (): void => {
        own.isKilled = true;
        resolve({ code: null, signal: 'SIGKILL' });
      };
      return { ended, kill };
    },
  });
  opened.push(jobs);
  return jobs;
}

const spineKind = { kind: 'csv' } as const;
const REQUEST = { service: 's', timestamp: 'at', labels: [], boundary: 'at', name: null, spine: spineKind } as const;
const SOON = { timeout: 10_000, interval: 5 };
async function* spine(text = 'at\n'): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
const ask = (jobs: TrainingSetJobs, key?: string, bytes: AsyncIterable<Uint8Array> = spine(), isDetached = false) =>
  jobs.create({ request: { ...REQUEST, isDetached }, actor: 'ann', isLocal: true, idempotencyKey: key }, bytes);
/** A spine that stops after its first bytes, until `rest`. */
async function* stuck(rest: Promise<Uint8Array> = new Promise(() => {})): AsyncGenerator<Uint8Array> {
  yield Buffer.from('at');
  yield await rest;
}
const reaches = (jobs: TrainingSetJobs, id: string, state: string) =>
  vi.waitFor(async () => expect((await jobs.get(id)).state).toBe(state), SOON);
const folders = (): string[] => {
  const parent = join(directory, 'training-set-jobs');
  return existsSync(parent) ? readdirSync(parent) : [];
};
/** The process of a job once it was started. */
const processOf = (id: string): Promise<FakeProcess> =>
  vi.waitFor(() => {
    const found = started.find(({ start }) => start.id === id);
    if (found === undefined) throw new Error('not started');
    return found;
  }, SOON);

describe('jobs of one server', () => {
  it('wait their turn, run one after the other, and end with their set and without a file', async () => {
    const jobs = await open('one');
    const [first, second] = [await ask(jobs), await ask(jobs)];
    const running = await processOf(first.id);
    expect(running.start).toMatchObject({ id: first.id, isLocal: true, request: REQUEST });
    expect(readdirSync(running.start.folder)).toEqual(['spine.csv']);
    expect((await jobs.get(second.id)).state).toBe('queued');
    running.heard({ kind: 'progress', progress: { step: 'read the spine', done: 1, total: 2, unit: 'rows' } });
    await vi.waitFor(async () => expect((await jobs.get(first.id)).progress?.step).toBe('read the spine'));
    running.heard({ kind: 'done', trainingSet: 'made', unshipped: [{ writer: 7, events: 3 }] });
    running.end({ code: 0, signal: null });
    await reaches(jobs, first.id, 'done');
    expect(await jobs.get(first.id)).toMatchObject({
      trainingSet: 'made',
      error: null,
      unshipped: [{ writer: 7, events: 3 }],
    });
    await processOf(second.id);
    expect(folders()).toEqual([second.id]);
  });

  it.each(['queued', 'running'])('that are cancelled while %s leave nothing and make room', async (state) => {
    const jobs = await open('one');
    const blocking = state === 'queued' ? await ask(jobs) : undefined;
    const { id } = await ask(jobs);
    const next = await ask(jobs);
    if (state === 'running') await processOf(id);
    const cancelled = await jobs.cancel(id);
    expect(cancelled).toMatchObject({ state: 'cancelled', trainingSet: null, error: { code: 'HR_CANCELLED' } });
    expect(cancelled.finishedAtMicros).not.toBeNull();
    expect(await jobs.cancel(id)).toEqual(cancelled);
    expect(folders()).not.toContain(id);
    expect(started.filter(({ start, isKilled }) => start.id === id && !isKilled)).toEqual([]);
    if (blocking !== undefined) await jobs.cancel(blocking.id);
    await reaches(jobs, next.id, 'running');
  });

  it('that are too many are refused before their spine is read, until one ends', async () => {
    const jobs = await open('one', {}, 1);
    const [{ id }] = [await ask(jobs), await ask(jobs)];
    let isRead = false;
    const bytes = (async function* () {
      isRead = true;
      yield* spine();
    })();
    await refused(ask(jobs, undefined, bytes), 'HR_OVERLOADED', /^2 training sets .*server\.trainingSetQueue/);
    expect(isRead).toBe(false);
    await jobs.cancel(id);
    await ask(jobs);
  });

  it.each([
    ['killed', { code: null, signal: 'SIGKILL' }, /\(SIGKILL\).*memory ran out/],
    ['out of memory in JavaScript', { code: 134, signal: null }, /exit code 134.*memory ran out/],
    ['ended by itself', { code: 1, signal: null }, /exit code 1\) before it was done/],
  ])('whose process was %s are told as lost, and why', async (_, how, message) => {
    const jobs = await open('one');
    const { id } = await ask(jobs);
    (await processOf(id)).end(how);
    await reaches(jobs, id, 'failed');
    expect((await jobs.get(id)).error).toMatchObject({ code: 'HR_JOB_LOST', message: expect.stringMatching(message) });
    expect(folders()).toEqual([]);
  });

  it('are cancelled where nobody asks for 30 s, but for those that are detached or asked about', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const jobs = await open('one', {}, 3, 3);
    const [left, detached, asked] = [await ask(jobs), await ask(jobs, undefined, spine(), true), await ask(jobs)];
    for (const { id } of [left, detached, asked]) await processOf(id);
    vi.advanceTimersByTime(29_000);
    await jobs.get(asked.id);
    vi.advanceTimersByTime(2000);
    await vi.waitFor(() => expect(folders()).not.toContain(left.id), SOON);
    await reaches(jobs, left.id, 'cancelled');
    expect(await jobs.get(left.id)).toMatchObject({
      error: { code: 'HR_CANCELLED', message: expect.stringMatching(/^nobody asked about it for 30 s.*detached=true/) },
    });
    for (const { id } of [detached, asked]) expect((await jobs.get(id)).state).toBe('running');
  });

  it('of one key are one, refused with another spine, and the key is free where the first spine broke off', async () => {
    const jobs = await open('one', {}, 5);
    const { promise: rest, reject } = Promise.withResolvers<Uint8Array>();
    const arriving = ask(jobs, 'k', stuck(rest));
    await vi.waitFor(() => expect(folders()).toHaveLength(1));
    await refused(ask(jobs, 'k'), 'HR_JOB_UNDER_WAY');
    reject(new Error('cut'));
    await expect(arriving).rejects.toThrow('cut');
    expect(folders()).toEqual([]);
    const { id } = await ask(jobs, 'k');
    expect((await ask(jobs, 'k')).id).toBe(id);
    await refused(ask(jobs, 'k', spine('other\n')), 'HR_IDEMPOTENCY');
    await refused(ask(jobs, 'k', spine(), true), 'HR_IDEMPOTENCY');
  });

  it('end with the server that is stopped: those that run, wait, and still arrive', async () => {
    const jobs = await open('one');
    const [running, waiting] = [await ask(jobs), await ask(jobs)];
    const { isKilled } = await processOf(running.id);
    expect(isKilled).toBe(false);
    const arriving = ask(jobs, undefined, stuck());
    const stopped = refused(arriving, 'HR_STOPPING');
    await vi.waitFor(() => expect(folders()).toHaveLength(3));
    await jobs.close();
    await stopped;
    expect(folders()).toEqual([]);
    const other = await open('two');
    for (const { id } of [running, waiting])
      expect(await other.get(id)).toMatchObject({ state: 'cancelled', error: { code: 'HR_STOPPING' } });
    await refused(ask(jobs), 'HR_STOPPING');
  });
});

describe('jobs of two servers of one registry', () => {
  it('are answered about by each, run no more at once than may, and are cancelled by either', async () => {
    const [one, other] = [await open('one'), await open('two')];
    const [first, second] = [await ask(one), await ask(other)];
    const running = await processOf(first.id);
    expect(await other.get(first.id)).toMatchObject({ state: 'running' });
    expect(started).toHaveLength(1);
    expect(await other.cancel(first.id)).toMatchObject({ state: 'cancelled', error: { code: 'HR_CANCELLED' } });
    expect(running.isKilled).toBe(true);
    await processOf(second.id);
    await refused(one.get('none'), 'HR_UNKNOWN_JOB');
  });

  it('whose server died are told as failed by the other, which removes their files', async () => {
    // As if killed: it neither looks at its jobs nor tells that it lives.
    const dead = await open('dead', { lookMs: 1_000_000 });
    const lost = await ask(dead);
    vi.useFakeTimers({ toFake: ['performance'] });
    const other = await open('two');
    const own = await ask(other);
    await vi.waitFor(async () => {
      vi.advanceTimersByTime(1000);
      expect((await other.get(lost.id)).state).toBe('failed');
    }, SOON);
    expect((await other.get(lost.id)).error).toMatchObject({
      code: 'HR_JOB_LOST',
      message: expect.stringContaining('the server that ran it ended'),
    });
    await vi.waitFor(() => expect(folders()).toEqual([own.id]));
    await reaches(other, own.id, 'running');
  });
});
