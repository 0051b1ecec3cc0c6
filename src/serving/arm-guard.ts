// What keeps an arm that fails from answering: its breaker, the base that stands in while that is open, and the probes that say
// when it may close. The base itself has none: there is nothing else to answer by.

import { createScope, type ErrorCode, HeadraceError, type Micros, within } from '../core/index.ts';
import { failureKind } from '../monitoring/index.ts';
import type { Arm, ArmRow } from './arm.ts';
import type { Stage } from './deadlines.ts';
import type { HeldBreaker, OpenBreaker } from './breakers.ts';
import type { RequestRow } from './row-parser.ts';

/** Of an arm that is not the base. */
export interface ArmGuard {
  /** The arm's requests go to `standIn`. */
  readonly isOpen: boolean;
  /** The base, in the arm's name. */
  readonly standIn: Arm;
  /** A request has ended at the arm. `isAnswered`: as `ArmBatch`; `isPatient`: it was given as long as the server gives. */
  ended(nowMs: number, rows: readonly ArmRow[], isAnswered: boolean, isPatient: boolean): void;
  /** Rows of the arm were answered by `standIn`. Where a probe is due a copy of them goes to the arm, and no answer waits for it. */
  stoodIn(nowMs: number, requests: readonly RequestRow[], at: Micros): void;
  told(nowMs: number): OpenBreaker | undefined;
}

export interface GuardParts {
  readonly breaker: HeldBreaker;
  /** The base in the arm's place, which knows whose guard put it there. */
  readonly standIn: (guard: ArmGuard) => Arm;
  readonly limitMs: number;
  /** Keeps the arm until what it gives is called. */
  readonly hold: () => () => void;
}

/** Rows of a request that a probe copies. */
const PROBE_ROWS = 16;

export function guardArm(arm: Arm, { breaker, standIn, limitMs, hold }: GuardParts): ArmGuard {
  const probe = async (requests: readonly RequestRow[], at: Micros): Promise<void> => {
    const release = hold();
    const startMs = performance.now();
    let verdict: boolean | undefined;
    try {
      const scope = createScope({ ...PROBE, deadlineMs: startMs + limitMs });
      const stage: Stage = { now: 'the model ran', rows: requests.length, isProbe: true };
      const late = (): ArmRow[] => [{ error: new HeadraceError('HR_DEADLINE', 'the probe took too long.') }];
      const rows = await within(Promise.resolve(arm.run(requests, scope, at, stage)), limitMs, late);
      verdict = isFailing(rows, true, true);
    } catch (thrown) {
      verdict = thrown instanceof HeadraceError ? isFailing([{ error: thrown }], true, true) : true;
    } finally {
      release();
    }
    // What says nothing of the arm leaves it to the next probe.
    if (verdict !== undefined) breaker.probed(performance.now(), verdict);
  };
  let stand: Arm | undefined;
  const guard: ArmGuard = {
    get isOpen() {
      return breaker.isOpen;
    },
    get standIn() {
      return (stand ??= standIn(guard));
    },
    ended(nowMs, rows, isAnswered, isPatient) {
      const verdict = isFailing(rows, isAnswered, isPatient);
      if (verdict !== undefined) breaker.record(nowMs, verdict);
    },
    stoodIn(nowMs, requests, at) {
      if (breaker.takesProbe(nowMs)) void probe(requests.slice(0, PROBE_ROWS), at);
    },
    told: (nowMs) => breaker.told(nowMs),
  };
  return guard;
}

const PROBE = {
  requestId: 'probe',
  traceId: null,
  actor: { name: 'headrace', roles: new Set<never>(), endpoints: null },
  priority: 'batch',
  span: undefined,
} as const;

/** Others' faults that every arm meets alike: they say nothing of this one. */
const OF_ALL_ARMS: ReadonlySet<ErrorCode> = new Set([
  'HR_ONLINE_UNAVAILABLE',
  'HR_OTHER_REGISTRY',
  'HR_STORAGE_UNAVAILABLE',
  'HR_STOPPING',
]);

/**
 * Whether the arm failed a request: by its own fault it left the request without an answer, or half of the rows without theirs.
 * Undefined where the request says nothing of the arm: the client's mistake, too much to do, a store that is away.
 */
export function isFailing(rows: readonly ArmRow[], isAnswered: boolean, isPatient: boolean): boolean | undefined {
  let [answered, failed] = [0, 0];
  for (let i = 0; i < rows.length; i++) {
    const { error } = rows[i] as ArmRow;
    if (error === undefined) answered++;
    else if (isOwnFault(error.code, isPatient)) failed++;
  }
  if (answered + failed === 0) return undefined;
  return failed > 0 && (!isAnswered || 2 * failed >= rows.length);
}

// A deadline that is shorter than the server's own says more of the client than of the arm.
function isOwnFault(code: ErrorCode, isPatient: boolean): boolean {
  return failureKind(code) === 'failed' && !OF_ALL_ARMS.has(code) && (isPatient || code !== 'HR_DEADLINE');
}
