// CBPE, confidence-based performance estimation: what a classifier's confusion matrix is expected to be before labels
// come, from its scores alone. It takes the scores for calibrated, so it can't see concept drift: only a shift of inputs.

/** Expected counts; they need not be whole. */
export interface Confusion {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly trueNegatives: number;
  readonly falseNegatives: number;
}

export interface ConfusionFigures {
  readonly accuracy: number;
  /** Null where nothing is predicted positive. */
  readonly precision: number | null;
  /** Null where nothing is positive. */
  readonly recall: number | null;
  readonly f1: number | null;
}

/**
 * A row with the calibrated chance s of being positive, predicted positive where s ≥ threshold, is s of a true positive and 1 − s of a
 * false one; below it, 1 − s of a true negative and s of a false one (NannyML's CBPE; Guo et al. 2017 on calibration).
 */
export function expectedConfusion(scores: ArrayLike<number>, threshold = 0.5): Confusion {
  let truePositives = 0;
  let falsePositives = 0;
  let trueNegatives = 0;
  let falseNegatives = 0;
  for (let i = 0; i < scores.length; i++) {
    const s = scores[i] as number;
    if (s >= threshold) {
      truePositives += s;
      falsePositives += 1 - s;
    } else {
      trueNegatives += 1 - s;
      falseNegatives += s;
    }
  }
  return { truePositives, falsePositives, trueNegatives, falseNegatives };
}

/** The figures of a confusion matrix, expected or realised. Of no rows the accuracy is NaN. */
export function confusionFigures(counts: Confusion): ConfusionFigures {
  const { truePositives: tp, falsePositives: fp, trueNegatives: tn, falseNegatives: fn } = counts;
  return {
    accuracy: (tp + tn) / (tp + fp + tn + fn),
    precision: tp + fp > 0 ? tp / (tp + fp) : null,
    recall: tp + fn > 0 ? tp / (tp + fn) : null,
    f1: 2 * tp + fp + fn > 0 ? (2 * tp) / (2 * tp + fp + fn) : null,
  };
}
