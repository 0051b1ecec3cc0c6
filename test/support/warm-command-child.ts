// A process of `warm-command-process.ts` as its parent has it: requests in, answers out, another one where it is gone.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { WarmAnswer, WarmRequest } from './warm-command.ts';

const PROGRAM = fileURLToPath(new URL('./warm-command-process.ts', import.meta.url));

/** Sends requests; `hear` gets an answer to each, in their order. A process that is gone answers with how it ended. */
export function openWarmChild(hear: (answer: WarmAnswer) => void): (request: WarmRequest) => void {
  let child: ChildProcess | undefined;
  const start = (): ChildProcess => {
    const started = fork(PROGRAM, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] });
    // It outlives the test file: the next one asks it, too.
    started.unref();
    // What it could not catch; of a command that ended, its answer holds the text.
    let [stdout, stderr] = ['', ''];
    started.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    started.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    started.on('message', (answer: WarmAnswer) => hear(answer));
    started.once('close', (code) => {
      child = undefined;
      hear({ code, stdout, stderr });
    });
    return started;
  };
  return (request) => {
    child ??= start();
    child.send(request);
  };
}
