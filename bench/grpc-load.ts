// Load over gRPC from this process: calls as ready bytes over node:http2, so that the client costs as little as it can.

import { type ClientHttp2Session, connect, constants } from 'node:http2';
import type { LoadResult } from './load.ts';

export interface GrpcLoad {
  /** Host and port. */
  readonly address: string;
  readonly path: string;
  /** Messages with the five bytes before them, sent in turn. */
  readonly messages: readonly Buffer[];
  readonly connections: number;
  /** Calls under way at once, over all connections. */
  readonly calls: number;
  readonly seconds: number;
}

export async function callFor({ address, path, messages, connections, calls, seconds }: GrpcLoad): Promise<LoadResult> {
  const sessions = Array.from({ length: connections }, () => connect(`http://${address}`));
  const endMs = performance.now() + seconds * 1000;
  const tookMs: number[] = [];
  let failures = 0;
  const startMs = performance.now();
  const loop = async (at: number): Promise<void> => {
    const session = sessions[at % connections] as ClientHttp2Session;
    for (let n = at * 7; performance.now() < endMs; n++) {
      const beginMs = performance.now();
      const { status } = await callOnce(session, path, messages[n % messages.length] as Buffer);
      tookMs.push(performance.now() - beginMs);
      if (status !== '0') failures++;
    }
  };
  await Promise.all(Array.from({ length: calls }, (_, at) => loop(at)));
  const wallMs = performance.now() - startMs;
  for (const session of sessions) session.close();
  tookMs.sort((a, b) => a - b);
  const quantile = (share: number): number => Number((tookMs[Math.floor(tookMs.length * share)] ?? NaN).toFixed(2));
  return {
    requestsPerSecond: (tookMs.length - failures) / (wallMs / 1000),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    failures,
  };
}

export interface CallAnswer {
  /** gRPC's. */
  readonly status: string;
  readonly body: Buffer;
}

export function callOnce(session: ClientHttp2Session, path: string, message: Buffer): Promise<CallAnswer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc',
      te: 'trailers',
      // What is measured is how much is answered, and not what is refused of too much.
      'grpc-timeout': '20S',
    });
    const parts: Buffer[] = [];
    let status = '';
    const heard = (headers: Readonly<Record<string, unknown>>): void => {
      if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status']);
    };
    stream.on('response', heard);
    stream.on('trailers', heard);
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.once('close', () =>
      resolve({ status, body: parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts) }),
    );
    stream.once('error', reject);
    stream.end(message);
  });
}
