// The clock that pushes are stamped and folded by: this server's, but never more than a minute past the online store's. A
// server whose clock is ahead would stamp known times that no reader's clock has come to: its pushes would be hidden, and
// hide what was there before.

import { type Clock, formatDuration, type Logger, type Micros, MICROS_PER_MINUTE } from '../core/index.ts';
import type { OnlineStore } from '../online/index.ts';

export interface ArrivalClock extends Clock {
  /**
   * To be called before a push is stamped. Gives a promise only where the store is to be asked first: at the first push, and
   * while this server's clock seems to be ahead. Else the store is asked beside pushes: none waits for a round trip more.
   */
  check(): Promise<void> | undefined;
}

/** As much ahead as readers allow: what is stamped so is read at once. */
export const MOST_AHEAD_MICROS = MICROS_PER_MINUTE;
/** What the store said is taken to be so long; time that passes meanwhile is counted by the monotonic clock. */
const ASK_EVERY_MS = 10_000;

interface Asked {
  readonly storeMicros: Micros;
  readonly atMs: number;
}

/**
 * `nowMs`: monotonic. While the store cannot say its time, and has not said it before, this server's clock is taken: what it
 * stamps is not read before the store is there anyway.
 */
export function createArrivalClock(
  clock: Clock,
  store: Pick<OnlineStore, 'nowMicros'>,
  logger: Logger,
  nowMs: () => number = () => performance.now(),
): ArrivalClock {
  let asked: Asked | undefined;
  let asking: Promise<void> | undefined;
  /** Whether the store answers without a round trip, as LMDB does: then it is asked at each push. */
  let isAtHand = false;
  let isAhead = false;

  const take = (storeMicros: Micros): void => {
    asked = { storeMicros, atMs: nowMs() };
  };

  /** Never rejects: the store's failures are for those who write to it. */
  const ask = (): Promise<void> | undefined => {
    if (asking !== undefined) return asking;
    const answer = store.nowMicros();
    isAtHand = typeof answer === 'number';
    if (typeof answer === 'number') {
      take(answer);
      return undefined;
    }
    asking = answer.then(take, () => {}).finally(() => (asking = undefined));
    return asking;
  };

  const limit = (own: Micros): Micros => {
    // What is not too far past the store's last answer is not too far past its time now. This is the case of nearly every call,
    // and the calls are several a push.
    if (asked !== undefined && own - asked.storeMicros <= MOST_AHEAD_MICROS) return own;
    if (isAtHand) void ask();
    if (asked === undefined) return own;
    const stored = asked.storeMicros + Math.round((nowMs() - asked.atMs) * 1000);
    return own - stored > MOST_AHEAD_MICROS ? stored : own;
  };

  const limited = (): Micros => limit(clock.nowMicros());

  const report = (): void => {
    const aheadMicros = clock.nowMicros() - limited();
    const wasAhead = isAhead;
    isAhead = aheadMicros > 0;
    if (isAhead === wasAhead) return;
    if (!isAhead) {
      logger.info({}, "this server's clock is right again; pushes are stamped by it");
      return;
    }
    const ahead = formatDuration(Math.round(aheadMicros / 1e6) * 1e6);
    logger.warn(
      { ahead },
      `this server's clock is ${ahead} ahead of the online store's: pushes are stamped by the store's clock until it is right`,
    );
  };

  const checkAgain = async (): Promise<void> => {
    await ask();
    report();
  };

  return {
    nowMicros: limited,
    check() {
      // Its time may have gone back since the push before.
      if (isAtHand) void ask();
      const own = clock.nowMicros();
      if (asked === undefined || isAhead || own > limit(own)) return checkAgain();
      if (nowMs() - asked.atMs >= ASK_EVERY_MS) void ask();
      return undefined;
    },
  };
}
