// Training sets over HTTP, on a server and with jobs in this process: what comes back is what the command makes, what cannot be
// is refused, and a spine is bounded in size and time on its way.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Role, silentLogger } from '../../src/core/index.ts';
import { auditTrainingSet, getTrainingSet, type TrainingSetRecord } from '../../src/offline/index.ts';
import { openRaw, rawHttp, type RawSocket } from '../support/raw-http.ts';
import type { Project } from '../support/serving-project.ts';
import {
  ARROW,
  ask,
  bytesOf,
  cancelJob,
  CSV,
  fetchData,
  followJob,
  jobOf,
  PARQUET,
  QUERY,
  readJob,
  untilJob,
} from '../support/training-set-client.ts';
import {
  arrowOf,
  createTrainingSetProject,
  serveTrainingSets,
  spineSql,
  type TrainingSetServing,
  writeBySql,
} from '../support/training-set-server.ts';

/** Of a spine. */
const LIMIT = 1_000_000;
const SILENCE_MS = 1000;

let project: Project;
let serving: TrainingSetServing;
let url: string;
beforeAll(async () => {
  project = await createTrainingSetProject(2000);
  serving = await serveTrainingSets(project, {
    settings: { HEADRACE_SERVER_MAX_SPINE: String(LIMIT), HEADRACE_SERVER_BODY_TIMEOUT_MS: String(SILENCE_MS) },
  });
  url = serving.url;
  await writeBySql(project.file('spine.parquet'), spineSql(500));
  await writeBySql(project.file('spine.csv'), spineSql(500));
}, 60_000);
afterAll(async () => {
  await serving.stop();
  project.remove();
});

const SOON = { timeout: 10_000, interval: 5 };
/** What became of a job that was asked for. */
const ended = async (asked: ReturnType<typeof ask>) => untilJob(url, (await jobOf(asked)).id);
const bytesIn = (name: string): Buffer => readFileSync(project.file(name));
const left = (): string[] => {
  const folder = project.file('.headrace/offline/training-set-jobs');
  return existsSync(folder) ? readdirSync(folder) : [];
};
const listed = async () =>
  ((await (await fetch(`${url}/v1/training-sets`)).json()) as { training_sets: { id: string; spine: string }[] })
    .training_sets;

describe('a spine that is sent along', () => {
  it.each([
    ['Parquet', PARQUET, () => bytesIn('spine.parquet'), 'spine.parquet'],
    ['CSV', `${CSV}; charset=utf-8`, () => bytesIn('spine.csv'), 'spine.csv'],
    ['an Arrow stream', ARROW, () => arrowOf(project.file('spine.parquet')), 'spine.parquet'],
  ])('as %s gives the bytes that the command writes', async (form, type, body, spine) => {
    const job = await jobOf(ask(url, type, await body()));
    expect(job).toMatchObject({ state: 'queued', progress: null, training_set: null, error: null, finished_at: null });
    const events = await followJob(url, job.id);
    const last = events.at(-1);
    expect(last).toMatchObject({ event: 'done', job: { state: 'done', error: null } });
    expect(last?.job.progress).toMatchObject({ step: 'write the training set', done: 500, total: 500, unit: 'rows' });
    expect(events.slice(0, -1).filter(({ event }) => event !== 'progress')).toEqual([]);
    const made = await serving.make({ spine, out: 'by-command.parquet' });
    const answer = await fetchData(url, String(last?.job.training_set));
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': PARQUET,
      etag: `"${made.contentHash}"`,
    });
    expect((await bytesOf(answer)).equals(readFileSync(made.path))).toBe(true);
    // The bytes of an Arrow spine are others than the file's, and with them the id.
    expect(last?.job.training_set === made.id).toBe(form !== 'an Arrow stream');
    expect(left()).toEqual([]);
  });

  it('gives a set that is listed, shown and audited, and tells nobody where files lie on the server', async () => {
    const query = { ...QUERY, boundary: 'before', name: 'over_http' };
    const { training_set } = await ended(ask(url, PARQUET, bytesIn('spine.parquet'), query));
    await serving.make({ spine: 'spine.csv', out: 'a.parquet' });
    await serving.make({ spine: `select * from '${project.file('spine.parquet')}' limit 10`, out: 'b.parquet' });
    const deps = await serving.app.offline({ start() {}, advance() {}, done() {} });
    const record = await getTrainingSet(deps, 'over_http');
    expect(record).toMatchObject({ id: training_set, boundary: 'before', labels: ['late'], spine: 'uploaded.parquet' });
    expect(record.path).toBe(project.file(`.headrace/offline/training-sets/${record.id}.parquet`));
    expect((await auditTrainingSet(deps, 'over_http')).isClean).toBe(true);
    const sets = await listed();
    expect(sets.map(({ spine }) => spine)).toEqual(
      expect.arrayContaining(['uploaded.parquet', 'spine.csv', '(a query)']),
    );
    expect(sets.find(({ id }) => id === record.id)).toMatchObject({
      path: `${record.id}.parquet`,
      sources: record.sources.map(({ files }) => ({ files: files.map(({ path }) => ({ path: basename(path) })) })),
    });
    const texts = sets.map(async ({ id }) => (await fetch(`${url}/v1/training-sets/${id}`)).text());
    for (const text of [JSON.stringify(sets), ...(await Promise.all(texts))])
      expect(text).not.toContain(project.directory);
  });

  it('without rows gives a set without rows', async () => {
    await writeBySql(project.file('empty.parquet'), spineSql(0));
    const { training_set } = await ended(ask(url, PARQUET, bytesIn('empty.parquet')));
    const table = tableFromIPC(await bytesOf(await fetchData(url, String(training_set), { accept: ARROW })));
    expect([table.numRows, table.numCols]).toEqual([0, 12]);
  });

  it('under a key that came before gets that job, and with other parameters is refused', async () => {
    const key = { 'idempotency-key': 'notebook-1' };
    const first = await jobOf(ask(url, CSV, bytesIn('spine.csv'), QUERY, key));
    expect((await jobOf(ask(url, CSV, bytesIn('spine.csv'), QUERY, key))).id).toBe(first.id);
    const other = ask(url, CSV, bytesIn('spine.csv'), { ...QUERY, boundary: 'before' }, key);
    expect(await other).toMatchObject({ status: 422, json: { code: 'HR_IDEMPOTENCY' } });
    const done = await untilJob(url, first.id);
    expect(await jobOf(ask(url, CSV, bytesIn('spine.csv'), QUERY, key))).toEqual(done);
  });
});

describe('a spine on its way', () => {
  const spine = (): Buffer => bytesIn('spine.csv');
  const head = (...headers: readonly string[]): string => {
    const post = `POST /v1/training-sets?${String(new URLSearchParams(QUERY))} HTTP/1.1`;
    return [post, 'Host: localhost', `Content-Type: ${CSV}`, ...headers, '\r\n'].join('\r\n');
  };
  /** Begins to send it; resolves once the server has begun to take it. */
  const begin = async (bytes: number): Promise<RawSocket> => {
    const raw = await openRaw(url);
    raw.socket.write(head(`Content-Length: ${spine().length}`));
    raw.socket.write(spine().subarray(0, bytes));
    await vi.waitFor(() => expect(left()).toHaveLength(1), SOON);
    return raw;
  };

  it('is refused before it is read, where the request says that it is too large', async () => {
    const { status, text } = await rawHttp(url, [head(`Content-Length: ${LIMIT + 1}`, 'Expect: 100-continue')]);
    expect(status).toBe(413);
    expect(text).toContain('server.maxSpine');
    expect(text).not.toContain('100 Continue');
  });

  it('is given up with an answer where nothing comes any more', async () => {
    const raw = await begin(1);
    await vi.waitFor(() => expect(raw.text()).toContain('server.bodyTimeoutMs'), { timeout: 10_000, interval: 10 });
    expect(raw.text()).toMatch(/^HTTP\/1\.1 400/);
    raw.socket.destroy();
  });

  it.each(['destroy', 'resetAndDestroy', 'end'] as const)('that its client cuts by %s leaves nothing', async (how) => {
    const raw = await begin(100);
    raw.socket[how]();
    await vi.waitFor(() => expect(left()).toEqual([]), SOON);
    raw.socket.destroy();
  });

  it('leaves no file, however it ended', () => expect(left()).toEqual([]));
});

describe('the file of a set', () => {
  let made: TrainingSetRecord;
  beforeAll(async () => {
    made = await serving.make({ spine: 'spine.parquet', out: 'file.parquet' });
  });

  it('comes in parts, and not at all to who has it', async () => {
    const { id, contentHash, path } = made;
    const bytes = readFileSync(path);
    const etag = `"${contentHash}"`;
    const part = async (range: string, more: Record<string, string> = {}) => {
      const response = await fetchData(url, id, { range, ...more });
      const { status, headers } = response;
      return { status, range: headers.get('content-range'), bytes: await bytesOf(response) };
    };
    const { length } = bytes;
    const middle = { status: 206, range: `bytes 10-19/${length}`, bytes: bytes.subarray(10, 20) };
    expect(await part('bytes=10-19')).toEqual(middle);
    expect(await part('bytes=10-19', { 'if-range': etag })).toEqual(middle);
    expect(await part('bytes=10-19', { 'if-range': '"another"' })).toMatchObject({ status: 200, bytes });
    const outside = await fetchData(url, id, { range: `bytes=${length}-` });
    expect([outside.status, outside.headers.get('content-range')]).toEqual([416, `bytes */${length}`]);
    expect(await outside.json()).toMatchObject({ code: 'HR_RANGE' });
    const held = await fetchData(url, id, { 'if-none-match': etag });
    expect([held.status, held.headers.get('etag')]).toEqual([304, etag]);
  });

  it('comes as an Arrow stream, exactly', async () => {
    const response = await fetchData(url, made.id, { accept: ARROW });
    expect(response.headers.get('content-type')).toBe(ARROW);
    const table = tableFromIPC(await bytesOf(response));
    expect(table.numRows).toBe(500);
    // Times of features are of UTC, those of a spine as they came.
    const types = Object.fromEntries(table.schema.fields.map(({ name, type }) => [name, String(type)]));
    expect(Object.keys(types)).toHaveLength(12);
    expect(types).toMatchObject({ at: 'Timestamp<MICROSECOND>', history__last_sold: 'Timestamp<MICROSECOND, UTC>' });
    expect(table.getChild('order_id')?.get(2)).toBe(9007199254740995n);
    expect(table.getChild('shop')?.get(7)).toBeNull();
    expect(table.getChild('history__sales_1d')?.get(7)).toBeNull();
  });

  it('that a user wrote over is told as damaged, never sent', async () => {
    const own = await serving.make({ spine: `select * from 'spine.csv' limit 100`, out: 'mine.parquet' });
    expect((await fetchData(url, own.id)).status).toBe(200);
    const bytes = readFileSync(own.path);
    bytes[60] = (bytes[60] ?? 0) ^ 1;
    writeFileSync(own.path, bytes);
    for (const accept of [PARQUET, ARROW]) {
      const response = await fetchData(url, own.id, { accept });
      expect(response.status).toBe(422);
      expect(await response.json()).toMatchObject({ code: 'HR_ARTIFACT_UNREADABLE' });
    }
  });
});

describe('what cannot be', () => {
  it.each([
    ['an unknown service', { ...QUERY, service: 'shop_feature' }, 404, 'HR_UNKNOWN_SERVICE', 'shop_features'],
    ['no service', { timestamp: 'at' }, 400, 'HR_INVALID', 'service'],
    ['no timestamp', { service: 'shop_features' }, 400, 'HR_INVALID', 'timestamp'],
    ['another boundary', { ...QUERY, boundary: 'after' }, 400, 'HR_INVALID', 'boundary'],
    ['a parameter that nothing knows', { ...QUERY, lable: 'late' }, 400, 'HR_INVALID', 'lable'],
    ['an empty name', { ...QUERY, name: '' }, 400, 'HR_INVALID', 'name'],
  ])('%s is refused at once', async (_, query, status, code, word) => {
    const refused = await ask(url, PARQUET, bytesIn('spine.parquet'), query as Record<string, string>);
    expect(refused).toMatchObject({ status, json: { code } });
    expect(JSON.stringify(refused.json)).toContain(word);
  });

  it('a body of another type, a query, a path of the server’s: refused at once', async () => {
    for (const type of ['application/octet-stream', 'text/plain'])
      expect(await ask(url, type, 'spine')).toMatchObject({ status: 415, json: { code: 'HR_UNSUPPORTED_MEDIA' } });
    expect(await ask(url, PARQUET, 'spine', QUERY, { 'content-encoding': 'gzip' })).toMatchObject({ status: 415 });
    const json = async (body: string) => {
      const { status, json: answer } = await ask(url, 'application/json', body);
      return [status, answer.code];
    };
    const files = ['/etc/passwd', 'file:///etc/passwd', 'SELECT 1'];
    for (const address of [...files, 's3://', 's3://bucket', 'http://x/y', ' s3://b/k'])
      expect(await json(JSON.stringify({ spine: address })), address).toEqual([400, 'HR_INVALID']);
    expect(await json('{"spine":')).toEqual([400, 'HR_MALFORMED_JSON']);
    expect((await json('{}'))[0]).toBe(400);
    // No place is set where spines may lie.
    expect(await json('{"spine":"s3://bucket/spine.csv"}')).toEqual([403, 'HR_FORBIDDEN']);
  });

  it.each([
    ['Parquet that is none', PARQUET, () => Buffer.from('PAR1 not really PAR1')],
    ['Parquet cut short', PARQUET, () => bytesIn('spine.parquet').subarray(0, 2000)],
    ['an empty body', PARQUET, () => Buffer.alloc(0)],
    ['Arrow that is none', ARROW, () => Buffer.from('hello')],
    ['an empty Arrow stream', ARROW, () => Buffer.alloc(0)],
    ['CSV of zeros', CSV, () => Buffer.alloc(1000)],
  ])('%s fails the job with a code, and tells no path of the server’s', async (_, type, body) => {
    const { state, error } = await ended(ask(url, type, body()));
    expect(state).toBe('failed');
    expect(error?.code).toMatch(/^HR_(SPINE|SOURCE_UNREADABLE)$/);
    expect(error?.message).not.toContain('/');
  });

  it('a spine that lacks a column fails with the command’s words', async () => {
    await writeBySql(project.file('lacks.parquet'), `SELECT "at", late FROM (${spineSql(10)})`);
    const { error } = await ended(ask(url, PARQUET, bytesIn('lacks.parquet')));
    expect(error?.code).toBe('HR_SPINE');
    await expect(serving.make({ spine: 'lacks.parquet', out: 'lacks-out.parquet' })).rejects.toThrow(error?.message);
  });

  it('an unknown job or set is 404', async () => {
    for (const path of ['jobs/none', 'jobs/none/events', 'none', 'none/data']) {
      const response = await fetch(`${url}/v1/training-sets/${path}`);
      const code = path.startsWith('jobs') ? 'HR_UNKNOWN_JOB' : 'HR_UNKNOWN_TRAINING_SET';
      expect([response.status, await response.json()]).toMatchObject([404, { code }]);
    }
    expect(await cancelJob(url, 'none')).toMatchObject({ code: 'HR_UNKNOWN_JOB' });
    expect(await readJob(url, 'none')).toMatchObject({ code: 'HR_UNKNOWN_JOB' });
  });
});

describe('what a user’s function threw', () => {
  const throwing = { ...QUERY, service: 'throwing' };
  beforeAll(() =>
    writeBySql(
      project.file('data/sales-2.parquet'),
      `SELECT 'shop1' AS shop, -1.0::DOUBLE AS amount, 1::BIGINT AS points, TIMESTAMP '2024-01-02' AS sold_at`,
    ),
  );

  it('is told on loopback without keys', async () => {
    const { error } = await ended(ask(url, CSV, bytesIn('spine.csv'), throwing));
    expect(error).toMatchObject({ code: 'HR_TRANSFORM_FAILED', message: expect.stringContaining('the secret is 42') });
  });

  describe('with keys', () => {
    const logged: string[] = [];
    let guarded: TrainingSetServing;
    const tokens = new Map<string, string>();
    const bearer = (name: string): Record<string, string> => ({ authorization: `Bearer ${tokens.get(name) ?? ''}` });
    beforeAll(async () => {
      const { keys } = await serving.app.registry();
      const key = async (name: string, roles: readonly Role[], endpoints?: readonly string[]) => {
        const asked = { name, roles, endpoints, lifeMicros: undefined };
        tokens.set(name, (await keys.create(asked, { actor: 'test', reason: undefined })).token);
      };
      await key('read', ['read']);
      await key('experiment', ['experiment']);
      await key('others', ['read', 'predict', 'write', 'admin']);
      await key('narrow', ['experiment', 'read'], ['checkout']);
      tokens.set('none', 'hr_0000000000_0000000000000000000000000000000000000');
      const logger = { ...silentLogger, warn: (fields: object) => void logged.push(String(Object.values(fields)[0])) };
      guarded = await serveTrainingSets(project, { logger });
    });
    afterAll(() => guarded.stop());

    it('making and taking sets is for `experiment` that is kept to no endpoint; listing and showing for `read`', async () => {
      expect((await fetch(`${guarded.url}/v1/training-sets`)).status).toBe(401);
      const who = ['none', 'read', 'experiment', 'others', 'narrow'];
      const status = async (name: string, path: string, method: string) =>
        (await fetch(`${guarded.url}/v1/training-sets${path}`, { method, headers: bearer(name) })).status;
      const seen = (path: string, method = 'GET') => Promise.all(who.map((name) => status(name, path, method)));
      const unknown = { ...QUERY, service: 'none' };
      const posted = who.map(async (name) => (await ask(guarded.url, CSV, 'at\n', unknown, bearer(name))).status);
      const jobs = [seen('/jobs/none'), seen('/jobs/none/events'), seen('/jobs/none', 'DELETE'), seen('/none/data')];
      for (const seenBy of [await Promise.all(posted), ...(await Promise.all(jobs))])
        expect(seenBy).toEqual([401, 403, 404, 403, 403]);
      expect(await seen('')).toEqual([401, 200, 403, 200, 403]);
      expect(await seen('/none')).toEqual([401, 404, 403, 404, 403]);
    });

    it('stays in the log', async () => {
      const { id } = await jobOf(ask(guarded.url, CSV, bytesIn('spine.csv'), throwing, bearer('experiment')));
      const headers = bearer('experiment');
      const events = await fetch(`${guarded.url}/v1/training-sets/jobs/${id}/events`, { headers });
      const text = await events.text();
      expect(text).toMatch(/event: failed\n.*HR_TRANSFORM_FAILED/);
      expect(text).not.toContain('secret');
      expect(logged.join('\n')).toContain('the secret is 42');
    });
  });
});
