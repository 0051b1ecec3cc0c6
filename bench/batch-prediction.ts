// `headrace predict` over a large file, beside what it is made of: a training set of the same rows, and a bare loop of
// onnxruntime over as many, on all cores.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { openDuckDb } from '../src/storage/index.ts';
import { treesModel } from '../test/support/onnx-model.ts';
import { type Figure, type Section, whole } from './report.ts';
import { HEADRACE_PROGRAM, runProcess, runSql } from './training-set.ts';

const COLUMNS = Array.from({ length: 12 }, (_, at) => `c${at}`);
const TREES = 200;
const MEMORY = '2GB';
/** Less than a quarter of the rows needs: what grows beyond it with the rows is seen. */
const LITTLE_MEMORY = '256MB';
const LEAST_RATIO = 0.8;
/** Of the peak over a quarter of the rows: what grows with the rows is on disk. */
const MOST_GROWTH = 1.25;

export async function batchPredictionSection({ rows }: { readonly rows: number }): Promise<Section> {
  const directory = await mkdtemp(join(tmpdir(), 'headrace-bench-'));
  try {
    const onnx = treesModel(COLUMNS.length, TREES, 5);
    await writeProject(directory, rows, onnx);
    const project = join(directory, 'project');
    const run = (...line: readonly string[]) => runProcess(project, [HEADRACE_PROGRAM, ...line]);
    await run('apply');
    await run('models', 'register', 'score', join(directory, 'trees.onnx'));
    const from = (file: string) => ['--timestamp', 't', '--out', join(directory, file)];
    const input = join(directory, 'rows.parquet');
    const set = await run('training-set', 'create', '--service', 'service', '--spine', input, ...from('set.parquet'));
    const made = await run('predict', 'scores', '--input', input, ...from('predicted'));
    await writeConfig(project, LITTLE_MEMORY);
    const quarterFile = join(directory, 'quarter.parquet');
    const quarter = await run('predict', 'scores', '--input', quarterFile, ...from('little-quarter'));
    const little = await run('predict', 'scores', '--input', input, ...from('little'));
    const loopSeconds = await measureLoop(onnx, await someRows(join(directory, 'set.parquet')), rows);
    return section(rows, { setSeconds: set.seconds, loopSeconds, made, quarter, little });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

type Ran = Awaited<ReturnType<typeof runProcess>>;

function section(
  rows: number,
  {
    setSeconds,
    loopSeconds,
    made,
    quarter,
    little,
  }: {
    readonly setSeconds: number;
    readonly loopSeconds: number;
    readonly made: Ran;
    /** By LITTLE_MEMORY. */
    readonly quarter: Ran;
    readonly little: Ran;
  },
): Section {
  const ratio = (setSeconds + loopSeconds) / made.seconds;
  const growth = little.peakMegabytes / quarter.peakMegabytes;
  const figures: Figure[] = [
    {
      name: `${whole(rows)} rows, ${COLUMNS.length} features, ${TREES} trees`,
      value: `${made.seconds.toFixed(1)} s, ${whole(rows / made.seconds)} rows/s`,
      floor: `training set ${setSeconds.toFixed(1)} s + bare loop ${loopSeconds.toFixed(1)} s`,
      ratio: ratio.toFixed(2),
      mustBe: `≥ ${LEAST_RATIO}`,
      isReached: ratio >= LEAST_RATIO,
    },
    {
      name: `peak memory of its process, \`offline.memory\` ${LITTLE_MEMORY}`,
      value: `${whole(little.peakMegabytes)} MB, in ${little.seconds.toFixed(1)} s`,
      floor: `over a quarter of the rows: ${whole(quarter.peakMegabytes)} MB`,
      ratio: growth.toFixed(2),
      mustBe: `≤ ${MOST_GROWTH}`,
      isReached: growth <= MOST_GROWTH,
    },
    {
      name: `peak memory of its process, \`offline.memory\` ${MEMORY}`,
      value: `${whole(made.peakMegabytes)} MB`,
    },
  ];
  return {
    title: 'Batch prediction',
    about: `\`headrace predict\` from the start of its process to its end: ${whole(rows)} rows of 100,000 keys, each with 12 features as of its time from a source of as many events (TTL 30 d), through ${TREES} trees of depth 5, to Parquet; \`offline.memory\` ${MEMORY} where nothing else is said. Beside it \`headrace training-set create\` over the same rows, and onnxruntime’s own session over as many rows that lie ready in memory, 2,048 at a time, in ${availableParallelism()} threads; the ratio is of their sum.`,
    figures,
  };
}

async function writeProject(directory: string, rows: number, onnx: Uint8Array): Promise<void> {
  const project = join(directory, 'project');
  await mkdir(join(project, 'feature_repo'), { recursive: true });
  await writeFile(join(directory, 'trees.onnx'), onnx);
  await writeConfig(project, MEMORY);
  await writeFile(
    join(project, 'feature_repo', 'bench.ts'),
    `import { endpoint, entity, featureService, featureView, latest, model, parquet, t } from 'headrace';
export const user = entity('user', { keys: { key: t.int64() } });
export const events = parquet('events', {
  path: ${JSON.stringify(join(directory, 'events.parquet'))},
  columns: { key: t.int64(), at: t.timestamp(), ${COLUMNS.map((name) => `${name}: t.float64()`).join(', ')} },
  eventTime: 'at',
});
export const view = featureView('view', { entity: user, source: events, ttl: '30d', features: { ${COLUMNS.map((name) => `${name}: latest('${name}')`).join(', ')} } });
export const service = featureService('service', [view]);
export const score = model('score', { features: service, outputs: { probability: t.float32() } });
export const scores = endpoint('scores', { model: score, unit: ['key'] });
`,
  );
  const keys = 100_000;
  const year = 365 * 86_400;
  const time = (salt: number) =>
    `make_timestamp(CAST(1600000000000000 + (hash(i + ${salt}) % ${year}) * 1000000 AS BIGINT))`;
  const spine = `SELECT i AS id, CAST(hash(i + 77) % ${keys} AS BIGINT) AS key, ${time(78)} AS t FROM range(${rows}) r(i)`;
  await runSql(directory, MEMORY, [
    `COPY (SELECT CAST(hash(i) % ${keys} AS BIGINT) AS key, ${time(1)} AS at,
      ${COLUMNS.map((name, at) => `CAST(hash(i + ${at + 2}) % 2000 AS DOUBLE) / 1000 - 1 AS ${name}`).join(', ')} FROM range(${rows}) r(i))
      TO '${join(directory, 'events.parquet')}' (FORMAT parquet)`,
    `COPY (${spine}) TO '${join(directory, 'rows.parquet')}' (FORMAT parquet)`,
    `COPY (${spine} LIMIT ${Math.floor(rows / 4)}) TO '${join(directory, 'quarter.parquet')}' (FORMAT parquet)`,
  ]);
}

function writeConfig(project: string, memory: string): Promise<void> {
  const text = `export default { project: 'bench', offline: { memory: '${memory}' } };\n`;
  return writeFile(join(project, 'headrace.config.ts'), text);
}

/** Features of the set's first rows, row-major. */
async function someRows(file: string): Promise<Float32Array> {
  const duckdb = await openDuckDb({ tempDirectory: `${file}.spill` });
  const connection = await duckdb.connect();
  try {
    const names = COLUMNS.map((name) => `view__${name}`).join(', ');
    const read = await connection.runAndReadAll(`SELECT ${names} FROM '${file}' LIMIT 65536`);
    return Float32Array.from(read.getRows().flat(), (value) => (value === null ? NaN : Number(value)));
  } finally {
    connection.closeSync();
    await duckdb.close();
  }
}

/** From the moment at which all threads have the model open. */
async function measureLoop(onnx: Uint8Array, data: Float32Array, rows: number): Promise<number> {
  const threads = availableParallelism();
  const given = { onnx, features: COLUMNS.length, data, rows: Math.ceil(rows / threads) };
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL('./onnx-loop.ts', import.meta.url), { workerData: given }),
  );
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
  const start = performance.now();
  const ended = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
  for (const worker of workers) worker.postMessage('go');
  await Promise.all(ended);
  return (performance.now() - start) / 1000;
}
