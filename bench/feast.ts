// Features read by Feast's API from Redis against our own read by columns on the same server: the same keys, one row and
// 100; short rounds taken in turn, medians.

import { ask, checkValues, type Values } from './check-answer.ts';
import { createReadProject, expectedFeatures, userOf } from './features-read-project.ts';
import { inTurn, rateOf } from './in-turn.ts';
import type { LoadResult } from './load.ts';
import type { Figure, Section } from './report.ts';
import { startHeadrace } from './servers.ts';

export interface MeasureFeast {
  /** Of a Redis of this measurement's own. */
  readonly redisUrl: string;
  /** Of one round. */
  readonly seconds?: number;
  readonly rounds?: number;
}

const SCENARIOS = [
  { rows: 1, connections: 64 },
  { rows: 100, connections: 16 },
] as const;
const BODIES = 500;
/** Of our own read's requests per second. */
const LEAST = 0.9;

export async function feastSection(options: MeasureFeast): Promise<Section> {
  return {
    title: 'Features read by Feast’s API',
    about:
      'POST /get-online-features of 5 views of 10 features from Redis, by service and by 50 references, with one worker and other keys in each request; its floor is POST /v1/features/read of the same rows by columns on the same server.',
    figures: await measureFeast(options),
  };
}

async function measureFeast({ redisUrl, seconds = 2, rounds = 5 }: MeasureFeast): Promise<Figure[]> {
  const project = await createReadProject(redisUrl);
  try {
    const server = await startHeadrace(project.directory, { workers: 1 });
    try {
      const figures: Figure[] = [];
      for (const { rows, connections } of SCENARIOS) {
        const ways = waysOf(rows);
        const targets = ways.map(({ path, bodies }) => ({ url: `${server.url}${path}`, body: bodies }));
        for (const { url, body } of targets.slice(1)) await checkReads(url, body, rows);
        const sizes = await Promise.all(
          targets.map(async ({ url, body }) => bytesOf(await ask(url, body[1] as string))),
        );
        const [own, ...others] = await inTurn(targets, connections, seconds, rounds);
        others.forEach((result, at) => {
          const name = `${rows} × 50, ${(ways[at + 1] as Way).name} (${sizes[at + 1]} bytes)`;
          figures.push(figureOf(name, sizes[0] as string, result, own as LoadResult));
        });
      }
      return figures;
    } finally {
      await server.stop();
    }
  } finally {
    project.remove();
  }
}

const bytesOf = (answer: string): string => Buffer.byteLength(answer).toLocaleString('en');

function figureOf(name: string, ownBytes: string, result: LoadResult, own: LoadResult): Figure {
  const ratio = result.requestsPerSecond / own.requestsPerSecond;
  // A refusal is quicker than an answer.
  const hasFailures = result.failures + own.failures > 0;
  return {
    name,
    value: rateOf(result),
    floor: `our own (${ownBytes} bytes): ${rateOf(own)}`,
    ratio: ratio.toFixed(3),
    mustBe: `≥ ${LEAST}`,
    isReached: ratio >= LEAST && !hasFailures,
  };
}

interface Way {
  readonly name: string;
  readonly path: string;
  readonly bodies: readonly string[];
}

/** Our own first. */
function waysOf(rows: number): readonly Way[] {
  const references = Object.keys(expectedFeatures(0)).map((name) => name.replace('__', ':'));
  const bodies = (bodyOf: (users: readonly string[]) => object): string[] =>
    Array.from({ length: BODIES }, (_, body) =>
      JSON.stringify(bodyOf(Array.from({ length: rows }, (_, row) => `user${userOf(body, row)}`))),
    );
  const feast = (asked: object): string[] =>
    bodies((user) => ({ ...asked, entities: { user }, full_feature_names: true }));
  return [
    {
      name: 'our own',
      path: '/v1/features/read',
      bodies: bodies((users) => ({
        service: 'service',
        rows: users.map((user) => ({ user })),
        options: { layout: 'columns' },
      })),
    },
    { name: 'by service', path: '/get-online-features', bodies: feast({ feature_service: 'service' }) },
    { name: 'by reference', path: '/get-online-features', bodies: feast({ features: references }) },
  ];
}

const SAMPLE = 20;

interface OnlineFeatures {
  readonly metadata: { readonly feature_names: readonly string[] };
  readonly results: readonly { readonly values: readonly unknown[]; readonly statuses: readonly string[] }[];
}

/** Throws where an answer lacks a feature, or has another value than was written. */
async function checkReads(url: string, bodies: readonly string[], rows: number): Promise<void> {
  for (let body = 0; body < bodies.length; body += Math.floor(bodies.length / SAMPLE)) {
    const { metadata, results } = JSON.parse(await ask(url, bodies[body] as string)) as OnlineFeatures;
    for (let row = 0; row < rows; row++) {
      const user = userOf(body, row);
      const entries = metadata.feature_names.map((name, at) => [name, results[at]?.values[row]] as const);
      const expected: Values = { ...expectedFeatures(user), user: `user${user}` };
      checkValues(`row ${row} of body ${body}`, Object.fromEntries(entries), expected);
    }
    const statuses = new Set(results.flatMap((one) => one.statuses));
    if (statuses.size !== 1 || !statuses.has('PRESENT')) throw new Error(`body ${body} lacks records`);
  }
}
