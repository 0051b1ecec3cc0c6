// Progress as the user sees it: a bar on a terminal, plain lines elsewhere; always on stderr.

import { SingleBar } from 'cli-progress';
import type { Progress } from '../core/index.ts';

export function terminalProgress(): Progress {
  let bar: SingleBar | undefined;
  let step = '';
  let startMs = 0;
  return {
    start(name, total, unit = '') {
      [step, startMs] = [name, performance.now()];
      if (total === undefined) {
        process.stderr.write(`${name} …\n`);
        return;
      }
      bar = new SingleBar({
        format: `${name} {bar} {value}/{total} ${unit} {duration_formatted}`,
        stream: process.stderr,
        hideCursor: true,
      });
      bar.start(total, 0);
    },
    advance: (done) => bar?.update(done),
    done(summary) {
      bar?.stop();
      bar = undefined;
      process.stderr.write(`${doneLine(step, startMs, summary)}\n`);
    },
  };
}

/** A line at the start and the end of each step, and one every ten seconds between. */
export function lineProgress(write: (text: string) => void): Progress {
  let step = '';
  let [startMs, toldMs] = [0, 0];
  let goal = '';
  return {
    start(name, total, unit = '') {
      step = name;
      startMs = toldMs = performance.now();
      goal = total === undefined ? ` ${unit}` : ` of ${total} ${unit}`;
      write(`${name} …\n`);
    },
    advance(done) {
      if (performance.now() - toldMs < 10_000) return;
      toldMs = performance.now();
      write(`${step}: ${done}${goal.trimEnd()}\n`);
    },
    done: (summary) => write(`${doneLine(step, startMs, summary)}\n`),
  };
}

function doneLine(step: string, startMs: number, summary: string | undefined): string {
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  return `${step}: ${summary ?? 'done'} (${seconds} s)`;
}
