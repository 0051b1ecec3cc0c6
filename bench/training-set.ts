// Training sets against plain SQL over the same files: latest rows against a range join with row_number, and the whole
// command against DuckDB's ASOF join, which knows neither ties nor TTL nor when a row was known; windows of real flights
// against SQL RANGE windows. Prints seconds and ratios.

import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type DataType,
  type Field,
  contentHash,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  silentLogger,
  silentProgress,
  systemClock,
} from '../src/core/index.ts';
import type { FeatureSpec, Manifest, SourceSpec } from '../src/definitions/index.ts';
import { createTrainingSet, type OfflineDeps } from '../src/offline/index.ts';
import { openDatabase, openDuckDb } from '../src/storage/index.ts';
import { median } from './median.ts';

export interface TrainingSetBenchOptions {
  /** Rows of the source of latest values; 100 to a key. */
  readonly latestRows: number;
  readonly spineRows: number;
  readonly memory: string;
  /** Of the whole command and its floor, in turns; their medians count. */
  readonly rounds: number;
}

export interface Measured {
  readonly name: string;
  readonly seconds: number;
  readonly floorSeconds: number;
  readonly floor: string;
  /** seconds / floorSeconds. */
  readonly ratio: number;
  readonly rowsPerSecond: number;
  readonly peakMegabytes: number;
}

const FULL: TrainingSetBenchOptions = { latestRows: 10_000_000, spineRows: 1_000_000, memory: '4GB', rounds: 5 };

export async function measureTrainingSets(options: Partial<TrainingSetBenchOptions> = {}): Promise<Measured[]> {
  const given = { ...FULL, ...options };
  const directory = await mkdtemp(join(tmpdir(), 'headrace-bench-'));
  try {
    await writeLatestFiles(directory, given);
    const results = [
      await measureLatest(directory, given, null),
      await measureLatest(directory, given, TTL_DAYS),
      await measureCommand(directory, given),
      await measureWindows(directory, given),
    ];
    for (const { name, seconds, floorSeconds, floor, ratio, peakMegabytes } of results) {
      console.log(
        `${name}: ${seconds.toFixed(2)} s; ${floor}: ${floorSeconds.toFixed(2)} s; ratio ${ratio.toFixed(3)}; peak ${peakMegabytes} MB`,
      );
    }
    return results;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const type = (kind: 'string' | 'int64' | 'float64' | 'timestamp'): DataType => ({ kind });
const field = (name: string, kind: Parameters<typeof type>[0]): Field => ({ name, type: type(kind) });

const COLUMNS = Array.from({ length: 8 }, (_, i) => `c${i}`);
const TTL_DAYS = 30;

interface LatestFiles {
  readonly events: string;
  readonly spine: string;
}

const latestFiles = (directory: string): LatestFiles => ({
  events: join(directory, 'events.parquet'),
  spine: join(directory, 'spine.parquet'),
});

/** Rows spread over a year, 100 to a key. */
async function writeLatestFiles(
  directory: string,
  { latestRows, spineRows, memory }: TrainingSetBenchOptions,
): Promise<void> {
  const keys = Math.max(1, Math.floor(latestRows / 100));
  const { events, spine } = latestFiles(directory);
  const year = 365 * 86_400;
  await runSql(directory, memory, [
    `COPY (SELECT CAST(hash(i) % ${keys} AS BIGINT) AS key, make_timestamp(CAST(1600000000000000 + (hash(i + 1) % ${year}) * 1000000 AS BIGINT)) AS at,
      ${COLUMNS.map((name, i) => `CAST((hash(i + ${i + 2}) % 1000) AS DOUBLE) AS ${name}`).join(', ')} FROM (SELECT range AS i FROM range(${latestRows})))
      TO '${events}' (FORMAT parquet)`,
    `COPY (SELECT i AS id, CAST(hash(i + 77) % ${keys} AS BIGINT) AS key, make_timestamp(CAST(1600000000000000 + (hash(i + 78) % ${year}) * 1000000 AS BIGINT)) AS t
      FROM (SELECT range AS i FROM range(${spineRows}))) TO '${spine}' (FORMAT parquet)`,
  ]);
}

/** `training-set create` as a user runs it, from the start of its process to its end. */
async function measureCommand(directory: string, options: TrainingSetBenchOptions): Promise<Measured> {
  const { latestRows, spineRows, memory, rounds } = options;
  const { events, spine } = latestFiles(directory);
  const project = join(directory, 'project');
  await mkdir(join(project, 'feature_repo'), { recursive: true });
  await writeFile(
    join(project, 'headrace.config.ts'),
    `export default { project: 'bench', offline: { memory: '${memory}' } };\n`,
  );
  await writeFile(join(project, 'feature_repo', 'bench.ts'), latestRepository(events));
  await runProcess(project, [HEADRACE_PROGRAM, 'apply']);
  const made: { seconds: number; peakMegabytes: number }[] = [];
  const floors: number[] = [];
  const asof = `COPY (SELECT s.*, ${COLUMNS.map((name) => `e.${name}`).join(', ')} FROM '${spine}' s
    ASOF LEFT JOIN '${events}' e ON e.key = s.key AND e.at <= s.t) TO '${join(directory, 'floor.parquet')}' (FORMAT parquet, COMPRESSION zstd)`;
  for (let round = 0; round < rounds; round++) {
    floors.push((await runProcess(directory, [ASOF_PROGRAM, join(directory, 'spill'), memory, asof])).seconds);
    const line = [
      '--service',
      'service',
      '--spine',
      spine,
      '--timestamp',
      't',
      '--out',
      join(directory, 'made.parquet'),
    ];
    made.push(await runProcess(project, [HEADRACE_PROGRAM, 'training-set', 'create', ...line]));
  }
  const seconds = median(made.map((one) => one.seconds));
  const peakMegabytes = Math.max(...made.map((one) => one.peakMegabytes));
  return measured(
    `whole command, latest, ${spineRows} x ${latestRows} rows, 8 features, TTL ${TTL_DAYS} d`,
    'DuckDB ASOF JOIN to the same Parquet, its own process too',
    { seconds, peakMegabytes },
    median(floors),
    spineRows,
  );
}

function latestRepository(events: string): string {
  return `import { entity, featureService, featureView, latest, parquet, t } from 'headrace';
export const user = entity('user', { keys: { key: t.int64() } });
export const events = parquet('events', {
  path: ${JSON.stringify(events)},
  columns: { key: t.int64(), at: t.timestamp(), ${COLUMNS.map((name) => `${name}: t.float64()`).join(', ')} },
  eventTime: 'at',
  knownTime: { after: '1h' },
});
export const view = featureView('view', {
  entity: user, source: events, ttl: '${TTL_DAYS}d',
  features: { ${COLUMNS.map((name) => `${name}: latest('${name}')`).join(', ')} },
});
export const service = featureService('service', [view]);
`;
}

const ASOF_PROGRAM = join(import.meta.dirname, 'run-sql.ts');
export const HEADRACE_PROGRAM = join(import.meta.dirname, '../src/cli/main.ts');

/** A program of this Node's, from the start of its process to its end. */
export async function runProcess(
  directory: string,
  line: readonly string[],
): Promise<{ seconds: number; peakMegabytes: number }> {
  const start = performance.now();
  const child = spawn(process.execPath, line, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text: Buffer) => {
    said += text.toString();
  });
  let peak = 0;
  const watch = setInterval(() => {
    // The kernel's own high-water mark, where there is one to read.
    readFile(`/proc/${child.pid}/status`, 'utf8').then(
      (status) => {
        peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
      },
      () => {},
    );
  }, 100);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  clearInterval(watch);
  if (code !== 0) throw new Error(`${line.join(' ')} ended with ${String(code)}: ${said}`);
  return { seconds: (performance.now() - start) / 1000, peakMegabytes: Math.round((peak * 1024) / 1e6) };
}

/** `ttlDays` null looks back for ever. */
async function measureLatest(
  directory: string,
  { latestRows, spineRows, memory }: TrainingSetBenchOptions,
  ttlDays: number | null,
): Promise<Measured> {
  const { events, spine } = latestFiles(directory);
  const source: SourceSpec = {
    name: 'events',
    kind: 'parquet',
    location: { path: events },
    derive: [],
    eventTime: 'at',
    columns: [field('key', 'int64'), field('at', 'timestamp'), ...COLUMNS.map((name) => field(name, 'float64'))],
    knownTime: { kind: 'after', micros: MICROS_PER_HOUR },
    pushes: 'until-materialized',
  };
  const features = COLUMNS.map(
    (column): FeatureSpec => ({ name: column, type: type('float64'), aggregation: { op: 'latest', column } }),
  );
  const manifest = manifestOf(source, 'int64', 'key', features, ttlDays === null ? null : ttlDays * MICROS_PER_DAY);
  const made = await timeTrainingSet(directory, memory, manifest, spine, 't');
  const floorSeconds = await runSql(directory, memory, [
    `COPY (SELECT * EXCLUDE (n) FROM (SELECT s.*, ${COLUMNS.map((name) => `e.${name}`).join(', ')},
      row_number() OVER (PARTITION BY s.id ORDER BY e.at DESC, e.${COLUMNS.join(' DESC, e.')} DESC) AS n
      FROM '${spine}' s LEFT JOIN '${events}' e ON e.key = s.key AND e.at + INTERVAL 1 HOUR <= s.t${ttlDays === null ? '' : ` AND e.at >= s.t - INTERVAL ${ttlDays} DAY`})
      WHERE n = 1 ORDER BY id) TO '${join(directory, 'floor.parquet')}' (FORMAT parquet, COMPRESSION zstd)`,
  ]);
  return measured(
    `latest, ${spineRows} x ${latestRows} rows, 8 features, ${ttlDays === null ? 'no TTL' : `TTL ${ttlDays} d`}`,
    'SQL range join with row_number',
    made,
    floorSeconds,
    spineRows,
  );
}

/** The windows of the flights example's airports, with their default hops. */
const EXAMPLE_WINDOWS = [
  { name: '3h', micros: 3 * MICROS_PER_HOUR, hopMicros: 5 * MICROS_PER_MINUTE, sql: '3 HOUR' },
  { name: '1d', micros: MICROS_PER_DAY, hopMicros: MICROS_PER_HOUR, sql: '1 DAY' },
  { name: '7d', micros: 7 * MICROS_PER_DAY, hopMicros: MICROS_PER_HOUR, sql: '7 DAY' },
  { name: '30d', micros: 30 * MICROS_PER_DAY, hopMicros: MICROS_PER_DAY, sql: '30 DAY' },
] as const;

async function measureWindows(directory: string, { spineRows, memory }: TrainingSetBenchOptions): Promise<Measured> {
  const raw = join(import.meta.dirname, '../node_modules/vega-datasets/data/flights-3m.parquet');
  const [events, spine] = [join(directory, 'flights.parquet'), join(directory, 'flights-spine.parquet')];
  await runSql(directory, memory, [
    `COPY (SELECT origin, date AS "at", date + to_minutes(CAST(distance / 8 + 40 + delay AS BIGINT)) AS landed, CAST(delay AS DOUBLE) AS delay
      FROM '${raw}') TO '${events}' (FORMAT parquet)`,
    `COPY (SELECT row_number() OVER () AS id, origin AS key, "at" AS t FROM '${events}' USING SAMPLE reservoir(${spineRows} ROWS) REPEATABLE (7))
      TO '${spine}' (FORMAT parquet)`,
  ]);
  const source: SourceSpec = {
    name: 'flights',
    kind: 'parquet',
    location: { path: events },
    derive: [],
    eventTime: 'at',
    columns: [
      field('origin', 'string'),
      field('at', 'timestamp'),
      field('landed', 'timestamp'),
      field('delay', 'float64'),
    ],
    knownTime: { kind: 'column', column: 'landed' },
    pushes: 'until-materialized',
  };
  const over = (op: 'count' | 'mean', { name, micros, hopMicros }: (typeof EXAMPLE_WINDOWS)[number]): FeatureSpec => ({
    name: `${op}_${name}`,
    type: type(op === 'count' ? 'int64' : 'float64'),
    aggregation: { op, column: op === 'count' ? null : 'delay', windowMicros: micros, hopMicros },
  });
  const features = EXAMPLE_WINDOWS.flatMap((window) => [over('count', window), over('mean', window)]);
  const manifest = manifestOf(source, 'string', 'origin', features, null);
  const made = await timeTrainingSet(directory, memory, manifest, spine, 't');
  const values = EXAMPLE_WINDOWS.map(
    ({ name }) => `count(fact) OVER w${name} AS count_${name}, avg(delay) OVER w${name} AS mean_${name}`,
  );
  const frames = EXAMPLE_WINDOWS.map(
    ({ name, sql }) =>
      `w${name} AS (PARTITION BY key ORDER BY t RANGE BETWEEN INTERVAL ${sql} PRECEDING AND CURRENT ROW)`,
  );
  const floorSeconds = await runSql(directory, memory, [
    `COPY (SELECT * EXCLUDE (delay, fact) FROM (SELECT *, ${values.join(', ')}
      FROM (SELECT NULL AS id, origin AS key, landed AS t, delay, 1 AS fact FROM '${events}' UNION ALL SELECT id, key, t, NULL, NULL FROM '${spine}')
      WINDOW ${frames.join(', ')}) WHERE id IS NOT NULL ORDER BY id) TO '${join(directory, 'floor.parquet')}' (FORMAT parquet, COMPRESSION zstd)`,
  ]);
  return measured(
    `windows, ${spineRows} x 3000000 flights, 8 features`,
    'SQL RANGE windows',
    made,
    floorSeconds,
    spineRows,
  );
}

function measured(
  name: string,
  floor: string,
  made: { seconds: number; peakMegabytes: number },
  floorSeconds: number,
  rows: number,
): Measured {
  return {
    name,
    floor,
    floorSeconds,
    ...made,
    ratio: made.seconds / floorSeconds,
    rowsPerSecond: Math.round(rows / made.seconds),
  };
}

function manifestOf(
  source: SourceSpec,
  key: 'string' | 'int64',
  keyColumn: string,
  features: readonly FeatureSpec[],
  ttlMicros: number | null,
): Manifest {
  const view = {
    name: 'view',
    entity: 'entity',
    source: source.name,
    keyColumns: [keyColumn],
    ttlMicros,
    features,
    freshness: { kind: 'live' },
  } as const;
  const member = {
    kind: 'view',
    role: 'view',
    view: 'view',
    keyColumns: ['key'],
    features: features.map(({ name }) => name),
  } as const;
  return {
    format: 1,
    project: 'bench',
    entities: { entity: { name: 'entity', keys: [field('key', key)] } },
    sources: { [source.name]: source },
    views: { view },
    onDemandViews: {},
    services: { service: { name: 'service', members: [member] } },
    models: {},
    endpoints: {},
    pipelines: {},
  };
}

async function timeTrainingSet(
  directory: string,
  memory: string,
  manifest: Manifest,
  spine: string,
  timestamp: string,
): Promise<{ seconds: number; peakMegabytes: number }> {
  const database = await openDatabase(`sqlite:${join(directory, 'registry.db')}`);
  const duckdb = await openDuckDb({ tempDirectory: join(directory, 'spill'), memory });
  const deps: OfflineDeps = {
    definitions: { manifest, hash: contentHash(manifest), functions: new Map(), bundles: new Map(), directory },
    database,
    duckdb,
    clock: systemClock,
    logger: silentLogger,
    progress: silentProgress,
    dataDirectory: directory,
    log: undefined,
  };
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 50);
  try {
    const start = performance.now();
    await createTrainingSet(deps, {
      service: 'service',
      spine,
      timestamp,
      labels: [],
      boundary: 'at',
      out: join(directory, 'made.parquet'),
    });
    return { seconds: (performance.now() - start) / 1000, peakMegabytes: Math.round(peak / 1e6) };
  } finally {
    clearInterval(watch);
    await duckdb.close();
    await database.close();
  }
}

/** Runs statements in a DuckDB of their own, set up as the product's; gives the last one's seconds. */
export async function runSql(directory: string, memory: string, statements: readonly string[]): Promise<number> {
  const duckdb = await openDuckDb({ tempDirectory: join(directory, 'spill'), memory });
  const connection = await duckdb.connect();
  let seconds = 0;
  for (const statement of statements) {
    const start = performance.now();
    await connection.run(statement);
    seconds = (performance.now() - start) / 1000;
  }
  connection.closeSync();
  await duckdb.close();
  return seconds;
}

if (import.meta.main) {
  const [latestRows = FULL.latestRows, spineRows = FULL.spineRows] = process.argv.slice(2).map(Number);
  await measureTrainingSets({ latestRows, spineRows });
}
