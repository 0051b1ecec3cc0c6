// What the exit code of `headrace step` tells the system that started it.

import { toHeadraceError } from '../../core/index.ts';
import { FINAL_EXIT_CODE } from '../step/outcome.ts';
import type { TaskEnd } from './run-tasks.ts';

/** EX_TEMPFAIL of sysexits.h: what ran the task died, not the task; trying again costs it no try. */
export const LOST_EXIT_CODE = 75;

export type StepExitCode = 0 | 1 | typeof LOST_EXIT_CODE | typeof FINAL_EXIT_CODE;

/** Of several tasks the one for which least can be done says it: final, failed, lost, done. */
export function exitCodeOf(ends: readonly TaskEnd[]): StepExitCode {
  if (ends.some((end) => end.kind === 'failed' && end.isFinal)) return FINAL_EXIT_CODE;
  if (ends.some((end) => end.kind === 'failed')) return 1;
  return ends.some((end) => end.kind === 'lost') ? LOST_EXIT_CODE : 0;
}

/** Of what kept the tasks from being run at all: what a store or a disk refuses now it may give later, a wrong order never. */
export function exitCodeOfError(error: unknown): StepExitCode {
  const { code } = toHeadraceError(error);
  return ['HR_INVALID', 'HR_CONFIG', 'HR_ARTIFACT_UNREADABLE', 'HR_CODE_MISSING'].includes(code)
    ? FINAL_EXIT_CODE
    : LOST_EXIT_CODE;
}
