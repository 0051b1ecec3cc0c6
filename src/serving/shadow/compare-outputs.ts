// A row's outputs by two versions of a model, compared: whether they say the same, and how far their scores lie apart. Compiled
// once for two versions; comparing allocates nothing.

import type { DataType, Field, Value } from '../../core/index.ts';
import type { ShadowPair } from '../../monitoring/index.ts';

/** What it gives holds good until the next call. */
export type CompareOutputs = (answered: readonly Value[], shadowed: readonly Value[]) => ShadowPair;

/** Numbers agree within this share of the larger. */
const NEAR = 0.01;

/**
 * Outputs are compared by name. Texts, booleans, bytes, times, and whole numbers beside others are labels: where there are any,
 * a pair agrees when all are the same. Else it agrees when all numbers lie within 1 % of the larger; NaN agrees with NaN. The
 * score is the first number that is no label, of a vector or a list its last one; else the first boolean, as 0 or 1. The
 * difference is that of the score's numbers, of several their mean.
 */
export function compileComparison(answered: readonly Field[], shadowed: readonly Field[]): CompareOutputs {
  const shared = answered.flatMap(({ name, type }, at): Shared[] => {
    const other = shadowed.findIndex((field) => field.name === name);
    const otherType = shadowed[other]?.type;
    if (otherType === undefined || isNumber(type) !== isNumber(otherType)) return [];
    return [{ at, other, type }];
  });
  const isLabel = labelsAmong(shared);
  const labels = shared.filter(isLabel);
  const numbers = shared.filter((one) => !isLabel(one));
  const score = numbers[0] ?? labels.find(({ type }) => type.kind === 'bool');
  const pair: { -readonly [K in keyof ShadowPair]: ShadowPair[K] } = {
    isAgreed: false,
    difference: NaN,
    answered: undefined,
    shadowed: undefined,
  };
  const agree = (mine: readonly Value[], theirs: readonly Value[]): boolean => {
    if (shared.length === 0) return false;
    const compared = labels.length > 0 ? labels : numbers;
    for (const { at, other } of compared) {
      const [a, b] = [mine[at] ?? null, theirs[other] ?? null];
      if (!(labels.length > 0 ? isSame(a, b) : areNear(a, b))) return false;
    }
    return true;
  };
  return (mine, theirs) => {
    pair.isAgreed = agree(mine, theirs);
    if (score === undefined) return pair;
    const [a, b] = [mine[score.at] ?? null, theirs[score.other] ?? null];
    pair.answered = scoreOf(a);
    pair.shadowed = scoreOf(b);
    pair.difference = meanDifference(a, b);
    return pair;
  };
}

interface Shared {
  /** Its place among the answered outputs, and among the shadow's. */
  readonly at: number;
  readonly other: number;
  readonly type: DataType;
}

function labelsAmong(shared: readonly Shared[]): (one: Shared) => boolean {
  const hasText = shared.some(({ type }) => !isNumber(type));
  const isWhole = ({ type }: Shared): boolean => type.kind === 'int32' || type.kind === 'int64';
  const hasScore = shared.some((one) => isNumber(one.type) && !isWhole(one));
  return (one) => !isNumber(one.type) || (!hasText && hasScore && isWhole(one));
}

function isNumber(type: DataType): boolean {
  switch (type.kind) {
    case 'int32':
    case 'int64':
    case 'float32':
    case 'float64':
    case 'vector':
      return true;
    case 'list':
      return isNumber(type.of);
    default:
      return false;
  }
}

type Several = Float32Array | readonly Value[];
const isSeveral = (value: Value): value is Several => Array.isArray(value) || value instanceof Float32Array;

function areNear(a: Value, b: Value): boolean {
  if (!isSeveral(a) || !isSeveral(b)) return isNear(numberOf(a), numberOf(b));
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!areNear(a[i] ?? null, b[i] ?? null)) return false;
  return true;
}

function isNear(a: number, b: number): boolean {
  if (Object.is(a, b) || a === b) return true;
  if (!Number.isFinite(a) || !Number.isFinite(b)) return false;
  return Math.abs(a - b) <= NEAR * Math.max(Math.abs(a), Math.abs(b));
}

function isSame(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (isSeveral(a) && isSeveral(b)) {
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!isSame(a[i] ?? null, b[i] ?? null)) return false;
    return true;
  }
  // An int32 of the one may be an int64 of the other.
  return typeof a !== typeof b && typeof a !== 'string' && typeof b !== 'string' && Number(a) === Number(b);
}

const scoreOf = (value: Value): number => numberOf(isSeveral(value) ? (value[value.length - 1] ?? null) : value);

function meanDifference(a: Value, b: Value): number {
  if (!isSeveral(a) || !isSeveral(b)) return finite(Math.abs(numberOf(a) - numberOf(b)));
  if (a.length !== b.length || a.length === 0) return NaN;
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(numberOf(a[i] ?? null) - numberOf(b[i] ?? null));
  return finite(sum / a.length);
}

const finite = (value: number): number => (Number.isFinite(value) ? value : NaN);

function numberOf(value: Value): number {
  if (typeof value === 'number') return value;
  return typeof value === 'bigint' || typeof value === 'boolean' ? Number(value) : NaN;
}
