// How often a step tries again, and after which waits.

import type { AuthoredPipeline, AuthoredStep } from '../authoring/authored.ts';
import { findSlips } from '../authoring/call.ts';
import { RETRY_OPTIONS } from '../authoring/step-options.ts';
import { describeResult } from '../calling/user-value.ts';
import type { RetryDelay, StepSpec } from '../pipeline-spec.ts';
import { duration } from './duration.ts';
import type { Mistakes } from './mistakes.ts';
import { type Report, titleOfMember } from './pipeline-members.ts';

const SECOND = 1_000_000;
const DEFAULT: RetryDelay = { delayMicros: SECOND, factor: 2, maxMicros: 60 * SECOND, jitter: 0.1 };
const MOST_TIMES = 100;
const MOST_FACTOR = 1000;

/** The delay is left out where it is the default, however that was said. */
export function compileRetry(
  pipeline: AuthoredPipeline,
  step: AuthoredStep,
  report: Report,
  mistakes: Mistakes,
): Pick<StepSpec, 'retry' | 'delay'> {
  const { retry = 0 } = step.options;
  const at = [2, 'retry'];
  if (typeof retry !== 'object' || retry === null || Array.isArray(retry))
    return { retry: checkTimes('retry', retry, at, report) };
  for (const slip of findSlips(retry, RETRY_OPTIONS, at, 'retry')) report(`: ${slip.message}`, slip.path);
  const given: { readonly [Name in keyof typeof RETRY_OPTIONS]?: unknown } = retry;
  const micros = (member: 'delay' | 'max', zeroAllowed: boolean, byDefault: number): number => {
    if (given[member] === undefined) return byDefault;
    const what = `${titleOfMember(step)}: retry.${member}`;
    return duration(pipeline, what, given[member], zeroAllowed, [...at, member], mistakes, step);
  };
  const delayMicros = micros('delay', true, DEFAULT.delayMicros);
  const maxMicros = micros('max', false, Math.max(DEFAULT.maxMicros, delayMicros));
  const { factor = DEFAULT.factor, jitter = DEFAULT.jitter } = given;
  if (!isWithin(factor, 1, MOST_FACTOR))
    report(`: retry.factor must be a number from 1 to ${MOST_FACTOR}, got ${describeResult(factor)}`, [
      ...at,
      'factor',
    ]);
  if (!isWithin(jitter, 0, 1))
    report(`: retry.jitter must be a number from 0 to 1, got ${describeResult(jitter)}`, [...at, 'jitter']);
  if (given.max !== undefined && maxMicros > 1 && maxMicros < delayMicros)
    report(': retry.max is shorter than the first wait. Make it longer, or the delay shorter', [...at, 'max']);
  const delay: RetryDelay = {
    delayMicros,
    factor: typeof factor === 'number' ? factor : DEFAULT.factor,
    maxMicros,
    jitter: typeof jitter === 'number' ? jitter : DEFAULT.jitter,
  };
  const isDefault = (Object.keys(DEFAULT) as (keyof RetryDelay)[]).every((name) => delay[name] === DEFAULT[name]);
  return {
    retry: checkTimes('retry.times', given.times, [...at, 'times'], report),
    ...(isDefault ? {} : { delay }),
  };
}

function checkTimes(what: string, times: unknown, at: readonly (string | number)[], report: Report): number {
  if (typeof times === 'number' && Number.isInteger(times) && times >= 0 && times <= MOST_TIMES) return times;
  report(`: ${what} must be a whole number from 0 to ${MOST_TIMES}, got ${describeResult(times)}`, at);
  return 0;
}

function isWithin(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most;
}
