// Memory of a server that takes ten million rows of five million keys in batches: its own (anonymous) pages, apart from
// those of the store's file, which the system may take back. With the default limit of 256 MB the writer cuts again and again.

import { readFileSync } from 'node:fs';
import { pushLoadApart } from './push-load.ts';
import { createPushProject } from './push-project.ts';
import { startHeadrace } from './servers.ts';

export interface PushMemoryFigures {
  readonly store: string;
  readonly rows: number;
  readonly keys: number;
  readonly eventsPerSecond: number;
  /** Megabytes of the server's own pages after each twentieth of the rows; empty where the system does not tell. */
  readonly megabytes: readonly number[];
  /** The greatest of the last half over the greatest of the first. */
  readonly growth: number;
  readonly cuts: number;
  readonly failures: number;
}

export interface MeasurePushMemory {
  readonly onlineUrl?: string;
  readonly rows?: number;
}

const ROWS_A_PUSH = 1000;
const CONNECTIONS = 4;
const STEPS = 20;
const LONGEST_STEP_SECONDS = 60;

export async function measurePushMemory(options: MeasurePushMemory = {}): Promise<PushMemoryFigures> {
  const { onlineUrl = 'lmdb:.headrace/online', rows = 10_000_000 } = options;
  const keys = rows / 2;
  const project = await createPushProject(onlineUrl);
  const server = await startHeadrace(project.directory);
  try {
    const megabytes: number[] = [];
    let failures = 0;
    const start = performance.now();
    for (let step = 0; step < STEPS; step++) {
      const result = await pushLoadApart({
        url: `${server.url}/v1/sources/floats/push`,
        source: 'floats',
        rows: ROWS_A_PUSH,
        users: keys,
        first: (step * rows) / STEPS,
        bodies: rows / STEPS / ROWS_A_PUSH,
        connections: CONNECTIONS,
        requests: rows / STEPS / ROWS_A_PUSH,
        seconds: LONGEST_STEP_SECONDS,
      });
      failures += result.failures;
      const own = ownMegabytes(server.pid);
      if (own !== undefined) megabytes.push(own);
    }
    const seconds = (performance.now() - start) / 1000;
    const status = (await (await fetch(`${server.url}/v1/status`)).json()) as {
      readonly ingestion: { readonly writer: { readonly cut: number } | null };
    };
    const half = megabytes.length / 2;
    return {
      store: onlineUrl.split(':')[0] ?? '',
      rows,
      keys,
      eventsPerSecond: rows / seconds,
      megabytes,
      growth: Math.max(...megabytes.slice(half)) / Math.max(...megabytes.slice(0, half)),
      cuts: status.ingestion.writer?.cut ?? 0,
      failures,
    };
  } finally {
    await server.stop();
    project.remove();
  }
}

/** Linux tells a process's own pages apart from those of files. */
function ownMegabytes(pid: number): number | undefined {
  try {
    const [, kilobytes] = /RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kilobytes === undefined ? undefined : Math.round(Number(kilobytes) / 1000);
  } catch {
    return undefined;
  }
}

if (import.meta.main) {
  console.log(JSON.stringify(await measurePushMemory(JSON.parse(process.argv[2] ?? '{}')), null, 2));
}
