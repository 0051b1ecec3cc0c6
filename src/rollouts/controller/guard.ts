// Guards as people write them, `error_rate<0.01` or `outcome>-5%`: which metric, which side is bad, and how far it may go.
// One that can't be read is a mistake of the plan, told before anything moves.

import { didYouMean, type ErrorDetail, type Micros, parseDuration } from '../../core/index.ts';

export type Metric = 'error_rate' | 'slow_rate' | 'null_rate' | 'latency' | 'outcome';

export interface Guard {
  /** As it was written. */
  readonly text: string;
  /** As it was written: an outcome may go by the name of a metric of it. */
  readonly name: string;
  readonly metric: Metric;
  /** Which change is bad. */
  readonly direction: 'rise' | 'drop';
  /**
   * `limit`: a rate of the candidate's units by itself, or with `latency` microseconds that one unit in a hundred may pass;
   * `relative`: what the candidate may have more than stable, .2 of it for +20 %, less than nothing for a drop.
   */
  readonly bound:
    | { readonly kind: 'limit'; readonly value: number }
    | { readonly kind: 'relative'; readonly tolerance: number };
}

const METRICS: readonly Metric[] = ['error_rate', 'slow_rate', 'null_rate', 'latency', 'outcome'];
const FORM = /^\s*([A-Za-z_][\w.]*)\s*([<>])\s*([+-]?)\s*(\d+(?:\.\d+)?)\s*(%|us|ms|s)?\s*$/;
const EXAMPLES = 'such as error_rate<0.01 (a limit) or error_rate<+20% (against stable)';

/** What is watched where a plan says nothing. */
export const DEFAULT_GUARDS: readonly string[] = ['error_rate<+20%', 'slow_rate<+20%', 'null_rate<+20%'];

/** A request is slow past so many times stable's 99th percentile of the ten minutes before. */
export const SLOW_FACTOR = 1.25;
/** Of a limit on latency: so many units may be past it. */
export const SLOW_SHARE = 0.01;

/** `outcomes`: names that mean the endpoint's outcome, beside `outcome`. Mistakes are added; what comes back is what was read. */
export function parseGuards(
  texts: readonly string[],
  outcomes: readonly string[],
  mistakes: ErrorDetail[],
): readonly Guard[] {
  const guards: Guard[] = [];
  texts.forEach((text, index) => {
    const path = `guards[${index}]`;
    const read = parseGuard(text, outcomes);
    if (typeof read === 'string') mistakes.push({ path, message: read });
    else if (guards.some((other) => other.metric === read.metric && other.direction === read.direction))
      mistakes.push({ path, message: `"${text}": ${read.name} is guarded twice on that side; keep one` });
    else guards.push(read);
  });
  // Servers count the requests past one limit.
  if (guards.some(({ metric }) => metric === 'latency') && guards.some(({ metric }) => metric === 'slow_rate'))
    mistakes.push({ path: 'guards', message: 'latency and slow_rate both say what is slow; keep one of them' });
  return guards;
}

/** A sentence where it can't be read. */
function parseGuard(text: string, outcomes: readonly string[]): Guard | string {
  const [, name, sign, plus, digits, unit] = FORM.exec(text) ?? [];
  if (name === undefined) return `expected a guard ${EXAMPLES}, got "${text}"`;
  const metric = METRICS.find((known) => known === name) ?? (outcomes.includes(name) ? 'outcome' : undefined);
  if (metric === undefined) {
    const known = [...METRICS, ...outcomes];
    return `"${text}": there is no metric "${name}".${didYouMean(name, known)} The metrics are ${known.join(', ')}`;
  }
  const direction = sign === '<' ? 'rise' : 'drop';
  if (direction === 'drop' && metric !== 'outcome') return `"${text}": less of ${name} is no harm; write ${name}<…`;
  const number = Number(digits);
  if (unit === '%') {
    const isRelative = plus !== '';
    if (!isRelative && metric !== 'latency') return limit({ text, name, metric, direction }, number / 100);
    if (!isRelative) return `"${text}": write latency<+25% (against stable) or latency<50ms`;
    if ((direction === 'rise') !== (plus === '+'))
      return `"${text}": write ${name}${sign}${sign === '<' ? '+' : '-'}${digits}%: how far it may go the bad way`;
    if (direction === 'drop' && number >= 100) return `"${text}": a drop of ${number} % is all there is`;
    const tolerance = ((plus === '-' ? -1 : 1) * number) / 100;
    return { text, name, metric, direction, bound: { kind: 'relative', tolerance } };
  }
  if (plus !== '') return `"${text}": a bound against stable is in percent, ${name}${sign}${plus}${digits}%`;
  if (metric === 'latency') {
    const micros = unit === undefined ? undefined : readMicros(number, unit);
    return micros === undefined || micros < 1
      ? `"${text}": a limit on latency has a unit, such as latency<50ms`
      : { text, name, metric, direction, bound: { kind: 'limit', value: micros } };
  }
  if (unit !== undefined) return `"${text}": ${name} is a rate, not a time`;
  return limit({ text, name, metric, direction }, number);
}

function limit(guard: Omit<Guard, 'bound'>, value: number): Guard | string {
  if (!(value > 0 && value < 1)) return `"${guard.text}": expected a rate between 0 and 1, got ${value}`;
  return { ...guard, bound: { kind: 'limit', value } };
}

function readMicros(number: number, unit: string): Micros | undefined {
  const one = parseDuration(`1${unit}`);
  return one === undefined ? undefined : Math.round(number * one);
}
