// What `Accept` asks for: Parquet, unless an Arrow stream is named with a greater weight, or before it.

import { weightOf } from '../arrow-form.ts';
import { ARROW, PARQUET } from './media-types.ts';

export function prefersArrow(accept = ''): boolean {
  const [arrow, parquet] = [weightOf(accept, ARROW), weightOf(accept, PARQUET)];
  if (arrow !== parquet) return arrow > parquet;
  const types = accept.toLowerCase();
  return arrow > 0 && types.indexOf(ARROW) < types.indexOf(PARQUET);
}
