// When a request is sent again: pure, so that every way things can go is tried on it without a clock.

/** How one try failed. */
export type Failure =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly code: string;
      readonly retryAfterMs: number | undefined;
    }
  /** There was no connection: the server can't have seen it. */
  | { readonly kind: 'unsent' }
  /** The connection broke: whether the server saw it is not known. */
  | { readonly kind: 'lost' };

export interface Tries {
  /** Sent so often by now, 1 after the first. */
  readonly made: number;
  /** Until the deadline. */
  readonly leftMs: number;
  /** How often it may be sent again at most. */
  readonly retries: number;
  /** Whether sent twice it does the same as once: reads, and writes that the server knows again. */
  readonly isRepeatable: boolean;
  /** From 0 up to 1. */
  readonly chance: number;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;

/** Milliseconds to wait before it is sent again; undefined where it is not: the failure is the call's. */
export function waitBeforeRetry(
  failure: Failure,
  { made, leftMs, retries, isRepeatable, chance }: Tries,
): number | undefined {
  if (made > retries || !mayRepeat(failure, isRepeatable)) return undefined;
  const backoff = chance * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (made - 1));
  const asked = failure.kind === 'answer' ? (failure.retryAfterMs ?? 0) : 0;
  const wait = asked + backoff;
  return wait < leftMs ? wait : undefined;
}

function mayRepeat(failure: Failure, isRepeatable: boolean): boolean {
  switch (failure.kind) {
    case 'unsent':
      return true;
    case 'lost':
      return isRepeatable;
    case 'answer': {
      const { status, code, retryAfterMs } = failure;
      // The server refused it before it began, and says when to come again.
      if ((status === 429 || status === 503) && retryAfterMs !== undefined) return true;
      // A gateway's word, mostly, on a server that it lost. The server's own on its deadline stands.
      return isRepeatable && [429, 502, 503, 504].includes(status) && code !== 'HR_DEADLINE';
    }
  }
}

/** Of `Retry-After`: seconds, or a date by the caller's clock. Undefined where there is none that can be read. */
export function parseRetryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  const text = value.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // A date begins with its day's name: `Date.parse` reads more, `1.5` as a day in January.
  const at = /^[A-Za-z]/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
