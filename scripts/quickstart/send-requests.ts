// Real requests: every route flown in the last week, asked for a departure now, over keep-alive connections.

import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { root } from './headrace.ts';

export interface Departure {
  readonly origin: string;
  readonly destination: string;
  readonly distance: number;
  readonly scheduled_at: string;
}

export interface Prediction {
  readonly prediction_id: string;
  readonly outputs: { readonly probability: number };
  readonly version: number;
  readonly variant: string;
}

export interface Traffic {
  readonly departures: readonly Departure[];
  readonly predictions: readonly Prediction[];
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The routes of the last week, busiest first. */
export async function recentDepartures(at: Date): Promise<readonly Departure[]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const files = join(root, 'feature_repo/data/flights/*.parquet').replaceAll("'", "''");
    const rows = await connection.runAndReadAll(`
      SELECT origin, destination, any_value(distance) FROM read_parquet('${files}')
      WHERE landed_at >= TIMESTAMP '${at.toISOString().slice(0, 19)}' - INTERVAL 7 DAY
      GROUP BY ALL ORDER BY count(*) DESC, origin, destination`);
    const scheduled_at = at.toISOString();
    return rows.getRowsJS().map(([origin, destination, distance]) => ({
      origin: String(origin),
      destination: String(destination),
      distance: Number(distance),
      scheduled_at,
    }));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Asks for one prediction a request, `connections` at a time; the first ones warm up and are not timed. */
export async function sendRequests(
  url: string,
  departures: readonly Departure[],
  connections: number,
): Promise<Traffic> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  for (const departure of departures.slice(0, 200)) await predict(url, agent, departure);
  const latencies: number[] = [];
  const predictions: Prediction[] = [];
  const started = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < departures.length; at = next++) {
      const from = performance.now();
      predictions[at] = await predict(url, agent, departures[at] as Departure); // within its length
      latencies.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  const seconds = (performance.now() - started) / 1000;
  agent.destroy();
  latencies.sort((a, b) => a - b);
  const quantile = (q: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? 0;
  return { departures, predictions, seconds, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}

function predict(url: string, agent: Agent, departure: Departure): Promise<Prediction> {
  const body = JSON.stringify({ inputs: [departure] });
  return new Promise((resolve, reject) => {
    const sent = request(
      `${url}/v1/endpoints/delay/predict`,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          if (response.statusCode !== 200) return reject(new Error(`predict answered ${response.statusCode}: ${text}`));
          const [prediction] = (JSON.parse(text) as { predictions: Prediction[] }).predictions; // the documented answer
          if (prediction === undefined) reject(new Error(`predict gave no prediction: ${text}`));
          else resolve(prediction);
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}
