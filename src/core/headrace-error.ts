// An error of the catalogue, as it is thrown.

import { type ErrorCode, ERRORS } from './errors.ts';
import { messageOf } from './message-of.ts';

/** One of several mistakes that a single error reports: where (a path such as `rows[2].distance`) and what. */
export interface ErrorDetail {
  readonly path: string;
  readonly message: string;
  /** For a mistake in a user's source: the file, relative to the feature repository, and the place in it, from 1. */
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

export interface HeadraceErrorOptions {
  readonly details?: readonly ErrorDetail[];
  readonly cause?: unknown;
  readonly where?: string | undefined;
  readonly parts?: readonly HeadraceError[];
}

/** An error of the catalogue. Its message says what came, what was expected and what to do; it holds no secret. */
export class HeadraceError extends Error {
  readonly code: ErrorCode;
  readonly details: readonly ErrorDetail[];
  /** Of HR_TRANSFORM_FAILED: which of the user's functions it was, by names alone. */
  readonly where: string | undefined;
  /** Of several rows' errors in one: each of them. Whoever redacts it redacts each by its own code (`retold`). */
  readonly parts: readonly HeadraceError[];

  constructor(code: ErrorCode, message: string, options: HeadraceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HeadraceError';
    this.code = code;
    this.details = options.details ?? [];
    this.where = options.where;
    this.parts = options.parts ?? [];
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** Any thrown thing as an error of the catalogue; what isn't one is HR_INTERNAL with the original as its cause. */
export function toHeadraceError(thrown: unknown): HeadraceError {
  if (thrown instanceof HeadraceError) return thrown;
  const message = messageOf(thrown);
  return new HeadraceError('HR_INTERNAL', message, { cause: thrown });
}
