// Whether an endpoint answers, by what became of its requests: one whose every request fails is not serving, whatever is
// loaded. Told once when it begins and once when it ends.

import { type HeadraceError, type Logger, type Micros, toldOutside } from '../core/index.ts';

export interface RequestTruth {
  /** At least one row was. */
  answered(): void;
  /** A failure of the server's own making that left no row answered: clients' mistakes and refusals when full are none. */
  failed(error: HeadraceError): void;
  /** Undefined while it answers, or nobody has asked lately. */
  failing(): Failing | undefined;
}

export interface Failing {
  readonly sinceMicros: Micros;
  readonly reason: string;
}

/** So many in a row, with no answer between. */
const LEAST_FAILURES = 3;
/** And for so long, where all that is known is that they came too late: a busy model drops several with each batch. */
const LEAST_LATE_MS = 1000;
/** What failed longer ago says nothing of now. */
const STALE_MS = 10_000;

/** `nowMs` is steady. */
export function createRequestTruth(
  endpoint: string,
  { logger, nowMicros, nowMs = () => performance.now() }: TruthDeps,
): RequestTruth {
  let count = 0;
  let late = 0;
  let sinceMicros = 0;
  let firstMs = -Infinity;
  let lastMs = -Infinity;
  let reason = '';
  let isTold = false;
  const fails = (atMs: number): boolean =>
    count >= LEAST_FAILURES && (count - late >= LEAST_FAILURES || atMs - firstMs >= LEAST_LATE_MS);
  return {
    answered() {
      if (count === 0) return;
      count = late = 0;
      if (isTold) logger.info({ endpoint }, 'endpoint answers again');
      isTold = false;
    },
    failed(error) {
      const atMs = nowMs();
      if (count === 0 || atMs - lastMs > STALE_MS) {
        count = late = 0;
        sinceMicros = nowMicros();
        firstMs = atMs;
      }
      count++;
      if (error.code === 'HR_DEADLINE') late++;
      lastMs = atMs;
      reason = `${error.code}: ${toldOutside(error).message}`;
      if (isTold || !fails(atMs)) return;
      isTold = true;
      logger.error({ endpoint, code: error.code, reason: error.message }, 'endpoint fails at every request');
    },
    failing() {
      const atMs = nowMs();
      return fails(atMs) && atMs - lastMs <= STALE_MS ? { sinceMicros, reason } : undefined;
    },
  };
}

export interface TruthDeps {
  readonly logger: Logger;
  readonly nowMicros: () => Micros;
  readonly nowMs?: () => number;
}
