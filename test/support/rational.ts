// Sums and variances of doubles by whole numbers of any size: the reference for those that are computed in doubles.

const UNIT = 1074;

/** The double nearest to the true sum of finite numbers, ties to even. */
export function rationalSum(values: readonly number[]): number {
  return nearest(
    values.reduce((sum, value) => sum + units(value), 0n),
    1n << BigInt(UNIT),
  );
}

/** The double nearest to the true mean of at least one. */
export function rationalMean(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + units(value), 0n);
  return nearest(sum, BigInt(values.length) << BigInt(UNIT));
}

/** The double nearest to the variance of the sample; null below two values. */
export function rationalVariance(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const numbers = values.map(units);
  const n = BigInt(numbers.length);
  const sum = numbers.reduce((total, one) => total + one, 0n);
  const squares = numbers.reduce((total, one) => total + one * one, 0n);
  return nearest(n * squares - sum * sum, (n * (n - 1n)) << BigInt(2 * UNIT));
}

const double = new DataView(new ArrayBuffer(8));

/** A double is a whole number of 2^−1074. */
function units(value: number): bigint {
  double.setFloat64(0, value);
  const bits = double.getBigUint64(0);
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & ((1n << 52n) - 1n);
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return bits >> 63n === 1n ? -magnitude : magnitude;
}

/** numerator / denominator, rounded by a comparison of whole numbers: the last digit kept is that of a double so large. */
function nearest(numerator: bigint, denominator: bigint): number {
  if (numerator < 0n) return -nearest(-numerator, denominator);
  if (numerator === 0n) return 0;
  // 2^size ≤ numerator / denominator < 2^(size + 2)
  const size = bitLength(numerator) - bitLength(denominator) - 1;
  for (let last = Math.max(size - 52, -UNIT); ; last++) {
    const [top, bottom] =
      last < 0 ? [numerator << BigInt(-last), denominator] : [numerator, denominator << BigInt(last)];
    let digits = top / bottom;
    if (digits >= 1n << 53n) continue;
    const rest = 2n * (top % bottom);
    if (rest > bottom || (rest === bottom && digits % 2n === 1n)) digits++;
    return Number(digits) * 2 ** Math.min(last, 0) * 2 ** Math.max(last, 0);
  }
}

const bitLength = (value: bigint): number => value.toString(2).length;
