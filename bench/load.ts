// HTTP load from another process: wrk where it is installed, else autocannon.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from './median.ts';

export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failures: number;
}

export type Body = string | Uint8Array;

export interface Load {
  readonly url: string;
  /** Several are sent in turn; each connection begins at another, so that no cache sees one body from all of them. */
  readonly body: Body | readonly Body[];
  /** JSON's Content-Type where left out. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
}

export const loadTool: 'wrk' | 'autocannon' =
  spawnSync('wrk', ['--version'], { stdio: 'ignore' }).error === undefined ? 'wrk' : 'autocannon';

/** Posts the body for so long, over so many connections. */
export function postFor(load: Load): Promise<LoadResult> {
  return loadTool === 'wrk' ? byWrk(load) : byAutocannon(load);
}

const JSON_HEADERS = { 'content-type': 'application/json' };

const isMany = (body: Load['body']): body is readonly Body[] => Array.isArray(body);

async function byWrk({ url, body, headers = JSON_HEADERS, connections, seconds }: Load): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const script = join(folder, 'post.lua');
  writeFileSync(script, luaOf(isMany(body) ? body : [body], headers));
  try {
    const text = await output('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', script, url]);
    const failures = [
      /Non-2xx or 3xx responses: (\d+)/,
      /Socket errors: connect (\d+)/,
      /read (\d+)/,
      /write (\d+)/,
      /timeout (\d+)/,
    ].reduce((sum, pattern) => sum + Number(pattern.exec(text)?.[1] ?? 0), 0);
    return {
      requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
      p50Ms: latency(text, '50%'),
      p99Ms: latency(text, '99%'),
      failures,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function latency(text: string, percentile: string): number {
  const [, amount = 'NaN', unit = 'ms'] = new RegExp(`${percentile}\\s+([\\d.]+)(us|ms|s)`).exec(text) ?? [];
  return Number(amount) * ({ us: 0.001, ms: 1, s: 1000 }[unit] ?? NaN);
}

/** Of rounds; failures of all. */
export function medianLoad(results: readonly LoadResult[]): LoadResult {
  const of = (pick: (result: LoadResult) => number): number => median(results.map(pick));
  return {
    requestsPerSecond: of((result) => result.requestsPerSecond),
    p50Ms: of((result) => result.p50Ms),
    p99Ms: of((result) => result.p99Ms),
    failures: results.reduce((sum, result) => sum + result.failures, 0),
  };
}

// wrk's one thread shares its bodies among all connections, so neighbours differ by themselves.
function luaOf(bodies: readonly Body[], headers: Readonly<Record<string, string>>): string {
  const names = Object.entries(headers).map(([name, value]) => `wrk.headers[ ${luaText(name)} ] = ${luaText(value)}\n`);
  const setting = `wrk.method = "POST"\n${names.join('')}`;
  if (bodies.length === 1) return `${setting}wrk.body = ${luaText(bodies[0] ?? '')}\n`;
  const requests = bodies.map((body) => `requests[#requests + 1] = wrk.format(nil, nil, nil, ${luaText(body)})`);
  return `${setting}local requests = {}\nlocal at = 0\nfunction init(args)\n${requests.join('\n')}\nend\nfunction request()\n  at = at % #requests + 1\n  return requests[at]\nend\n`;
}

/** Any bytes. */
function luaText(body: Body): string {
  // A long bracket of its own level: nested arrays end with the plain one.
  if (typeof body === 'string' && !/\]=+\]|[\r\n]/.test(body)) return `[==[${body}]==]`;
  return `"${Array.from(Buffer.from(body), (byte) => `\\${String(byte).padStart(3, '0')}`).join('')}"`;
}

async function byAutocannon(load: Load): Promise<LoadResult> {
  const { url, body, connections, seconds } = load;
  if (typeof body !== 'string' || load.headers !== undefined) return varied(load);
  const program = fileURLToPath(import.meta.resolve('autocannon'));
  const args = [
    program,
    '-j',
    '-n',
    '-m',
    'POST',
    '-H',
    'content-type=application/json',
    '-b',
    body,
    '-c',
    String(connections),
    '-d',
    String(seconds),
    url,
  ];
  return figuresOf(await output(process.execPath, args));
}

async function varied({ url, body, headers = JSON_HEADERS, connections, seconds }: Load): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const file = join(folder, 'bodies.json');
  const bodies = (isMany(body) ? body : [body]).map((one) => Buffer.from(one).toString('base64'));
  writeFileSync(file, JSON.stringify({ headers, bodies }));
  try {
    const script = fileURLToPath(new URL('varied-load.ts', import.meta.url));
    return figuresOf(await output(process.execPath, [script, url, file, String(connections), String(seconds)]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function figuresOf(text: string): LoadResult {
  const result = JSON.parse(text) as {
    requests: { average: number };
    latency: { p50: number; p99: number };
    non2xx: number;
    errors: number;
    timeouts: number;
  };
  return {
    requestsPerSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failures: result.non2xx + result.errors + result.timeouts,
  };
}

function output(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve(text) : reject(new Error(`${program} ended with ${String(code)}`)),
    );
  });
}
