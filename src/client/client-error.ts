// The one error that a client throws: the server's own, by its code, or one of the client's.

/** Codes of the client's own; all others are the server's. */
export type ClientCode =
  /** No connection to the server: the request did not leave. */
  | 'HR_UNREACHABLE'
  /** The connection broke before the answer was here. */
  | 'HR_CONNECTION_LOST'
  /** No answer within `timeoutMs`. */
  | 'HR_TIMEOUT'
  /** What answered is no Headrace server: a balancer's page, say. */
  | 'HR_UNEXPECTED_ANSWER'
  /** An int64 past 2^53 where `int64: 'number'` was asked for. */
  | 'HR_LOST_DIGITS';

/** One mistake of a request: where, such as `inputs[2].amount`, and what was wrong. */
export interface Mistake {
  readonly path: string;
  readonly message: string;
}

export interface ClientErrorParts {
  readonly code: string;
  readonly status?: number | undefined;
  readonly errors?: readonly Mistake[] | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/**
 * Thrown by every call, but where the caller's own signal ended it: that throws the signal's reason, as fetch does; and where the
 * function that gives the key throws. It holds no key.
 */
export class HeadraceClientError extends Error {
  override readonly name = 'HeadraceClientError';
  /** Of the server's catalogue, such as `HR_INVALID`, or a ClientCode. */
  readonly code: string;
  /** Of HTTP; undefined where there was no answer. */
  readonly status: number | undefined;
  /** Each mistake of the request, by row and column. */
  readonly errors: readonly Mistake[];
  /** Under which the server's log has it. */
  readonly requestId: string | undefined;
  /** How long the server asks to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** How often the request was sent. */
  attempts = 0;

  constructor(message: string, { code, status, errors = [], requestId, retryAfterMs, cause }: ClientErrorParts) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
    this.errors = errors;
    this.requestId = requestId;
    this.retryAfterMs = retryAfterMs;
  }
}
