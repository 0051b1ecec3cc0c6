// What becomes of rows that fail: the error names its row, and a request fails as a whole where none of it can stand alone.

import { type ErrorDetail, HeadraceError, MOST_MISTAKES } from '../core/index.ts';

/** An error of one row, which says which. */
export function rowError(path: string, place: number, error: HeadraceError): HeadraceError {
  const at = `${path}[${place}]`;
  if (error.details.some((detail) => detail.path.startsWith(at))) return error;
  return new HeadraceError(error.code, `${at}: ${error.message}`, {
    details: [{ path: at, message: error.message }],
    cause: error.cause ?? error,
    where: error.where,
  });
}

interface Row {
  readonly error?: HeadraceError | undefined;
}

/** Why the request as a whole fails; undefined when it is answered. */
export function failedRows(rows: readonly Row[], isPartial: boolean): HeadraceError | undefined {
  const errors: HeadraceError[] = [];
  for (const { error } of rows) if (error !== undefined) errors.push(error);
  const [first] = errors;
  if (first === undefined) return undefined;
  // What has nothing to do with a row is the request's: a full queue, a store that is away.
  if (isPartial && !(errors.length === rows.length && errors.every(({ code }) => WHOLE.has(code)))) return undefined;
  const details = errors.flatMap((error) => error.details);
  if (WHOLE.has(first.code)) return new HeadraceError(first.code, withoutRow(first), { cause: first.cause ?? first });
  if (errors.length === 1) return first;
  return new HeadraceError(first.code, `${first.message} (and ${errors.length - 1} more rows)`, {
    details: cut(details),
    cause: first.cause ?? first,
    where: first.where,
  });
}

const WHOLE: ReadonlySet<HeadraceError['code']> = new Set([
  'HR_OVERLOADED',
  'HR_DEADLINE',
  'HR_CANCELLED',
  'HR_ONLINE_UNAVAILABLE',
  'HR_STORAGE_UNAVAILABLE',
  'HR_MODEL_NOT_READY',
]);

function withoutRow(error: HeadraceError): string {
  return error.details[0]?.message ?? error.message;
}

function cut(details: readonly ErrorDetail[]): readonly ErrorDetail[] {
  return details.slice(0, MOST_MISTAKES);
}
