// Features of 100 rows read as Arrow, in and out, against the same reads as JSON on the same server: short rounds taken in turn,
// medians. JSON is what a request without a word about its form gets, rows; columns stand beside it.

import { Table, tableFromIPC, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { checkValues, type Values } from './check-answer.ts';
import { createReadProject, expectedFeatures, userOf } from './features-read-project.ts';
import { inTurn, rateOf } from './in-turn.ts';
import type { Load, LoadResult } from './load.ts';
import type { Figure, Section } from './report.ts';
import { startHeadrace } from './servers.ts';
import { measureWriting, type WriteMicros } from './write-features.ts';

export interface MeasureFeaturesReadArrow {
  /** Of a Redis of this measurement's own; undefined: LMDB. */
  readonly redisUrl: string | undefined;
  /** Of one round. */
  readonly seconds?: number;
  readonly rounds?: number;
}

const ROWS = 100;
const BODIES = 200;
const CONNECTIONS = 16;
/** Of the JSON's requests per second. */
const LEAST = 3;
const ARROW = 'application/vnd.apache.arrow.stream';
const IN_ARROW = { 'content-type': ARROW, accept: ARROW };

export async function featuresReadArrowSection(options: MeasureFeaturesReadArrow): Promise<Section> {
  return {
    title: 'Features read as Arrow',
    about:
      'POST /v1/services/service/read of 100 users and the 50 features of the section above, one worker: the users as an Arrow stream, the features as one, against the same as JSON, by rows (what is answered unless something else is asked) and by columns.',
    figures: await measure(options),
  };
}

async function measure({ redisUrl, seconds = 2, rounds = 5 }: MeasureFeaturesReadArrow): Promise<Figure[]> {
  const project = await createReadProject(redisUrl ?? 'lmdb:.headrace/online');
  try {
    const server = await startHeadrace(project.directory, { workers: 1 });
    try {
      const url = `${server.url}/v1/services/service/read`;
      const loads = [
        loadOf(url, jsonBody({})),
        loadOf(url, jsonBody({ options: { layout: 'columns' } })),
        arrowLoad(url),
      ];
      const bytes: number[] = [];
      for (const load of loads) bytes.push(await check(load));
      const [rows, columns, arrow] = (await inTurn(loads, CONNECTIONS, seconds, rounds)) as [
        LoadResult,
        LoadResult,
        LoadResult,
      ];
      const store = redisUrl === undefined ? 'lmdb' : 'redis';
      const written = redisUrl === undefined ? await measureWriting(project.directory, ROWS, 5 * rounds) : undefined;
      return [
        ...(written === undefined ? [] : [writingFigure('rows', written), writingFigure('columns', written)]),
        figureOf(`${store}, 100 × 50`, bytes[2], arrow, 'JSON by rows', bytes[0], rows, LEAST),
        figureOf(`${store}, 100 × 50`, bytes[2], arrow, 'JSON by columns', bytes[1], columns, undefined),
      ];
    } finally {
      await server.stop();
    }
  } finally {
    project.remove();
  }
}

type ReadLoad = Pick<Load, 'url' | 'headers'> & { readonly body: readonly (string | Uint8Array)[] };

const usersOf = (body: number): string[] => Array.from({ length: ROWS }, (_, row) => `user${userOf(body, row)}`);

const loadOf = (url: string, bodyOf: (body: number) => string): ReadLoad => ({
  url,
  body: Array.from({ length: BODIES }, (_, body) => bodyOf(body)),
});

const jsonBody =
  (more: object) =>
  (body: number): string =>
    JSON.stringify({ rows: usersOf(body).map((user) => ({ user })), ...more });

function arrowLoad(url: string): ReadLoad {
  const body = Array.from({ length: BODIES }, (_, at) =>
    tableToIPC(new Table({ user: vectorFromArray(usersOf(at), new Utf8()) }), 'stream'),
  );
  return { url, body, headers: IN_ARROW };
}

function figureOf(
  name: string,
  bytes: number | undefined,
  arrow: LoadResult,
  other: string,
  otherBytes: number | undefined,
  json: LoadResult,
  least: number | undefined,
): Figure {
  const ratio = arrow.requestsPerSecond / json.requestsPerSecond;
  // A refusal is quicker than an answer.
  const hasFailures = arrow.failures + json.failures > 0;
  return {
    name: `${name} (${bytes?.toLocaleString('en')} bytes) against ${other}`,
    value: rateOf(arrow),
    floor: `${other} (${otherBytes?.toLocaleString('en')} bytes): ${rateOf(json)}`,
    ratio: ratio.toFixed(2),
    ...(least === undefined ? {} : { mustBe: `≥ ${least}`, isReached: ratio >= least && !hasFailures }),
  };
}

/** Of the answer alone: what reading and HTTP cost is the same for all forms. */
function writingFigure(layout: 'rows' | 'columns', written: WriteMicros): Figure {
  const ratio = written[layout] / written.arrow;
  return {
    name: `the answer written alone, 100 × 50, against JSON by ${layout}`,
    value: `${written.arrow.toFixed(0)} µs of processor`,
    floor: `JSON by ${layout}: ${written[layout].toFixed(0)} µs`,
    ratio: ratio.toFixed(2),
    mustBe: `≥ ${LEAST}`,
    isReached: ratio >= LEAST,
  };
}

/** Throws where an answer lacks a feature, or has another value than was written; gives the bytes of one. */
async function check({ url, body, headers = { 'content-type': 'application/json' } }: ReadLoad): Promise<number> {
  let bytes = 0;
  for (let at = 0; at < body.length; at += body.length / 10) {
    const answer = await fetch(url, { method: 'POST', headers, body: body[at] as string | Uint8Array<ArrayBuffer> });
    if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
    const content = Buffer.from(await answer.arrayBuffer());
    bytes = content.length;
    for (let row = 0; row < ROWS; row++)
      checkValues(`row ${row} of body ${at}`, rowOf(content, row), expectedFeatures(userOf(at, row)));
  }
  return bytes;
}

function rowOf(content: Buffer, row: number): Values {
  if (content[0] !== '{'.charCodeAt(0)) {
    const values: Record<string, unknown> = { ...tableFromIPC(content).get(row)?.toJSON() };
    return Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value]),
    );
  }
  const answer = JSON.parse(content.toString()) as
    | { readonly rows: readonly { readonly features: Values }[] }
    | { readonly features: Readonly<Record<string, readonly unknown[]>> };
  if ('rows' in answer) return answer.rows[row]?.features ?? {};
  return Object.fromEntries(Object.entries(answer.features).map(([name, values]) => [name, values[row]]));
}
