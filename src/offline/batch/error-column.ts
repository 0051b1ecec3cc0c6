// Rows of a batch that can't be predicted: where it is told, and what to do.

/** Why a row has no prediction: the error's code and sentence, as `HR_SPINE: …`. */
export const ERROR_COLUMN = '__hr_error';

export const BAD_ROW_ADVICE = 'Correct it, or let such rows be told of in a column of the output (--on-error column).';
