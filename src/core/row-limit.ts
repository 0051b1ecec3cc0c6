// How many rows a request may bring, said in one sentence wherever they are counted.

import { HeadraceError } from './headrace-error.ts';

/**
 * Throws HR_TOO_LARGE where `rows`, the request's member `path`, are more than `most`; `setting` is what raises it, where
 * something does.
 */
export function checkRowLimit(path: string, rows: { readonly length: number }, most: number, setting?: string): void {
  if (rows.length <= most) return;
  const raised = setting === undefined ? '' : ` (${setting})`;
  throw new HeadraceError(
    'HR_TOO_LARGE',
    `${path} has ${rows.length} rows, the limit is ${most}${raised}. Send them in parts.`,
  );
}
