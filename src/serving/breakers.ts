// The breakers of one process, each for as long as a plan has its arm: one that is open stays so over a change of traffic, and
// over an apply that leaves the arm as it is.

import type { Clock, Logger, Micros } from '../core/index.ts';
import type { ArmMeter } from '../monitoring/index.ts';
import { type Breaker, createBreaker } from './breaker.ts';

/** Whose breaker it is. */
export interface BreakerOf {
  readonly endpoint: string;
  readonly variant: string;
  readonly version: number;
  /** The arm's id. */
  readonly arm: string;
}

export interface Breakers {
  /** The arm's own, whoever else holds it. */
  hold(of: BreakerOf, meter: Pick<ArmMeter, 'broke'>): HeldBreaker;
}

export interface HeldBreaker extends Pick<Breaker, 'isOpen' | 'takesProbe'> {
  /** As a breaker's, and told to log and metrics where it opens or closes. */
  record(nowMs: number, isFailed: boolean): void;
  probed(nowMs: number, isFailed: boolean): void;
  /** Undefined while it is closed. */
  told(nowMs: number): OpenBreaker | undefined;
  release(): void;
}

/** A breaker that is open, for people. */
export interface OpenBreaker {
  readonly variant: string;
  readonly version: number;
  readonly sinceMicros: Micros;
  /** When the arm is probed next. */
  readonly probeMicros: Micros;
}

interface Entry {
  readonly breaker: Breaker;
  holders: number;
}

export function createBreakers({
  clock,
  logger,
}: {
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn' | 'info'>;
}): Breakers {
  const entries = new Map<string, Entry>();
  return {
    hold(of, meter) {
      const { endpoint, variant, version } = of;
      const key = JSON.stringify([endpoint, variant, of.arm]);
      let entry = entries.get(key);
      if (entry === undefined) entries.set(key, (entry = { breaker: createBreaker(), holders: 0 }));
      entry.holders++;
      const held = entry;
      const { breaker } = held;
      let isHeld = true;
      return {
        get isOpen() {
          return breaker.isOpen;
        },
        takesProbe: (nowMs) => breaker.takesProbe(nowMs),
        record(nowMs, isFailed) {
          if (!breaker.record(nowMs, isFailed)) return;
          meter.broke();
          const coolOffMs = breaker.retryMs - nowMs;
          logger.warn({ endpoint, variant, version, coolOffMs }, 'a variant fails: its requests go to the base');
        },
        probed(nowMs, isFailed) {
          if (breaker.probed(nowMs, isFailed))
            logger.info({ endpoint, variant, version }, 'a variant answers again: its requests go to it');
        },
        told(nowMs) {
          if (!breaker.isOpen) return undefined;
          const at = (ms: number): Micros => clock.nowMicros() + Math.round((ms - nowMs) * 1000);
          return { variant, version, sinceMicros: at(breaker.openedMs), probeMicros: at(breaker.retryMs) };
        },
        release() {
          if (!isHeld) return;
          isHeld = false;
          if (--held.holders === 0) entries.delete(key);
        },
      };
    },
  };
}
