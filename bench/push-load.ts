// HTTP load with another body, and where asked another Idempotency-Key, for each request, which the usual tools make at a
// cost of their own: sockets, bodies put together before, one request under way on each. `node bench/push-load.ts OPTIONS`
// with the options as JSON prints the result as JSON.

import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { bodiesOf } from './push-bodies.ts';
import type { PushedSource } from './push-project.ts';

export interface PushLoad {
  readonly url: string;
  /** Sent each time instead of rows; for predictions. */
  readonly body?: string;
  readonly source: PushedSource;
  readonly rows: number;
  readonly users: number;
  readonly connections: number;
  readonly seconds: number;
  /** Ends earlier once so many requests were answered. */
  readonly requests?: number;
  /** A new Idempotency-Key with each. */
  readonly isKeyed?: boolean;
  /** Sends no more than so many a second; left out: as fast as they are answered. */
  readonly requestsPerSecond?: number;
  /** Bodies made before, sent in turn. */
  readonly bodies?: number;
  /** Number of the first row. */
  readonly first?: number;
}

export interface PushLoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly failures: number;
  /** The first answer that was no success. */
  readonly failure?: string;
}

export async function pushLoad(load: PushLoad): Promise<PushLoadResult> {
  const url = new URL(load.url);
  const { source, rows, users, connections, seconds } = load;
  const texts =
    load.body === undefined
      ? bodiesOf(source, { count: load.bodies ?? (rows === 1 ? 20_000 : 200), rows, users, first: load.first ?? 0 })
      : [load.body];
  const bodies = texts.map((body) => Buffer.from(body));
  const head = `POST ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/json\r\n`;
  const run = `${process.pid.toString(36)}-${Date.now().toString(36)}`;
  const latencies: number[] = [];
  let [sent, failures, failure] = [0, 0, ''];
  const start = performance.now();
  const end = start + seconds * 1000;
  const mayGoOn = (): boolean => performance.now() < end && sent < (load.requests ?? Infinity);

  const requestOf = (number: number): Buffer => {
    const body = bodies[number % bodies.length] as Buffer;
    const key = load.isKeyed === true ? `idempotency-key: ${run}-${number}\r\n` : '';
    return Buffer.concat([Buffer.from(`${head}${key}content-length: ${body.length}\r\n\r\n`), body]);
  };

  const drive = async (socket: Socket): Promise<void> => {
    const answers = answersOf(socket);
    while (mayGoOn()) {
      const number = sent++;
      if (load.requestsPerSecond !== undefined) {
        const dueMs = start + (number * 1000) / load.requestsPerSecond - performance.now();
        if (dueMs > 1) await new Promise((resolve) => setTimeout(resolve, dueMs));
      }
      const request = requestOf(number);
      const sentMs = performance.now();
      socket.write(request);
      const answer = await answers.next();
      latencies.push(performance.now() - sentMs);
      if (!answer.startsWith('HTTP/1.1 2')) {
        failures++;
        failure ||= answer;
      }
    }
    socket.destroy();
  };

  const sockets = await Promise.all(Array.from({ length: connections }, () => open(url)));
  await Promise.all(sockets.map(drive));
  const elapsed = (performance.now() - start) / 1000;
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return {
    requestsPerSecond: latencies.length / elapsed,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    failures,
    ...(failure === '' ? {} : { failure: failure.slice(0, 500) }),
  };
}

function open(url: URL): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Whole answers, one after another: each has a content-length. */
function answersOf(socket: Socket): { next(): Promise<string> } {
  let text = '';
  let waiting: ((answer: string) => void) | undefined;
  const take = (): void => {
    const headEnd = text.indexOf('\r\n\r\n');
    if (headEnd < 0 || waiting === undefined) return;
    const length = Number(/content-length: (\d+)/i.exec(text.slice(0, headEnd))?.[1] ?? 0);
    const end = headEnd + 4 + length;
    if (text.length < end) return;
    const answer = text.slice(0, end);
    text = text.slice(end);
    const done = waiting;
    waiting = undefined;
    done(answer);
  };
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    take();
  });
  const gone = (): void => waiting?.('the connection was closed');
  socket.on('close', gone).on('error', gone);
  return {
    next: () =>
      new Promise((resolve) => {
        waiting = resolve;
        take();
      }),
  };
}

/** The same in a process of its own, so that it takes no time from who asks. */
export function pushLoadApart(load: PushLoad): Promise<PushLoadResult> {
  const program = fileURLToPath(import.meta.url);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, JSON.stringify(load)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0
        ? resolve(JSON.parse(text) as PushLoadResult)
        : reject(new Error(`push-load.ts ended with ${String(code)}`)),
    );
  });
}

if (import.meta.main) console.log(JSON.stringify(await pushLoad(JSON.parse(process.argv[2] ?? '{}') as PushLoad)));
