// The mean of numbers that are known by their logarithms: evidence is a product of thousands of factors, and would
// leave the range of doubles long before its logarithm does.

/** ln of the mean of e^x over the given x. −Infinity counts as zero; no numbers have no mean (NaN). */
export function logMeanExp(logs: ArrayLike<number>): number {
  if (logs.length === 0) return Number.NaN;
  let greatest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logs.length; i++) greatest = Math.max(greatest, logs[i] as number);
  if (!Number.isFinite(greatest)) return greatest;
  let sum = 0;
  for (let i = 0; i < logs.length; i++) sum += Math.exp((logs[i] as number) - greatest);
  return greatest + Math.log(sum / logs.length);
}

/** e^x, at most the greatest double: evidence is told in JSON, which has no infinity. */
export function expWithin(x: number): number {
  return Math.min(Math.exp(x), Number.MAX_VALUE);
}
