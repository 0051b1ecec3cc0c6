// How good predictions were, as figures: of rows whose outcome is known, and estimated for those whose is not.

/** What is predicted: the chance that something is so, a number, or a word. */
export type Task = 'chance' | 'number' | 'label';

/** Of the rows with an outcome. What a task has not is left out; AUC is null where all outcomes are alike. */
export interface Figures {
  readonly auc?: number | null;
  readonly log_loss?: number;
  readonly brier?: number;
  /** Expected calibration error over ten bins of the score. */
  readonly calibration_error?: number;
  readonly accuracy?: number;
  readonly mae?: number;
  readonly rmse?: number;
  /** Mean of prediction − outcome. */
  readonly bias?: number;
}

/** Standard errors of the figures that alerts go by. */
export type FigureErrors = Readonly<Partial<Record<keyof Figures, number>>>;

/**
 * Without outcomes, of all rows: what the figures would be if the scores were chances. It sees a shift of inputs, and is blind
 * to a world in which the same inputs come to something else (concept drift).
 */
export interface EstimatedFigures {
  readonly auc: number | null;
  readonly log_loss: number;
  readonly brier: number;
  readonly accuracy: number;
}

export interface CalibrationBin {
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  readonly mean_score: number;
  readonly mean_outcome: number;
}

/** Whether a greater figure is a better one. */
export const IS_GREATER_BETTER: Readonly<Record<keyof Figures, boolean>> = {
  auc: true,
  accuracy: true,
  log_loss: false,
  brier: false,
  calibration_error: false,
  mae: false,
  rmse: false,
  bias: false,
};

/** By name: what alerts of quality are of. */
export const QUALITY_FIGURES: readonly string[] = Object.keys(IS_GREATER_BETTER);

/** By task, the figure that alerts go by, where the version was registered with none of its figures. */
export const MAIN_FIGURE: Readonly<Record<Task, keyof Figures>> = { chance: 'auc', number: 'mae', label: 'accuracy' };
