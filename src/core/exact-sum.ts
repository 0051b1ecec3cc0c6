// Sums of doubles without any rounding until the end (Shewchuk 1997, "Adaptive Precision Floating-Point Arithmetic and
// Fast Robust Geometric Predicates"), so that no order of adding and no split into tiles shows in the result.

/**
 * carry × 2^1023 and the parts, exactly. The parts are of different digits, from least to greatest; the carry is what
 * would have left the range of doubles.
 */
export interface ExactTotal {
  carry: number;
  readonly parts: number[];
}

const TOP = 2 ** 1023;

export function createTotal(): ExactTotal {
  return { carry: 0, parts: [] };
}

/** Adds a finite number. */
export function addExactly(total: ExactTotal, value: number): void {
  const { parts } = total;
  let sum = value;
  let kept = 0;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as number;
    let great = Math.abs(sum) < Math.abs(part) ? part : sum;
    let small = great === sum ? part : sum;
    if (!Number.isFinite(great + small)) {
      // Both are of one sign, and what is at least 2^1023 loses no digit to a subtraction of it.
      const sign = Math.sign(great);
      great -= sign * TOP;
      total.carry += sign;
      if (Math.abs(small) >= TOP) {
        small -= sign * TOP;
        total.carry += sign;
      }
      if (Math.abs(great) < Math.abs(small)) [great, small] = [small, great];
    }
    sum = great + small;
    const error = small - (sum - great);
    if (error !== 0) parts[kept++] = error;
  }
  parts.length = kept;
  if (sum !== 0) parts.push(sum);
}

/** Adds `from`, which stays as it is. */
export function addTotal(into: ExactTotal, from: ExactTotal): void {
  for (const part of from.parts) addExactly(into, part);
  into.carry += from.carry;
}

/** The double nearest to the total, ties to even; infinite past the greatest. */
export function roundTotal({ carry, parts }: ExactTotal): number {
  const rest: ExactTotal = { carry, parts: [...parts] };
  while (rest.carry !== 0 && Math.sign(rest.parts.at(-1) ?? 0) === -Math.sign(rest.carry)) {
    const sign = Math.sign(rest.carry);
    rest.carry -= sign;
    addExactly(rest, sign * TOP);
  }
  if (rest.carry === 0) return roundParts(rest.parts);
  const sign = Math.sign(rest.carry);
  if (Math.abs(rest.carry) > 1) return sign * Infinity;
  // One 2^1023 and parts of its sign: add them up at a quarter of their size. The last digits of the least part only
  // matter as to whether they are there.
  const quarter: ExactTotal = {
    carry: 0,
    parts: rest.parts.map((part) => part / 4 || Math.sign(part) * Number.MIN_VALUE),
  };
  addExactly(quarter, (sign * TOP) / 4);
  return roundParts(quarter.parts) * 4;
}

/** Less than one in so many numbers of the greatest size, whose total is then in the range of doubles. */
const SHRUNK = 2 ** -64;

/** The total over `count`, of so many finite numbers: finite, too, where the total itself is past the greatest double. */
export function meanOfTotal(total: ExactTotal, count: number): number {
  const sum = roundTotal(total);
  if (Number.isFinite(sum)) return sum / count;
  const shrunk = createTotal();
  for (const part of total.parts) addExactly(shrunk, part * SHRUNK);
  addExactly(shrunk, total.carry * (TOP * SHRUNK));
  const mean = roundTotal(shrunk) / count / SHRUNK;
  // Both roundings together may reach past numbers that are all of the greatest size.
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, mean));
}

function roundParts(parts: readonly number[]): number {
  let i = parts.length - 1;
  let sum = parts[i] ?? 0;
  let error = 0;
  while (i > 0 && error === 0) {
    const great = sum;
    const small = parts[--i] as number;
    sum = great + small;
    error = small - (sum - great);
  }
  // Half a digit was rounded to even, though smaller parts on the same side make it more than half.
  if (i > 0 && Math.sign(parts[i - 1] as number) === Math.sign(error)) {
    const next = sum + error * 2;
    if (next - sum === error * 2) return next;
  }
  return sum;
}

/**
 * The double nearest to the true sum of the numbers, whatever their order; 0 for none. Infinities and NaN among them
 * give what addition has; finite ones only give an infinity when their sum itself is past the greatest double.
 */
export function exactSum(values: Iterable<number>): number {
  const total = createTotal();
  let special = 0;
  for (const value of values) {
    if (Number.isFinite(value)) addExactly(total, value);
    else special += value;
  }
  return special === 0 ? roundTotal(total) : special;
}
