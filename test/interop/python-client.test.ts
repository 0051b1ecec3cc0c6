// The Python client, as its wheel is installed, against real servers: each of its pytest tests is one here.

import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  bringPythonClient,
  collectPythonTests,
  installAlone,
  type PythonClient,
  runPythonTests,
} from '../support/python-client.ts';
import { skipBecause } from '../support/skips.ts';
import { testProject, testServer } from '../support/test-project.ts';
import { fullDescribe, isFull } from '../support/tier.ts';

const RUN_LIMIT_MS = 1_500_000;

const client = bringPythonClient();
if (typeof client === 'string') skipBecause(`the Python client’s tests: ${client}`);
/** The smoke runs one file of them. */
const files = isFull ? [] : ['tests/test_features_and_predictions.py'];
const ids = typeof client === 'string' ? [] : collectPythonTests(client, files);

describe.skipIf(typeof client === 'string')('the Python client', () => {
  let run: Awaited<ReturnType<typeof runPythonTests>>;
  beforeAll(async () => {
    run = await runPythonTests(client as PythonClient, { files });
  }, RUN_LIMIT_MS);

  it('has its tests', () => {
    expect(ids.length).toBeGreaterThan(isFull ? 200 : 10);
    expect(new Set(ids).size).toBe(ids.length);
  });

  for (const id of ids) {
    it(id, (context) => {
      const result = run.results.get(id);
      if (result === undefined) throw new Error(`it came to no result:\n${run.output.slice(-5000)}`);
      if (result.outcome === 'skipped') {
        skipBecause(`${id}: ${result.said}`);
        context.skip();
      }
      expect(result.outcome, result.said).toBe('passed');
    });
  }
});

fullDescribe.skipIf(typeof client === 'string')('the wheel alone, with what it asks for', () => {
  const project = testProject();
  const server = testServer(project);

  it('predicts and reads without pandas and polars, for dicts and Arrow tables', { timeout: 300_000 }, () => {
    const python = installAlone(client as PythonClient, project.file('alone'));
    const program = `
import importlib.util, json, sys
import pyarrow as pa
from headrace import Client
assert importlib.util.find_spec("pandas") is None and importlib.util.find_spec("polars") is None
with Client(sys.argv[1]) as client:
    row = {"customer": "ada", "amount": 3.0}
    dicts, table = client.predict("checkout", [row]), client.predict("checkout", pa.table({n: [v] for n, v in row.items()}))
    points = client.features("shop_features", [row])[0]["history__last_points"]
    print(json.dumps([dicts[0]["probability"], table["probability"][0].as_py(), points]))
`;
    const { stdout, stderr } = spawnSync(python, ['-c', program, server.url], { encoding: 'utf8', timeout: 60_000 });
    expect([stdout.trim(), stderr]).toEqual(['[0.25, 0.25, 9223372036854775807]', '']);
  });
});
