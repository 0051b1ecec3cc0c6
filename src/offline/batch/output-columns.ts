// The columns of a batch's output, in order: the input's, the features where they are asked for, the model's outputs, and what
// made them.

import { didYouMean, HeadraceError } from '../../core/index.ts';
import type { ModelSpec, ResolvedService } from '../../definitions/index.ts';

/** After the outputs; `error` only where bad rows are marked. */
export const MODEL_COLUMNS = ['model', 'version', 'variant'] as const;
export const ERROR_OUTPUT = 'error';

/** DuckDB's own, of a row's place in a Parquet file, by which parts are read. */
export const ROW_NUMBER = 'file_row_number';

/** Throws HR_USAGE for a kept column that the input lacks, for two columns of one name, and for one of the input that is ROW_NUMBER. */
export function checkColumns(
  kept: readonly string[],
  inputColumns: readonly string[],
  made: {
    readonly service: ResolvedService;
    readonly spec: ModelSpec;
    readonly hasFeatures: boolean;
    readonly badRows: 'fail' | 'mark';
  },
): void {
  for (const name of kept) {
    if (inputColumns.includes(name)) continue;
    const sentence = `--columns names "${name}", which the input has not.${didYouMean(name, inputColumns)} It has ${inputColumns.join(', ')}.`;
    throw new HeadraceError('HR_USAGE', sentence);
  }
  const taken = inputColumns.find((name) => name.toLowerCase() === ROW_NUMBER);
  if (taken !== undefined) {
    const sentence = `the input has a column "${taken}", which is what DuckDB calls a row's place in a file. Rename it there.`;
    throw new HeadraceError('HR_USAGE', sentence);
  }
  const own = [
    ...(made.hasFeatures ? made.service.features.map(({ name }) => name) : []),
    ...made.spec.outputs.map(({ name }) => name),
    ...MODEL_COLUMNS,
    ...(made.badRows === 'mark' ? [ERROR_OUTPUT] : []),
  ];
  const seen = new Set(kept.map((name) => name.toLowerCase()));
  for (const name of own) {
    if (!seen.has(name.toLowerCase())) {
      seen.add(name.toLowerCase());
      continue;
    }
    const sentence = `the output would have two columns "${name}": the input's and the prediction's. Name the input's columns to keep without it (--columns), or rename it there.`;
    throw new HeadraceError('HR_USAGE', sentence);
  }
}
