// A process of `warm-command-process.ts` as its parent has it: requests in, answers out, another one where it is gone.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { WarmAnswer, WarmRequest } from './warm-command.ts';

const PROGRAM = fileURLToPath(new URL('./warm-command-process.ts', import.meta.url));

type Unrefable = { unref(): void } | null | undefined;

/** A request and its answer have the same id: an answer to nobody's question is left out. */
export type Numbered<Message> = Message & { readonly id: number };

/** Asks for one command; those asked for beside each other run one after the other. A process that is gone answers all that it had with how it ended. */
export function openWarmChild(program: string = PROGRAM): (request: WarmRequest) => Promise<WarmAnswer> {
  let child: ReturnType<typeof start> | undefined;
  let last = 0;
  const start = () => {
    const waiting = new Map<number, (answer: WarmAnswer) => void>();
    const started = fork(program, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] });
    // It outlives the test file: the next one asks it, too. So its pipes and channel keep nothing alive either.
    for (const handle of [started, started.channel, started.stdout, started.stderr] as Unrefable[]) handle?.unref();
    // What it could not catch; of a command that ended, its answer holds the text.
    let [stdout, stderr] = ['', ''];
    started.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    started.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    started.on('message', ({ id, ...answer }: Numbered<WarmAnswer>) => {
      waiting.get(id)?.(answer);
      waiting.delete(id);
    });
    const forget = (): void => {
      if (child?.started === started) child = undefined;
    };
    started.once('exit', forget);
    started.once('close', (code) => {
      forget();
      for (const answer of waiting.values()) answer({ code, stdout, stderr });
    });
    return { started, waiting };
  };
  return (request) =>
    new Promise((resolve) => {
      const { started, waiting } = (child ??= start());
      const id = (last += 1);
      waiting.set(id, resolve);
      // Where it can no longer be sent, its close answers.
      started.send({ ...request, id }, () => {});
    });
}
