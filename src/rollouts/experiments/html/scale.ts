// Axes: from values to places, and ticks at round numbers.

export interface Scale {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

/** A linear scale over [lo, hi], widened to round ticks, onto [from, to]. */
export function scale(lo: number, hi: number, from: number, to: number, wanted = 5): Scale {
  const width = hi > lo ? hi - lo : Math.abs(lo) || 1;
  const step = roundStep(width / wanted);
  const first = Math.floor((hi > lo ? lo : lo - width / 2) / step);
  const last = Math.ceil((hi > lo ? hi : hi + width / 2) / step);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  const [start, end] = [first * step, last * step];
  return { at: (value) => from + ((value - start) / (end - start)) * (to - from), ticks };
}

function roundStep(width: number): number {
  const power = 10 ** Math.floor(Math.log10(width));
  const part = width / power;
  return (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10) * power;
}
