// What a simulation gives: lines of a figure beside its bound, and whether it keeps to it.

export interface Line {
  readonly what: string;
  readonly figure: string;
  /** In words; '' where the figure is shown for comparison only. */
  readonly bound: string;
  readonly holds: boolean;
}

export interface SimulationRun {
  readonly title: string;
  /** What was simulated, in a sentence or two. */
  readonly about: string;
  readonly lines: readonly Line[];
}

/** `isQuick`: fewer runs, and bounds so wide that chance breaks them less than once in a thousand. */
export type Simulation = (o: { readonly isQuick: boolean }) => SimulationRun | Promise<SimulationRun>;

/** The count of hits in `runs` runs, which claim to be at most `rate` of them: exactly in a full run, up to chance in a quick one. */
export function atMost(what: string, hits: number, runs: number, rate: number, isQuick: boolean): Line {
  const most = isQuick ? mostByChance(runs, rate) : Math.floor(rate * runs + 1e-9);
  return {
    what,
    figure: share(hits, runs),
    bound: `at most ${percent(rate)}${isQuick ? ` (${most})` : ''}`,
    holds: hits <= most,
  };
}

/** Hits that claim to be `rate` of the runs, no less and no more than chance makes of it. */
export function about(what: string, hits: number, runs: number, rate: number): Line {
  const most = mostByChance(runs, rate);
  return { what, figure: share(hits, runs), bound: `about ${percent(rate)} (to ${most})`, holds: hits <= most };
}

export function atLeast(what: string, hits: number, runs: number, rate: number, isQuick: boolean): Line {
  const least = isQuick ? runs - mostByChance(runs, 1 - rate) : Math.ceil(rate * runs - 1e-9);
  return {
    what,
    figure: share(hits, runs),
    bound: `at least ${percent(rate)}${isQuick ? ` (${least})` : ''}`,
    holds: hits >= least,
  };
}

export function shown(what: string, figure: string): Line {
  return { what, figure, bound: '', holds: true };
}

export function percent(rate: number): string {
  return `${Number((rate * 100).toPrecision(2))} %`;
}

function share(hits: number, runs: number): string {
  return `${percent(hits / runs)} (${hits} of ${runs})`;
}

/** The least count that a binomial passes in at most a thousandth of all runs. */
function mostByChance(runs: number, rate: number): number {
  let chance = Math.exp(runs * Math.log1p(-rate));
  let below = chance;
  let count = 0;
  while (below < 0.999 && count < runs) {
    chance *= ((runs - count) / (count + 1)) * (rate / (1 - rate));
    below += chance;
    count++;
  }
  return count;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
