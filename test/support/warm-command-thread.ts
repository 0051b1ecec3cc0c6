// The thread of `warm-command.ts`: hands each request to the process, starts another when one is gone, and wakes who waits.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type MessagePort, workerData } from 'node:worker_threads';
import type { WarmAnswer, WarmRequest } from './warm-command.ts';

const PROGRAM = fileURLToPath(new URL('./warm-command-process.ts', import.meta.url));

// Given by `openThread`.
const { port, turn } = workerData as { port: MessagePort; turn: Int32Array };
let child: ChildProcess | undefined;

port.on('message', (request: WarmRequest) => {
  child ??= start();
  child.send(request);
});

function start(): ChildProcess {
  const started = fork(PROGRAM, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] });
  // What it could not catch; of a command that ended, its answer holds the text.
  let [stdout, stderr] = ['', ''];
  started.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  started.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  started.on('message', (answer: WarmAnswer) => answerWith(answer));
  started.once('close', (code) => {
    child = undefined;
    answerWith({ code, stdout, stderr });
  });
  return started;
}

function answerWith(answer: WarmAnswer): void {
  port.postMessage(answer);
  Atomics.store(turn, 0, 1);
  Atomics.notify(turn, 0);
}
