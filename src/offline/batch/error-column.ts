// Rows of a batch that can't be predicted: where the reason stands, and what to do.

/** Why a row has no prediction: the error's code and sentence, as `HR_SPINE: …`. */
export const ERROR_COLUMN = '__hr_error';

export const BAD_ROW_ADVICE = 'Correct it, or let --on-error column write the reason into a column of the output.';
