// Errors as Feast's server tells them and its clients raise them again: a JSON string that holds the name of a class of
// `feast.errors`, and the sentence. https://github.com/feast-dev/feast/blob/master/sdk/python/feast/errors.py

import { type ErrorCode, HeadraceError } from '../../core/index.ts';

/** Classes of `feast.errors` in all versions that have a remote online store. */
type FeastClass =
  | 'FeastError'
  | 'FeastPermissionError'
  | 'FeatureNameCollisionError'
  | 'FeatureServiceNotFoundException'
  | 'FeatureViewNotFoundException'
  | 'PushSourceNotFoundException'
  | 'RequestDataNotFoundInEntityRowsException';

const CLASSES: Partial<Record<ErrorCode, FeastClass>> = {
  HR_UNKNOWN_SERVICE: 'FeatureServiceNotFoundException',
  HR_UNKNOWN_VIEW: 'FeatureViewNotFoundException',
  HR_UNKNOWN_SOURCE: 'PushSourceNotFoundException',
  HR_UNAUTHENTICATED: 'FeastPermissionError',
  HR_FORBIDDEN: 'FeastPermissionError',
};

const named = new WeakMap<object, FeastClass>();

/** The error with the class that Feast has for it, where its code alone does not tell. */
export function inFeastsName(name: FeastClass, error: HeadraceError): HeadraceError {
  named.set(error, name);
  return error;
}

/** The class that a client raises. */
export function feastClassOf(thrown: unknown): FeastClass {
  if (!(thrown instanceof HeadraceError)) return 'FeastError';
  return named.get(thrown) ?? CLASSES[thrown.code] ?? 'FeastError';
}

/** The body before it becomes JSON itself. `sentence` may be shown to whoever asked. */
export function feastDetail(thrown: unknown, code: string, sentence: string): string {
  return JSON.stringify({ module: 'feast.errors', class: feastClassOf(thrown), message: `${code}: ${sentence}` });
}
