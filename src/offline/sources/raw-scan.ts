// A source's rows as its kind of file gives them, before derivation.

/** Declared columns, `__hr_row`, `__hr_arrival`, `__hr_arrived`. */
export interface RawScan {
  readonly relation: string;
  readonly files: readonly string[];
}

/** Rows of one file: a row's number is its file's place times this, plus its place in the file. */
export const ROWS_PER_FILE = 2 ** 36;
