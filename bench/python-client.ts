// A training set through the Python client to pandas, against the same from the command line: its Parquet, read by pandas. In turns;
// medians. Both give the same values, or nothing is told.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDuckDb } from '../src/storage/index.ts';
import { bringPythonClient, type PythonClient } from '../test/support/python-client.ts';
import { median } from './median.ts';
import type { Section } from './report.ts';
import { type BenchServer, startHeadrace } from './servers.ts';

const FEATURES = 12;
const KEYS = 20_000;
const EVENTS_OF_A_ROW = 2;
const MOST = 1.3;
const TITLE = 'Python client';
const MEMORY = '4GB';

export interface PythonClientOptions {
  readonly spineRows: number;
  readonly rounds: number;
}

/** No figures, and loud, where there is no Python that it runs on. */
export async function pythonClientSection({ spineRows, rounds }: PythonClientOptions): Promise<Section> {
  const client = bringPythonClient();
  if (typeof client === 'string') {
    console.log(`NOT MEASURED: the Python client: ${client}`);
    return { title: TITLE, about: `Not measured: ${client}.`, figures: [] };
  }
  const directory = mkdtempSync(join(tmpdir(), 'headrace-bench-python-'));
  let server: BenchServer | undefined;
  try {
    await writeProject(directory, spineRows);
    await run(process.execPath, [MAIN, 'apply', '--yes'], directory);
    server = await startHeadrace(directory);
    const { clientSeconds, floorSeconds } = await measure(client, server.url, directory, rounds);
    const ratio = clientSeconds / floorSeconds;
    return {
      title: TITLE,
      about: `${spineRows.toLocaleString('en')} spine rows of a DataFrame × ${FEATURES} features, latest values of ${(spineRows * EVENTS_OF_A_ROW).toLocaleString('en')} events, a training set over HTTP (sending the spine, the job with the start of its process, fetching the file) to a DataFrame; beside it \`headrace training-set create\` from the start of its process to its end, and \`pandas.read_parquet\`. In turns, medians of ${rounds}; Python’s own start and imports are in neither.`,
      figures: [
        {
          name: `${spineRows.toLocaleString('en')} rows × ${FEATURES} features to pandas`,
          value: `${clientSeconds.toFixed(2)} s`,
          floor: `command line and pandas.read_parquet: ${floorSeconds.toFixed(2)} s`,
          ratio: ratio.toFixed(3),
          mustBe: `≤ ${MOST}`,
          isReached: ratio <= MOST,
        },
      ],
    };
  } finally {
    await server?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

const MAIN = join(import.meta.dirname, '../src/cli/main.ts');
const HALF = join(import.meta.dirname, 'python-client.py');

interface Half {
  readonly seconds: number;
  readonly rows: number;
  readonly columns: number;
  readonly sums: Readonly<Record<string, number>>;
}

async function measure(
  { python }: PythonClient,
  url: string,
  directory: string,
  rounds: number,
): Promise<{ readonly clientSeconds: number; readonly floorSeconds: number }> {
  const [spine, out] = [join(directory, 'spine.parquet'), join(directory, 'made.parquet')];
  const create = ['training-set', 'create', '--service', 'service', '--spine', spine, '--timestamp', 't', '--out', out];
  const half = async (...words: string[]): Promise<Half> =>
    // What the program prints.
    JSON.parse((await run(python, [HALF, ...words], directory)).stdout) as Half;
  const [clients, floors]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const made = await half('client', url, spine, String(round));
    const { seconds } = await run(process.execPath, [MAIN, ...create], directory);
    const floor = await half('read', out);
    const same = (one: Half): string => JSON.stringify({ ...one, seconds: 0 });
    if (same(made) !== same(floor))
      throw new Error(`the client gave ${same(made)}, the command line and pandas ${same(floor)}`);
    clients.push(made.seconds);
    floors.push(seconds + floor.seconds);
  }
  return { clientSeconds: median(clients), floorSeconds: median(floors) };
}

const COLUMNS = Array.from({ length: FEATURES }, (_, at) => `c${at}`);

async function writeProject(directory: string, spineRows: number): Promise<void> {
  mkdirSync(join(directory, 'feature_repo'));
  writeFileSync(
    join(directory, 'headrace.config.ts'),
    `export default { project: 'bench', offline: { memory: '${MEMORY}' } };\n`,
  );
  const events = join(directory, 'events.parquet');
  writeFileSync(
    join(directory, 'feature_repo', 'bench.ts'),
    `import { entity, featureService, featureView, latest, parquet, t } from 'headrace';
export const user = entity('user', { keys: { key: t.int64() } });
export const events = parquet('events', {
  path: ${JSON.stringify(events)},
  columns: { key: t.int64(), at: t.timestamp(), ${COLUMNS.map((name) => `${name}: t.float64()`).join(', ')} },
  eventTime: 'at',
});
export const view = featureView('view', {
  entity: user, source: events, features: { ${COLUMNS.map((name) => `${name}: latest('${name}')`).join(', ')} },
});
export const service = featureService('service', [view]);
`,
  );
  const duckdb = await openDuckDb({ tempDirectory: join(directory, 'spill'), memory: MEMORY });
  const connection = await duckdb.connect();
  try {
    const year = 365 * 86_400;
    const values = COLUMNS.map((name, at) => `CAST(hash(i + ${at + 2}) % 1000 AS DOUBLE) AS ${name}`).join(', ');
    const time = (seed: number): string =>
      `make_timestamp(CAST(1600000000000000 + (hash(i + ${seed}) % ${year}) * 1000000 AS BIGINT))`;
    await connection.run(`COPY (SELECT CAST(hash(i) % ${KEYS} AS BIGINT) AS key, ${time(1)} AS at, ${values}
      FROM (SELECT range AS i FROM range(${spineRows * EVENTS_OF_A_ROW}))) TO '${events}' (FORMAT parquet)`);
    await connection.run(`COPY (SELECT i AS id, CAST(hash(i + 77) % ${KEYS} AS BIGINT) AS key, ${time(78)} AS t
      FROM (SELECT range AS i FROM range(${spineRows}))) TO '${join(directory, 'spine.parquet')}' (FORMAT parquet)`);
  } finally {
    connection.closeSync();
    await duckdb.close();
  }
}

/** A program to its end: its seconds, from the start of its process, and what it printed. */
function run(
  program: string,
  words: readonly string[],
  cwd: string,
): Promise<{ readonly seconds: number; readonly stdout: string }> {
  const start = performance.now();
  const child = spawn(program, words, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve({ seconds: (performance.now() - start) / 1000, stdout });
      else reject(new Error(`${program} ${words.slice(0, 4).join(' ')} ended with ${String(code)}: ${stderr}`));
    });
  });
}
