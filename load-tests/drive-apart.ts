// The driver in a process of its own, so that it takes no turn of the event loop from whoever asks, and ends with them.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DrivePlan, DriveProgress, DriveResult } from './drive.ts';

export interface DriveApart {
  readonly signal?: AbortSignal;
  readonly tell?: (progress: DriveProgress) => void;
}

/** What a plan may take beyond its own time: the last answers, and figures of millions of requests. */
const SPARE_SECONDS = 60;

/** Throws when it is aborted, and when the driver ends without a result. */
export async function driveApart(plan: DrivePlan, { signal, tell }: DriveApart = {}): Promise<DriveResult> {
  signal?.throwIfAborted();
  const program = fileURLToPath(new URL('drive.ts', import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const seconds = plan.phases.reduce((sum, phase) => sum + phase.seconds, SPARE_SECONDS);
  const stop = (): void => void child.kill('SIGKILL');
  const limit = setTimeout(stop, seconds * 1000);
  signal?.addEventListener('abort', stop, { once: true });
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, killed) => resolve(String(killed ?? code)));
  });
  try {
    let result: DriveResult | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      const message = JSON.parse(line) as { readonly progress?: DriveProgress; readonly result?: DriveResult };
      if (message.progress !== undefined) tell?.(message.progress);
      result = message.result ?? result;
    }
    const how = await ended;
    signal?.throwIfAborted();
    if (result === undefined) throw new Error(`the driver ended with ${how} and without a result`);
    return withNumbers(result);
  } finally {
    clearTimeout(limit);
    signal?.removeEventListener('abort', stop);
  }
}

// JSON has no NaN: a latency of no answers came as null.
function withNumbers(result: DriveResult): DriveResult {
  const number = (value: number | null): number => value ?? NaN;
  return {
    ...result,
    lateP99Ms: number(result.lateP99Ms),
    streams: result.streams.map((stream) => ({
      ...stream,
      phases: stream.phases.map((phase) => ({
        ...phase,
        p50Ms: number(phase.p50Ms),
        p99Ms: number(phase.p99Ms),
        maxMs: number(phase.maxMs),
      })),
    })),
  };
}
