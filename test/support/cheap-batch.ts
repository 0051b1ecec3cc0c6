// AWS Batch for what takes more jobs than processes can be started for: its REST API and limits, written here after Amazon's
// reference, over children that do nothing but commit a result as `headrace step` does. A process of its own, so that a driver's
// memory and time are its own; what it is told by its parent is in `CheapBatchOrder`.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { pathToFileURL } from 'node:url';
import { readSlicePart } from '../../src/orchestrator/committed/slice-document.ts';
import { commitResult } from '../../src/orchestrator/committed/stored-result.ts';
import { readOrder } from '../../src/orchestrator/step/order.ts';
import { openObjectStore } from '../../src/storage/index.ts';
import { freePort } from './free-port.ts';

export interface CheapBatchOptions {
  readonly artifactsUrl: string;
  /** How many children run at once. */
  readonly slots: number;
  /** How long each of them takes; those of the definition "hangs", and every second one of "half", run until they are ended. */
  readonly childMs: number;
  /** The account's limit. */
  readonly submitsPerSecond: number;
}

export type CheapBatchOrder =
  /** Of the queue "queue", which takes no jobs while it is not enabled. */
  | { readonly kind: 'queue'; readonly isEnabled: boolean }
  /** Ends all that runs or waits, as Spot, an operator or the service does. */
  | { readonly kind: 'end'; readonly reason: string }
  /** Knows of no job so far any more, as a day after its end. */
  | { readonly kind: 'forget' }
  /** Of the next calls so many are answered so; `reset` ends the connection. */
  | { readonly kind: 'fail'; readonly calls: number; readonly by: 'throttling' | 500 | 503 | 'reset' }
  | { readonly kind: 'count' };

export interface CheapBatchCounts {
  readonly calls: Readonly<Record<string, number>>;
  /** Refused for coming faster than the account's limit. */
  readonly throttled: number;
  readonly jobs: number;
  readonly children: number;
  readonly largest: number;
  readonly running: number;
  readonly jobsOfOneName: number;
}

export interface CheapBatch {
  readonly endpoint: string;
  tell(order: CheapBatchOrder): Promise<CheapBatchCounts>;
  stop(): Promise<void>;
}

export async function startCheapBatch(options: CheapBatchOptions): Promise<CheapBatch> {
  const child: ChildProcess = fork(new URL(import.meta.url), [JSON.stringify(options)], {
    execArgv: ['--conditions=headrace-source'],
  });
  const [{ endpoint }] = (await once(child, 'message')) as [{ endpoint: string }];
  return {
    endpoint,
    async tell(order) {
      const answered = once(child, 'message');
      child.send(order);
      return (await answered)[0] as CheapBatchCounts;
    },
    async stop() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

const DEFINITIONS: readonly string[] = ['runs', 'hangs', 'half'];
const STATES = ['RUNNABLE', 'RUNNING', 'SUCCEEDED', 'FAILED'] as const;
type State = (typeof STATES)[number];

interface Job {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly isArray: boolean;
  readonly definition: string;
  readonly slice: string;
  readonly states: State[];
  reason: string | undefined;
}

class Refusal extends Error {
  readonly status: number;
  readonly type: string;
  constructor(status: number, type: string, message: string) {
    super(message);
    this.status = status;
    this.type = type;
  }
}
const refused = (message: string): Refusal => new Refusal(400, 'ClientException', message);

async function serve({ artifactsUrl, slots, childMs, submitsPerSecond }: CheapBatchOptions): Promise<void> {
  const objects = openObjectStore(artifactsUrl);
  const jobs = new Map<string, Job>();
  const byName = new Map<string, Job[]>();
  const waiting: { readonly job: Job; readonly part: number }[] = [];
  const calls: Record<string, number> = {};
  let [made, running, throttled, largest, children, head] = [0, 0, 0, 0, 0, 0];
  let isEnabled = true;
  let failing = { calls: 0, by: 500 as Extract<CheapBatchOrder, { kind: 'fail' }>['by'] };
  let tokens = submitsPerSecond;
  let filledAt = performance.now();

  const run = async (job: Job, part: number): Promise<void> => {
    running += 1;
    job.states[part] = 'RUNNING';
    if (job.definition === 'hangs' || (job.definition === 'half' && part % 2 === 1)) return;
    await new Promise((resolve) => setTimeout(resolve, childMs));
    const { order: spec, tasks } = await readSlicePart(objects, job.slice, part);
    const { run: id, step, scope } = await readOrder(objects, spec);
    for (const { index, attempt } of tasks) {
      if (job.states[part] !== 'RUNNING') return;
      const task = { run: id, step, scope, index };
      await commitResult(objects, task, { attempt, output: { json: String(index) }, files: {} });
    }
    endPart(job, part, 'SUCCEEDED');
    start();
  };
  const endPart = (job: Job, part: number, state: State): void => {
    if (job.states[part] === 'RUNNING') running -= 1;
    job.states[part] = state;
  };
  const start = (): void => {
    while (running < slots && head < waiting.length) {
      const next = waiting[head++];
      if (next?.job.states[next.part] !== 'RUNNABLE') continue;
      run(next.job, next.part).catch(() => {
        endPart(next.job, next.part, 'FAILED');
        start();
      });
    }
  };
  const end = (job: Job, reason: string): void => {
    for (const [part, state] of job.states.entries()) {
      if (state !== 'RUNNABLE' && state !== 'RUNNING') continue;
      job.reason ??= reason;
      endPart(job, part, 'FAILED');
    }
    start();
  };

  const stateOf = ({ states }: Job): State | 'PENDING' => {
    if (states.some((state) => state === 'RUNNABLE' || state === 'RUNNING'))
      return states.length === 1 ? (states[0] as State) : 'PENDING';
    return states.includes('FAILED') ? 'FAILED' : 'SUCCEEDED';
  };
  const summary = (job: Job, part?: number): object => {
    const status = part === undefined ? stateOf(job) : job.states[part];
    const isEnded = status === 'SUCCEEDED' || status === 'FAILED';
    return {
      jobId: part === undefined ? job.id : `${job.id}:${part}`,
      jobName: job.name,
      createdAt: job.createdAt,
      status,
      ...(isEnded && status === 'FAILED' && job.reason !== undefined ? { statusReason: job.reason } : {}),
      ...(status === 'SUCCEEDED' ? { container: { exitCode: 0 } } : {}),
    };
  };
  const countsOf = ({ states }: Job): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const state of states) counts[state] = (counts[state] ?? 0) + 1;
    return counts;
  };
  const detail = (id: string): object[] => {
    const [parent = '', part] = id.split(':');
    const job = jobs.get(parent);
    if (job === undefined || (part !== undefined && job.states[Number(part)] === undefined)) return [];
    if (part !== undefined) return [{ ...summary(job, Number(part)), arrayProperties: { index: Number(part) } }];
    if (!job.isArray) return [summary(job)];
    return [{ ...summary(job), arrayProperties: { size: job.states.length, statusSummary: countsOf(job) } }];
  };
  const page = (
    all: readonly object[],
    { maxResults = 100, nextToken = '0' }: { maxResults?: number; nextToken?: string },
  ) => {
    const [from, to] = [Number(nextToken), Number(nextToken) + Math.min(maxResults, 1000)];
    return { jobSummaryList: all.slice(from, to), ...(to < all.length ? { nextToken: String(to) } : {}) };
  };

  const answers: Record<string, (body: never, bytes: number) => object> = {
    submitjob(
      {
        jobName,
        jobQueue,
        jobDefinition,
        arrayProperties,
        containerOverrides,
      }: {
        jobName: string;
        jobQueue: string;
        jobDefinition: string;
        arrayProperties?: { size: number };
        containerOverrides: { command: string[] };
      },
      bytes,
    ) {
      const now = performance.now();
      tokens = Math.min(submitsPerSecond, tokens + ((now - filledAt) / 1000) * submitsPerSecond);
      filledAt = now;
      if (tokens < 1) {
        throttled += 1;
        throw new Refusal(429, 'TooManyRequestsException', 'Too Many Requests');
      }
      tokens -= 1;
      if (!/^[a-zA-Z0-9][\w-]{0,127}$/.test(jobName)) throw refused(`Error: jobName ${jobName} is invalid`);
      if (bytes > 30 * 1024) throw refused('Error: the payload is larger than 30 KiB');
      if (jobQueue !== 'queue') throw refused(`JobQueue ${jobQueue} not found.`);
      if (!isEnabled) throw refused(`JobQueue ${jobQueue} is in DISABLED state and takes no jobs.`);
      const name = jobDefinition.slice(jobDefinition.lastIndexOf('/') + 1).split(':')[0] ?? '';
      if (!DEFINITIONS.includes(name)) throw refused(`JobDefinition ${jobDefinition} not found.`);
      const size = arrayProperties?.size ?? 1;
      if (arrayProperties !== undefined && (size < 2 || size > 10_000))
        throw refused('Error: the size of an array is from 2 to 10000');
      const { command } = containerOverrides;
      const job: Job = {
        id: `job-${++made}`,
        name: jobName,
        createdAt: Date.now(),
        isArray: arrayProperties !== undefined,
        definition: name,
        slice: command[command.indexOf('--slice') + 1] ?? '',
        states: Array.from({ length: size }, (): State => 'RUNNABLE'),
        reason: undefined,
      };
      jobs.set(job.id, job);
      byName.set(jobName, [...(byName.get(jobName) ?? []), job]);
      children += size;
      largest = Math.max(largest, size);
      for (let part = 0; part < size; part++) waiting.push({ job, part });
      start();
      return { jobId: job.id, jobName };
    },
    describejobs({ jobs: ids }: { jobs: string[] }) {
      if (ids.length > 100) throw refused('Error: at most 100 jobs');
      return { jobs: ids.flatMap(detail) };
    },
    listjobs(asked: {
      arrayJobId?: string;
      jobStatus?: string;
      maxResults?: number;
      nextToken?: string;
      filters?: { name: string; values: string[] }[];
    }) {
      if (asked.arrayJobId !== undefined) {
        const job = jobs.get(asked.arrayJobId);
        const parts =
          job === undefined ? [] : [...job.states.keys()].filter((part) => job.states[part] === asked.jobStatus);
        return page(
          parts.map((part) => summary(job as Job, part)),
          asked,
        ); // there are parts of one that is there alone
      }
      const [name = ''] = asked.filters?.[0]?.values ?? [];
      return page(
        (byName.get(name) ?? []).map((job) => summary(job)),
        asked,
      );
    },
    terminatejob({ jobId, reason }: { jobId: string; reason: string }) {
      const job = jobs.get(jobId);
      if (job !== undefined) end(job, reason);
      return {};
    },
    describejobdefinitions({ jobDefinitionName = '' }: { jobDefinitionName?: string }) {
      if (!DEFINITIONS.includes(jobDefinitionName)) return { jobDefinitions: [] };
      const jobDefinitionArn = `arn:aws:batch:us-east-1:123456789012:job-definition/${jobDefinitionName}:1`;
      const containerProperties = { image: 'headrace', command: [] };
      const about = { jobDefinitionName, jobDefinitionArn, revision: 1, status: 'ACTIVE', type: 'container' };
      return { jobDefinitions: [{ ...about, containerProperties }] };
    },
  };

  const send = (response: ServerResponse, status: number, body: object, type?: string): void => {
    response.writeHead(status, {
      'content-type': 'application/json',
      ...(type === undefined ? {} : { 'x-amzn-errortype': type }),
    });
    response.end(JSON.stringify(body));
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const name = (request.url ?? '').slice('/v1/'.length);
      calls[name] = (calls[name] ?? 0) + 1;
      if (failing.calls > 0) {
        failing = { ...failing, calls: failing.calls - 1 };
        const { by } = failing;
        if (by === 'reset') return request.socket.destroy();
        if (by === 'throttling')
          return send(response, 429, { message: 'Too Many Requests' }, 'TooManyRequestsException');
        return send(response, by, { message: 'Internal failure' }, 'ServerException');
      }
      const text = Buffer.concat(chunks).toString();
      try {
        const answer = answers[name];
        if (answer === undefined) throw refused(`no call ${name} here`);
        send(response, 200, answer(JSON.parse(text) as never, text.length)); // each takes what the SDK sends to it
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        send(response, error.status, { message: error.message }, error.type);
      }
    });
  });
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  process.on('message', (order: CheapBatchOrder) => {
    if (order.kind === 'queue') isEnabled = order.isEnabled;
    else if (order.kind === 'fail') failing = { calls: order.calls, by: order.by };
    else if (order.kind === 'end') for (const job of jobs.values()) end(job, order.reason);
    else if (order.kind === 'forget') {
      for (const job of jobs.values()) end(job, 'forgotten');
      jobs.clear();
      byName.clear();
    }
    const jobsOfOneName = Math.max(0, ...[...byName.values()].map((those) => those.length));
    const counts: CheapBatchCounts = { calls, throttled, jobs: made, children, largest, running, jobsOfOneName };
    process.send?.(counts);
  });
  process.on('disconnect', () => process.exit());
  process.send?.({ endpoint: `http://127.0.0.1:${port}` });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await serve(JSON.parse(process.argv[2] ?? '{}') as CheapBatchOptions); // given by startCheapBatch alone
