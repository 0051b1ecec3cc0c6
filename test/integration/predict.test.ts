// `headrace predict`, held bit for bit against a server of the same endpoint; a batch that breaks off at any step; what is wrong, told.

import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, openApp, predictInBatch, type PredictRequest, readEnvironment } from '../../src/app/index.ts';
import type { BatchMeans } from '../../src/batch-prediction/index.ts';
import { openOutFolder } from '../../src/batch-prediction/out-folder.ts';
import { type HeadraceError, silentLogger, silentProgress } from '../../src/core/index.ts';
import { openPartWriter } from '../../src/offline/batch/part-writer.ts';
import { openObjectStore } from '../../src/storage/index.ts';
import { headraceHere, headraceHereJson } from '../support/typed-command.ts';
import { createCrash } from '../support/fault-points.ts';
import { serveProject } from '../support/open-serving.ts';
import { createPredictProject, inputSql, partsOf, readRows, writeRows } from '../support/predict-project.ts';
import { findS3Server } from '../support/s3-server.ts';
import type { Project } from '../support/serving-project.ts';
import { sharedS3 } from '../support/shared-servers.ts';
import { rows } from '../support/tier.ts';

const END_MS = Date.now();
const ROWS = 400;

let project: Project;
let serving: Awaited<ReturnType<typeof serveProject>>;
let app: App;
beforeAll(async () => {
  project = await createPredictProject(END_MS);
  await headraceHereJson(project, ['materialize', '--from', '2020-01-01T00:00:00Z']);
  serving = await serveProject(project);
  app = await openApp({
    environment: { ...readEnvironment({}), workingDirectory: project.directory },
    logger: silentLogger,
  });
  await writeRows(project.file('past.parquet'), inputSql(ROWS, END_MS));
  await batch('past.parquet', 'past', { hasFeatures: true });
});
afterAll(async () => {
  await app?.close();
  await serving?.close();
});

/** Parts one after the other in this thread: to load the program in another takes longer than all else. */
const writePartsHere: BatchMeans['writeParts'] = async ({ work, orders, written, scored }) => {
  const writer = await openPartWriter(work, scored);
  try {
    for (const order of orders) await written(order, await writer.write(order));
  } finally {
    await writer.close();
  }
};

interface Asked extends Partial<Omit<PredictRequest, 'input' | 'out'>> {
  readonly slice?: NonNullable<PredictRequest['input']['slice']>;
}
/** By the endpoint `shops`, where no other is named. */
function batch(input: string, out: string, { slice, ...more }: Asked = {}, means: Partial<BatchMeans> = {}) {
  const place = { path: project.file(input), directory: project.directory, ...(slice === undefined ? {} : { slice }) };
  const plain = { timestamp: 'at', hasFeatures: false, badRows: 'fail', format: 'parquet', overwrites: false } as const;
  const request = { endpoint: 'shops', ...plain, ...more, input: place, out: project.file(out) };
  return predictInBatch(app, request, silentProgress, { writeParts: writePartsHere, ...means });
}
const byCommand = (endpoint: string, ...args: readonly string[]) =>
  headraceHere(project, ['predict', endpoint, '--timestamp', 'at', ...args], { HEADRACE_OFFLINE_THREADS: '2' });
const made = (folder: string, columns = '*', format?: string) =>
  readRows(`SELECT ${columns} FROM ${partsOf(project.file(folder), format)}`);
const PLAIN = '* EXCLUDE (probability, model, version, variant)';
const FEATURES = "COLUMNS(name -> name LIKE 'history\\_\\_%' ESCAPE '\\')";
const SCORE = 'CAST(probability AS FLOAT) AS p';

interface Prediction extends Readonly<Record<'version' | 'variant', unknown>> {
  readonly outputs: { readonly probability: number };
  readonly features: Readonly<Record<string, number | string | null>>;
  readonly error?: { readonly code: string };
}
async function askServer(inputs: readonly object[]): Promise<readonly Prediction[]> {
  const response = await fetch(`${serving.serving.url}/v1/endpoints/shops/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs, options: { return_features: true, partial: true } }),
  });
  return ((await response.json()) as { predictions: readonly Prediction[] }).predictions;
}

describe('a batch', () => {
  it('answers what the server answers for the same rows at the same time, bit for bit', async () => {
    // No sale lies within ten minutes of where a window begins or ends.
    const at = `TIMESTAMP '${new Date().toISOString().replace('Z', '')}'`;
    await writeRows(project.file('now.parquet'), `SELECT * REPLACE (${at} AS "at") FROM (${inputSql(ROWS, END_MS)})`);
    const line = ['--input', 'now.parquet', '--out', 'now', '--with-features', '--json'];
    const { code, stdout, stderr } = await byCommand('shops', ...line);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^predict: 400 rows/m);
    const told = { rows: ROWS, failed: 0, model: 'score', version: 1, variant: 'stable' };
    expect(JSON.parse(stdout)).toMatchObject(told);
    expect(JSON.parse(readFileSync(project.file('now/_manifest.json'), 'utf8'))).toMatchObject(told);
    const predicted = await made('now');
    const answers = await askServer(
      predicted.map(({ shop, price, pieces }) => ({ shop, price, ...(pieces === null ? {} : { pieces }) })),
    );
    expect([predicted.length, answers.length]).toEqual([ROWS, ROWS]);
    expect(new Set(predicted.map((row) => row['probability'])).size).toBeGreaterThan(50);
    for (const [i, row] of predicted.entries()) {
      const { outputs, version, variant, features } = answers[i] as Prediction;
      expect(Object.is(row['probability'], Math.fround(outputs.probability)), `row ${i}`).toBe(true);
      expect([row['version'], row['variant'], row['model']]).toEqual([version, variant, 'score']);
      expect(Object.keys(features)).toHaveLength(6);
      for (const [name, value] of Object.entries(features)) {
        const own = row[name];
        // An answer's JSON writes −0 as 0.
        const shown = typeof own === 'bigint' ? Number(own) : own === 0 ? 0 : own;
        const isFloat32 = name.endsWith('weight') && typeof value === 'number';
        expect(shown, `row ${i}, ${name}`).toBe(isFloat32 ? Math.fround(value) : value);
      }
    }
  });

  it('keeps the input’s order and columns, whole numbers past 2^53 too, and has the features of a training set', async () => {
    const set = ['--spine', 'past.parquet', '--timestamp', 'at', '--out', 'set.parquet'];
    await headraceHereJson(project, ['training-set', 'create', '--service', 'shop_features', ...set]);
    const own = await made('past', PLAIN);
    expect(own).toHaveLength(ROWS);
    expect(own).toEqual(await readRows(`FROM '${project.file('set.parquet')}'`));
  });

  it('predicts by another version or variant where it is named, and by CSV as by Parquet', async () => {
    await writeRows(project.file('past.csv'), inputSql(ROWS, END_MS));
    await batch('past.csv', 'by-csv', { variant: 'stable', format: 'csv' });
    await batch('past.parquet', 'champion', { version: 'champion' });
    await batch('past.parquet', 'second', { version: '2' });
    const first = await made('past', SCORE);
    expect(await made('by-csv', SCORE, 'csv')).toEqual(first);
    expect(await made('champion', SCORE)).toEqual(first);
    expect(await made('second', SCORE)).not.toEqual(first);
    expect(await made('second', 'DISTINCT version, variant')).toEqual([{ version: 2, variant: null }]);
    expect(Object.keys((await made('champion'))[0] ?? {})).not.toContain('history__mean_7d');
  });

  it('computes features by the boundary of the training set of its version, or by the one that is named', async () => {
    // At the very times of sales.
    const sold = `read_parquet('${project.file('data/sales.parquet')}')`;
    const columns = `row_number() OVER () AS id, shop, 1.5 AS price, CAST(1 AS INTEGER) AS pieces, sold_at AS "at"`;
    await writeRows(project.file('sold.parquet'), `SELECT ${columns} FROM ${sold} LIMIT 50`);
    const setOf = async (boundary: string) => {
      const at = [
        '--spine',
        'sold.parquet',
        '--timestamp',
        'at',
        '--boundary',
        boundary,
        '--out',
        `${boundary}.parquet`,
      ];
      const made = ['training-set', 'create', '--service', 'shop_features', ...at];
      return headraceHereJson<{ id: string; path: string }>(project, made);
    };
    const [before, at] = [await setOf('before'), await setOf('at')];
    const features = async (path: string) => readRows(`SELECT ${FEATURES} FROM ${path}`);
    const [those, others] = [await features(`'${before.path}'`), await features(`'${at.path}'`)];
    expect(those).not.toEqual(others);
    const register = ['models', 'register', 'score', 'trees.onnx', '--training-set', before.id];
    const { version } = await headraceHereJson<{ version: number }>(project, register);
    const line = ['--input', 'sold.parquet', '--model-version', String(version), '--with-features'];
    const printed = await byCommand('shops', ...line, '--out', 'trained');
    expect(printed.stdout).toContain(`50 rows by score version ${version}, features by boundary before`);
    expect(await features(partsOf(project.file('trained')))).toEqual(those);
    const named = { version: String(version), hasFeatures: true, boundary: 'at' } as const;
    await expect(batch('sold.parquet', 'trained', named)).rejects.toMatchObject({
      code: 'HR_CONFLICT',
      message: expect.stringContaining('its boundary of features is "before", and now it is "at"'),
    });
    expect(await batch('sold.parquet', 'named', named)).toMatchObject({ boundary: 'at' });
    expect(await features(partsOf(project.file('named')))).toEqual(others);
    // A version without a training set.
    expect(await batch('sold.parquet', 'untrained', { version: '2' })).toMatchObject({ boundary: 'at' });
    const wrong = await byCommand('shops', ...line, '--out', 'wrong', '--boundary', 'after');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--boundary is at or before')]);
  });

  it('says why a row has no prediction, where a server refuses it or fails on it', async () => {
    await writeRows(
      project.file('bad.csv'),
      `SELECT id, shop, CASE id - 9007199254740993 WHEN 3 THEN 'dear' WHEN 5 THEN NULL WHEN 7 THEN '-1' ELSE CAST(price AS VARCHAR) END AS price, pieces,
        CASE WHEN id - 9007199254740993 = 9 THEN NULL ELSE "at" END AS "at" FROM (${inputSql(20, END_MS)})`,
    );
    await expect(batch('bad.csv', 'bad')).rejects.toThrow(/row 4: column "price" holds dear.*--on-error column/s);
    project.write('dear.csv', 'shop,price,pieces,at\nshop1,-1,1,2026-10-01T00:00:00Z\n');
    const threw = /view .*basket.*threw: no such price\. [^.]*\. Correct it, or .*--on-error column/s;
    const message = expect.stringMatching(threw);
    await expect(batch('dear.csv', 'dear')).rejects.toMatchObject({ code: 'HR_TRANSFORM_FAILED', message });
    expect(await batch('bad.csv', 'marked', { badRows: 'mark' })).toMatchObject({ rows: 20, failed: 4 });
    const marked = await made('marked', 'probability, error');
    const bad = marked.flatMap(({ error }, i) => (error === null ? [] : [[i, error]]));
    expect(bad).toEqual([
      [3, 'HR_SPINE: column "price" holds dear, which is no float64'],
      [5, expect.stringMatching(/^HR_SPINE: column "price" is null, and the endpoint requires it/)],
      [7, expect.stringMatching(/^HR_TRANSFORM_FAILED: .*no such price/)],
      [9, 'HR_SPINE: column "at" is null: the row has no time'],
    ]);
    expect(marked.filter((row) => (row['probability'] === null) !== (row['error'] !== null))).toEqual([]);
    // The server fails on the same row, and answers the others.
    const failed = await askServer(marked.map((_, i) => ({ shop: 'shop1', price: i === 7 ? -1 : 1 })));
    const codes = failed.flatMap(({ error }, i) => (error === undefined ? [] : [`${i} ${error.code}`]));
    expect(codes).toEqual(['7 HR_TRANSFORM_FAILED']);
  });

  it('reads what the endpoint takes by its declared type, however a CSV file writes its name', async () => {
    project.write('names.csv', 'Shop,PRICE,pieces,At\n1e0,1.5,1,2026-10-01\n1e1,1.5,1,2026-10-01\n');
    expect(await batch('names.csv', 'names')).toMatchObject({ rows: 2, failed: 0 });
    expect(await made('names', '"Shop"')).toEqual([{ Shop: '1e0' }, { Shop: '1e1' }]);
  });

  it('finds the row on which the model itself fails', async () => {
    await writeRows(
      project.file('places.parquet'),
      `SELECT CAST(CASE WHEN i = 1234 THEN 99 ELSE i % 64 END AS DOUBLE) AS price, now()::TIMESTAMP AS at FROM range(3000) t(i)`,
    );
    await batch('places.parquet', 'places', { endpoint: 'table', badRows: 'mark' });
    const failed = `count(*) FILTER (starts_with(error, 'HR_INFERENCE_FAILED')) AS failed`;
    const counts = await made('places', `count(*) FILTER (ten = price * 10) AS right, ${failed}`);
    expect(counts).toEqual([{ right: 2999n, failed: 1n }]);
    await expect(batch('places.parquet', 'refused', { endpoint: 'table' })).rejects.toThrow(/row 1235/);
  });

  it('of no rows gives no rows, with the columns', async () => {
    await writeRows(project.file('none.parquet'), `SELECT * FROM (${inputSql(1, END_MS)}) LIMIT 0`);
    expect(await batch('none.parquet', 'none')).toMatchObject({ rows: 0 });
    const described = await readRows(`DESCRIBE SELECT * FROM ${partsOf(project.file('none'))}`);
    const names = ['id', 'shop', 'price', 'pieces', 'at', 'probability', 'model', 'version', 'variant'];
    expect(described.map((column) => column['column_name'])).toEqual(names);
  });

  it('in slices gives all rows, each once, in order', async () => {
    for (const index of [0, 1, 2])
      await batch('past.parquet', `sliced/${index}`, { slice: { index, of: 3 }, hasFeatures: true });
    const sliced = await readRows(`FROM read_parquet('${project.file('sliced/*/part-*.parquet')}')`);
    expect(sliced).toEqual(await made('past'));
  });

  it('asked for again is there already, and of another batch it is refused until told to replace it', async () => {
    const there = { rows: ROWS, resumed: 1, parts: [{ rows: ROWS }] };
    expect(await batch('past.parquet', 'past', { hasFeatures: true })).toMatchObject(there);
    const other = batch('past.parquet', 'past', { hasFeatures: true, version: '2' });
    const message = expect.stringContaining('another batch');
    await expect(other).rejects.toMatchObject({ code: 'HR_CONFLICT', message });
    expect(existsSync(project.file('past/_work'))).toBe(false);
    await writeRows(project.file('again.parquet'), inputSql(ROWS + 1, END_MS));
    await batch('again.parquet', 'again');
    project.write('again.parquet', readFileSync(project.file('past.parquet')));
    await expect(batch('again.parquet', 'again')).rejects.toThrow(/another content/);
    expect(await batch('again.parquet', 'again', { overwrites: true })).toMatchObject({ rows: ROWS, resumed: 0 });
    expect(await made('again', SCORE)).toEqual(await made('past', SCORE));
  });
});

const hasS3 = findS3Server('batches in S3') !== undefined;

describe('a batch that breaks off', () => {
  /** Three parts. */
  const MANY = 20_000;
  let whole: readonly object[];
  beforeAll(async () => {
    await writeRows(project.file('many.parquet'), inputSql(MANY, END_MS));
    await run('whole');
    whole = await scores('whole');
    expect(whole).toMatchObject([{ count: BigInt(MANY) }]);
  });

  /** Crashes at the step; goes to its end where that is undefined. */
  const run = (out: string, step?: string, more: Asked = {}) => {
    const folder = openOutFolder(project.file(out), project.file('scratch'), {});
    return batch('many.parquet', out, more, { folder: createCrash(step).watch(folder, 'out') });
  };
  const crashes = (out: string, step: string, more: Asked = {}) =>
    expect(run(out, step, more)).rejects.toThrow('the process is gone');
  /** How many rows there are, and the hash of all in their order. */
  const scores = (out: string) =>
    readRows(
      `SELECT count(*) AS count, md5(string_agg(concat_ws(' ', id, probability), ',' ORDER BY parse_filename(filename), file_row_number)) AS hash
        FROM read_parquet('${project.file(out)}/part-*.parquet', filename = true, file_row_number = true)`,
    );
  const change = async (factor: number): Promise<void> => {
    const sales = project.file('data/sales.parquet');
    await writeRows(project.file('changed.parquet'), `SELECT * REPLACE (amount * ${factor} AS amount) FROM '${sales}'`);
    renameSync(project.file('changed.parquet'), sales);
  };

  // Its job; of each part its record, then itself; the manifest; the end of the job, and of its work.
  it.each(
    rows(
      [
        ['after out.write 1', 0],
        ['after out.write 2', 0],
        ['after out.publish 1', 1],
        ['after out.write 5', 3],
        ['after out.remove 1', 3],
      ],
      [
        ['before out.write 1', 0],
        ['after out.write 3', 1],
        ['after out.publish 2', 2],
        ['after out.publish 3', 3],
        ['after out.clear 1', 3],
      ],
    ),
  )('%s goes on with the %i parts that it has, and comes out as one that nothing disturbed', async (step, there) => {
    const out = step.replaceAll(' ', '-');
    await crashes(out, step);
    expect((await run(out)).resumed).toBe(there);
    expect(await scores(out)).toEqual(whole);
    expect(readdirSync(project.file(out)).filter((name) => !name.startsWith('part-'))).toEqual(['_manifest.json']);
  });

  it('says of each part how many rows it holds', async () => {
    const { parts } = await run('whole');
    const held = await readRows(
      `SELECT parse_filename(filename) AS name, count(*)::INTEGER AS rows
        FROM read_parquet('${project.file('whole')}/part-*.parquet', filename = true) GROUP BY ALL ORDER BY ALL`,
    );
    expect(held).toHaveLength(3);
    expect(parts.map(({ name, rows: count }) => ({ name, rows: count }))).toEqual(held);
  });

  it.runIf(hasS3)('in S3 goes on there, on a machine that has nothing of the first', async () => {
    const server = await sharedS3('batches in S3');
    if (server === undefined) throw new Error('there was an S3 server a moment ago');
    const url = `s3://${await server.newBucket()}/out`;
    const objects = openObjectStore(url, server.access);
    const on = (machine: string) => openOutFolder(url, project.file(machine), server.access);
    const first = { folder: createCrash('after out.publish 2').watch(on('first'), 'out') };
    await expect(batch('many.parquet', 's3', {}, first)).rejects.toThrow('the process is gone');
    expect((await batch('many.parquet', 's3', {}, { folder: on('second') })).resumed).toBe(2);
    const keys: string[] = [];
    for await (const { key } of objects.list('')) keys.push(key);
    expect(keys).toEqual(['_manifest.json', 'part-00000.parquet', 'part-00001.parquet', 'part-00002.parquet']);
    expect(existsSync(on('second').work)).toBe(false);
    for (const key of keys.slice(1)) project.write(`fetched/${key}`, (await objects.get(key)) ?? '');
    expect(await scores('fetched')).toEqual(whole);
  });

  it('while it replaces another leaves nothing that is taken for that one', async () => {
    await run('replaced');
    const other = { badRows: 'mark', overwrites: true } as const;
    await crashes('replaced', 'after out.write 1', other);
    expect(existsSync(project.file('replaced/_manifest.json'))).toBe(false);
    expect(await run('replaced', undefined, other)).toMatchObject({ badRows: 'mark', rows: MANY });
    expect(await scores('replaced')).toEqual(whole);
  });

  it('keeps its features where the sources changed, and never puts rows of two snapshots together', async () => {
    await crashes('kept', 'after out.publish 2');
    await crashes('lost', 'after out.publish 2');
    await crashes('mixed', 'after out.publish 2');
    await change(2);
    expect((await run('kept')).resumed).toBe(2);
    expect(await scores('kept')).toEqual(whole);
    // Its features are gone, as on another machine, and are not to be had again as they were.
    rmSync(project.file('lost/_work/features.parquet'));
    expect((await run('lost')).resumed).toBe(0);
    expect(await scores('lost')).not.toEqual(whole);
    // As a run leaves it that found its features lost and was killed once it had made them anew: job and parts are the old ones.
    await crashes('later', 'after out.write 1');
    renameSync(project.file('later/_work/features.parquet'), project.file('mixed/_work/features.parquet'));
    expect((await run('mixed')).resumed).toBe(0);
    expect(await scores('mixed')).toEqual(await scores('lost'));
  });
});

describe('what is wrong is told', () => {
  const refusals: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['an endpoint that nobody knows', ['shop'], /HR_UNKNOWN_ENDPOINT.*shops/s],
    ['a variant that it lacks', ['shops', '--variant', 'stabel'], /no variant "stabel".*stable/s],
    ['a column that the input lacks', ['shops', '--columns', 'id,shops'], /--columns names "shops"/],
    ['both a variant and a version', ['shops', '--variant', 'stable', '--model-version', '1'], /either/],
    ['a slice past the last', ['shops', '--slice', '4/3'], /--slice/],
    ['a slice before the first', ['shops', '--slice', '0/3'], /--slice/],
    ['another policy', ['shops', '--on-error', 'skip'], /--on-error/],
    ['a folder without a name, which would be this one', ['shops', '--out', ''], /HR_USAGE.*--out is empty/s],
    ['an input without a name', ['shops', '--input', ' '], /HR_USAGE.*--input is empty/s],
    ['a time column without a name', ['shops', '--timestamp', ''], /HR_USAGE.*--timestamp is empty/s],
  ];
  it.each(refusals)('%s', async (_, [endpoint = '', ...own], message) => {
    // The last of an option counts.
    const { code, stderr } = await byCommand(endpoint, '--input', 'past.parquet', '--out', 'refusals', ...own);
    expect([code === 0, stderr]).toEqual([false, expect.stringMatching(message)]);
    expect(existsSync(project.file('refusals/_work'))).toBe(false);
  });

  it('a provider that is not on this machine', async () => {
    const where = { HEADRACE_MODELS_PROVIDERS: 'coreml,cpu' };
    const line = ['predict', 'shops', '--timestamp', 'at', '--input', 'past.parquet', '--out', 'nowhere'];
    const { code, stderr } = await headraceHere(project, line, where);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/HR_UNSUPPORTED.*"coreml" is not available here/s)]);
  });

  const ten = inputSql(10, END_MS);
  const as = (changes: string): string => `SELECT ${changes} FROM (${ten})`;
  it.each<[string, Readonly<Record<string, string>>, string, RegExp]>([
    [
      'Parquet files of two types',
      { 'halves-1.parquet': ten, 'halves-2.parquet': as('* REPLACE (CAST(price AS VARCHAR) AS price)') },
      'halves-*.parquet',
      /HR_SPINE.*halves-2.parquet has "price" as VARCHAR, and .*halves-1.parquet as DOUBLE/s,
    ],
    [
      'Parquet files of which one lacks a column',
      { 'thirds-1.parquet': ten, 'thirds-2.parquet': as('* EXCLUDE (price)') },
      'thirds-*.parquet',
      /thirds-2.parquet has no column "price"/,
    ],
    [
      'CSV files of which one has a column more',
      { 'heads-1.csv': ten, 'heads-2.csv': as('*, 1 AS more') },
      'heads-*.csv',
      /HR_SPINE.*heads-2.csv has a column "more", which .*heads-1.csv lacks/s,
    ],
    [
      'CSV files of which one lacks a column',
      { 'tails-1.csv': ten, 'tails-2.csv': as('* EXCLUDE (id)') },
      'tails-*.csv',
      /tails-2.csv has no column "id"/,
    ],
    [
      'an input without a column that the endpoint takes, as the input that it is',
      { 'cheap.parquet': as('* EXCLUDE (price)') },
      'cheap.parquet',
      /HR_SPINE.*: the input has no column "price"/s,
    ],
    ['two columns of one name', { 'named.parquet': as('*, 1 AS version') }, 'named.parquet', /two columns "version"/],
    [
      'a column of the name of a row’s place, before anything is computed',
      { 'placed.parquet': as('*, 1 AS "File_Row_Number"') },
      'placed.parquet',
      /HR_USAGE.*File_Row_Number.*Rename it/s,
    ],
  ])('%s', async (_, files, input, message) => {
    for (const [name, sql] of Object.entries(files)) await writeRows(project.file(name), sql);
    const words = await batch(input, 'files').catch((error: HeadraceError) => `${error.code}: ${error.message}`);
    expect(words).toMatch(message);
  });

  it('two columns of one name are none where one of them is not kept', async () => {
    await writeRows(project.file('named.parquet'), as('*, 1 AS version'));
    expect(await batch('named.parquet', 'one', { columns: ['id'] })).toMatchObject({ rows: 10 });
  });

  it('a CSV file whose lines are of other lengths half-way', async () => {
    project.write('short.csv', 'shop,price,pieces,at\nshop1,1,1,2026-10-01T00:00:00Z\nshop2,2\n');
    const message = expect.stringMatching(/not all of as many values as its header .*shop,price,pieces,at/s);
    await expect(batch('short.csv', 'short')).rejects.toMatchObject({ code: 'HR_SPINE', message });
  });

  it('a version that is retired', async () => {
    await headraceHereJson(project, ['models', 'register', 'score', 'other.onnx']);
    await headraceHereJson(project, ['models', 'retire', 'score', '3']);
    await expect(batch('past.parquet', 'retired', { version: '3' })).rejects.toThrow(/is retired/);
  });
});
