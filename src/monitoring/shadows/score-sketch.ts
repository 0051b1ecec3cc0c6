// How often scores fell where: a histogram of fixed bins over all doubles, each within 1 % of what it holds, so that those of
// processes and minutes add up. What is nearer to zero than 1e-6 is zero there.

const GAMMA = 1.01 / 0.99;
const PER_NATURAL_LOG = 1 / Math.log(GAMMA);
const [LEAST, MOST] = [1e-6, 1e9];
/** Bins on each side of zero. */
const SIDE = Math.ceil(Math.log(MOST / LEAST) * PER_NATURAL_LOG) + 1;
/** No number first, then from the lowest to the highest. */
const ZERO = SIDE + 1;
const BINS = 2 * SIDE + 2;

export interface ScoreSketch {
  readonly counts: Float64Array;
  count: number;
}

export const createScores = (): ScoreSketch => ({ counts: new Float64Array(BINS), count: 0 });

export function addScore(sketch: ScoreSketch, score: number): void {
  addAt(sketch, binOf(score), 1);
}

/** A number's bin; bins are in the order of their numbers, and NaN has the first. */
export function binOf(score: number): number {
  if (Number.isNaN(score)) return 0;
  const size = Math.abs(score);
  if (size < LEAST) return ZERO;
  const away = Math.min(SIDE, 1 + Math.floor(Math.log(size / LEAST) * PER_NATURAL_LOG));
  return score < 0 ? ZERO - away : ZERO + away;
}

export function mergeScores(into: ScoreSketch, packed: PackedScores): void {
  for (let i = 0; i + 1 < packed.length; i += 2) addAt(into, packed[i] as number, packed[i + 1] as number);
}

/** Bin, count, bin, count, … ascending. */
export type PackedScores = readonly number[];

export function packScores({ counts, count }: ScoreSketch): PackedScores {
  const packed: number[] = [];
  if (count === 0) return packed;
  counts.forEach((held, bin) => {
    if (held > 0) packed.push(bin, held);
  });
  return packed;
}

export function clearScores(sketch: ScoreSketch): void {
  if (sketch.count > 0) sketch.counts.fill(0);
  sketch.count = 0;
}

function addAt(sketch: ScoreSketch, bin: number, times: number): void {
  if (bin < 0 || bin >= BINS) return;
  sketch.counts[bin] = (sketch.counts[bin] as number) + times;
  sketch.count += times;
}
