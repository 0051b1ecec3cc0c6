// Training sets over HTTP as a client asks for them, for tests.

import { setTimeout as sleep } from 'node:timers/promises';

export const PARQUET = 'application/vnd.apache.parquet';
export const ARROW = 'application/vnd.apache.arrow.stream';
export const CSV = 'text/csv';

export interface JobJson {
  readonly id: string;
  readonly state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled';
  readonly progress: {
    readonly step: string;
    readonly done: number;
    readonly total: number | null;
    readonly unit: string | null;
    readonly bytes?: { readonly done: number; readonly total: number };
  } | null;
  readonly training_set: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly created_at: string;
  readonly finished_at: string | null;
}

export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly json: { readonly job?: JobJson; readonly code?: string; readonly detail?: string };
}

export const QUERY = { service: 'shop_features', timestamp: 'at', label: 'late' };

/** POSTs a spine. */
export async function ask(
  url: string,
  type: string,
  body: Uint8Array | string | ReadableStream,
  query: Readonly<Record<string, string>> = QUERY,
  headers: Readonly<Record<string, string>> = {},
): Promise<Asked> {
  const response = await fetch(`${url}/v1/training-sets?${String(new URLSearchParams(query))}`, {
    method: 'POST',
    headers: { 'content-type': type, ...headers },
    // A typed array is a body, whatever its buffer.
    body: body as Uint8Array<ArrayBuffer> | string | ReadableStream,
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
  });
  return { status: response.status, headers: response.headers, json: (await response.json()) as Asked['json'] };
}

/** The job that was made. */
export async function jobOf(asked: Promise<Asked>): Promise<JobJson> {
  const { status, json } = await asked;
  if (status !== 202 || json.job === undefined) throw new Error(`got ${status}: ${JSON.stringify(json)}`);
  return json.job;
}

export async function readJob(url: string, id: string): Promise<JobJson> {
  return (await (await fetch(`${url}/v1/training-sets/jobs/${id}`)).json()) as JobJson;
}

export async function cancelJob(url: string, id: string): Promise<JobJson> {
  return (await (await fetch(`${url}/v1/training-sets/jobs/${id}`, { method: 'DELETE' })).json()) as JobJson;
}

/** Asks until the job has ended, or `holds`. */
export async function untilJob(
  url: string,
  id: string,
  holds: (job: JobJson) => boolean = ({ state }) => ['done', 'failed', 'cancelled'].includes(state),
  limitMs = 60_000,
): Promise<JobJson> {
  const startMs = performance.now();
  for (;;) {
    const job = await readJob(url, id);
    if (holds(job)) return job;
    if (performance.now() - startMs > limitMs) throw new Error(`not within ${limitMs} ms: ${JSON.stringify(job)}`);
    await sleep(50);
  }
}

/** The events of a job's stream to its end. */
export async function followJob(
  url: string,
  id: string,
): Promise<readonly { readonly event: string; readonly job: JobJson }[]> {
  const text = await (await fetch(`${url}/v1/training-sets/jobs/${id}/events`)).text();
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('event: '))
    .map((block) => {
      const [event = '', data = ''] = block.split('\n');
      return { event: event.slice(7), job: JSON.parse(data.slice(6)) as JobJson };
    });
}

export async function fetchData(
  url: string,
  id: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(`${url}/v1/training-sets/${id}/data`, { headers });
}

export async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}
