// Progress as the user sees it: a bar on a terminal, plain lines elsewhere; always on stderr.

import { SingleBar } from 'cli-progress';
import { counted, type Progress } from '../core/index.ts';
import { formatBytes } from './format-bytes.ts';

/** A step that is under way. */
interface Step {
  readonly name: string;
  readonly startMs: number;
  readonly total: number | undefined;
  readonly unit: string;
  readonly bytes: number | undefined;
  done: number;
  bytesDone: number;
}

const begin = (name: string, total?: number, unit = '', bytes?: number): Step => ({
  name,
  startMs: performance.now(),
  total,
  unit,
  bytes,
  done: 0,
  bytesDone: 0,
});

export function terminalProgress(): Progress {
  const steps: Step[] = [];
  let bar: SingleBar | undefined;
  const endBar = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    start(name, total, unit, bytes) {
      endBar();
      const step = begin(name, total, unit, bytes);
      steps.push(step);
      if (total === undefined) process.stderr.write(`${name} …\n`);
      else bar = startBar(step);
    },
    advance(done, bytes = 0) {
      const step = steps.at(-1);
      if (step === undefined) return;
      [step.done, step.bytesDone] = [done, bytes];
      // Another step within it had its own.
      if (step.total !== undefined) bar ??= startBar(step);
      bar?.update(done, { size: sizeOf(step, false) });
    },
    done(summary) {
      endBar();
      const step = steps.pop();
      if (step !== undefined) process.stderr.write(`${doneLine(step, summary, false)}\n`);
    },
  };
}

function startBar(step: Step): SingleBar {
  const bar = new SingleBar({
    format: `${step.name} {bar} {value}/{total} ${step.unit}{size} {duration_formatted}`,
    stream: process.stderr,
    hideCursor: true,
  });
  bar.start(step.total ?? 0, step.done, { size: sizeOf(step, false) });
  return bar;
}

/** A line at the start and the end of each step, and one every ten seconds between; `isExact` gives bytes as they are. */
export function lineProgress(write: (text: string) => void, isExact = false): Progress {
  const steps: Step[] = [];
  let toldMs = 0;
  return {
    start(name, total, unit, bytes) {
      toldMs = performance.now();
      steps.push(begin(name, total, unit, bytes));
      write(`${name} …\n`);
    },
    advance(done, bytes = 0) {
      const step = steps.at(-1);
      if (step === undefined) return;
      [step.done, step.bytesDone] = [done, bytes];
      if (performance.now() - toldMs < 10_000) return;
      toldMs = performance.now();
      const goal = step.total === undefined ? ` ${step.unit}` : ` of ${step.total} ${step.unit}`;
      write(`${step.name}: ${done}${goal.trimEnd()}${sizeOf(step, isExact)}\n`);
    },
    done(summary) {
      const step = steps.pop();
      if (step !== undefined) write(`${doneLine(step, summary, isExact)}\n`);
    },
  };
}

/** `, 4.5 MB of 20 MB`; nothing where a step has no bytes. */
function sizeOf({ bytes, bytesDone }: Step, isExact: boolean): string {
  if (bytes === undefined) return '';
  return isExact ? `, ${bytesDone} of ${bytes} bytes` : `, ${formatBytes(bytesDone)} of ${formatBytes(bytes)}`;
}

function doneLine(step: Step, summary: string | undefined, isExact: boolean): string {
  const seconds = ((performance.now() - step.startMs) / 1000).toFixed(1);
  return `${step.name}: ${summary ?? amountOf(step, isExact)} (${seconds} s)`;
}

/** What a step says of itself that ends without words. */
function amountOf({ done, unit, bytes }: Step, isExact: boolean): string {
  if (bytes === undefined) return 'done';
  return `${counted(done, unit.replace(/s$/, ''))}, ${isExact ? `${bytes} bytes` : formatBytes(bytes)}`;
}
