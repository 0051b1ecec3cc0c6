// What the local executor costs a task, alone: no rows, no driver. `node --conditions=headrace-source bench/local-executor.ts`
// measures no-op TypeScript tasks, processes of `true` beside a bare pool with pipes, and Python's start beside the bare interpreter's.

import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import type { StepAction } from '../src/definitions/index.ts';
import { type ExecutorWorld, openExecutorWorld } from '../test/support/executor-world.ts';
import { median } from './median.ts';
import { type Figure, type Section, toText, whole } from './report.ts';

export interface LocalExecutorSizes {
  readonly tasks: number;
  readonly processes: number;
  readonly scripts: number;
  readonly rounds: number;
}

export const QUICK_SIZES: LocalExecutorSizes = { tasks: 20_000, processes: 200, scripts: 20, rounds: 1 };
export const FULL_SIZES: LocalExecutorSizes = { tasks: 20_000, processes: 2000, scripts: 200, rounds: 3 };

const CPUS = 2;
const MOST_SECONDS = 1;
const MOST_OF_A_POOL = 1.3;
const MOST_OF_PYTHON = 1.1;

export async function localExecutorSection(sizes: LocalExecutorSizes): Promise<Section> {
  const figures: Figure[] = [];
  const world = openExecutorWorld({ cpus: CPUS });
  try {
    const noOp = await world.task('module.exports = () => null;');
    // The launcher and the warm processes start once a run.
    const first = await secondsOf(() => submitAll(world, noOp, 2));
    const seconds = await rounds(sizes.rounds, () => submitAll(world, noOp, sizes.tasks));
    figures.push({
      name: `${whole(sizes.tasks)} TypeScript tasks that do nothing`,
      value: `${seconds.toFixed(2)} s (${whole(sizes.tasks / seconds)}/s); the first two, launcher and processes started, ${first.toFixed(2)} s`,
      mustBe: `≤ ${MOST_SECONDS} s`,
      isReached: seconds <= MOST_SECONDS,
    });

    const python = await pythonExecutable();
    figures.push(
      await beside(sizes.rounds, {
        name: `${whole(sizes.processes)} processes of \`true\``,
        floor: 'a bare pool with pipes',
        most: MOST_OF_A_POOL,
        ours: () => submitAll(world, { kind: 'shell', command: 'true' }, sizes.processes),
        bare: () => barePool('/bin/sh', ['-c', 'true'], sizes.processes),
      }),
      await beside(sizes.rounds, {
        name: `${whole(sizes.scripts)} Python scripts that do nothing`,
        floor: 'the bare interpreter',
        most: MOST_OF_PYTHON,
        ours: async () => {
          const files = await world.files({ 'nothing.py': '' });
          await submitAll(world, { kind: 'python', script: 'nothing.py', args: {}, files }, sizes.scripts);
        },
        bare: () => barePool(python, ['-c', ''], sizes.scripts),
      }),
    );
  } finally {
    await world.close();
  }
  return {
    title: 'The local executor',
    about: `Tasks through the executor’s submit and watch alone, ${CPUS} at once; medians of ${sizes.rounds}. Each process gets an input file, an output folder and a log, and is looked after; the bare pool starts processes with pipes and waits for their end.`,
    figures,
  };
}

interface Beside {
  readonly name: string;
  readonly floor: string;
  readonly most: number;
  readonly ours: () => Promise<void>;
  readonly bare: () => Promise<void>;
}

/** Both in turn, so that whatever else the machine does meets both. */
async function beside(count: number, { name, floor, most, ours, bare }: Beside): Promise<Figure> {
  const ratios: number[] = [];
  const own: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < count; round++) {
    const bareSeconds = await secondsOf(bare);
    const seconds = await secondsOf(ours);
    own.push(seconds);
    floors.push(bareSeconds);
    ratios.push(seconds / bareSeconds);
  }
  const ratio = median(ratios);
  return {
    name,
    value: `${median(own).toFixed(2)} s`,
    floor: `${floor}: ${median(floors).toFixed(2)} s`,
    ratio: ratio.toFixed(2),
    mustBe: `≤ ${most}`,
    isReached: ratio <= most,
  };
}

let orders = 0;

async function submitAll(world: ExecutorWorld, action: StepAction, count: number): Promise<void> {
  orders += 1;
  const spec = await world.order(action, { params: { orders }, foreach: { kind: 'range', start: 0, end: count } });
  const all = world.slice(spec, count).tasks;
  const slices = Array.from({ length: Math.ceil(count / 512) }, (_, at) => ({
    ...world.slice(spec, 0),
    tasks: all.slice(at * 512, (at + 1) * 512),
  }));
  let left = count;
  const done = new Promise<void>((resolve, reject) => {
    const unwatch = world.executor.watch((events) => {
      for (const event of events) {
        if (event.kind === 'failed' || event.kind === 'lost') reject(new Error(event.reason));
        if (event.kind === 'succeeded') left -= 1;
      }
      if (left > 0) return;
      unwatch();
      resolve();
    });
  });
  await world.executor.submit(slices);
  await done;
}

async function barePool(command: string, args: readonly string[], count: number): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await new Promise<void>((resolve) => {
        const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        child.stdout.resume();
        child.stderr.resume();
        child.on('close', () => resolve());
      });
    }
  };
  await Promise.all(Array.from({ length: CPUS }, work));
}

async function pythonExecutable(): Promise<string> {
  const child = spawn('python3', ['-c', 'import sys; print(sys.executable)'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await new Promise((resolve) => child.on('close', resolve));
  return said.trim();
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

async function rounds(count: number, work: () => Promise<void>): Promise<number> {
  const seconds: number[] = [];
  for (let round = 0; round < count; round++) seconds.push(await secondsOf(work));
  return median(seconds);
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
  console.log(toText(await localExecutorSection(values.quick ? QUICK_SIZES : FULL_SIZES)));
}
