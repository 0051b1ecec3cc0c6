// An endpoint that is a graph of models, on a real server: what it answers, whose failure is whose, and that a version of it is
// a version like any other.
// twin: test/unit/models-graph.test.ts > a function that a graph runs
// twin: test/integration/graph-version.test.ts > is run by its version as it is served
// twin: test/property/batch-graph.test.ts > gives each row what it is served alone

import { tableFromIPC } from 'apache-arrow';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createGraphProject, NO_ENTRY } from '../support/graph-project.ts';
import { grpcClient } from '../support/grpc-client.ts';
import { partsOf, readRows } from '../support/predict-project.ts';
import { headraceJson } from '../support/serving-project.ts';
import { metricsOf, send, testProject, testServer } from '../support/test-project.ts';

const project = testProject(() => {
  const made = createGraphProject();
  headraceJson(made, ['models', 'register', 'graph', '--graph']);
  return made;
});
const server = testServer(project, '--grpc-port 0');

interface Told {
  readonly node: string;
  readonly ms: number;
  readonly [count: string]: unknown;
}
interface Answer {
  readonly predictions: readonly {
    readonly outputs?: { readonly probability: number | null; readonly sign?: string };
    readonly version?: number;
    readonly error?: { readonly code: string; readonly detail: string };
  }[];
  readonly timings: readonly [{ readonly nodes: readonly Told[] }];
}
async function predict(xs: readonly number[], options: object = {}, endpoint = 'served') {
  const asked = { inputs: xs.map((x) => ({ x })), options };
  const { status, body } = await send<Answer>(`${server.url}/v1/endpoints/${endpoint}/predict`, asked);
  return { status, body, rows: body.predictions, outputs: body.predictions?.map(({ outputs }) => outputs) };
}

/** What the repository says, for a row that no function fails; `scale` of the version of `linear`. */
const expected = (x: number, scale = 1) => {
  if (x < 0) return { probability: (scale * x) / 2, sign: 'low' };
  if (x >= NO_ENTRY) return { probability: scale * x, sign: 'high' };
  return { probability: Math.fround((3 * scale * x + 10 * x) / 4), sign: 'high' };
};

describe('an endpoint that is a graph', { timeout: 60_000 }, () => {
  it('answers rows that go different ways, in their order, and without a member that fails', async () => {
    const xs = [3, -8, 0, NO_ENTRY, 5, -2, 63];
    const { status, rows, outputs } = await predict(xs);
    expect(status).toBe(200);
    expect(outputs).toEqual(xs.map((x) => expected(x)));
    expect(new Set(rows.map(({ version }) => version))).toEqual(new Set([1]));
  });

  it('fails the row whose function throws, and no other', async () => {
    const { status, rows, outputs } = await predict([4, -13, -6], { partial: true });
    expect({ status, outputs }).toEqual({ status: 200, outputs: [expected(4), undefined, expected(-6)] });
    const detail = expect.stringContaining('node "halved"');
    expect(rows[1]?.error).toMatchObject({ code: 'HR_TRANSFORM_FAILED', detail });
    expect((await predict([-13])).status).toBe(422);
  });

  it('tells where the time of a request went, by node, and the same over gRPC and in Arrow', async () => {
    const xs = [3, NO_ENTRY, -8];
    const { body } = await predict(xs, { return_timings: true });
    expect(body.timings).toMatchObject([{ variant: 'stable', model: 'graph', version: 1, rows: 3 }]);
    // gRPC has no null, and whole numbers as text.
    const counts = (nodes: readonly Told[], ...names: string[]) => {
      for (const { ms } of nodes) expect(ms).toBeGreaterThanOrEqual(0);
      return Object.fromEntries(nodes.map((told) => [told.node, names.map((name) => Number(told[name] ?? 0))]));
    };
    const { nodes } = body.timings[0];
    expect(counts(nodes, 'runs', 'rows', 'failures')).toEqual({
      routed: [1, 3, 0],
      straight: [1, 2, 0],
      looked: [1, 1, 1],
      both: [1, 2, 0],
      halved: [1, 1, 0],
      of_half: [1, 1, 0],
      named: [1, 3, 0],
    });
    const alone = await predict([3], { return_timings: true }, 'alone');
    expect(alone.body).toMatchObject({ timings: [{ model: 'linear', rows: 1, nodes: [] }] });
    expect((await predict([3])).body).not.toHaveProperty('timings');

    const all = ['version', 'runs', 'rows', 'failures', 'stand_ins'];
    const client = grpcClient((server.announced as { grpc: string }).grpc);
    onTestFinished(() => client.close());
    const inputs = xs.map((x) => ({ columns: { x: { double_value: x } } }));
    const message = { endpoint: 'served', inputs, return_timings: true };
    const { answer } = await client.call('/headrace.v1.ServingService/Predict', message);
    expect(counts((answer as Pick<Answer, 'timings'>).timings[0].nodes, ...all)).toEqual(counts(nodes, ...all));
    const response = await fetch(`${server.url}/v1/endpoints/served/predict`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/vnd.apache.arrow.stream' },
      body: JSON.stringify({ inputs: xs.map((x) => ({ x })), options: { return_timings: true } }),
    });
    const { metadata } = tableFromIPC(Buffer.from(await response.arrayBuffer())).schema;
    const [told] = JSON.parse(metadata.get('timings') ?? '') as Answer['timings'];
    expect(counts(told.nodes, ...all)).toEqual(counts(nodes, ...all));
  });

  it('tells what its nodes have done', async () => {
    const text = await metricsOf(server);
    const graph = 'model="graph",version="1"';
    for (const [series, value] of [
      [`graph_node_rows_total{${graph},node="routed"}`, '[1-9]'],
      [`graph_node_failures_total{${graph},node="looked"}`, '[1-9]'],
      [`graph_node_time_seconds_total{${graph},node="straight"}`, '0\\.\\d'],
      ['model_rows_total{model="linear",version="1"}', '[1-9]'],
      // Its rows waited for its nodes' models.
      [`model_wait_seconds_total{${graph}}`, '[\\d.]*[1-9]'],
      [`model_queued{${graph}}`, '0'],
    ])
      expect(text).toMatch(new RegExp(`^headrace_${series} ${value}`, 'm'));
  });

  it('answers a file’s rows as it answers them online', async () => {
    // A row of each way, and of each failure.
    const xs = [3, -8, 0, NO_ENTRY, -13, 5, -2, 63, -13, 1];
    project.write('rows.csv', `id,x,at\n${xs.map((x, at) => `${at},${x},2026-01-01T00:00:00Z\n`).join('')}`);
    const line = 'predict served --input rows.csv --timestamp at';
    const told = project.json(`${line} --out batch --on-error column --columns id`);
    expect(told).toMatchObject({ rows: xs.length, failed: 2, model: 'graph', version: 1, variant: 'stable' });
    const made = await readRows(`FROM ${partsOf(project.file('batch'))} ORDER BY id`);
    const { rows: online } = await predict(xs, { partial: true });
    const nothing = { probability: null, sign: null };
    for (const [at, { outputs = nothing, error }] of online.entries()) {
      const { probability, sign, error: why } = made[at] as Record<string, unknown>;
      // A request says which of its rows it is.
      const expectedWhy = error === undefined ? null : `${error.code}: ${error.detail.replace(/^inputs\[\d+\]: /, '')}`;
      expect([probability, sign, why], `row ${at}`).toEqual([outputs.probability, outputs.sign, expectedWhy]);
    }
    const stderr = expect.stringMatching(/HR_TRANSFORM_FAILED: the input's row 5: node "halved"/);
    expect(project.run(`${line} --out failing`)).toMatchObject({ code: 1, stderr });
  });

  it('pins what it was registered with, whatever an alias says later', async () => {
    project.json('models alias linear champion 2');
    expect((await predict([-8])).outputs).toEqual([expected(-8)]);
    const pinned = project.json('models register graph --graph --node of_half=1');
    const nodes = { looked: { version: 1 }, of_half: { version: 1 }, straight: { version: 2 } };
    expect(pinned).toMatchObject({ version: 2, signature: { nodes } });
    project.json('endpoints traffic served stable=2:100');
    const { rows, outputs } = await predict([-8, 3]);
    expect(outputs).toEqual([expected(-8), expected(3, 10)]);
    expect(rows.map((row) => row.version)).toEqual([2, 2]);
  });

  it('is rolled out by its versions, and one shadows the other', async () => {
    project.json('endpoints traffic served stable=2:100 --shadow 1:100');
    const pairs = async () => {
      expect((await predict([-8])).rows[0]?.version).toBe(2);
      const text = await metricsOf(server);
      return Number(/headrace_shadow_pairs_total\{endpoint="served",version="1"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0);
    };
    await expect.poll(pairs).toBeGreaterThan(0);
    project.json('endpoints traffic served --no-shadows');
    project.json('rollout start served --candidate 1 --steps 50,100 --hold 10m');
    const xs = Array.from({ length: 40 }, (_, at) => at);
    const versions = async () => new Set((await predict(xs)).rows.map(({ version }) => version));
    await expect.poll(versions).toEqual(new Set([1, 2]));
    project.json(['rollout', 'promote', 'served', '--reason', 'seen enough']);
    await expect.poll(versions).toEqual(new Set([1]));
  });

  it('does not let go of a version that a graph runs', () => {
    project.json('models alias linear champion 2');
    project.json('endpoints traffic alone stable=2:100');
    const stderr = expect.stringContaining('version 1 of model "graph" runs it as node "of_half"');
    expect(project.run('models retire linear 1')).toMatchObject({ code: 1, stderr });
  });
});
