// `headrace predict` on real processes, held against a server that runs: the same rows, the same features, the same answers, bit
// for bit.

import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPredictProject, inputSql, partsOf, readRows, writeRows } from '../support/predict-project.ts';
import {
  headrace,
  headraceJson,
  headraceProcess,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';

const END_MS = Date.now();
const ROWS = 400;

let project: Project;
let server: ServerProcess;
beforeAll(async () => {
  project = await createPredictProject(END_MS);
  headraceJson(project, ['materialize', '--from', '2020-01-01T00:00:00Z']);
  await writeRows(project.file('past.parquet'), inputSql(ROWS, END_MS));
  server = await startServe(project);
}, 120_000);
afterAll(async () => {
  await server?.stop();
  project.remove();
});

const predict = (...args: readonly string[]) => headrace(project, ['predict', ...args, '--json']);
const predictJson = (...args: readonly string[]): Record<string, unknown> =>
  headraceJson(project, ['predict', ...args]) as Record<string, unknown>;

interface Prediction {
  readonly outputs: { readonly probability: number };
  readonly version: number;
  readonly variant: string;
  readonly features: Readonly<Record<string, number | string | null>>;
  readonly error?: { readonly code: string };
}

async function askServer(inputs: readonly object[]): Promise<readonly Prediction[]> {
  const response = await fetch(`${server.url}/v1/endpoints/shops/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs, options: { return_features: true, partial: true } }),
  });
  return ((await response.json()) as { predictions: readonly Prediction[] }).predictions;
}

describe('a batch', () => {
  it('runs on the providers of this machine, and nowhere else where one is missing', () => {
    const where = { HEADRACE_MODELS_PROVIDERS: 'coreml,cpu' };
    const args = ['predict', 'shops', '--input', project.file('past.parquet'), '--timestamp', 'at', '--out'];
    const { code, stdout } = headrace(project, [...args, project.file('nowhere'), '--json'], where);
    expect(code).toBe(1);
    expect((JSON.parse(stdout) as { error: object }).error).toMatchObject({
      code: 'HR_UNSUPPORTED',
      message: expect.stringContaining('"coreml" is not available here'),
    });
  });

  it('answers what the server answers for the same rows at the same time, bit for bit', async () => {
    // No sale lies within ten minutes of where a window begins or ends.
    const at = `TIMESTAMP '${new Date().toISOString().replace('Z', '')}'`;
    await writeRows(project.file('now.parquet'), `SELECT * REPLACE (${at} AS "at") FROM (${inputSql(ROWS, END_MS)})`);
    const result = predictJson(
      'shops',
      '--input',
      'now.parquet',
      '--timestamp',
      'at',
      '--out',
      'now',
      '--with-features',
    );
    expect(result).toMatchObject({ rows: ROWS, failed: 0, model: 'score', version: 1, variant: 'stable' });
    const made = await readRows(`SELECT * FROM ${partsOf(project.file('now'))}`);
    const answers = await askServer(
      made.map(({ shop, price, pieces }) => ({ shop, price, ...(pieces === null ? {} : { pieces }) })),
    );
    expect(made.length).toBe(ROWS);
    expect(new Set(made.map((row) => row['probability'])).size).toBeGreaterThan(50);
    for (const [i, row] of made.entries()) {
      const { outputs, version, variant, features } = answers[i] as Prediction;
      expect(Object.is(row['probability'], Math.fround(outputs.probability)), `row ${i}`).toBe(true);
      expect([row['version'], row['variant'], row['model']]).toEqual([version, variant, 'score']);
      for (const [name, value] of Object.entries(features)) {
        const own = row[name];
        // An answer's JSON writes −0 as 0.
        const shown = typeof own === 'bigint' ? Number(own) : own === 0 ? 0 : own;
        const isFloat32 = name.endsWith('weight') && typeof value === 'number';
        expect(shown, `row ${i}, ${name}`).toBe(isFloat32 ? Math.fround(value) : value);
      }
    }
  });

  it('keeps the input’s order and its columns, whole numbers past 2^53 too', async () => {
    const result = predictJson('shops', '--input', 'past.parquet', '--timestamp', 'at', '--out', 'past');
    expect(result['rows']).toBe(ROWS);
    const made = await readRows(
      `SELECT * EXCLUDE (probability, model, version, variant) FROM ${partsOf(project.file('past'))}`,
    );
    expect(made).toEqual(await readRows(`FROM '${project.file('past.parquet')}'`));
  });

  it('has the features of a training set of the same rows', async () => {
    predictJson('shops', '--input', 'past.parquet', '--timestamp', 'at', '--out', 'featured', '--with-features');
    const line = ['--spine', 'past.parquet', '--timestamp', 'at', '--out', 'set.parquet'];
    headraceJson(project, ['training-set', 'create', '--service', 'shop_features', ...line]);
    const made = `SELECT * EXCLUDE (probability, model, version, variant) FROM ${partsOf(project.file('featured'))}`;
    expect(await readRows(made)).toEqual(await readRows(`FROM '${project.file('set.parquet')}'`));
  });

  it('predicts by another version or variant where it is named, and by CSV as by Parquet', async () => {
    await writeRows(project.file('past.csv'), inputSql(ROWS, END_MS));
    predictJson(
      'shops',
      '--input',
      'past.csv',
      '--timestamp',
      'at',
      '--out',
      'by-csv',
      '--variant',
      'stable',
      '--format',
      'csv',
    );
    predictJson(
      'shops',
      '--input',
      'past.parquet',
      '--timestamp',
      'at',
      '--out',
      'by-parquet',
      '--model-version',
      'champion',
    );
    predictJson('shops', '--input', 'past.parquet', '--timestamp', 'at', '--out', 'second', '--model-version', '2');
    const scores = (folder: string, format?: string) =>
      readRows(`SELECT CAST(probability AS FLOAT) AS p FROM ${partsOf(project.file(folder), format)}`);
    const first = await scores('by-parquet');
    expect(await scores('by-csv', 'csv')).toEqual(first);
    expect(await scores('second')).not.toEqual(first);
    const [version] = await readRows(`SELECT DISTINCT version, variant FROM ${partsOf(project.file('second'))}`);
    expect(version).toEqual({ version: 2, variant: null });
  });

  it('says why a row has no prediction, where a server refuses it or fails on it', async () => {
    const rows = inputSql(20, END_MS);
    await writeRows(
      project.file('bad.csv'),
      `SELECT id, shop, CASE id - 9007199254740993 WHEN 3 THEN 'dear' WHEN 5 THEN NULL WHEN 7 THEN '-1' ELSE CAST(price AS VARCHAR) END AS price, pieces,
        CASE WHEN id - 9007199254740993 = 9 THEN NULL ELSE "at" END AS "at" FROM (${rows})`,
    );
    const line = ['shops', '--input', 'bad.csv', '--timestamp', 'at'];
    const refused = predict(...line, '--out', 'bad');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr + refused.stdout).toMatch(/row 4: column \\?"price\\?" holds dear.*--on-error column/s);
    project.write('dear.csv', 'shop,price,pieces,at\nshop1,-1,1,2026-10-01T00:00:00Z\n');
    const threw = predict('shops', '--input', 'dear.csv', '--timestamp', 'at', '--out', 'dear');
    expect(threw.stderr).toMatch(
      /HR_TRANSFORM_FAILED.*view .*basket.*threw: no such price\. [^.]*\. Correct it, or .*--on-error column/s,
    );
    const result = predictJson(...line, '--out', 'marked', '--on-error', 'column');
    expect(result).toMatchObject({ rows: 20, failed: 4 });
    const made = await readRows(`SELECT probability, error FROM ${partsOf(project.file('marked'))}`);
    const bad = made.flatMap(({ error }, i) => (error === null ? [] : [[i, error]]));
    expect(bad).toEqual([
      [3, 'HR_SPINE: column "price" holds dear, which is no float64'],
      [5, expect.stringMatching(/^HR_SPINE: column "price" is null, and the endpoint requires it/)],
      [7, expect.stringMatching(/^HR_TRANSFORM_FAILED: .*no such price/)],
      [9, 'HR_SPINE: column "at" is null: the row has no time'],
    ]);
    expect(made.filter((row) => (row['probability'] === null) !== (row['error'] !== null))).toEqual([]);
    // The server fails on the same row, and answers the others the same.
    const inputs = made.map((_, i) => ({ shop: 'shop1', price: i === 7 ? -1 : 1 }));
    const failed = (await askServer(inputs)).flatMap(({ error }, i) => (error === undefined ? [] : [[i, error.code]]));
    expect(failed).toEqual([[7, 'HR_TRANSFORM_FAILED']]);
  });

  it('reads what the endpoint takes by its declared type, however a CSV file writes its name', async () => {
    await writeRows(
      project.file('names.csv'),
      `SELECT i AS id, '1e' || i AS "Shop", 1.5 AS "PRICE", 1 AS pieces, TIMESTAMP '2026-10-01' AS "At" FROM range(3) t(i)`,
    );
    const line = ['shops', '--input', 'names.csv', '--timestamp', 'at', '--out', 'names'];
    expect(predictJson(...line)).toMatchObject({ rows: 3, failed: 0 });
    const made = await readRows(`SELECT "Shop" AS shop FROM ${partsOf(project.file('names'))} ORDER BY id`);
    expect(made).toEqual(['1e0', '1e1', '1e2'].map((shop) => ({ shop })));
  });

  it('finds the row on which the model itself fails', async () => {
    await writeRows(
      project.file('places.parquet'),
      `SELECT CAST(CASE WHEN i = 1234 THEN 99 ELSE i % 64 END AS DOUBLE) AS price, now()::TIMESTAMP AS at FROM range(3000) t(i)`,
    );
    const line = ['table', '--input', 'places.parquet', '--timestamp', 'at'];
    predictJson(...line, '--out', 'places', '--on-error', 'column');
    const [counted] = await readRows(
      `SELECT count(*) FILTER (ten = price * 10) AS right, count(*) FILTER (starts_with(error, 'HR_INFERENCE_FAILED')) AS failed FROM ${partsOf(project.file('places'))}`,
    );
    expect(counted).toEqual({ right: 2999n, failed: 1n });
    expect(predict(...line, '--out', 'refused').stderr).toMatch(/row 1235/);
  });
});

describe('what is asked again', () => {
  it('is there already, and of another batch it is refused until told to replace it', async () => {
    const line = ['shops', '--input', 'past.parquet', '--timestamp', 'at', '--out', 'again'];
    const first = predictJson(...line);
    const again = predictJson(...line);
    expect(again).toEqual({ ...first, resumed: (first['parts'] as object[]).length });
    const other = predict(...line, '--model-version', '2');
    expect(other.stderr).toMatch(/HR_CONFLICT.*another batch/s);
    expect(existsSync(project.file('again/_work'))).toBe(false);
    await writeRows(project.file('past2.parquet'), inputSql(ROWS + 1, END_MS));
    writeCopy('past2.parquet', 'again.parquet');
    const own = ['shops', '--input', 'again.parquet', '--timestamp', 'at', '--out', 'again2'];
    predictJson(...own);
    writeCopy('past.parquet', 'again.parquet');
    expect(predict(...own).stderr).toMatch(/another content/);
    expect(predictJson(...own, '--overwrite')).toMatchObject({ rows: ROWS, resumed: 0 });
  });

  it('in slices gives all rows, each once, in order', async () => {
    for (const n of [1, 2, 3])
      predictJson('shops', '--input', 'past.parquet', '--timestamp', 'at', '--out', `sliced/${n}`, '--slice', `${n}/3`);
    predictJson('shops', '--input', 'past.parquet', '--timestamp', 'at', '--out', 'whole');
    const sliced = await readRows(`FROM read_parquet('${project.file('sliced/*/part-*.parquet')}')`);
    expect(sliced).toEqual(await readRows(`FROM ${partsOf(project.file('whole'))}`));
  });
});

describe('what is wrong is told', () => {
  const refusals: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['an endpoint that nobody knows', ['shop'], /HR_UNKNOWN_ENDPOINT.*shops/s],
    ['a variant that it lacks', ['shops', '--variant', 'stabel'], /no variant \\?"stabel\\?".*stable/s],
    ['a column that the input lacks', ['shops', '--columns', 'id,shops'], /--columns names \\?"shops\\?"/],
    ['both a variant and a version', ['shops', '--variant', 'stable', '--model-version', '1'], /either/],
    ['a slice past the last', ['shops', '--slice', '4/3'], /--slice/],
    ['another policy', ['shops', '--on-error', 'skip'], /--on-error/],
    ['a folder without a name, which would be this one', ['shops', '--out', ''], /HR_USAGE.*--out is empty/s],
    ['an input without a name', ['shops', '--input', ' '], /HR_USAGE.*--input is empty/s],
    ['a time column without a name', ['shops', '--timestamp', ''], /HR_USAGE.*--timestamp is empty/s],
  ];
  it.each(refusals)('%s', (_, args, message) => {
    // The last of an option counts.
    const [endpoint = '', ...own] = args;
    const run = predict(endpoint, '--input', 'past.parquet', '--timestamp', 'at', '--out', 'refusals', ...own);
    expect(existsSync(project.file('refusals/_work'))).toBe(false);
    expect(run.code).not.toBe(0);
    expect(run.stderr).toMatch(message);
  });

  it('files of two schemas', async () => {
    await writeRows(project.file('halves-1.parquet'), inputSql(10, END_MS));
    await writeRows(
      project.file('halves-2.parquet'),
      `SELECT * EXCLUDE (price), CAST(price AS VARCHAR) AS price FROM (${inputSql(10, END_MS)})`,
    );
    await writeRows(project.file('thirds-1.parquet'), inputSql(10, END_MS));
    await writeRows(project.file('thirds-2.parquet'), `SELECT * EXCLUDE (price) FROM (${inputSql(10, END_MS)})`);
    const line = ['--timestamp', 'at', '--out', 'schemas'];
    expect(predict('shops', '--input', 'halves-*.parquet', ...line).stderr).toMatch(
      /HR_SPINE.*halves-2.parquet has \\?"price\\?" as VARCHAR, and .*halves-1.parquet as DOUBLE/s,
    );
    expect(predict('shops', '--input', 'thirds-*.parquet', ...line).stderr).toMatch(
      /thirds-2.parquet has no column \\?"price\\?"/,
    );
  });

  it('CSV files of two headers', async () => {
    const rows = inputSql(4, END_MS);
    await writeRows(project.file('heads-1.csv'), rows);
    await writeRows(project.file('heads-2.csv'), `SELECT *, 1 AS more FROM (${rows})`);
    await writeRows(project.file('tails-1.csv'), rows);
    await writeRows(project.file('tails-2.csv'), `SELECT * EXCLUDE (id) FROM (${rows})`);
    const line = ['--timestamp', 'at', '--out', 'headers'];
    expect(predict('shops', '--input', 'heads-*.csv', ...line).stderr).toMatch(
      /HR_SPINE.*heads-2.csv has a column \\?"more\\?", which .*heads-1.csv lacks/s,
    );
    expect(predict('shops', '--input', 'tails-*.csv', ...line).stderr).toMatch(/tails-2.csv has no column \\?"id\\?"/);
  });

  it('a CSV file whose lines are of other lengths half-way', () => {
    project.write('short.csv', 'shop,price,pieces,at\nshop1,1,1,2026-10-01T00:00:00Z\nshop2,2\n');
    const run = predict('shops', '--input', 'short.csv', '--timestamp', 'at', '--out', 'short');
    expect(run.stderr).toMatch(/HR_SPINE.*not all of as many values as its header .*shop,price,pieces,at/s);
  });

  it('an input without a column that the endpoint takes, as the input that it is', async () => {
    await writeRows(project.file('cheap.parquet'), `SELECT * EXCLUDE (price) FROM (${inputSql(2, END_MS)})`);
    const run = predict('shops', '--input', 'cheap.parquet', '--timestamp', 'at', '--out', 'cheap');
    expect(run.stderr).toMatch(/HR_SPINE.*the input has no column \\?"price\\?"/s);
    expect(run.stderr).not.toContain('the spine');
  });

  it('a version that is retired', () => {
    headraceJson(project, ['models', 'register', 'score', 'other.onnx']);
    headraceJson(project, ['models', 'retire', 'score', '3']);
    const line = ['shops', '--input', 'past.parquet', '--timestamp', 'at', '--out', 'retired'];
    expect(predict(...line, '--model-version', '3').stderr).toMatch(/HR_CONFLICT.*is retired/s);
  });

  it('two columns of one name', async () => {
    await writeRows(project.file('named.parquet'), `SELECT *, 1 AS version FROM (${inputSql(10, END_MS)})`);
    const line = ['shops', '--input', 'named.parquet', '--timestamp', 'at', '--out', 'named'];
    expect(predict(...line).stderr).toMatch(/two columns \\?"version\\?"/);
    expect(predictJson(...line, '--columns', 'id')).toMatchObject({ rows: 10 });
  });

  it('a column of the name of a row’s place, before anything is computed', async () => {
    await writeRows(project.file('placed.parquet'), `SELECT *, 1 AS "File_Row_Number" FROM (${inputSql(10, END_MS)})`);
    const line = ['shops', '--input', 'placed.parquet', '--timestamp', 'at', '--columns', 'id', '--out', 'placed'];
    expect(predict(...line).stderr).toMatch(/HR_USAGE.*File_Row_Number.*Rename it/s);
  });

  it('an input of no rows gives no rows, with the columns', async () => {
    await writeRows(project.file('none.parquet'), `SELECT * FROM (${inputSql(1, END_MS)}) LIMIT 0`);
    expect(predictJson('shops', '--input', 'none.parquet', '--timestamp', 'at', '--out', 'none')).toMatchObject({
      rows: 0,
    });
    const described = await readRows(`DESCRIBE SELECT * FROM ${partsOf(project.file('none'))}`);
    expect(described.map((column) => column['column_name'])).toEqual([
      'id',
      'shop',
      'price',
      'pieces',
      'at',
      'probability',
      'model',
      'version',
      'variant',
    ]);
  });
});

it('in a process of its own it ends by itself, and tells of its progress on stderr', () => {
  const run = headraceProcess(project, [
    'predict',
    'shops',
    '--input',
    'past.parquet',
    '--timestamp',
    'at',
    '--out',
    'process',
    '--json',
  ]);
  expect(run.code, run.stderr).toBe(0);
  expect(run.stderr).toMatch(/predict: 400 rows/);
  const manifest = JSON.parse(readFileSync(project.file('process/_manifest.json'), 'utf8')) as { rows: number };
  expect(manifest.rows).toBe(ROWS);
});

function writeCopy(from: string, to: string): void {
  project.write(to, readFileSync(project.file(from)));
}
