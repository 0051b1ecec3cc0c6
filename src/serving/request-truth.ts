// Whether an endpoint answers, by what became of its requests: one whose every request fails is not serving, whatever is
// loaded. Told once when it begins and once when it ends.

import { ERRORS, type HeadraceError, type Logger, type Micros, toldOutside } from '../core/index.ts';

export interface RequestTruth {
  /** At least one row was. */
  answered(): void;
  /** A failure of the server's own making that left no row answered: clients' mistakes and refusals when full are none. */
  failed(error: HeadraceError): void;
  /** Undefined while it answers, and where what failed may have passed since. */
  failing(): Failing | undefined;
  /** What came before was another version's, or other traffic's. */
  begin(): void;
}

export interface Failing {
  readonly sinceMicros: Micros;
  readonly reason: string;
}

/** So many in a row, with no answer between, and for so long: one version of several may fail a few times in a row. */
const LEAST_FAILURES = 3;
const LEAST_MS = 1000;
/** So many need no time, unless they came too late: a busy model drops many with each batch. */
const ENOUGH_FAILURES = 10;
/** What may pass by itself (503, 504) and was longer ago says nothing of now; what a model or a function did it does again. */
const STALE_MS = 10_000;

/** `nowMs` is steady. */
export function createRequestTruth(
  endpoint: string,
  { logger, nowMicros, nowMs = () => performance.now() }: TruthDeps,
): RequestTruth {
  let count = 0;
  /** Of them, those that came too late, and those that may pass by themselves. */
  let late = 0;
  let passing = 0;
  let sinceMicros = 0;
  let firstMs = -Infinity;
  let lastMs = -Infinity;
  let reason = '';
  let isTold = false;
  const fails = (atMs: number): boolean =>
    count >= LEAST_FAILURES && (count - late >= ENOUGH_FAILURES || atMs - firstMs >= LEAST_MS);
  const mayHavePassed = (atMs: number): boolean => passing === count && atMs - lastMs > STALE_MS;
  return {
    answered() {
      if (count === 0) return;
      count = late = passing = 0;
      if (isTold) logger.info({ endpoint }, 'endpoint answers again');
      isTold = false;
    },
    failed(error) {
      const atMs = nowMs();
      if (count === 0 || mayHavePassed(atMs)) {
        count = late = passing = 0;
        sinceMicros = nowMicros();
        firstMs = atMs;
      }
      count++;
      if (error.code === 'HR_DEADLINE') late++;
      if (ERRORS[error.code].status >= 503) passing++;
      lastMs = atMs;
      reason = `${error.code}: ${toldOutside(error).message}`;
      if (isTold || !fails(atMs)) return;
      isTold = true;
      logger.error({ endpoint, code: error.code, reason: error.message }, 'endpoint fails at every request');
    },
    failing() {
      const atMs = nowMs();
      return fails(atMs) && !mayHavePassed(atMs) ? { sinceMicros, reason } : undefined;
    },
    begin() {
      count = late = passing = 0;
      isTold = false;
    },
  };
}

export interface TruthDeps {
  readonly logger: Logger;
  readonly nowMicros: () => Micros;
  readonly nowMs?: () => number;
}
