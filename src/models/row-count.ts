// Whether a run gave a row for each that it was given: where it did not, nobody knows whose its rows are.

import { counted } from '../core/index.ts';
import type { Signature, Tensor } from './tensor.ts';

/** What an output has instead, as the end of a sentence; `outputs` are in the signature's order. Undefined where all have `rows` rows. */
export function rowCountMistake(
  { outputs: specs }: Signature,
  outputs: readonly Tensor[],
  rows: number,
): string | undefined {
  const wrong = outputs.findIndex(({ shape }) => shape[0] !== rows);
  if (wrong < 0) return undefined;
  const given = outputs[wrong]?.shape[0];
  return `gave ${given === undefined ? 'no rows' : counted(given, 'row')} of "${specs[wrong]?.name ?? ''}" for ${counted(rows, 'row')}`;
}
