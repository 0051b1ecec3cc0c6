// Looks again and again at what others may have changed: one look at a time, and one that hangs is given up.

import { HeadraceError, type Logger, messageOf, within } from '../core/index.ts';

export interface Looks {
  /** Never throws: what fails is logged, once for as long as it stays the same. */
  refresh(): Promise<void>;
  /** A look that begins now; throws what it does. Others that come meanwhile wait for it. */
  catchUp(): Promise<void>;
  /** Resolves once no look is under way. Never rejects. */
  settled(): Promise<void>;
}

export interface LooksOptions {
  /** `isAsked`: somebody waits for what it finds. */
  readonly look: (isAsked: boolean) => Promise<void>;
  /** What each refresh goes on with, as long as it takes. */
  readonly goOn?: () => Promise<void>;
  readonly logger: Logger;
  /** What is logged with the reason when a refresh fails. */
  readonly whenFailed: string;
}

/** A registry or a store that says nothing must not keep the next look away. */
const LOOK_LIMIT_MS = 5000;

export function createLooks({ look, goOn, logger, whenFailed }: LooksOptions): Looks {
  let refreshing: Promise<void> | undefined;
  let toldOf = '';

  const lookInTime = (isAsked: boolean): Promise<void> =>
    within(look(isAsked), LOOK_LIMIT_MS, () => {
      const sentence = `nothing came within ${LOOK_LIMIT_MS / 1000} s; looking again`;
      throw new HeadraceError('HR_STORAGE_UNAVAILABLE', sentence);
    });

  const refreshOnce = async (): Promise<void> => {
    try {
      await lookInTime(false);
      await goOn?.();
      toldOf = '';
    } catch (thrown) {
      const reason = messageOf(thrown);
      if (toldOf !== reason) logger.error({ reason }, whenFailed);
      toldOf = reason;
    }
    refreshing = undefined;
  };

  return {
    refresh: () => (refreshing ??= refreshOnce()),
    async catchUp() {
      while (refreshing !== undefined) await refreshing;
      const looking = lookInTime(true);
      refreshing = looking.catch(() => undefined).then(() => (refreshing = undefined));
      await looking;
    },
    settled: async () => refreshing,
  };
}
