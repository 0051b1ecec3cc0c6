// Adjusted p-values where many tests are made at once: compare each with alpha as if it were the only one.

/** Holm (1979): any false finding at all in at most alpha of all families. In the given order. */
export function holm(ps: readonly number[]): number[] {
  return adjust(ps, (p, rank) => p * (ps.length - rank), Math.max, false);
}

/** Benjamini and Hochberg (1995): at most alpha of what is found is false, on average. In the given order. */
export function benjaminiHochberg(ps: readonly number[]): number[] {
  return adjust(ps, (p, rank) => p * (ps.length / (rank + 1)), Math.min, true);
}

function adjust(
  ps: readonly number[],
  scale: (p: number, rank: number) => number,
  keep: (before: number, now: number) => number,
  fromGreatest: boolean,
): number[] {
  const order = ps.map((_, i) => i).sort((a, b) => (ps[a] as number) - (ps[b] as number));
  const ranks = order.map((_, rank) => rank);
  const adjusted = new Array<number>(ps.length);
  let before = fromGreatest ? 1 : 0;
  for (const rank of fromGreatest ? ranks.reverse() : ranks) {
    const i = order[rank] as number;
    before = Math.min(1, keep(before, scale(ps[i] as number, rank)));
    adjusted[i] = before;
  }
  return adjusted;
}
