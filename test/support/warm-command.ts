// Command lines run one after the other by one process that has the program loaded, where a process of its own for each
// takes most of its time to load. Each test file has its own such process. What only a process shows (its end, its signals,
// its pipes) wants one: `headraceProcess` of `serving-project.ts`.

import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { openWarmChild } from './warm-command-child.ts';

export interface WarmRequest {
  readonly directory: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface WarmAnswer {
  /** `null` where the process was gone before the command ended. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const LIMIT_MS = 60_000;

let asked: ReturnType<typeof openThread> | undefined;

/** Runs a command to its end while this thread waits; the first one starts the process. */
export function runWarm(request: WarmRequest): WarmAnswer {
  asked ??= openThread();
  const { port, turn } = asked;
  Atomics.store(turn, 0, 0);
  port.postMessage(request);
  const outcome = Atomics.wait(turn, 0, 0, LIMIT_MS);
  const answer = receiveMessageOnPort(port)?.message as WarmAnswer | undefined;
  if (answer !== undefined) return answer;
  asked.close();
  asked = undefined;
  return { code: null, stdout: '', stderr: `no answer in ${LIMIT_MS} ms (${outcome})` };
}

let askBeside: ReturnType<typeof openWarmChild> | undefined;

/** The same while this thread goes on, by a second process; several are run one after the other. */
export function runWarmBeside(request: WarmRequest): Promise<WarmAnswer> {
  askBeside ??= openWarmChild();
  return askBeside(request);
}

// This thread waits, so another one talks to the process.
function openThread() {
  const turn = new Int32Array(new SharedArrayBuffer(4));
  const { port1: port, port2: otherEnd } = new MessageChannel();
  const thread = new Worker(new URL('./warm-command-thread.ts', import.meta.url), {
    workerData: { turn, port: otherEnd },
    transferList: [otherEnd],
    execArgv: [],
  });
  thread.unref();
  port.unref();
  return { port, turn, close: () => void thread.terminate() };
}
