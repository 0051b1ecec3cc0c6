// A breaker of one arm in one process: too many failures within ten seconds open it, and its requests go elsewhere without
// anybody being asked. After a cool-off one probe at a time says whether it may close.

/** Requests within the window before failures mean anything, and the share of them that opens it. */
export const BREAKER_REQUESTS = 20;
const FAILING_SHARE = 0.5;
const SLOT_MS = 100;
const SLOTS = 100;
/** The window: what is up to so old counts, to a slot's width. */
export const BREAKER_WINDOW_MS = SLOTS * SLOT_MS;
const [FIRST_COOL_OFF_MS, MOST_COOL_OFF_MS] = [5000, 60_000];
/** Closed for so long, it begins with the first cool-off again. */
const CALM_MS = 60_000;

/** Times are milliseconds of one clock that never goes back. Nothing here allocates, and each call takes constant time. */
export interface Breaker {
  /** Not to be used but for probes. */
  readonly isOpen: boolean;
  /** How often it has opened from closed. */
  readonly opens: number;
  /** When it opened; when the next probe is due. Of an open one. */
  readonly openedMs: number;
  readonly retryMs: number;
  /** A request has ended at the arm. True where it opened by that. Of an open one nothing is counted. */
  record(nowMs: number, isFailed: boolean): boolean;
  /** Whether a probe is to be sent now: the next is due only after another cool-off, whatever becomes of this one. */
  takesProbe(nowMs: number): boolean;
  /** What became of a probe. True where it closed by that. */
  probed(nowMs: number, isFailed: boolean): boolean;
}

export function createBreaker(): Breaker {
  return new SlottedBreaker();
}

// A class, since its counts are private and its methods are called for every request.
class SlottedBreaker implements Breaker {
  isOpen = false;
  opens = 0;
  openedMs = -Infinity;
  retryMs = -Infinity;
  readonly #requests = new Int32Array(SLOTS);
  readonly #failures = new Int32Array(SLOTS);
  #slot = 0;
  #total = 0;
  #failed = 0;
  #closedMs = -Infinity;
  #coolOffMs = FIRST_COOL_OFF_MS;

  record(nowMs: number, isFailed: boolean): boolean {
    if (this.isOpen) return false;
    this.#turnTo(Math.floor(nowMs / SLOT_MS));
    const at = this.#slot % SLOTS;
    this.#requests[at] = (this.#requests[at] as number) + 1;
    this.#total++;
    if (isFailed) {
      this.#failures[at] = (this.#failures[at] as number) + 1;
      this.#failed++;
    }
    if (this.#total < BREAKER_REQUESTS || this.#failed < this.#total * FAILING_SHARE) return false;
    const isCalm = nowMs - this.#closedMs >= CALM_MS;
    this.#coolOffMs = isCalm ? FIRST_COOL_OFF_MS : Math.min(MOST_COOL_OFF_MS, 2 * this.#coolOffMs);
    this.isOpen = true;
    this.opens++;
    this.openedMs = nowMs;
    this.retryMs = nowMs + this.#coolOffMs;
    return true;
  }

  takesProbe(nowMs: number): boolean {
    if (!this.isOpen || nowMs < this.retryMs) return false;
    this.retryMs = nowMs + this.#coolOffMs;
    return true;
  }

  probed(nowMs: number, isFailed: boolean): boolean {
    if (!this.isOpen) return false;
    if (isFailed) {
      this.#coolOffMs = Math.min(MOST_COOL_OFF_MS, 2 * this.#coolOffMs);
      this.retryMs = nowMs + this.#coolOffMs;
      return false;
    }
    this.isOpen = false;
    this.#closedMs = nowMs;
    this.#requests.fill(0);
    this.#failures.fill(0);
    this.#total = this.#failed = 0;
    return true;
  }

  // Takes what is too old out of the sums.
  #turnTo(slot: number): void {
    const passed = Math.min(SLOTS, slot - this.#slot);
    for (let i = 1; i <= passed; i++) {
      const at = (slot - passed + i) % SLOTS;
      this.#total -= this.#requests[at] as number;
      this.#failed -= this.#failures[at] as number;
      this.#requests[at] = this.#failures[at] = 0;
    }
    if (passed > 0) this.#slot = slot;
  }
}
