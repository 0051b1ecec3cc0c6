// Training sets over HTTP on a server of two workers: what comes back is what the command makes.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { basename } from 'node:path';
import { RecordBatchReader, type RecordBatch, tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headraceJson, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';
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
import { arrowOf, createTrainingSetProject, spineSql, writeBySql } from '../support/training-set-server.ts';
import { connectToBoth, workerOf } from '../support/worker-processes.ts';

interface RecordJson {
  readonly id: string;
  readonly content_hash: string;
  readonly rows: number;
  readonly path: string;
  readonly spine: string;
  readonly sources: readonly { readonly files: readonly { readonly path: string }[] }[];
}

let project: Project;
let server: ServerProcess;
let url: string;
beforeAll(async () => {
  project = await createTrainingSetProject();
  server = await startServe(project, ['--workers', '2']);
  url = server.url;
  await writeBySql(project.file('spine.parquet'), spineSql(3000));
  await writeBySql(project.file('spine.csv'), spineSql(3000));
}, 120_000);
afterAll(async () => {
  await server.stop();
  project.remove();
});

function byCommand(spine: string, ...more: string[]): RecordJson {
  const args = ['--service', 'shop_features', '--spine', spine, '--timestamp', 'at', '--label', 'late'];
  return headraceJson(project, [
    'training-set',
    'create',
    ...args,
    '--out',
    `by-command-${spine.replaceAll(/\W/g, '-')}.parquet`,
    ...more,
  ]) as RecordJson;
}
const show = (id: string) => headraceJson(project, ['training-set', 'show', id]) as RecordJson;
const left = (): string[] => readdirSync(project.file('.headrace/offline/training-set-jobs'));

describe('a spine that is sent along', () => {
  it('as Parquet gives the bytes that the command writes, on any worker', async () => {
    const job = await jobOf(ask(url, PARQUET, readFileSync(project.file('spine.parquet'))));
    expect(job).toMatchObject({ state: 'queued', progress: null, training_set: null, error: null, finished_at: null });
    const events = await followJob(url, job.id);
    const last = events.at(-1);
    expect(last?.event).toBe('done');
    expect(new Set(events.slice(0, -1).map(({ event }) => event))).toEqual(new Set(['progress']));
    // In this order; one that is over before anybody looks is not seen.
    const steps = events.flatMap(({ job: { progress } }) => (progress === null ? [] : [progress.step]));
    const order = ['read the spine', 'view history', 'write the training set'].map((step) => steps.indexOf(step));
    expect(order.filter((at) => at >= 0)).toEqual(order.filter((at) => at >= 0).toSorted((a, b) => a - b));
    expect(steps.at(-1)).toBe('write the training set');
    expect(last?.job).toMatchObject({
      state: 'done',
      error: null,
      progress: { done: 3000, total: 3000, unit: 'rows' },
    });
    const id = String(last?.job.training_set);
    const [one, other] = await connectToBoth(url);
    for (const { agent, pid } of [one, other]) {
      const answered = await new Promise<IncomingMessage>((resolve, reject) =>
        get(`${url}/v1/training-sets/${id}/data`, { agent }, resolve).once('error', reject),
      );
      expect(workerOf(String(answered.headers['x-request-id']))).toBe(pid);
      const bytes = Buffer.concat(await answered.toArray());
      const made = byCommand('spine.parquet');
      expect(bytes.equals(readFileSync(made.path))).toBe(true);
      expect(answered.headers).toMatchObject({ 'content-type': PARQUET, etag: `"${made.content_hash}"` });
      expect(made.id).toBe(id);
      agent.destroy();
    }
    expect(left()).toEqual([]);
  }, 120_000);

  it('as CSV gives what the command makes of it', async () => {
    const job = await jobOf(ask(url, `${CSV}; charset=utf-8`, readFileSync(project.file('spine.csv'))));
    const { training_set } = await untilJob(url, job.id);
    const made = byCommand('spine.csv');
    expect(training_set).toBe(made.id);
    expect((await bytesOf(await fetchData(url, made.id))).equals(readFileSync(made.path))).toBe(true);
  }, 120_000);

  it('as an Arrow stream gives the same rows', async () => {
    const stream = await arrowOf(project.file('spine.parquet'));
    const job = await jobOf(ask(url, ARROW, stream));
    const { training_set, error } = await untilJob(url, job.id);
    expect(error).toBeNull();
    const made = byCommand('spine.parquet');
    // The spine's own bytes are others, the rows are not.
    expect(show(String(training_set)).content_hash).toBe(made.content_hash);
  }, 120_000);

  it('is found and audited by the commands, and lies under its id', async () => {
    const job = await jobOf(
      ask(url, PARQUET, readFileSync(project.file('spine.parquet')), {
        ...QUERY,
        boundary: 'before',
        name: 'over_http',
      }),
    );
    const { training_set } = await untilJob(url, job.id);
    const record = show('over_http');
    expect(record).toMatchObject({ id: training_set, boundary: 'before', labels: ['late'], spine: 'uploaded.parquet' });
    expect(record.path).toBe(project.file(`.headrace/offline/training-sets/${record.id}.parquet`));
    expect(headraceJson(project, ['training-set', 'audit', 'over_http'])).toMatchObject({ isClean: true });
    const listed = headraceJson(project, ['training-set', 'list']) as { training_sets: RecordJson[] };
    expect(listed.training_sets.map(({ id }) => id)).toContain(record.id);
    const overHttp = (await (await fetch(`${url}/v1/training-sets`)).json()) as { training_sets: RecordJson[] };
    expect(overHttp.training_sets.map(({ id }) => id)).toEqual(listed.training_sets.map(({ id }) => id));
    expect(overHttp.training_sets.find(({ id }) => id === record.id)).toEqual({
      ...record,
      path: `${record.id}.parquet`,
      sources: record.sources.map((source) => ({
        ...source,
        files: source.files.map((file) => ({ ...file, path: basename(file.path) })),
      })),
    });
  }, 120_000);

  it('tell nobody over HTTP where files lie on the server', async () => {
    byCommand('spine.csv');
    byCommand(`select * from '${project.file('spine.parquet')}' limit 10`);
    const { training_sets } = (await (await fetch(`${url}/v1/training-sets`)).json()) as {
      training_sets: RecordJson[];
    };
    expect(training_sets.map(({ spine }) => spine)).toEqual(expect.arrayContaining(['spine.csv', '(a query)']));
    const each = training_sets.map(({ id }) => fetch(`${url}/v1/training-sets/${id}`).then((answer) => answer.text()));
    for (const text of [JSON.stringify(training_sets), ...(await Promise.all(each))])
      expect(text).not.toContain(project.directory);
  }, 120_000);

  it('without rows gives a set without rows', async () => {
    await writeBySql(project.file('empty.parquet'), spineSql(0));
    const job = await jobOf(ask(url, PARQUET, readFileSync(project.file('empty.parquet'))));
    const { training_set } = await untilJob(url, job.id);
    expect(show(String(training_set)).rows).toBe(0);
    const arrow = await bytesOf(await fetchData(url, String(training_set), { accept: ARROW }));
    const table = tableFromIPC(arrow);
    expect([table.numRows, table.numCols]).toEqual([0, 12]);
  }, 120_000);
});

describe('the same key', () => {
  it('gets the first job, on any worker, and is refused with another spine or other parameters', async () => {
    const spine = readFileSync(project.file('spine.parquet'));
    const key = { 'idempotency-key': 'notebook-1' };
    const first = await jobOf(ask(url, PARQUET, spine, QUERY, key));
    for (let i = 0; i < 4; i++) expect((await jobOf(ask(url, PARQUET, spine, QUERY, key))).id).toBe(first.id);
    const other = Buffer.from(spine);
    other[100] = (other[100] ?? 0) ^ 1;
    for (const again of [
      ask(url, PARQUET, other, QUERY, key),
      ask(url, PARQUET, spine, { ...QUERY, boundary: 'before' }, key),
      ask(url, CSV, spine, QUERY, key),
    ])
      expect(await again).toMatchObject({ status: 422, json: { code: 'HR_IDEMPOTENCY' } });
    const done = await untilJob(url, first.id);
    expect(await jobOf(ask(url, PARQUET, spine, QUERY, key))).toEqual(done);
  }, 120_000);
});

describe('the file of a set', () => {
  it('comes in parts, and not at all to who has it', async () => {
    const { id, content_hash, path } = byCommand('spine.parquet');
    const bytes = readFileSync(path);
    const etag = `"${content_hash}"`;
    const part = async (range: string, more: Record<string, string> = {}) => {
      const response = await fetchData(url, id, { range, ...more });
      return { status: response.status, range: response.headers.get('content-range'), bytes: await bytesOf(response) };
    };
    const { length } = bytes;
    expect(await part('bytes=10-19')).toEqual({
      status: 206,
      range: `bytes 10-19/${length}`,
      bytes: bytes.subarray(10, 20),
    });
    expect(await part('bytes=-8')).toEqual({
      status: 206,
      range: `bytes ${length - 8}-${length - 1}/${length}`,
      bytes: bytes.subarray(-8),
    });
    expect((await part(`bytes=${length - 1}-`)).bytes).toEqual(bytes.subarray(-1));
    expect(await part('bytes=0-9', { 'if-range': etag })).toMatchObject({ status: 206 });
    expect(await part('bytes=0-9', { 'if-range': '"another"' })).toMatchObject({ status: 200, bytes });
    const outside = await fetchData(url, id, { range: `bytes=${length}-` });
    expect([outside.status, outside.headers.get('content-range')]).toEqual([416, `bytes */${length}`]);
    expect(await outside.json()).toMatchObject({ code: 'HR_RANGE' });
    const held = await fetchData(url, id, { 'if-none-match': etag });
    expect([held.status, held.headers.get('etag')]).toEqual([304, etag]);
  });

  it('comes as an Arrow stream, exactly', async () => {
    const { id } = byCommand('spine.parquet');
    const response = await fetchData(url, id, { accept: ARROW });
    expect(response.headers.get('content-type')).toBe(ARROW);
    const batches: RecordBatch[] = [];
    for (const batch of RecordBatchReader.from(await bytesOf(response))) batches.push(batch);
    const table = tableFromIPC(await bytesOf(await fetchData(url, id, { accept: ARROW })));
    expect(table.numRows).toBe(3000);
    expect(Object.fromEntries(table.schema.fields.map(({ name, type }) => [name, String(type)]))).toEqual({
      shop: 'Utf8',
      price: 'Float64',
      late: 'Bool',
      order_id: 'Int64',
      at: 'Timestamp<MICROSECOND>',
      history__last_amount: 'Float64',
      history__last_points: 'Int64',
      history__last_sold: 'Timestamp<MICROSECOND, UTC>',
      history__sales_1d: 'Int64',
      history__mean_7d: 'Float64',
      history__points_7d: 'Int64',
      basket__ratio: 'Float64',
    });
    expect(table.getChild('order_id')?.get(2)).toBe(9007199254740995n);
    expect(table.getChild('shop')?.get(7)).toBeNull();
    expect(table.getChild('history__sales_1d')?.get(7)).toBeNull();
  });

  it('that a user wrote over is told as damaged, never sent', async () => {
    await writeBySql(project.file('other.parquet'), spineSql(100, 50));
    const made = headraceJson(project, [
      'training-set',
      'create',
      '--service',
      'shop_features',
      '--spine',
      'other.parquet',
      '--timestamp',
      'at',
      '--out',
      'mine.parquet',
    ]) as RecordJson;
    expect((await fetchData(url, made.id)).status).toBe(200);
    const bytes = readFileSync(made.path);
    bytes[60] = (bytes[60] ?? 0) ^ 1;
    writeFileSync(made.path, bytes);
    for (const accept of [PARQUET, ARROW]) {
      const response = await fetchData(url, made.id, { accept });
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
        422,
        'HR_ARTIFACT_UNREADABLE',
      ]);
    }
  });
});

describe('what cannot be', () => {
  const spine = (): Buffer => readFileSync(project.file('spine.parquet'));
  it.each([
    ['an unknown service', { ...QUERY, service: 'shop_feature' }, 404, 'HR_UNKNOWN_SERVICE', 'shop_features'],
    ['no service', { timestamp: 'at' }, 400, 'HR_INVALID', 'service'],
    ['no timestamp', { service: 'shop_features' }, 400, 'HR_INVALID', 'timestamp'],
    ['another boundary', { ...QUERY, boundary: 'after' }, 400, 'HR_INVALID', 'boundary'],
    ['a parameter that nothing knows', { ...QUERY, lable: 'late' }, 400, 'HR_INVALID', 'lable'],
    ['an empty name', { ...QUERY, name: '' }, 400, 'HR_INVALID', 'name'],
  ])('%s is refused at once', async (_, query, status, code, word) => {
    const refused = await ask(url, PARQUET, spine(), query as Record<string, string>);
    expect(refused).toMatchObject({ status, json: { code } });
    expect(JSON.stringify(refused.json)).toContain(word);
  });

  it('a body of another type, a query, a path of the server’s: refused at once', async () => {
    for (const type of ['application/octet-stream', 'text/plain'])
      expect(await ask(url, type, spine())).toMatchObject({ status: 415, json: { code: 'HR_UNSUPPORTED_MEDIA' } });
    expect(await ask(url, PARQUET, spine(), QUERY, { 'content-encoding': 'gzip' })).toMatchObject({ status: 415 });
    for (const address of [
      '/etc/passwd',
      'file:///etc/passwd',
      'SELECT 1',
      's3://',
      's3://bucket',
      'http://x/y',
      ' s3://b/k',
    ]) {
      const refused = await ask(url, 'application/json', JSON.stringify({ spine: address }));
      expect(refused, address).toMatchObject({ status: 400, json: { code: 'HR_INVALID' } });
    }
    expect(await ask(url, 'application/json', '{"spine":')).toMatchObject({
      status: 400,
      json: { code: 'HR_MALFORMED_JSON' },
    });
    expect(await ask(url, 'application/json', '{}')).toMatchObject({ status: 400 });
  });

  it.each([
    ['Parquet that is none', PARQUET, () => Buffer.from('PAR1 not really PAR1')],
    ['Parquet cut short', PARQUET, () => spine().subarray(0, 2000)],
    ['an empty body', PARQUET, () => Buffer.alloc(0)],
    ['Arrow that is none', ARROW, () => Buffer.from('hello')],
    ['an empty Arrow stream', ARROW, () => Buffer.alloc(0)],
    ['CSV of zeros', CSV, () => Buffer.alloc(1000)],
  ])(
    '%s fails the job with a code, and tells no path of the server’s',
    async (_, type, body) => {
      const job = await jobOf(ask(url, type, body()));
      const { state, error } = await untilJob(url, job.id);
      expect(state).toBe('failed');
      expect(error?.code).toMatch(/^HR_(SPINE|SOURCE_UNREADABLE)$/);
      expect(error?.message).not.toContain(project.directory);
      expect(error?.message).not.toContain('/');
    },
    60_000,
  );

  it('a spine that lacks a column fails with the command’s words', async () => {
    await writeBySql(project.file('lacks.parquet'), `SELECT "at", late FROM (${spineSql(10)})`);
    const job = await jobOf(ask(url, PARQUET, readFileSync(project.file('lacks.parquet'))));
    const { error } = await untilJob(url, job.id);
    let words = '';
    try {
      byCommand('lacks.parquet');
    } catch (thrown) {
      words = String(thrown);
    }
    expect(error?.code).toBe('HR_SPINE');
    expect(words).toContain(`HR_SPINE: ${error?.message}`);
  }, 120_000);

  it('an unknown job or set is 404', async () => {
    for (const [path, code] of [
      ['jobs/none', 'HR_UNKNOWN_JOB'],
      ['jobs/none/events', 'HR_UNKNOWN_JOB'],
      ['none', 'HR_UNKNOWN_TRAINING_SET'],
      ['none/data', 'HR_UNKNOWN_TRAINING_SET'],
    ]) {
      const response = await fetch(`${url}/v1/training-sets/${path}`);
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([404, code]);
    }
    expect(await cancelJob(url, 'none')).toMatchObject({ code: 'HR_UNKNOWN_JOB' });
    expect(await readJob(url, 'none')).toMatchObject({ code: 'HR_UNKNOWN_JOB' });
  });

  it('leaves nothing behind', () => {
    expect(left()).toEqual([]);
  });
});
