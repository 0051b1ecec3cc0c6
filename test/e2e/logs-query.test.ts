// `headrace logs query` beside a server that predicts, and before one ever did.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createServingProject,
  headrace,
  headraceJson,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';

let project: Project;
let server: ServerProcess;
beforeAll(() => {
  project = createServingProject();
});
afterAll(async () => {
  await server?.stop();
  project.remove();
});

const query = (...args: readonly string[]) => headrace(project, ['logs', 'query', ...args]);
const ask = (...args: readonly string[]) => headraceJson(project, ['logs', 'query', ...args]);

describe('logs query', () => {
  it('answers before anything was predicted', () => {
    expect(query('checkout')).toMatchObject({ code: 0, stdout: 'No rows.\n' });
    expect(ask('--sql', 'SELECT count(*) AS n FROM predictions')).toEqual({
      columns: [{ name: 'n', type: 'BIGINT' }],
      rows: [{ n: 0 }],
      limit: 1000,
      is_cut: false,
    });
  });

  it('sees what a server has just predicted, with its outcome', async () => {
    server = await startServe(project);
    const post = async (path: string, body: object) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${server.url}/v1/endpoints/checkout/${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      expect(response.status).toBe(200);
      return response.json();
    };
    const inputs = [{ customer: 'ada', amount: 7.5 }, { customer: 'a\nb' }, { customer: 'carol' }];
    const { predictions } = (await post('predict', { inputs })) as { predictions: { prediction_id: string }[] };
    // Its answer says that it is on disk, and all that came before.
    const [first] = predictions;
    await post('outcomes', { outcomes: [{ prediction_id: first?.prediction_id, value: true }] });
    const sql = "SELECT request, outcome FROM predictions WHERE request->>'customer' = 'ada'";
    expect(ask('checkout', '--sql', sql)).toMatchObject({
      rows: [{ request: { customer: 'ada', amount: 7.5 }, outcome: true }],
    });
    const newest = ask('checkout', '--limit', '2') as { rows: { prediction_id: string }[] };
    expect(newest).toMatchObject({ rows: [{ endpoint: 'checkout', version: 1 }, {}], limit: 2, is_cut: true });
    const customers = query('--sql', "SELECT request->>'customer' AS customer FROM predictions ORDER BY 1");
    expect(customers.stdout).toBe('customer\na\\nb\nada\ncarol\n');
    expect(query('--limit', '1').stdout).toContain(
      '\nThere are more rows than these 1; --limit takes another number.\n',
    );
    expect(ask('--to', '2026-01-01')).toMatchObject({ rows: [] });
  });

  it('tells how its files stand', () => {
    const status = headraceJson(project, ['logs', 'status']);
    expect(status).toMatchObject({
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
