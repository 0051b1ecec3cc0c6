// A process that was stopped for long still holds what it served then: view versions that were removed meanwhile among it.
// It looks at the registry before it answers anything.

import { within } from '../core/index.ts';

export interface Wake {
  /** To be called at every tick of a timer, which a stopped process has not. */
  tick(): void;
  /** Undefined while awake; else resolves once a look has ended, or as long as one may take has passed. Never rejects. */
  awake(): Promise<void> | undefined;
}

/** Far below the ten minutes of silence after which a server is taken for gone, and what it read may be removed. */
const SLEPT_MS = 30_000;
/** While the registry is away, a server goes on with what it has. */
const LOOK_LIMIT_MS = 2000;

/** `look` looks at the registry from now on; `nowMs` is steady. */
export function createWake(
  look: () => Promise<unknown>,
  nowMs: () => number = () => performance.now(),
  lookLimitMs = LOOK_LIMIT_MS,
): Wake {
  let lastMs = nowMs();
  let looking: Promise<void> | undefined;
  const awake = (): Promise<void> | undefined => {
    if (looking === undefined && nowMs() - lastMs > SLEPT_MS) {
      const looked = look().then(
        () => {},
        () => {},
      );
      looking = within(looked, lookLimitMs).then(() => {
        looking = undefined;
        lastMs = nowMs();
      });
    }
    return looking;
  };
  return {
    tick() {
      if (awake() === undefined) lastMs = nowMs();
    },
    awake,
  };
}
