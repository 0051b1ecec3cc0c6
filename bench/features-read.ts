// Features read over HTTP from Redis against a bare route that gets the same records and decodes nothing: one row, and
// 100 by columns, with one worker and with two; other keys in each request; short rounds taken in turn, medians.

import type { LoadResult } from './load.ts';
import { ask, checkValues, type Values } from './check-answer.ts';
import { createReadProject, expectedFeatures, userOf } from './features-read-project.ts';
import { inTurn, rateOf } from './in-turn.ts';
import type { Figure, Section } from './report.ts';
import { type BenchServer, startHeadrace, startScript } from './servers.ts';

interface Scenario {
  readonly name: string;
  readonly rows: number;
  readonly workers: number;
  readonly connections: number;
  /** Of the floor's requests per second; undefined: shown beside, without a bound. */
  readonly least?: number;
}

const SCENARIOS: readonly Scenario[] = [
  { name: '1 × 50, one worker', rows: 1, workers: 1, connections: 64, least: 0.4 },
  { name: '1 × 50, two workers', rows: 1, workers: 2, connections: 64 },
  { name: '100 × 50 by columns, one worker', rows: 100, workers: 1, connections: 16, least: 0.25 },
  { name: '100 × 50 by columns, two workers', rows: 100, workers: 2, connections: 16, least: 0.3 },
];
const BODIES = 500;

export interface MeasureFeaturesRead {
  /** Of a Redis of this measurement's own. */
  readonly redisUrl: string;
  /** Of one round. */
  readonly seconds?: number;
  readonly rounds?: number;
}

export async function measureFeaturesRead(options: MeasureFeaturesRead): Promise<Figure[]> {
  const { redisUrl, seconds = 2, rounds = 5 } = options;
  const project = await createReadProject(redisUrl);
  try {
    const figures: Figure[] = [];
    for (const scenario of SCENARIOS) {
      const bodies = bodiesOf(scenario.rows);
      const servers: BenchServer[] = [];
      try {
        const server = await startHeadrace(project.directory, { workers: scenario.workers });
        servers.push(server);
        const url = `${server.url}/v1/features/read`;
        await checkReads(url, bodies, scenario.rows);
        const bytes = Buffer.byteLength(await ask(url, bodies[1] as string));
        const { port } = new URL(redisUrl);
        const args = [port, project.project, JSON.stringify(project.fields), String(bytes)];
        const floor = await startScript('redis-floor-server.ts', args, project.directory);
        servers.push(floor);
        const [read, bare] = await inTurn(
          [url, `${floor.url}/read`].map((one) => ({ url: one, body: bodies })),
          scenario.connections,
          seconds,
          rounds,
        );
        figures.push(figureOf(scenario, bytes, read as LoadResult, bare as LoadResult));
      } finally {
        await Promise.all(servers.map((server) => server.stop()));
      }
    }
    return figures;
  } finally {
    project.remove();
  }
}

export async function featuresReadSection(options: MeasureFeaturesRead): Promise<Section> {
  return {
    title: 'Features read',
    about:
      'POST /v1/features/read of 5 views of 10 features (whole numbers, decimals, doubles of all digits, flags, short texts) from Redis, other keys in each request. The floor is a bare Fastify route that parses the same body, gets the same records by one HMGET a row over a raw socket, a turn’s in one write, decodes nothing, and answers a constant of as many bytes.',
    figures: await measureFeaturesRead(options),
  };
}

function figureOf(scenario: Scenario, bytes: number, read: LoadResult, bare: LoadResult): Figure {
  const { name, least } = scenario;
  const ratio = read.requestsPerSecond / bare.requestsPerSecond;
  // A refusal is quicker than an answer.
  const hasFailures = read.failures + bare.failures > 0;
  return {
    name: `${name} (${bytes.toLocaleString('en')} bytes)`,
    value: rateOf(read),
    floor: `bare route: ${rateOf(bare)}`,
    ratio: ratio.toFixed(3),
    ...(least === undefined ? {} : { mustBe: `≥ ${least}`, isReached: ratio >= least && !hasFailures }),
  };
}

/** Each with other keys than the others; no row has the key of its neighbours. */
function bodiesOf(rows: number): string[] {
  const options = rows === 1 ? {} : { options: { layout: 'columns' } };
  return Array.from({ length: BODIES }, (_, body) => {
    const users = Array.from({ length: rows }, (_, row) => ({ user: `user${userOf(body, row)}` }));
    return JSON.stringify({ service: 'service', rows: users, ...options });
  });
}

const SAMPLE = 20;

/** Throws where an answer lacks a feature, or has another value than was written. */
async function checkReads(url: string, bodies: readonly string[], rows: number): Promise<void> {
  for (let body = 0; body < bodies.length; body += Math.floor(bodies.length / SAMPLE)) {
    const answer = JSON.parse(await ask(url, bodies[body] as string)) as Columns | { readonly rows: readonly Row[] };
    for (let row = 0; row < rows; row++) {
      const { features, statuses } = 'rows' in answer ? (answer.rows[row] as Row) : rowOf(answer, row);
      const what = `row ${row} of body ${body}`;
      // They tell of what is not PRESENT.
      if (Object.keys(statuses).length > 0) throw new Error(`${what} lacks records: ${JSON.stringify(statuses)}`);
      checkValues(what, features, expectedFeatures(userOf(body, row)));
    }
  }
}

interface Row {
  readonly features: Values;
  readonly statuses: Values;
}

interface Columns {
  readonly features: Readonly<Record<string, readonly unknown[]>>;
  readonly statuses: Values;
}

function rowOf({ features, statuses }: Columns, row: number): Row {
  const entries = Object.entries(features).map(([name, values]) => [name, values[row]] as const);
  return { features: Object.fromEntries(entries), statuses };
}
