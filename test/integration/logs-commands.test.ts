// Commands over what a server logged: SQL over it, a prediction by its id, outcomes that are given as a file and which of them belong
// to nothing, and a training set of what was served, whose features are those that were served.

import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, openApp, readEnvironment } from '../../src/app/index.ts';
import { serveInProcess, type Serving } from '../../src/app/serve-worker.ts';
import { silentLogger } from '../../src/core/index.ts';
import { createServingProject, headrace, headraceJson, type Project } from '../support/serving-project.ts';

interface Predicted {
  readonly prediction_id: string;
  readonly features: Readonly<Record<string, unknown>>;
}

let project: Project;
let app: App;
let serving: Serving | undefined;
let predictions: readonly Predicted[];
const customers = ['ada', 'bob', 'a\nb', 'ada'];

beforeAll(() => {
  project = createServingProject();
});
afterAll(async () => {
  await stop();
  project.remove();
});

/** Commands that open the online store would wait for a server that can't go on meanwhile: they wait in this process. */
async function stop(): Promise<void> {
  await serving?.stop();
  if (serving !== undefined) await app.close();
  serving = undefined;
}

const open = (env: Readonly<Record<string, string>> = {}): Promise<App> =>
  openApp({ environment: { ...readEnvironment(env), workingDirectory: project.directory }, logger: silentLogger });
const serve = (opened: App): Promise<Serving> => serveInProcess(opened, { host: '127.0.0.1', port: 0, hasDocs: false });

const idOf = (place: number): string => predictions[place]?.prediction_id ?? '';
const soon = (): string => new Date(Date.now() + 1000).toISOString();
const json = (...args: readonly string[]): unknown => headraceJson(project, args);
const status = (...args: readonly string[]) => json('logs', 'status', ...args);
const query = (...args: readonly string[]) => headrace(project, ['logs', 'query', ...args]);
const ask = (...args: readonly string[]) => json('logs', 'query', ...args);

describe('logs query', () => {
  it('answers before anything was predicted', () => {
    expect(query('checkout')).toMatchObject({ code: 0, stdout: 'No rows.\n' });
    const expected = { columns: [{ name: 'n', type: 'BIGINT' }], rows: [{ n: 0 }], limit: 1000, is_cut: false };
    expect(ask('--sql', 'SELECT count(*) AS n FROM predictions')).toEqual(expected);
  });

  it('sees what a server has just predicted, with its outcome', async () => {
    app = await open();
    const served = (serving = await serve(app));
    const post = async (path: string, body: object): Promise<{ readonly predictions: readonly Predicted[] }> => {
      const answer = await postTo(served, `/v1/endpoints/checkout/${path}`, body);
      expect(answer.statusCode, answer.body).toBe(200);
      return answer.json();
    };
    const inputs = customers.map((customer, i) => ({ customer, amount: 7.5 + i }));
    ({ predictions } = await post('predict', { inputs, options: { return_features: true } }));
    // Its answer says that it is on disk, and all that came before.
    await post('outcomes', { outcomes: [{ prediction_id: idOf(3), value: true }] });
    const sql = "SELECT request, outcome FROM predictions WHERE request->>'amount' = '10.5'";
    expect(ask('checkout', '--sql', sql)).toMatchObject({
      rows: [{ request: { customer: 'ada', amount: 10.5 }, outcome: true }],
    });
    const newest = ask('checkout', '--limit', '2') as { rows: { prediction_id: string }[] };
    expect(newest).toMatchObject({ rows: [{ endpoint: 'checkout', version: 1 }, {}], limit: 2, is_cut: true });
    const named = query('--sql', "SELECT DISTINCT request->>'customer' AS customer FROM predictions ORDER BY 1");
    expect(named.stdout).toBe('customer\na\\nb\nada\nbob\n');
    expect(query('--limit', '1').stdout).toContain(
      '\nThere are more rows than these 1; --limit takes another number.\n',
    );
    expect(ask('--to', '2026-01-01')).toMatchObject({ rows: [] });
  });

  it('is beside a status that tells how its files stand', () => {
    expect(status()).toMatchObject({
      open: { files: 1 },
      ended: { files: 0, bytes: 0 },
      predictions: { files: 0, bytes: 0, from: null, to: null },
      damaged: { parts: 0, bytes: 0 },
    });
    expect(headrace(project, ['logs', 'status']).stdout).toMatch(/segments being written +1 +\d+\n/);
  });

  it.each([
    [['chekout'], 1, 'HR_UNKNOWN_ENDPOINT: there is no endpoint "chekout". Did you mean "checkout"?'],
    [['--limit', '0'], 2, 'HR_USAGE: --limit takes a whole number'],
    [['--from', 'noon'], 2, 'HR_USAGE: --from takes a time'],
    [['--sql', "COPY (SELECT 1) TO 'out.csv'"], 2, 'HR_USAGE: the prediction log is asked by one SELECT'],
    [['--sql', 'SELECT varant FROM predictions'], 2, 'HR_USAGE: the query fails: Binder Error: '],
  ])('refuses %j with %d', (args, code, says) => {
    const output = query(...args);
    expect(output.stderr).toContain(says);
    expect(output.code).toBe(code);
  });
});

describe('the log', () => {
  beforeAll(stop);

  it('takes outcomes of a file of lines, and of Parquet', () => {
    const lines = [
      { prediction_id: idOf(0), value: true },
      { unit: 'bob', at: soon(), value: false },
      { prediction_id: 'of-another-log', value: true },
      { unit: ['zoe'], at: soon(), within: '1h', value: true },
    ];
    writeFileSync(project.file('outcomes.jsonl'), lines.map((line) => JSON.stringify(line)).join('\n'));
    expect(json('logs', 'outcomes', 'checkout', 'outcomes.jsonl')).toEqual({ accepted: 4 });
    expect(status()).toMatchObject({
      told: { recorded: 5, repeated: 0, matched: 3, unmatched: { unknown_id: 1, unknown_unit: 1 }, in_future: 0 },
    });
    expect(status('--files')).not.toHaveProperty('told');
  });

  it('takes outcomes of Parquet', async () => {
    await writeParquet(
      `COPY (SELECT '${idOf(0)}' AS prediction_id, true AS value, TIMESTAMPTZ '2026-01-02 03:04:05.5+00' AS observed_at, 'x' AS other) TO '${project.file('outcomes.parquet')}'`,
    );
    expect(json('logs', 'outcomes', 'checkout', 'outcomes.parquet')).toEqual({ accepted: 1 });
    expect(status()).toMatchObject({ told: { recorded: 6, repeated: 1, matched: 3 } });
    expect(headrace(project, ['logs', 'status']).stdout).toMatch(/of an unknown unit +1 /);
  });

  it.each([
    ['{"prediction_id":"p"}', 'outcomes[0].value is missing'],
    ['{"unit":"ada","value":1}', 'outcomes[0].at is missing'],
    ['[]', 'outcomes[0] expected an object'],
  ])('refuses %s in one, and keeps nothing of it', (line, message) => {
    writeFileSync(project.file('bad.jsonl'), `${line}\n{"prediction_id":"${idOf(3)}","value":1}\n`);
    const { code, stderr } = headrace(project, ['logs', 'outcomes', 'checkout', 'bad.jsonl']);
    expect([code, stderr.replaceAll(': ', ' ')]).toEqual([1, expect.stringContaining(message)]);
    expect(status()).toMatchObject({ told: { recorded: 6 } });
  });

  it('shows a prediction by its id, with what became of it, and how it is verified', () => {
    const shown = json('logs', 'show', idOf(1));
    expect(shown).toMatchObject({
      prediction_id: idOf(1),
      endpoint: 'checkout',
      variant: 'stable',
      via: 'base',
      assigned: 'stable',
      unit: ['bob'],
      request: { customer: 'bob', amount: 8.5 },
      features: predictions[1]?.features,
      outcome: false,
      verify: `headrace verify --prediction ${idOf(1)}`,
    });
    const { stdout } = headrace(project, ['logs', 'show', idOf(2)]);
    expect(stdout).toMatch(/features +\S*mean_7d +null +NOT_FOUND/);
    const unknown = expect.stringContaining('HR_UNKNOWN_PREDICTION: the prediction log has no prediction "none-0"');
    expect(headrace(project, ['logs', 'show', 'none-0'])).toMatchObject({ code: 1, stderr: unknown });
    const verified = json('verify', '--prediction', idOf(1));
    expect(verified).toMatchObject({ checked: 1, differences: [] });
    expect(headrace(project, ['verify', '--prediction', 'none-0'])).toMatchObject({ code: 1, stderr: unknown });
  });

  it('becomes a spine, whose training set has the features that were served', () => {
    const out = project.file('spine.parquet');
    const written = json('logs', 'spine', 'checkout', '--out', 'spine.parquet', '--label', 'returned');
    const named = { timestamp: 'predicted_at', label: 'returned' };
    expect(written).toMatchObject({ path: out, rows: 4, labelled: 3, altered: 0, ...named });
    const set = ['--service', 'numbers', '--spine', 'spine.parquet', '--timestamp', 'predicted_at'];
    json('training-set', 'create', ...set, '--label', 'returned', '--out', 'train.parquet');
    const rowsOf = (sql: string) => ask('--sql', sql) as { rows: Record<string, unknown>[] };
    const served = rowsOf('SELECT prediction_id, features FROM predictions ORDER BY prediction_id');
    const trained = rowsOf("SELECT * FROM read_parquet('train.parquet') ORDER BY prediction_id");
    expect(trained.rows).toHaveLength(4);
    let values = 0;
    for (const [i, { prediction_id, features }] of served.rows.entries()) {
      expect(trained.rows[i]).toMatchObject({ prediction_id, ...(features as object) });
      values += Object.values(features as object).filter((value) => value !== null).length;
    }
    // Not that nothing is equal to nothing.
    expect(values).toBeGreaterThan(8);
    expect(headrace(project, ['logs', 'spine', 'chekout', '--out', 'x.parquet'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no endpoint "chekout". Did you mean "checkout"?'),
    });
  });
});

describe('outcomes of a file', () => {
  it('weigh for no rollout without maturity, which is said', () => {
    const guarded = ['--candidate', '2', '--guard', 'outcome>-5%'];
    const start = (...more: readonly string[]) =>
      json('rollout', 'start', 'checkout', ...guarded, ...more) as { readonly id: string };
    writeFileSync(project.file('one.jsonl'), JSON.stringify({ prediction_id: idOf(0), value: true }));
    const recorded = (): string => headrace(project, ['logs', 'outcomes', 'checkout', 'one.jsonl']).stdout;
    const { id } = start();
    expect(recorded()).toBe(
      `1 outcome of checkout recorded\nRollout ${id} counts nothing of a file: it has no maturity, so its guard on outcomes sees what servers are sent.\n`,
    );
    json('rollout', 'abort', 'checkout');
    start('--maturity', '1h');
    expect(recorded()).toBe('1 outcome of checkout recorded\n');
    json('rollout', 'abort', 'checkout');
  });
});

describe('a file that cannot be written', () => {
  it.each([
    ['a spine', ['logs', 'spine', 'checkout', '--out']],
    ['a report', ['experiments', 'report', 'none', '--html']],
    ['a training set', ['training-set', 'create', '--service=x', '--spine=s.parquet', '--timestamp=at', '--out']],
  ])('is told before anything is asked: of %s', (_, command) => {
    const under = project.file('outcomes.jsonl');
    writeFileSync(under, '');
    expect(headrace(project, [...command, 'outcomes.jsonl/x.parquet'])).toMatchObject({
      code: 2,
      stderr: `HR_USAGE: ${under}/x.parquet cannot be written: ${under} is a file, or lies under one. Name a file in a folder.\n`,
    });
  });
});

describe('a rule of the log that says nothing', () => {
  it.each([
    ['SAMPLE', 'checkout=0.1, checkout.stable=1', 'no prediction comes to "checkout.stable=1"'],
    ['KEEP', '90', '"90" is no rule'],
  ])('of %s keeps a server from its start, and doctor tells it', async (setting, value, message) => {
    const env = { [`HEADRACE_PREDICTION_LOG_${setting}`]: value };
    const sentence = `predictionLog.${setting.toLowerCase()}: ${message}`;
    const refused = await open(env);
    await expect(serve(refused)).rejects.toThrow(sentence);
    await refused.close();
    expect(headrace(project, ['doctor'], env).stdout).toContain(sentence);
  });
});

async function writeParquet(sql: string): Promise<void> {
  const { openDuckDb } = await import('../../src/storage/index.ts');
  const duckdb = await openDuckDb({ tempDirectory: project.file('spill'), memory: '128MB', threads: 1 });
  const connection = await duckdb.connect();
  await connection.run(sql);
  connection.closeSync();
  await duckdb.close();
}

function postTo(serving: Serving, url: string, body: object) {
  const headers = { 'content-type': 'application/json' };
  return serving.server.inject({ method: 'POST', url, headers, payload: JSON.stringify(body) });
}
