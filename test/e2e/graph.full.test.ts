// An endpoint that is a graph of models, on a real server: what it answers, whose failure is whose, and that a version of it is
// a version like any other.
// twin: test/unit/models-graph.test.ts > a function that a graph runs
// twin: test/integration/graph-version.test.ts > is run by its version as it is served

import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grpcClient } from '../support/grpc-client.ts';
import { createGraphProject, NO_ENTRY } from '../support/graph-project.ts';
import { partsOf, readRows } from '../support/predict-project.ts';
import { headrace, headraceJson, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';

let project: Project;
let server: ServerProcess;
beforeAll(async () => {
  project = createGraphProject();
  headraceJson(project, ['models', 'register', 'graph', '--graph']);
  server = await startServe(project, ['--grpc-port', '0']);
}, 90_000);
afterAll(async () => {
  await server?.stop();
  project?.remove();
});

interface Row {
  readonly outputs?: { readonly probability: number | null; readonly sign?: string };
  readonly version?: number;
  readonly error?: { readonly code: string; readonly detail: string };
}

async function predict(xs: readonly number[], options: object = {}, endpoint = 'served') {
  const response = await fetch(`${server.url}/v1/endpoints/${endpoint}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: xs.map((x) => ({ x })), options }),
  });
  const body = (await response.json()) as { readonly predictions: readonly Row[]; readonly detail?: string };
  return { status: response.status, rows: body.predictions, body };
}

/** What the repository says, for a row that no function fails; `scale` of the version of `linear`. */
const expected = (x: number, scale = 1): NonNullable<Row['outputs']> => {
  if (x < 0) return { probability: (scale * x) / 2, sign: 'low' };
  if (x >= NO_ENTRY) return { probability: scale * x, sign: 'high' };
  return { probability: Math.fround((3 * scale * x + 10 * x) / 4), sign: 'high' };
};

describe('an endpoint that is a graph', { timeout: 60_000 }, () => {
  it('answers rows that go different ways, in their order', async () => {
    const xs = [3, -8, 0, 5, -2, 63];
    const { status, rows } = await predict(xs);
    expect(status).toBe(200);
    expect(rows.map(({ outputs }) => outputs)).toEqual(xs.map((x) => expected(x)));
    expect(rows.map(({ version }) => version)).toEqual(xs.map(() => 1));
  });

  it('goes without a member that fails, where that is declared', async () => {
    const { rows } = await predict([NO_ENTRY, 5]);
    expect(rows.map(({ outputs }) => outputs)).toEqual([expected(NO_ENTRY), expected(5)]);
  });

  it('fails the row whose function throws, and no other', async () => {
    const { status, rows } = await predict([4, -13, -6], { partial: true });
    expect(status).toBe(200);
    expect(rows.map(({ outputs }) => outputs)).toEqual([expected(4), undefined, expected(-6)]);
    expect(rows[1]?.error).toMatchObject({ code: 'HR_TRANSFORM_FAILED' });
    expect(rows[1]?.error?.detail).toContain('node "halved"');
    expect((await predict([-13])).status).toBe(422);
  });

  it('tells where the time of a request went, by node', async () => {
    const { body } = await predict([3, NO_ENTRY, -8], { return_timings: true });
    const { timings } = body as unknown as { readonly timings: readonly [{ readonly nodes: readonly object[] }] };
    expect(timings).toMatchObject([{ variant: 'stable', model: 'graph', version: 1, rows: 3 }]);
    const nodes = Object.fromEntries(
      (timings[0].nodes as readonly { node: string; runs: number; rows: number; failures: number; ms: number }[]).map(
        ({ node, runs, rows, failures, ms }) => {
          expect(ms).toBeGreaterThanOrEqual(0);
          return [node, [runs, rows, failures]];
        },
      ),
    );
    expect(nodes).toEqual({
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
  });

  it('tells the same of its nodes over gRPC and in Arrow', async () => {
    const xs = [3, NO_ENTRY, -8];
    const { body } = await predict(xs, { return_timings: true });
    type Told = { readonly node: string } & Readonly<Record<string, unknown>>;
    const counts = (nodes: readonly Told[]) =>
      nodes
        .map(({ node, ...told }) => ({
          node,
          // gRPC has no null, and whole numbers as text.
          ...Object.fromEntries(
            ['version', 'runs', 'rows', 'failures', 'stand_ins'].map((name) => [name, Number(told[name] ?? 0)]),
          ),
        }))
        .sort((a, b) => (a.node < b.node ? -1 : 1));
    const [{ nodes }] = (body as unknown as { timings: [{ nodes: readonly Told[] }] }).timings;
    expect(nodes).toHaveLength(7);

    const client = grpcClient((server.announced as unknown as { grpc: string }).grpc);
    try {
      const inputs = xs.map((x) => ({ columns: { x: { double_value: x } } }));
      const message = { endpoint: 'served', inputs, return_timings: true };
      const { answer } = await client.call('/headrace.v1.ServingService/Predict', message);
      const [told] = (answer as { timings: [{ nodes: readonly Told[] }] }).timings;
      expect(counts(told.nodes)).toEqual(counts(nodes));
      for (const { ms } of told.nodes) expect(ms).toBeGreaterThanOrEqual(0);
    } finally {
      client.close();
    }

    const response = await fetch(`${server.url}/v1/endpoints/served/predict`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/vnd.apache.arrow.stream' },
      body: JSON.stringify({ inputs: xs.map((x) => ({ x })), options: { return_timings: true } }),
    });
    const { metadata } = tableFromIPC(Buffer.from(await response.arrayBuffer())).schema;
    const [told] = JSON.parse(metadata.get('timings') ?? '') as [{ readonly nodes: readonly Told[] }];
    expect(counts(told.nodes)).toEqual(counts(nodes));
    for (const { ms } of told.nodes) expect(ms).toBeGreaterThanOrEqual(0);
  });

  it('tells what its nodes have done', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toMatch(/headrace_graph_node_rows_total\{model="graph",version="1",node="routed"\} [1-9]/);
    expect(text).toMatch(/headrace_graph_node_failures_total\{model="graph",version="1",node="looked"\} [1-9]/);
    expect(text).toMatch(/headrace_graph_node_time_seconds_total\{model="graph",version="1",node="straight"\} 0\.\d/);
    expect(text).toMatch(/headrace_model_rows_total\{model="linear",version="1"\} [1-9]/);
    // Its rows waited for its nodes' models.
    expect(text).toMatch(/headrace_model_wait_seconds_total\{model="graph",version="1"\} [\d.]*[1-9]/);
    expect(text).toMatch(/headrace_model_queued\{model="graph",version="1"\} 0/);
  });

  it('answers a file’s rows as it answers them online, row by row', async () => {
    // A row of each way, of each failure, and enough that they share runs.
    const xs = [3, -8, 0, NO_ENTRY, -13, 5, -2, 63, ...Array.from({ length: 3000 }, (_, at) => (at % 140) - 70)];
    const lines = xs.map((x, at) => `${at},${x},2026-01-01T00:00:00Z`);
    project.write('rows.csv', `id,x,at\n${lines.join('\n')}\n`);
    const line = ['predict', 'served', '--input', 'rows.csv', '--timestamp', 'at'];
    const marked = [...line, '--out', 'batch', '--on-error', 'column', '--columns', 'id'];
    const told = headraceJson(project, marked);
    const unlucky = xs.filter((x) => x === -13).length;
    expect(told).toMatchObject({ rows: xs.length, failed: unlucky, model: 'graph', version: 1, variant: 'stable' });
    const made = await readRows(`FROM ${partsOf(project.file('batch'))} ORDER BY id`);
    expect(made).toHaveLength(xs.length);
    const online: Row[] = [];
    // Few at once: where many rows of a request break a run, those beside them may fail with them.
    for (let at = 0; at < xs.length; at += 16)
      online.push(...(await predict(xs.slice(at, at + 16), { partial: true })).rows);
    for (const [at, { outputs, error }] of online.entries()) {
      const { probability, sign, error: why } = made[at] as Record<string, unknown>;
      if (outputs === undefined) {
        expect([probability, sign]).toEqual([null, null]);
        // A request says which of its rows it is.
        expect(why, `row ${at}`).toBe(`${error?.code}: ${error?.detail.replace(/^inputs\[\d+\]: /, '')}`);
      } else
        expect([probability, sign, why], `row ${at}, x ${xs[at]}`).toEqual([outputs.probability, outputs.sign, null]);
    }
    expect(headrace(project, [...line, '--out', 'failing'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/HR_TRANSFORM_FAILED: the input's row 5: node "halved"/),
    });
  });

  it('pins what it was registered with, whatever an alias says later', async () => {
    headraceJson(project, ['models', 'alias', 'linear', 'champion', '2']);
    expect((await predict([-8])).rows[0]?.outputs).toEqual(expected(-8));
    const pinning = ['models', 'register', 'graph', '--graph', '--node', 'of_half=1'];
    const { signature, version } = headraceJson(project, pinning) as {
      readonly version: number;
      readonly signature: { readonly nodes: Record<string, { version: number }> };
    };
    expect(version).toBe(2);
    const pinned = Object.entries(signature.nodes).map(([name, node]) => `${name}=${node.version}`);
    expect(pinned.sort()).toEqual(['looked=1', 'of_half=1', 'straight=2']);
    headraceJson(project, ['endpoints', 'traffic', 'served', 'stable=2:100']);
    const { rows } = await predict([-8, 3]);
    expect(rows.map(({ outputs }) => outputs)).toEqual([expected(-8), expected(3, 10)]);
    expect(rows.map((row) => row.version)).toEqual([2, 2]);
  });

  it('is rolled out by its versions, and one shadows the other', async () => {
    headraceJson(project, ['endpoints', 'traffic', 'served', 'stable=2:100', '--shadow', '1:100']);
    await expect
      .poll(
        async () => {
          expect((await predict([-8])).rows[0]?.version).toBe(2);
          const text = await (await fetch(`${server.url}/metrics`)).text();
          return Number(/headrace_shadow_pairs_total\{endpoint="served",version="1"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0);
        },
        { timeout: 10_000 },
      )
      .toBeGreaterThan(0);
    const start = ['rollout', 'start', 'served', '--candidate', '1', '--steps', '50,100', '--hold', '10m'];
    headraceJson(project, ['endpoints', 'traffic', 'served', '--no-shadows']);
    headraceJson(project, start);
    await expect
      .poll(
        async () =>
          new Set((await predict(Array.from({ length: 40 }, (_, at) => at))).rows.map(({ version }) => version)),
        { timeout: 20_000 },
      )
      .toEqual(new Set([1, 2]));
    headraceJson(project, ['rollout', 'promote', 'served', '--reason', 'seen enough']);
    await expect.poll(async () => (await predict([-8])).rows[0]?.version, { timeout: 20_000 }).toBe(1);
  });

  it('does not let go of a version that a graph runs', () => {
    headraceJson(project, ['models', 'alias', 'linear', 'champion', '2']);
    headraceJson(project, ['endpoints', 'traffic', 'alone', 'stable=2:100']);
    const { code, stderr } = headrace(project, ['models', 'retire', 'linear', '1']);
    expect(code).toBe(1);
    expect(stderr).toContain('version 1 of model "graph" runs it as node "of_half"');
  });
});
