// How much may run at once: the CPUs and the memory that steps ask for, against what there is.

import { availableParallelism, totalmem } from 'node:os';
import type { StepSpec } from '../definitions/index.ts';
import type { Drive } from './drive.ts';
import { memoryBytes } from './resources.ts';

/** How many tasks of a step fit beside what runs; one that asks for more than there is runs alone. */
export function roomFor(drive: Drive, spec: StepSpec): number {
  const running = [...drive.running.values()];
  const used = (of: (step: StepSpec) => number): number => running.reduce((sum, step) => sum + of(step), 0);
  const fits = (of: (step: StepSpec) => number, all: number): number =>
    of(spec) === 0 ? Number.MAX_SAFE_INTEGER : Math.floor((all - used(of)) / of(spec));
  const byCpu = fits(cpusOf, drive.deps.cpus ?? availableParallelism());
  const byMemory = fits(memoryOf, drive.deps.memoryBytes ?? totalmem());
  return Math.max(Math.min(byCpu, byMemory, 100), running.length === 0 ? 1 : 0);
}

const cpusOf = (step: StepSpec): number => step.resources.cpu ?? 1;
const memoryOf = (step: StepSpec): number =>
  step.resources.memory === undefined ? 0 : memoryBytes(step.resources.memory);
