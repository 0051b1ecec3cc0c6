// A holder's report that it lives, repeated for as long as it holds a log. In a topic it never has to be right for safety: the
// broker's fence is. But who was stopped for long asks the registry before it acknowledges anything, for brokers forget a fence
// that is a day old.

import { type Logger, messageOf } from '../core/index.ts';

export interface Lease {
  /** The registry said that another holds the log. */
  readonly isLost: boolean;
  /** Asks the registry. Throws HR_STORAGE_UNAVAILABLE. */
  confirm(): Promise<boolean>;
  /** True without asking where that was confirmed lately; where the registry is away nobody can have taken it over. */
  confirmIfStale(): Promise<boolean>;
  end(): void;
}

export interface LeaseOptions {
  readonly writer: number;
  readonly leaseMs: number;
  readonly logger: Logger;
  /** False when another is the holder. */
  beat(): Promise<boolean>;
}

/** So many beats fall into the time after which it counts as dead. */
const BEATS = 5;

export function openLease({ writer, leaseMs, logger, beat }: LeaseOptions): Lease {
  let confirmed = now();
  let isLost = false;
  let isBeating = false;
  let told = '';

  const confirm = async (): Promise<boolean> => {
    const asked = now();
    const isHeld = await beat();
    if (isHeld) confirmed = asked;
    else isLost = true;
    return isHeld;
  };

  const timer = setInterval(() => {
    if (isBeating || isLost) return;
    isBeating = true;
    confirm()
      .then(
        () => (told = ''),
        (error: unknown) => {
          const reason = messageOf(error);
          if (reason !== told) logger.warn({ writer, reason }, 'the registry does not learn that this writer lives');
          told = reason;
        },
      )
      .finally(() => (isBeating = false));
  }, leaseMs / BEATS).unref();

  const isStale = (): boolean => {
    const at = now();
    return Math.max(at.steadyMs - confirmed.steadyMs, at.wallMs - confirmed.wallMs) > leaseMs / 2;
  };

  return {
    get isLost() {
      return isLost;
    },
    confirm,
    confirmIfStale: async () => (isLost ? false : isStale() ? confirm().catch(() => true) : true),
    end: () => clearInterval(timer),
  };
}

/** Of a machine that slept the steady clock may have stood still: either says that time went by. */
function now(): { readonly steadyMs: number; readonly wallMs: number } {
  return { steadyMs: performance.now(), wallMs: Date.now() };
}
