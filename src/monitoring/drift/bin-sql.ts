// A value's bin, in SQL: the same words for the training set and for the log.

import { quoteText } from '../../storage/index.ts';
import type { FeatureReference } from './reference.ts';

/** `value`: of numbers a DOUBLE, else a VARCHAR; null where there is none, and then so is the bin. */
export function binSql(
  { kind, edges, categories }: Pick<FeatureReference, 'kind' | 'edges' | 'categories'>,
  value: string,
): string {
  if (
    kind === 'opaque' ||
    (kind === 'number' && edges.length === 0) ||
    (kind === 'category' && categories.length === 0)
  )
    return `CASE WHEN ${value} IS NULL THEN NULL ELSE 0 END`;
  // NaN is over all numbers in DuckDB, as in the reference's last bin.
  const cases =
    kind === 'number'
      ? edges.map((edge, bin) => `WHEN ${value} <= ${doubleSql(edge)} THEN ${bin}`)
      : categories.map((category, bin) => `WHEN ${value} = ${quoteText(category)} THEN ${bin}`);
  return `CASE WHEN ${value} IS NULL THEN NULL ${cases.join(' ')} ELSE ${cases.length} END`;
}

/** As text, which is read to the last digit; a literal with a point would be a decimal. */
const doubleSql = (value: number): string => `'${value}'::DOUBLE`;
