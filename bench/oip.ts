// The Open Inference Protocol over HTTP beside its floors: one row against ack, many rows against a bare route that parses, runs
// and stringifies, and a binary tensor against an echo. Loads in turn, medians; what is answered is checked first.

import { passThroughModel, treesModel } from '../test/support/onnx-model.ts';
import { inTurn, rateOf } from './in-turn.ts';
import type { Load, LoadResult } from './load.ts';
import { createPlainProject } from './plain-project.ts';
import type { Figure, Section } from './report.ts';
import { type BenchServer, startHeadrace, startScript } from './servers.ts';

const [FLOATS, TREES, DEPTH] = [30, 200, 5];
const BODIES = 500;
const ROWS = 64;
const CONNECTIONS = 64;
/** Of a megabyte each: more would measure how memory is found for them. */
const BINARY_CONNECTIONS = 8;
const BINARY_FLOATS = 262_144;
const LEAST = { oneWorker: 0.75, twoWorkers: 1, manyRows: 0.9, binary: 0.6 };
const MOST_P99_MS = 7;

type Target = Pick<Load, 'url' | 'body' | 'headers'>;

export async function oipSection({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const [seconds, rounds] = isQuick ? [1, 2] : [2, 9];
  const project = await createPlainProject({
    trees: treesModel(FLOATS, TREES, DEPTH),
    same: passThroughModel([{ name: 'x', type: 'float32', shape: [null, BINARY_FLOATS] }]),
  });
  const servers: BenchServer[] = [];
  const started = async (server: Promise<BenchServer>): Promise<string> => {
    const { url } = await server;
    servers.push(await server);
    return url;
  };
  const figures: Figure[] = [];
  try {
    const one = await started(startHeadrace(project.directory));
    const two = await started(startHeadrace(project.directory, { workers: 2 }));
    const row = bodiesOf(1);
    const rows = bodiesOf(ROWS);
    const bare = await started(startScript('parse-run-server.ts', [project.fileOf('trees')], project.directory));
    const answer = await checkAlike(`${one}${TREES_URL}`, `${bare}/infer`, [...row.slice(0, 20), ...rows.slice(0, 20)]);
    const ack = await started(startScript('ack-server.ts', [String(answer)], project.directory));
    const echo = await started(startScript('echo-server.ts', [], project.directory));
    const measure = async (
      name: string,
      mine: Target,
      floor: Target & { readonly name: string },
      bound: { readonly least: number; readonly mostP99?: number },
      connections = CONNECTIONS,
    ): Promise<void> => {
      const [own, other] = (await inTurn([mine, floor], connections, seconds, rounds)) as [LoadResult, LoadResult];
      const figure = figureOf(name, own, other, floor.name, bound);
      console.log(`  ${figure.name}: ${figure.value}; ${figure.floor}; ${figure.ratio}`);
      figures.push(figure);
    };
    const acked = { name: 'ack', url: `${ack}/ack`, body: row };
    const least = LEAST.oneWorker;
    await measure('one row, one worker', { url: `${one}${TREES_URL}`, body: row }, acked, {
      least,
      mostP99: MOST_P99_MS,
    });
    await measure('one row, two workers', { url: `${two}${TREES_URL}`, body: row }, acked, {
      least: LEAST.twoWorkers,
      mostP99: MOST_P99_MS,
    });
    const parsed = { name: 'parse, run, stringify', url: `${bare}/infer`, body: rows };
    await measure(`${ROWS} rows`, { url: `${one}${TREES_URL}`, body: rows }, parsed, { least: LEAST.manyRows });
    const binary = binaryTarget(`${one}/v2/models/same/infer`);
    await checkBinary(binary);
    await measure(
      '1 MiB of binary tensor, there and back',
      binary,
      { ...binary, name: 'echo', url: `${echo}/echo` },
      { least: LEAST.binary },
      BINARY_CONNECTIONS,
    );
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    project.remove();
  }
  return {
    title: 'Open Inference Protocol over HTTP',
    about: `A plain model of ${FLOATS} floats and ${TREES} trees, ${BODIES} different bodies in turn, ${CONNECTIONS} connections; metrics on. “ack” is a bare Fastify route in one process that parses the same bodies and answers a constant of the same length; “parse, run, stringify” one that runs the same model on them; “echo” one that gives the body back, as does the model of the binary tensor, over ${BINARY_CONNECTIONS} connections.`,
    figures,
  };
}

const TREES_URL = '/v2/models/trees/infer';

function bodiesOf(rows: number): readonly string[] {
  return Array.from({ length: BODIES }, (_, body) => {
    const data = Array.from({ length: rows * FLOATS }, (_, at) => ((body * 31 + at * 17) % 1000) / 7);
    return JSON.stringify({ inputs: [{ name: 'x', shape: [rows, FLOATS], datatype: 'FP32', data }] });
  });
}

interface Answered {
  readonly outputs: readonly [{ readonly shape: readonly number[]; readonly data: readonly number[] }];
}

/** The length of the first answer. Throws where the two do not answer the same numbers. */
async function checkAlike(url: string, floorUrl: string, bodies: readonly string[]): Promise<number> {
  let length = 0;
  for (const body of bodies) {
    const [own = '', floor = ''] = await Promise.all([url, floorUrl].map((one) => post(one, body)));
    length ||= own.length;
    const [mine, other] = [own, floor].map((text) => (JSON.parse(text) as Answered).outputs[0]);
    if (JSON.stringify(mine) !== JSON.stringify({ ...mine, shape: other?.shape, data: other?.data }))
      throw new Error(`${own.slice(0, 200)} is not ${floor.slice(0, 200)}`);
  }
  return length;
}

async function post(url: string, body: string): Promise<string> {
  const response = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text.slice(0, 300)}`);
  return text;
}

function binaryTarget(url: string): Target & { readonly body: Buffer } {
  const size = BINARY_FLOATS * 4;
  const json = Buffer.from(
    JSON.stringify({
      parameters: { binary_data_output: true },
      inputs: [{ name: 'x', shape: [1, BINARY_FLOATS], datatype: 'FP32', parameters: { binary_data_size: size } }],
    }),
  );
  const data = Float32Array.from({ length: BINARY_FLOATS }, (_, at) => at / 7);
  return {
    url,
    body: Buffer.concat([json, Buffer.from(data.buffer)]),
    headers: { 'content-type': 'application/octet-stream', 'inference-header-content-length': String(json.length) },
  };
}

async function checkBinary({ url, body, headers = {} }: Target & { readonly body: Buffer }): Promise<void> {
  const response = await fetch(url, { method: 'POST', body: Uint8Array.from(body), headers: { ...headers } });
  const bytes = Buffer.from(await response.arrayBuffer());
  const data = bytes.subarray(Number(response.headers.get('inference-header-content-length')));
  const sent = body.subarray(Number(headers['inference-header-content-length']));
  if (!response.ok || !data.equals(sent)) throw new Error(`${url} gave ${response.status} and other bytes`);
}

function figureOf(
  name: string,
  own: LoadResult,
  floor: LoadResult,
  floorName: string,
  { least, mostP99 = Infinity }: { readonly least: number; readonly mostP99?: number },
): Figure {
  const ratio = own.requestsPerSecond / floor.requestsPerSecond;
  const p99 = mostP99 === Infinity ? '' : `, p99 ≤ ${mostP99} ms`;
  // A refusal is quicker than an answer.
  const isReached = ratio >= least && own.p99Ms <= mostP99 && own.failures + floor.failures === 0;
  return {
    name,
    value: rateOf(own),
    floor: `${floorName}: ${rateOf(floor)}`,
    ratio: ratio.toFixed(3),
    mustBe: `≥ ${least}${p99}`,
    isReached,
  };
}
