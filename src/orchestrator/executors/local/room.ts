// How many more tasks fit on this machine: by CPUs and memory, less what runs, and enough ahead that none waits for the next claim.

import { memoryBytes } from '../../resources.ts';
import type { Resources } from '../executor.ts';
import type { Pace } from './messages.ts';

/** Tasks of one kind that were handed over and have not ended. */
export interface Load {
  readonly resources: Resources;
  readonly tasks: number;
}

export interface Machine {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** What a driver claims ahead: by then it has claimed again. */
const AHEAD_MS = 100;
const MOST_IN_SLICE = 512;
/** Before the first has ended, nobody knows how long one takes. */
const AHEAD_AT_FIRST = 1;
const MOST_AHEAD = 8 * MOST_IN_SLICE;

export function roomFor(
  wanted: Resources,
  loads: readonly Load[],
  machine: Machine,
  pace: Pace,
): { readonly tasks: number; readonly perSlice: number } {
  const isWarm = wanted.action === 'task' && wanted.isolate !== true;
  const own = loads.filter(({ resources }) => isSameKind(resources, wanted));
  const others = loads.filter(({ resources }) => !isSameKind(resources, wanted));
  const waiting = own.reduce((sum, { tasks }) => sum + tasks, 0);
  const slots = slotsFor(wanted, others, machine);
  const isIdle = waiting === 0 && others.length === 0;
  const meanMs = isWarm ? pace.warmMs : pace.processMs;
  const ahead = meanMs === null ? AHEAD_AT_FIRST : Math.ceil(AHEAD_MS / Math.max(meanMs, 0.01));
  const most = Math.max(slots, isIdle ? 1 : 0) * Math.min(ahead, MOST_AHEAD);
  return { tasks: Math.max(0, most - waiting), perSlice: Math.min(MOST_IN_SLICE, Math.max(1, ahead)) };
}

/** How many run at once beside the others, each of which takes no more than it could run at once alone. */
function slotsFor(wanted: Resources, others: readonly Load[], machine: Machine): number {
  let { cpus, memoryBytes: memory } = machine;
  for (const { resources, tasks } of others) {
    const atOnce = Math.min(tasks, slotsOf(resources, machine.cpus, machine.memoryBytes));
    cpus -= atOnce * cpusOf(resources);
    memory -= atOnce * memoryOf(resources);
  }
  return slotsOf(wanted, cpus, memory);
}

function slotsOf(resources: Resources, cpus: number, memory: number): number {
  const byCpu = cpusOf(resources) === 0 ? Number.MAX_SAFE_INTEGER : Math.floor(cpus / cpusOf(resources));
  const byMemory = memoryOf(resources) === 0 ? Number.MAX_SAFE_INTEGER : Math.floor(memory / memoryOf(resources));
  return Math.max(0, Math.min(byCpu, byMemory, MOST_IN_SLICE));
}

function isSameKind(a: Resources, b: Resources): boolean {
  const isWarm = ({ action, isolate }: Resources): boolean => action === 'task' && isolate !== true;
  return isWarm(a) === isWarm(b) && cpusOf(a) === cpusOf(b) && memoryOf(a) === memoryOf(b);
}

function cpusOf({ cpu = 1 }: Resources): number {
  return cpu;
}

function memoryOf({ memory }: Resources): number {
  return memory === undefined ? 0 : memoryBytes(memory);
}
