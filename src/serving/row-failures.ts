// What becomes of rows that fail: the error names its row, and a request fails as a whole where none of it can stand alone.

import { HeadraceError, joinErrors } from '../core/index.ts';
import { type FailureKind, failureKind } from '../monitoring/index.ts';

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

/**
 * Why the request as a whole fails; undefined when it is answered. Its code is of the row that says most of the server: what
 * failed here goes before what there was no room for, and that before a client's mistake; among equals the first row's.
 */
export function failedRows(rows: readonly Row[], isPartial: boolean): HeadraceError | undefined {
  const errors: HeadraceError[] = [];
  for (const { error } of rows) if (error !== undefined) errors.push(error);
  if (errors.length === 0) return undefined;
  // What has nothing to do with a row is the request's: a full queue, a store that is away.
  if (isPartial && !(errors.length === rows.length && errors.every(({ code }) => WHOLE.has(code)))) return undefined;
  const kinds = errors.map(({ code }) => failureKind(code));
  const worst = BY_WEIGHT.find((kind) => kinds.includes(kind));
  const lead = worst === undefined ? 0 : kinds.indexOf(worst);
  const first = errors[lead] as HeadraceError;
  if (WHOLE.has(first.code)) return new HeadraceError(first.code, withoutRow(first), { cause: first.cause ?? first });
  return joinErrors(errors, lead);
}

const BY_WEIGHT: readonly FailureKind[] = ['failed', 'rejected', 'refused'];

const WHOLE: ReadonlySet<HeadraceError['code']> = new Set([
  'HR_OVERLOADED',
  'HR_DEADLINE',
  'HR_CANCELLED',
  'HR_ONLINE_UNAVAILABLE',
  'HR_OTHER_REGISTRY',
  'HR_STORAGE_UNAVAILABLE',
  'HR_MODEL_NOT_READY',
]);

function withoutRow(error: HeadraceError): string {
  return error.details[0]?.message ?? error.message;
}
