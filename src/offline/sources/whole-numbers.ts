// Whole numbers out of columns of floats, decimals and text, whose values may be none: asked of DuckDB as conditions, so that
// what reads a column and what looks for its bad value afterwards ask the same.

export interface WholeNumbers {
  /** Whether a value has a fraction. Null for a null. */
  hasFraction(expression: string): string;
  /** Whether a value without one may have lost its last digits. Never null but for floats' null. */
  hasLost(expression: string): string;
  /** What a value is that has. */
  readonly lost: string;
}

/** Of columns of DuckDB's type `from`; undefined for types that have whole numbers alone, or no numbers. */
export function wholeNumbersOf(from: string): WholeNumbers | undefined {
  return from.startsWith('DECIMAL') ? DECIMALS : READ[from];
}

/** Whether a value that is not null is no whole number of DuckDB's type `to`: NaN and infinity are none either. */
export function isNoWhole({ hasFraction, hasLost }: WholeNumbers, expression: string, to: string): string {
  return `(${hasLost(expression)} OR coalesce(${hasFraction(expression)}, false) OR TRY_CAST(${expression} AS ${to}) IS NULL)`;
}

/**
 * Past the whole numbers that a float tells apart, an id is its neighbour's: 9007199254740993 became 9007199254740992 on its way
 * (pandas makes a column with nulls so, and writes its floats to CSV with a point or an exponent).
 */
const floats = (name: string, digits: number): WholeNumbers => ({
  hasFraction: fractionIn,
  hasLost: (expression) => `(abs(${expression}) >= ${2 ** digits} AND isfinite(${expression}))`,
  lost: `a ${name} past 2^${digits}, which has lost its last digits: give whole numbers, or text`,
});

/** They keep all digits. */
const DECIMALS: WholeNumbers = { hasFraction: fractionIn, hasLost: () => 'false', lost: '' };

const READ: Readonly<Record<string, WholeNumbers>> = {
  DOUBLE: floats('float64', 53),
  FLOAT: floats('float32', 24),
  VARCHAR: {
    hasFraction: fractionInText,
    hasLost: (expression) =>
      `(regexp_matches(${expression}, '[.eE]') AND coalesce(abs(TRY_CAST(${expression} AS DOUBLE)) >= ${2 ** 53} AND NOT ${fractionInText(expression)}, false))`,
    lost: 'a float past 2^53, which may have lost its last digits: write it without a point and an exponent',
  },
};

function fractionIn(expression: string): string {
  return `${expression} <> trunc(${expression})`;
}

/**
 * Whether a text holds a number with a fraction: by its digits, as a double would lose that of a large one; by the
 * double's value where there is an exponent (15e-1). Null for a null.
 */
export function fractionInText(expression: string): string {
  const double = `TRY_CAST(${expression} AS DOUBLE)`;
  return (
    `(regexp_full_match(${expression}, '\\s*[+-]?[0-9_]*\\.[0-9_]*[1-9][0-9_]*\\s*') OR ` +
    `(regexp_matches(${expression}, '[eE]') AND coalesce(${double} <> trunc(${double}), false)))`
  );
}
