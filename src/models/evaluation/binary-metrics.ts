// What a classifier's probabilities are worth against what was so, by scikit-learn's definitions.

/** Probabilities of "true" and what was so, of the same rows; both of the same length. */
export interface BinaryRows {
  readonly scores: ArrayLike<number>;
  /** 0 or 1. */
  readonly labels: ArrayLike<number>;
}

/** Null where it is not defined: of no rows, and the AUC of one class alone. */
export interface BinaryMetrics {
  /** Area under the ROC curve: how often a true row has a higher score than a false one, ties by half. `roc_auc_score`. */
  readonly auc: number | null;
  /** Mean of −ln of the probability of what was so, held within 2⁻⁵² of 0 and 1. `log_loss`. */
  readonly log_loss: number | null;
  /** Share of rows told right, a probability above one half being told as true. `accuracy_score`. */
  readonly accuracy: number | null;
  /** Mean squared difference of probability and what was so. `brier_score_loss`. */
  readonly brier: number | null;
  /** Share of rows that were so. */
  readonly positive_rate: number | null;
}

/** Rows of about the same probability. */
export interface CalibrationBin {
  /** Probabilities above `from` and up to `to`; the first has 0, too. */
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  readonly mean_score: number;
  /** Share of them that were so. */
  readonly positive_rate: number;
}

/** As `numpy.finfo(float64).eps`, which scikit-learn holds probabilities within. */
const EPSILON = Number.EPSILON;
const CALIBRATION_BINS = 10;

export function binaryMetrics({ scores, labels }: BinaryRows): BinaryMetrics {
  const rows = scores.length;
  if (rows === 0) return { auc: null, log_loss: null, accuracy: null, brier: null, positive_rate: null };
  let [loss, right, square, positives] = [0, 0, 0, 0];
  for (let i = 0; i < rows; i++) {
    const score = Number(scores[i]);
    const label = Number(labels[i]);
    const held = Math.min(Math.max(score, EPSILON), 1 - EPSILON);
    loss -= label === 1 ? Math.log(held) : Math.log1p(-held);
    if (score > 0.5 === (label === 1)) right++;
    square += (score - label) ** 2;
    positives += label;
  }
  return {
    auc: areaUnderRoc({ scores, labels }),
    log_loss: loss / rows,
    accuracy: right / rows,
    brier: square / rows,
    positive_rate: positives / rows,
  };
}

/** By ranks, those of equal scores being their mean (Mann and Whitney's U over the number of pairs). */
function areaUnderRoc({ scores, labels }: BinaryRows): number | null {
  const order = byScore(scores);
  let [rankSum, positives] = [0, 0];
  for (let first = 0; first < order.length; ) {
    let end = first + 1;
    const score = scores[order[first] ?? 0];
    while (end < order.length && scores[order[end] ?? 0] === score) end++;
    const rank = (first + 1 + end) / 2;
    for (let i = first; i < end; i++) {
      if (labels[order[i] ?? 0] !== 1) continue;
      rankSum += rank;
      positives++;
    }
    first = end;
  }
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0) return null;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

function byScore(scores: ArrayLike<number>): Uint32Array {
  return Uint32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => Number(scores[a]) - Number(scores[b]));
}

/** A point of the ROC curve: shares of the false and of the true rows with a score of at least some limit. */
export interface RocPoint {
  readonly false_positive_rate: number;
  readonly true_positive_rate: number;
}

/** From (0, 0) to (1, 1), at most about `most` points of it; none where one class is missing. */
export function rocCurve({ scores, labels }: BinaryRows, most = 200): readonly RocPoint[] {
  const order = byScore(scores).reverse();
  let positives = 0;
  for (let i = 0; i < labels.length; i++) positives += Number(labels[i]);
  const negatives = labels.length - positives;
  if (positives === 0 || negatives === 0) return [];
  const points: RocPoint[] = [{ false_positive_rate: 0, true_positive_rate: 0 }];
  let [above, hits, kept] = [0, 0, 0];
  order.forEach((row, at) => {
    above++;
    hits += Number(labels[row]);
    const next = order[at + 1];
    const isTied = next !== undefined && scores[next] === scores[row];
    const isDue = above - kept >= order.length / most || next === undefined;
    if (isTied || !isDue) return;
    kept = above;
    points.push({ false_positive_rate: (above - hits) / negatives, true_positive_rate: hits / positives });
  });
  return points;
}

/** Ten bins of equal width, those without rows left out: `calibration_curve(strategy='uniform')`. */
export function calibrationBins({ scores, labels }: BinaryRows): readonly CalibrationBin[] {
  const bins = Array.from({ length: CALIBRATION_BINS }, () => ({ rows: 0, score: 0, positives: 0 }));
  for (let i = 0; i < scores.length; i++) {
    const score = Number(scores[i]);
    let at = Math.max(0, Math.ceil(score * CALIBRATION_BINS) - 1);
    // A product is rounded, edges are what they are: 0.7 is an edge, although 0.7 · 10 may lie above 7.
    if (at > 0 && score <= at / CALIBRATION_BINS) at--;
    else if (at < CALIBRATION_BINS - 1 && score > (at + 1) / CALIBRATION_BINS) at++;
    const bin = bins[Math.min(at, CALIBRATION_BINS - 1)];
    if (bin === undefined) continue;
    bin.rows++;
    bin.score += score;
    bin.positives += Number(labels[i]);
  }
  return bins.flatMap(({ rows, score, positives }, at) => {
    if (rows === 0) return [];
    const [from, to] = [at / CALIBRATION_BINS, (at + 1) / CALIBRATION_BINS];
    return [{ from, to, rows, mean_score: score / rows, positive_rate: positives / rows }];
  });
}
